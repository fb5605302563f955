"""What housekeeping removes, and that no forecast could ever tell."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import sqlalchemy.exc

from co2_assets.cli.dagster_runs import CONFIGURATION
from co2_assets.contracts import CO2_EMISSION_PROGNOSIS, POWER_SYSTEM_RIGHT_NOW
from co2_assets.contracts.tables import MODEL_TABLE
from co2_assets.contracts.time import hour_of
from co2_assets.defs import run_records
from co2_assets.defs.resources import PipelineResource
from co2_assets.defs.run_records import RUNS_KEPT, prune_runs
from co2_assets.forecasting.forecaster import version_of
from co2_assets.pipeline import housekeeping
from co2_assets.pipeline.forecast_inputs import read_known_data
from co2_assets.pipeline.housekeeping import Tidied, tidy
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from tests.support.resilience_runs import (
    DAY,
    HOUR,
    T0,
    at,
    differing,
    everything,
    folder,
    rows,
    tick,
    warehouse,
)


def tidied(settings: Settings) -> Tidied:
    with open_run(settings) as pipeline:
        return tidy(pipeline)


def test_after_a_run_there_is_nothing_left_to_tidy(home: Settings) -> None:
    before = everything(home)
    assert tidied(home) == Tidied()
    assert differing(before, everything(home)) == set()


def test_minutes_older_than_the_history_go_and_their_hours_stay(home: Settings) -> None:
    hours = rows(home, "aggregated_data")
    shorter = replace(home, history_days=30)
    assert tidied(shorter).minutes > 0
    minutes = rows(home, POWER_SYSTEM_RIGHT_NOW.name)["minute_utc"]
    assert minutes.min() == minutes.max().floor("D") - 30 * DAY
    assert rows(home, "aggregated_data").equals(hours)
    assert tidied(shorter).minutes == 0


def test_under_a_clock_years_ahead_the_minutes_stay(home: Settings) -> None:
    with open_run(home) as pipeline:
        assert tidy(replace(pipeline, now=T0 + 2000 * DAY)).minutes == 0


def test_no_six_hour_forecast_can_tell_which_vintages_went(home: Settings) -> None:
    table = CO2_EMISSION_PROGNOSIS.table
    hour = T0 - 30 * DAY
    minutes = pd.date_range(hour, periods=12, freq="5min", unit="us")
    # Several versions within an hour, on a mark, and in later hours.
    published = [hour - 9 * HOUR + timedelta(minutes=m) for m in (5, 20, 180, 181, 240, 300, 430, 530, 545)]
    extra = pd.DataFrame(
        [
            {
                "price_area": zone,
                "minute_utc": minute,
                "published_at_utc": at_,
                "co2_g_per_kwh": 100.0 + number,
                "fetched_at_utc": T0,
            }
            for number, at_ in enumerate(published)
            for minute in minutes
            for zone in ("DK1", "DK2")
        ]
    )
    with warehouse(home).open_transaction() as transaction:
        transaction.append_vintages(table, extra)
    later = T0 - 20 * DAY

    def seen() -> np.ndarray:
        data = read_known_data(warehouse(home), since=T0 - 60 * DAY, until=later)
        instants = np.array([(hour_of(hour) - back) * 3600 for back in (12, 6, 0, -6)])
        return data.prognosis_at(np.full(4, hour_of(hour)), instants)

    before, count = seen(), len(rows(home, table.name))
    with open_run(home) as pipeline:
        removed = tidy(replace(pipeline, now=later)).vintages
    assert removed > 0
    assert len(rows(home, table.name)) == count - removed
    np.testing.assert_array_equal(seen(), before)


def test_rejected_models_go_after_a_while_and_champions_never(home: Settings) -> None:
    (champion,) = rows(home, "model_table").to_dict("records")
    with warehouse(home).open_transaction() as transaction:
        transaction.upsert(
            MODEL_TABLE,
            pd.DataFrame([{**champion, "model_version": "rejected", "decision": "rejected"}]),
        )
    models = folder(home).models
    (models / "rejected.safetensors").write_bytes(b"x")
    (models / "rejected.DK.json").write_text("{}")
    assert tidied(home).model_files == 0
    with open_run(home) as pipeline:
        assert tidy(replace(pipeline, now=T0 + 91 * DAY)).model_files == 2
    assert [version_of(path) for path in models.iterdir()] == [champion["model_version"]] * 2


def test_files_that_no_row_speaks_of_go_after_a_week(home: Settings) -> None:
    models = folder(home).models
    orphan, young = models / "orphan.safetensors", models / "young.safetensors"
    for path, age_days in ((orphan, 30), (young, 1)):
        path.write_bytes(b"x")
        stamp = max(p.stat().st_mtime for p in models.iterdir()) - age_days * 86_400
        os.utime(path, (stamp, stamp))
    assert tidied(home).model_files == 1
    assert young.exists()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_old_runs_are_deleted_but_the_newest_of_each_job(instance: dg.DagsterInstance) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def often() -> None:
        nothing()

    @dg.job
    def seldom() -> None:
        nothing()

    runs = [job.execute_in_process(instance=instance).run_id for job in (seldom, often, often)]
    now = datetime.now(UTC).replace(tzinfo=None)
    assert prune_runs(instance, now) == 0
    assert prune_runs(instance, now + RUNS_KEPT + DAY) == 1
    assert {run.run_id for run in instance.get_runs()} == {runs[0], runs[2]}
    assert prune_runs(instance, now + RUNS_KEPT + DAY) == 0


@dg.op
def talk() -> None:
    print("something to keep")


@dg.job
def talking() -> None:
    talk()


def on_disk(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def of_run(folder: Path, run_id: str) -> set[str]:
    return {path for path in on_disk(folder) if run_id in path}


ELSEWHERE = """
telemetry: {{enabled: false}}
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config: {{base_dir: {files}}}
compute_logs:
  module: dagster._core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config: {{base_dir: {files}}}
