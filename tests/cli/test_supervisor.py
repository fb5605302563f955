"""What `co2 up` does with logs, and with a run that was cut off; without Dagster's servers."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test  # Dagster has no public one

from co2_assets.cli import start_everything as start_module
from co2_assets.cli import supervisor as supervisor_module
from co2_assets.cli.dagster_runs import dagster_instance
from co2_assets.cli.start_everything import start_everything
from co2_assets.cli.supervisor import Supervisor, UpError
from co2_assets.defs.automation import TICK_JOB
from co2_assets.settings import Settings

LARGEST = 1000
SOON_S = 20.0


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervisor_module, "LARGEST_LOG_BYTES", LARGEST)
    supervisor = Supervisor({}, tmp_path / "logs")
    yield supervisor
    supervisor.stop()


def write_lines(supervisor: Supervisor, path: Path, times: int) -> None:
    """Start a process that writes 100 bytes whenever the file ``path`` grows, and wait for ``times``."""
    code = (
        "import pathlib, sys, time\n"
        f"path, count = pathlib.Path({str(path)!r}), 0\n"
        "while True:\n"
        "    for _ in range(path.stat().st_size - count):\n"
        "        count += 1\n"
        "        print(f'{count:099d}', flush=True)\n"
        "    time.sleep(0.01)\n"
    )
    path.write_bytes(b"x" * times)
    supervisor.start("writer", [sys.executable, "-c", code])


def until(supervisor: Supervisor, last: int) -> None:
    """Watch until line number ``last`` has been written."""
    logs = (supervisor.logs / "writer.log", supervisor.logs / "writer.log.1")
    deadline = time.monotonic() + SOON_S
    while not any(f"{last:099d}" in log.read_text() for log in logs if log.exists()):
        supervisor.wait(0.02)
        assert time.monotonic() < deadline
    supervisor.wait(0.02)


def test_a_log_stays_bounded_while_its_process_goes_on_writing(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    log, before = supervisor.logs / "writer.log", supervisor.logs / "writer.log.1"
    asked = tmp_path / "asked"
    write_lines(supervisor, asked, times=30)
    until(supervisor, 30)
    assert log.stat().st_size <= LARGEST
    assert before.stat().st_size <= LARGEST
    with asked.open("ab") as file:
        file.write(b"x")
    until(supervisor, 31)
    # Written at the new end: a hole of thousands of zeros would stand before it otherwise.
    assert "\0" not in log.read_text()
    assert log.stat().st_size <= LARGEST


def test_the_log_of_before_is_kept_beside_the_new_one(supervisor: Supervisor) -> None:
    supervisor.logs.mkdir()
    log = supervisor.logs / "writer.log"
    log.write_text("x" * 5 * LARGEST + "how it ended")
    supervisor.start("writer", [sys.executable, "-c", "input()"])
    assert (supervisor.logs / "writer.log.1").read_text().endswith("how it ended")
    assert (supervisor.logs / "writer.log.1").stat().st_size == LARGEST
    assert "how it ended" not in log.read_text()


def test_a_log_that_somebody_removed_ends_nothing(supervisor: Supervisor, tmp_path: Path) -> None:
    write_lines(supervisor, tmp_path / "asked", times=1)
    until(supervisor, 1)
    (supervisor.logs / "writer.log").unlink()
    supervisor.wait(0)


@pytest.mark.parametrize("how_hangups_are_taken", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_run_cut_off_by_a_power_failure_is_ended_before_the_daemon_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how_hangups_are_taken: signal.Handlers
) -> None:
    monkeypatch.setattr("signal.getsignal", lambda _number: how_hangups_are_taken)
    settings = Settings(home=tmp_path / "home", source="simulator")
    for name in ("DAGSTER_HOME", *settings.environment()):
        monkeypatch.setenv(name, "")
    with dagster_instance(settings) as instance:
        cut_off = create_run_for_test(instance, job_name=TICK_JOB, status=dg.DagsterRunStatus.STARTED)
    lines: list[str] = []
    found: list[Any] = []

    def start(_self: Supervisor, name: str, _command: list[str]) -> None:
        with dagster_instance(settings) as instance:
            found.append((name, instance.get_run_by_id(cut_off.run_id)))
        raise UpError("far enough")

    monkeypatch.setattr(Supervisor, "start", start)
    monkeypatch.setattr(start_module, "require_free_port", lambda *_: None)
    handled: list[int] = []
    monkeypatch.setattr("signal.signal", lambda number, _handler: handled.append(number))
    with pytest.raises(UpError, match="far enough"):
        start_everything(
            settings,
            host="127.0.0.1",
            page_host="127.0.0.1",
            dagster_port=1,
            page_port=2,
            progress=lines.append,
            first_run_done=lambda _: None,
        )
    # The terminal may be closed; under nohup that ends nothing.
    assert {signal.SIGINT, signal.SIGTERM} <= set(handled)
    assert (signal.SIGHUP in handled) == (how_hangups_are_taken is not signal.SIG_IGN)
    ((name, run),) = found
    assert name == "webserver"
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert any("1 run(s) that were cut off" in line for line in lines)
