"""What keeps disk and memory bounded: cheap, repeatable, and run at the end of every run.

Nothing that a forecast was or can be made from goes: of the raw minutes only those older than the
history asked for, whose hourly means stay; of the vintages only those that no whole hour ever saw.
"""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.utils import is_valid_run_id

from co2_assets.contracts import DATASETS, Dataset
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.forecasting.network.model_file import version_of
from co2_assets.forecasting.score.comparison import REJECTED
from co2_assets.pipeline import Pipeline
from co2_assets.warehouse.recovery import compact

logger = logging.getLogger(__name__)

# Younger vintages may still be told apart by a forecast issued at an odd minute.
VINTAGES_WHOLE = timedelta(days=60)
# How far back of that each run looks: ticks missed for a month lose nothing but disk.
VINTAGES_LOOKED_AT = timedelta(days=30)
REJECTED_KEPT = timedelta(days=90)
RUNS_KEPT = timedelta(days=30)
# A run's deletion takes some tens of milliseconds; a year's backlog is gone within days.
MOST_RUNS_DELETED = 40
# A file without its row is what a kill between the two left.
ORPHANS_KEPT = timedelta(days=7)

# What SQLite keeps beside a database, where its last user was killed.
SQLITE_PARTS = ("wal", "shm", "journal")


@dataclass(frozen=True)
class Tidied:
    """What went: rows of minutes and of vintages, model files, bytes of the database file."""

    minutes: int = 0
    vintages: int = 0
    model_files: int = 0
    compacted_bytes: int = 0


def tidy(pipeline: Pipeline) -> Tidied:
    """Remove what is no longer needed from the warehouse and the model folder."""
    minutes = sum(_remove_old_minutes(pipeline, dataset) for dataset in MEASUREMENTS)
    vintages = sum(
        _remove_unseen_vintages(pipeline, dataset)
        for dataset in DATASETS
        if dataset.table.key[-1] == "published_at_utc"
    )
    files = _remove_rejected_models(pipeline)
    return Tidied(minutes, vintages, files, compact(pipeline.warehouse))


def _remove_old_minutes(pipeline: Pipeline, dataset: Dataset) -> int:
    time = dataset.time_column
    newest = pipeline.warehouse.read(f"SELECT max({time}) AS t FROM {dataset.name}")["t"].iloc[0]
    if newest != newest:  # nothing is held
        return 0
    # By the newest row too: under a clock that ran years ahead all would go.
    begin = min(pipeline.now, newest.to_pydatetime()) - timedelta(days=pipeline.history_days)
    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    with pipeline.warehouse.open_transaction() as transaction:
        return transaction.remove(dataset.table, f"{time} < ?", [begin])


def _remove_unseen_vintages(pipeline: Pipeline, dataset: Dataset) -> int:
    """Remove versions that were replaced before the next whole hour.

    Forecasts are issued at whole hours, and every look-up is of what was known at one; the first
    version of a row stays, for its age says from when the others are revisions.
    """
    name, time = dataset.name, dataset.time_column
    same = ", ".join(dataset.table.key[:-1])
    until = pipeline.now - VINTAGES_WHOLE
    condition = f"""
        ({same}, published_at_utc) IN (
            SELECT ({same}, published_at_utc) FROM {name} WHERE {time} BETWEEN ? AND ?
            WINDOW versions AS (PARTITION BY {same} ORDER BY published_at_utc)
            QUALIFY row_number() OVER versions > 1 AND lead(published_at_utc) OVER versions <=
                date_trunc('hour', published_at_utc - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR
        )
    """
    with pipeline.warehouse.open_transaction() as transaction:
        return transaction.remove(dataset.table, condition, [until - VINTAGES_LOOKED_AT, until])


def _remove_rejected_models(pipeline: Pipeline) -> int:
    """Remove the files of models rejected long ago, and those that no row speaks of."""
    if not pipeline.models.exists():
        return 0
    rows = pipeline.warehouse.read("SELECT model_version, decision, trained_at_utc FROM model_table")
    old = rows[(rows["decision"] == REJECTED) & (rows["trained_at_utc"] < pipeline.now - REJECTED_KEPT)]
    doomed = set(old["model_version"])
    known = set(rows["model_version"])
    newest = max((path.stat().st_mtime for path in pipeline.models.iterdir()), default=0.0)
    removed = 0
    for path in sorted(pipeline.models.iterdir()):
        version = version_of(path)
        is_orphan = version not in known and newest - path.stat().st_mtime > ORPHANS_KEPT.total_seconds()
        if version in doomed or is_orphan:
            path.unlink()
            removed += 1
    return removed


def prune_runs(instance: dg.DagsterInstance, now: datetime) -> int:
    """Delete finished runs older than a month, their events and their files; return how many.

    Of each job the newest run stays, however old: the UI goes on to show it. Files whose run is gone
    already, which a kill between the two or a version of before left, go as well.
    """
    kept: set[str] = set()
    deleted = 0
    before = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        created_before=now - RUNS_KEPT,
    )
    for record in instance.get_run_records(before, limit=MOST_RUNS_DELETED + 10, ascending=True):
        job = record.dagster_run.job_name
        newest = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
        kept.update(run.dagster_run.run_id for run in newest)
        if record.dagster_run.run_id not in kept and deleted < MOST_RUNS_DELETED:
            instance.delete_run(record.dagster_run.run_id)
            if instance.is_persistent:
                _remove_files(instance, record.dagster_run.run_id)
            deleted += 1
    # One in memory makes a folder as soon as it is asked for one.
    for run_id in _runs_of_files(instance, now - RUNS_KEPT) if instance.is_persistent else ():
        if deleted >= MOST_RUNS_DELETED:
            break
        if not instance.has_run(run_id):
            _remove_files(instance, run_id)
            deleted += 1
    return deleted


def _remove_files(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove what `delete_run` leaves of a run: its events' own database, what it printed, its files."""
    database = _database_of(instance, run_id)
    if database is not None:
        for path in (database, *(database.with_name(f"{database.name}-{part}") for part in SQLITE_PARTS)):
            path.unlink(missing_ok=True)
    if isinstance(instance.compute_log_manager, LocalComputeLogManager):
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    # The two may lie in one folder, or in one and its parent.
    artifacts = Path(instance.file_manager_directory(run_id)).parent
    if artifacts.is_dir():
        shutil.rmtree(artifacts)


def _database_of(instance: dg.DagsterInstance, run_id: str) -> Path | None:
    """Return where SQLite keeps a run's events; None for other storage, which has no file for each."""
    storage = instance.event_log_storage
    return Path(storage.path_for_shard(run_id)) if isinstance(storage, SqliteEventLogStorage) else None


def _runs_of_files(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    """Yield the identifiers of runs of which something lies on disk, last written to before ``before``."""
    # Asked for under a name that no run has, for the folders they would lie in.
    folders = [Path(instance.file_manager_directory("any")).parent.parent]
    if isinstance(instance.compute_log_manager, LocalComputeLogManager):
        printed = instance.compute_log_manager.get_captured_local_path(["any", "any"], "out")
        folders.append(Path(printed).parent.parent)
    if (database := _database_of(instance, "any")) is not None:
        folders.append(database.parent)
    for folder in dict.fromkeys(folders):
        if not folder.is_dir():
            continue
        for path in folder.iterdir():
            run_id = path.name.partition(".")[0]
            written = datetime.fromtimestamp(path.lstat().st_mtime, UTC).replace(tzinfo=None)
            if written < before and is_valid_run_id(run_id):
                yield run_id
