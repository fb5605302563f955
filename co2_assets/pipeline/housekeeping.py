"""What keeps disk and memory bounded: cheap, repeatable, and run at the end of every run.

Nothing that a forecast was or can be made from goes: of the raw minutes only those older than the
history asked for, whose hourly means stay; of the vintages only those that no whole hour ever saw.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from co2_assets.contracts import DATASETS, Dataset
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.forecasting.network.model_file import version_of
from co2_assets.forecasting.score.comparison import REJECTED
from co2_assets.pipeline.run import Run
from co2_assets.warehouse.recovery import compact

logger = logging.getLogger(__name__)

# Younger vintages may still be told apart by a forecast issued at an odd minute.
VINTAGES_WHOLE = timedelta(days=60)
# How far back of that each run looks: ticks missed for a month lose nothing but disk.
VINTAGES_LOOKED_AT = timedelta(days=30)
REJECTED_KEPT = timedelta(days=90)
# A file without its row is what a kill between the two left.
ORPHANS_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Tidied:
    """What went: rows of minutes and of vintages, model files, bytes of the database file."""

    minutes: int = 0
    vintages: int = 0
    model_files: int = 0
    compacted_bytes: int = 0


def tidy(pipeline: Run) -> Tidied:
    """Remove what is no longer needed from the warehouse and the model folder."""
    minutes = sum(_remove_old_minutes(pipeline, dataset) for dataset in MEASUREMENTS)
    vintages = sum(
        _remove_unseen_vintages(pipeline, dataset)
        for dataset in DATASETS
        if dataset.table.key[-1] == "published_at_utc"
    )
    files = _remove_rejected_models(pipeline)
    return Tidied(minutes, vintages, files, compact(pipeline.warehouse))


def _remove_old_minutes(pipeline: Run, dataset: Dataset) -> int:
    time = dataset.time_column
    newest = pipeline.warehouse.read(f"SELECT max({time}) AS t FROM {dataset.name}")["t"].iloc[0]
    if newest != newest:  # nothing is held
        return 0
    # By the newest row too: under a clock that ran years ahead all would go.
    begin = min(pipeline.now, newest.to_pydatetime()) - timedelta(days=pipeline.history_days)
    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    with pipeline.warehouse.open_transaction() as transaction:
        return transaction.remove(dataset.table, f"{time} < ?", [begin])


def _remove_unseen_vintages(pipeline: Run, dataset: Dataset) -> int:
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


def _remove_rejected_models(pipeline: Run) -> int:
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
