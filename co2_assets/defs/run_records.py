"""What Dagster keeps of finished runs, and how the old ones are removed."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.utils import is_valid_run_id

RUNS_KEPT = timedelta(days=30)

# A run's deletion takes some tens of milliseconds; a year's backlog is gone within days.
MOST_RUNS_DELETED = 40

# What SQLite keeps beside a database, where its last user was killed.
SQLITE_PARTS = ("wal", "shm", "journal")


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
