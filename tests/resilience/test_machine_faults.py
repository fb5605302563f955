"""Killed, crowded, out of disk, without its model: the next run finishes what this one could not."""

import multiprocessing
import random
import signal
from datetime import timedelta
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
from typer.testing import CliRunner

from co2_assets.cli.commands import app
from co2_assets.cli.dagster_runs import run_job
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.defs.automation import DEEPEN_JOB
from co2_assets.forecasting.issue.fallback import CAUSE, VERSION
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.errors import WarehouseBusy
from tests.support.resilience_runs import (
    COUNTRY,
    FORECAST,
    HOUR,
    T0,
    at,
    differing,
    everything,
    folder,
    rows,
    tick,
    tick_apart,
    warehouse,
)

NOW = T0 + 6 * HOUR
PRELOADED = [
    "co2_assets.definitions",
    "co2_assets.pipeline.housekeeping",
    "co2_assets.pipeline.live_forecast",
    "co2_assets.forecasting.network.training",
    "co2_assets.forecasting.score.backtest",
]
# A run takes the writer's turn some eighty times: to fetch, to store, to check, to look up.
TURNS_OF_A_RUN = 80


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Where processes come from: forked from a server that has imported everything once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def started(
    processes: ForkServerContext,
    settings: Settings,
    *,
    largest_file: int | None = None,
    killed_at_turn: int | None = None,
) -> BaseProcess:
    process = processes.Process(target=tick_apart, args=(settings, largest_file, killed_at_turn))
    process.start()
    return process


@pytest.fixture(scope="session")
def well(second: Settings) -> dict[str, pd.DataFrame]:
    """Every table after two runs that went well."""
    return everything(second)


def test_runs_killed_at_any_point_or_out_of_disk_are_finished_by_the_next(
    processes: ForkServerContext, home: Settings, well: dict[str, pd.DataFrame]
) -> None:
    before = snapshots.current(folder(home).snapshots)
    assert before is not None
    # Less than a commit's log needs; the database itself would only stay unchecked.
    process = started(processes, at(home, NOW), largest_file=20_000)
    process.join()
    assert process.exitcode == 1
    # Each gets further than the one before it.
    for turn in sorted(random.Random(5).sample(range(1, TURNS_OF_A_RUN), 3)):
        process = started(processes, at(home, NOW), killed_at_turn=turn)
        process.join()
        assert process.exitcode == -signal.SIGKILL, turn
        # Readers go on with a whole snapshot, the one before or the one after.
        now = snapshots.current(folder(home).snapshots)
        assert now is not None
        assert now.version >= before.version
        assert len(snapshots.query(now, "SELECT * FROM current_forecast")) == HORIZON_HOURS
        before = now

    assert tick(at(home, NOW))
    assert differing(everything(home), well) == set()


def test_two_runs_at_once_store_everything_once(
    processes: ForkServerContext, home: Settings, well: dict[str, pd.DataFrame]
) -> None:
    both = [started(processes, at(home, NOW)) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert differing(everything(home), well) == set()


def test_a_run_that_cannot_be_published_is_no_success(
    home: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = at(home, NOW)
    for name in ("DAGSTER_HOME", *settings.environment()):
        monkeypatch.setenv(name, "")
    before = snapshots.current(folder(home).snapshots)
    for obstacle, is_full in (
        (OSError(28, "No space left on device"), True),
        (WarehouseBusy("the file is open in process 7; close that program and try again"), False),
    ):
        caplog.clear()
        with patch("co2_assets.warehouse.snapshots.publish", side_effect=obstacle):
            assert not run_job(settings, DEEPEN_JOB)
        assert "Nothing was published" in caplog.text
        assert str(obstacle) in caplog.text
        assert ("make room on the disk" in caplog.text) == is_full
        assert snapshots.current(folder(home).snapshots) == before


def test_three_days_away_are_caught_up_in_one_run(home: Settings) -> None:
    back = T0 + timedelta(days=3)
    assert tick(at(home, back), assets=FORECAST)
    hours = rows(home, "aggregated_data")["hour_utc"]
    assert hours.max() == back - HOUR
    assert (hours.diff().dropna() == HOUR).all()
    issued = warehouse(home).read("SELECT DISTINCT issue_time_utc AS t FROM predictions WHERE kind = 'live'")
    assert sorted(issued["t"]) == [T0, back]


def test_a_leftover_lock_file_holds_nobody_up(home: Settings) -> None:
    path = folder(home).database
    path.with_name(f"{path.name}.lock").write_text("4194304")
    assert len(rows(home, "predictions"))


def test_without_weights_and_training_a_named_rule_forecasts_and_the_next_run_trains(home: Settings) -> None:
    for weights in folder(home).models.glob("*.safetensors"):
        weights.write_bytes(b"noise" * 1000)
    with patch(
        "co2_assets.forecasting.network.training.train_together",
        side_effect=MemoryError("no memory left"),
    ):
        assert tick(at(home, NOW), assets=[*COUNTRY, "trained_model"])
    live = rows(home, "predictions").query("issue_time_utc == @NOW and kind == 'live'")
    assert len(live) == HORIZON_HOURS
    assert set(live["model_version"]) == {VERSION}
    assert CAUSE in live["degraded_causes"].iloc[0]

    later = NOW + 6 * HOUR
    assert tick(at(home, later), assets=[*COUNTRY, "trained_model"])
    live = rows(home, "predictions").query("issue_time_utc == @later and kind == 'live'")
    assert set(live["model_version"]).isdisjoint({VERSION})


@pytest.mark.parametrize("command", ["tick", "train"])
def test_a_home_that_cannot_be_written_is_one_line_and_exit_code_1(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CO2_HOME", "CO2_SOURCE", "CO2_AS_OF", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    # A file where a folder should be: refused to root as well.
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(
        app, [command, "--source", "simulator", "--home", str(tmp_path / "file" / "x")]
    )
    assert result.exit_code == 1
    assert "a file is where a folder should be: move it, or choose another --home" in result.output
    assert "Traceback" not in result.output
