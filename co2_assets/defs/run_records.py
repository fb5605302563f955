"""Delete the records and files that Dagster keeps of old runs."""

import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

# Dagster has no public names for these two, and no public way to ask where a run's files are.
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

RUNS_KEPT = timedelta(days=30)

# The deletion of a run takes some tens of milliseconds. At this rate the runs of a year are deleted
# within days.
MOST_RUNS_DELETED = 40

# Files that SQLite leaves beside a database when its last user was killed.
SQLITE_PARTS = ("wal", "shm", "journal")


def prune_runs(instance: dg.DagsterInstance, now: datetime) -> int:
    """Delete the finished runs that are older than a month, with their events and files; return how many.

    The newest run of each job stays, however old it is, so that the UI still shows it. Files of runs that
    no longer exist are deleted too. They remain where a process was killed between the two deletions.
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
    # An instance in memory would create a folder when asked where its files are.
    for run_id in _runs_of_files(instance, now - RUNS_KEPT) if instance.is_persistent else ():
        if deleted >= MOST_RUNS_DELETED:
            break
        if not instance.has_run(run_id):
            _remove_files(instance, run_id)
            deleted += 1
    return deleted


def _remove_files(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove what `delete_run` leaves of a run: the database of its events, its output and its files."""
    database = _database_of(instance, run_id)
    if database is not None:
        for path in (database, *(database.with_name(f"{database.name}-{part}") for part in SQLITE_PARTS)):
            path.unlink(missing_ok=True)
    if isinstance(instance.compute_log_manager, LocalComputeLogManager):
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    # Output and files may be in the same folder, or one may be in the parent folder of the other.
    artifacts = Path(instance.file_manager_directory(run_id)).parent
    if artifacts.is_dir():
        shutil.rmtree(artifacts)


def _database_of(instance: dg.DagsterInstance, run_id: str) -> Path | None:
    """Return the SQLite file with the events of a run; None for other storage, which has no file per run."""
    storage = instance.event_log_storage
    return Path(storage.path_for_shard(run_id)) if isinstance(storage, SqliteEventLogStorage) else None


def _runs_of_files(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    """Yield the identifiers of runs that have files on disk, last written to before ``before``."""
    # The name "any" belongs to no run; only the folders of the answers are used.
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
            if written < before and _is_run_id(run_id):
                yield run_id


def _is_run_id(text: str) -> bool:
    """Return whether ``text`` is a UUID, as the identifiers of runs are."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
