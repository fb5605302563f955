"""Dagster's own records: damaged ones begin anew, and held ones stop no forecast."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from co2_assets.cli import dagster_records
from co2_assets.cli.dagster_records import is_held, set_damaged_aside, wait_until_free
from co2_assets.cli.dagster_runs import dagster_instance, run_job
from co2_assets.defs.automation import RETRAIN_JOB, six_hour_schedule
from co2_assets.pipeline.run import published_snapshot
from co2_assets.settings import Settings
from co2_assets.warehouse.errors import NoLocks, WarehouseBusy
from co2_assets.warehouse.lock import exclusive
from tests.support.pipeline_runs import simulated

NOW = datetime(2024, 6, 1, 12)
PAGE = 4096
MAIN_FILES = ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = simulated(tmp_path / "home")
    for name in ("DAGSTER_HOME", *settings.environment()):
        monkeypatch.setenv(name, "")
    return settings


@pytest.fixture
def records(settings: Settings) -> Path:
    """The folder of the records of a home in which a run was made."""
    run_job(settings, RETRAIN_JOB)  # ends at once: there is nothing to train on
    return settings.home / "dagster"


@pytest.fixture
def held(records: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Records that another connection writes to for a long time."""
    monkeypatch.setattr(wait_until_free, "__defaults__", (0.0,))
    path = records / MAIN_FILES[0]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield path


def overwrite(path: Path, start: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(range(256)) * (2 * PAGE // 256))


def run_files(records: Path) -> set[str]:
    return {f"history/runs/{path.name}" for path in (records / "history" / "runs").glob("*-*.db")}


def test_damaged_records_are_set_aside_and_begin_anew(
    settings: Settings, records: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = {*MAIN_FILES, *run_files(records)}
    assert len(names) == 4
    for number, name in enumerate(sorted(names)):
        overwrite(records / name, start=PAGE * (number % 2))  # the header, or the pages after it
    caplog.clear()
    with dagster_instance(settings) as instance:
        assert instance.get_runs() == []
        # Nothing is stored of a schedule that never was stopped: it runs, as in a new home.
        assert instance.all_instigator_state() == []
        assert six_hour_schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    aside = list(records.glob("**/*.db.damaged-*"))
    assert {str(path.relative_to(records)).split(".damaged-")[0] for path in aside} == names
    for path in aside:
        assert caplog.text.count(f"the file is now {path}") == 1
    caplog.clear()
    with dagster_instance(settings):
        assert caplog.text == ""


def test_only_what_sqlite_calls_damage_is_set_aside(held: Path) -> None:
    records = held.parents[1]
    foreign = records / "schedules" / "notes.txt"
    foreign.write_bytes(b"no database")
    assert set_damaged_aside(records, NOW) == []


def test_a_file_that_is_held_is_named_with_its_holder(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WarehouseBusy, match=f"{held} is held by another process .* close that program"):
        wait_until_free(held.parents[1])
    # As if the connection of this test were that of another program.
    monkeypatch.setattr(dagster_records, "own_process", lambda: -1)
    with pytest.raises(WarehouseBusy, match=f"held by process {os.getpid()} and") as raised:
        wait_until_free(held.parents[1])
    assert is_held(raised.value)
    assert not is_held(WarehouseBusy("the warehouse"))


def test_a_run_is_made_without_a_record_while_the_records_are_held(
    settings: Settings, held: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    before = published_snapshot(settings)
    run_job(settings, RETRAIN_JOB)
    # It was made: each run publishes, though there is nothing to train on here.
    assert published_snapshot(settings) != before
    assert f"{held} is held by" in caplog.text
    assert "without a record in Dagster" in caplog.text
    assert "disk" not in caplog.text


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    remedy = f"{tmp_path} cannot lock files .* --home on a local disk"
    with pytest.raises(NoLocks, match=remedy), exclusive(tmp_path / "a.lock", 0):
        pass
