"""Keep disk and memory bounded: remove what is no longer needed, archive past months. Done after each run.

Nothing is removed that a six-hour forecast was made from or can be made from. Raw minutes are removed when
they are older than the configured history; their hourly means are kept. Versions of rows that the service
overwrites are thinned out after eight days. Issued forecasts are all kept: those of past months in files.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

import duckdb

from co2_assets.contracts import DATASETS, Dataset
from co2_assets.contracts.areas import AVERAGED
from co2_assets.contracts.tables import REJECTED
from co2_assets.forecasting.forecaster import version_of
from co2_assets.pipeline.run import Run
from co2_assets.pipeline.thinning import thin_versions
from co2_assets.warehouse.history import write_history
from co2_assets.warehouse.issue_archive import archive_issues
from co2_assets.warehouse.recovery import compact

logger = logging.getLogger(__name__)

REJECTED_KEPT = timedelta(days=90)
# A model file without a row in model_table remains if a process is killed between the two writes.
ORPHANS_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Tidied:
    """What was done: minute rows, vintages and model files removed, months written to files, rows of issued
    forecasts that are now in files only, and by how many bytes the database file shrank."""

    minutes: int = 0
    vintages: int = 0
    model_files: int = 0
    months_written: int = 0
    issues_moved: int = 0
    compacted_bytes: int = 0


def tidy(run: Run) -> Tidied:
    """Remove what is no longer needed from the warehouse and the model folder."""
    minutes = sum(_remove_old_minutes(run, dataset) for dataset in AVERAGED)
    vintages = sum(thin_versions(run, dataset) for dataset in DATASETS if dataset.keeps_vintages)
    files = _remove_rejected_models(run)
    months, moved = _archive(run)
    return Tidied(minutes, vintages, files, months, moved, compact(run.warehouse))


def _archive(run: Run) -> tuple[int, int]:
    """Write past months to files; return how many, and how many rows of forecasts are now only there."""
    try:
        months, moved = archive_issues(run.warehouse, now=run.now)
        return months + write_history(run.warehouse, now=run.now), moved
    except (OSError, duckdb.Error):
        # The folder may not be writable, or the disk full: the warehouse then keeps the rows.
        logger.exception("Past months were not archived; nothing is lost, and the next run tries again")
        return 0, 0


def _remove_old_minutes(run: Run, dataset: Dataset) -> int:
    time = dataset.time_column
    newest = run.warehouse.read(f"SELECT max({time}) AS t FROM {dataset.name}")["t"].iloc[0]
    if newest != newest:  # the table is empty
        return 0
    # The newest row counts as well: a clock that is years ahead would remove everything otherwise.
    begin = min(run.now, newest.to_pydatetime()) - timedelta(days=run.history_days)
    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    with run.warehouse.open_transaction() as transaction:
        return transaction.remove(dataset.table, f"{time} < ?", [begin])


def _remove_rejected_models(run: Run) -> int:
    """Remove the files of models that were rejected long ago or have no row; return how many files."""
    if not run.models.exists():
        return 0
    rows = run.warehouse.read("SELECT model_version, decision, trained_at_utc FROM model_table")
    old = rows[(rows["decision"] == REJECTED) & (rows["trained_at_utc"] < run.now - REJECTED_KEPT)]
    rejected = set(old["model_version"])
    known = set(rows["model_version"])
    newest = max((path.stat().st_mtime for path in run.models.iterdir()), default=0.0)
    removed = 0
    for path in sorted(run.models.iterdir()):
        version = version_of(path)
        is_orphan = version not in known and newest - path.stat().st_mtime > ORPHANS_KEPT.total_seconds()
        if version in rejected or is_orphan:
            path.unlink()
            removed += 1
    return removed