"""


@pytest.fixture(params=["as in a home", "files elsewhere"])
def on_files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as `co2 up` has it, or with its files on a volume of their own, as with PostgreSQL."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    if request.param == "as in a home":
        shutil.copyfile(CONFIGURATION, folder / "dagster.yaml")
    else:
        (folder / "dagster.yaml").write_text(ELSEWHERE.format(files=tmp_path / "files"))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def test_a_deleted_run_leaves_nothing_on_the_disk(on_files: dg.DagsterInstance, tmp_path: Path) -> None:
    old, newest = (talking.execute_in_process(instance=on_files).run_id for _ in range(2))
    for run_id in (old, newest):
        Path(on_files.file_manager_directory(run_id)).mkdir(parents=True)
    # As one whose last reader was killed.
    for database in tmp_path.rglob(f"{old}.db"):
        database.with_name(f"{database.name}-wal").touch()
    kept = of_run(tmp_path, newest)
    # Events, what was printed, and a folder for files.
    assert len(kept) >= 5
    now = datetime.now(UTC).replace(tzinfo=None)
    assert prune_runs(on_files, now + RUNS_KEPT + DAY) == 1
    assert of_run(tmp_path, old) == set()
    assert of_run(tmp_path, newest) == kept
    assert [run.run_id for run in on_files.get_runs()] == [newest]
    assert on_files.all_logs(newest)


def test_files_that_versions_of_before_left_go_and_those_of_others_stay(
    on_files: dg.DagsterInstance, tmp_path: Path
) -> None:
    gone, newest = (talking.execute_in_process(instance=on_files).run_id for _ in range(2))
    Path(on_files.storage_directory()).mkdir(parents=True, exist_ok=True)
    (Path(on_files.storage_directory()) / "an_asset").mkdir()
    on_files.delete_run(gone)
    assert of_run(tmp_path, gone)
    now = datetime.now(UTC).replace(tzinfo=None)
    # Young ones may be of a run that is just being made.
    assert prune_runs(on_files, now) == 0
    before = on_disk(tmp_path) - of_run(tmp_path, gone)
    assert prune_runs(on_files, now + RUNS_KEPT + DAY) == 1
    assert of_run(tmp_path, gone) == set()
    assert before <= on_disk(tmp_path)
    assert [run.run_id for run in on_files.get_runs()] == [newest]


def test_no_more_is_removed_at_once_than_a_run_has_time_for(
    on_files: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_records, "MOST_RUNS_DELETED", 1)
    runs = [talking.execute_in_process(instance=on_files).run_id for _ in range(4)]
    on_files.delete_run(runs[0])
    later = datetime.now(UTC).replace(tzinfo=None) + RUNS_KEPT + DAY
    assert [prune_runs(on_files, later) for _ in range(4)] == [1, 1, 1, 0]
    assert [bool(of_run(tmp_path, run_id)) for run_id in runs] == [False, False, False, True]


FAILURES = [
    ("pipeline.housekeeping.tidy", OSError(28, "No space left on device")),
    ("pipeline.housekeeping.tidy", RuntimeError("of a kind that nobody thought of")),
    (
        "defs.run_records.prune_runs",
        sqlalchemy.exc.OperationalError("DELETE FROM runs", {}, Exception("database is locked")),
    ),
]


@pytest.mark.parametrize(("part", "error"), FAILURES, ids=lambda given: str(given).partition(" ")[0])
def test_a_failing_housekeeping_does_not_keep_a_run_from_publishing(
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    part: str,
    error: Exception,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"co2_assets.{part}", fail)
    before = snapshots.current(folder(home).snapshots)
    assert before is not None
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_init_resource_context(instance=instance)
        given = PipelineResource.from_settings(at(home, T0 + HOUR))
        with given.yield_for_execution(context) as pipeline:
            assert not pipeline.is_published
    after = snapshots.current(folder(home).snapshots)
    assert after is not None
    assert after.version > before.version
    (record,) = [record for record in caplog.records if "Housekeeping was not finished" in record.message]
    assert record.exc_info is not None


def test_a_process_that_loaded_the_definitions_ends_without_a_word_of_leaks() -> None:
    # As the code location's do: the daemon replaces them each minute, and its log took it all.
    code = "import torch; import co2_assets.definitions"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "leaked" not in ended.stderr


def test_a_failing_housekeeping_does_not_fail_the_run(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(housekeeping, "tidy", full)
    assert tick(at(home, T0 + 6 * HOUR), assets=["predictions"])
