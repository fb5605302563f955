"""Remove what is no longer needed, so that disk and memory stay bounded; done at the end of each run.

Nothing is removed that a forecast was made from or can be made from. Raw minutes are removed when they are
older than the configured history; their hourly means are kept. A vintage, which is one version of a row
that the service overwrites, is removed if it was replaced before the next whole hour.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from co2_assets.contracts import DATASETS, Dataset
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.contracts.tables import REJECTED
from co2_assets.forecasting.forecaster import version_of
from co2_assets.pipeline.run import Run
from co2_assets.warehouse.recovery import compact

logger = logging.getLogger(__name__)

# Younger vintages are all kept: a forecast that was issued between two whole hours may have used them.
VINTAGES_WHOLE = timedelta(days=60)
# Each run looks this far back from there. If no run is made for longer, some vintages stay on disk.
VINTAGES_LOOKED_AT = timedelta(days=30)
REJECTED_KEPT = timedelta(days=90)
# A model file without a row in model_table remains if a process is killed between the two writes.
ORPHANS_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Tidied:
    """What was removed: numbers of minute rows, vintages and model files, and bytes of the database file."""

    minutes: int = 0
    vintages: int = 0
    model_files: int = 0
    compacted_bytes: int = 0


def tidy(run: Run) -> Tidied:
    """Remove what is no longer needed from the warehouse and the model folder."""
    minutes = sum(_remove_old_minutes(run, dataset) for dataset in MEASUREMENTS)
    vintages = sum(_remove_unseen_vintages(run, dataset) for dataset in DATASETS if dataset.keeps_vintages)
    files = _remove_rejected_models(run)
    return Tidied(minutes, vintages, files, compact(run.warehouse))


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


def _remove_unseen_vintages(run: Run, dataset: Dataset) -> int:
    """Remove the vintages that were replaced before the next whole hour; return how many.

    Forecasts are issued at whole hours and use what was known then. The first vintage of a row is kept,
    because its time tells when the row was first published.
    """
    name, time = dataset.name, dataset.time_column
    same = ", ".join(dataset.table.key[:-1])
    until = run.now - VINTAGES_WHOLE
    condition = f"""
        ({same}, published_at_utc) IN (
            SELECT ({same}, published_at_utc) FROM {name} WHERE {time} BETWEEN ? AND ?
            WINDOW versions AS (PARTITION BY {same} ORDER BY published_at_utc)
            QUALIFY row_number() OVER versions > 1 AND lead(published_at_utc) OVER versions <=
                date_trunc('hour', published_at_utc - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR
        )
    """
    with run.warehouse.open_transaction() as transaction:
        return transaction.remove(dataset.table, condition, [until - VINTAGES_LOOKED_AT, until])


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
