"""The newest row of each dataset, and whether the dataset is late."""

from datetime import timedelta

import pandas as pd

from co2_assets.contracts import DATASETS
from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE
from co2_assets.contracts.sources import SourceKind
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


def freshness_rows(view: View, state: DataState) -> pd.DataFrame:
    """Return `dataset_freshness` with two more columns.

    ``hours_behind_now`` is the age of the newest row in hours; ``state`` is "in time", "late",
    "no data", "ahead of the clock" where rows are for times that no answer reaches, "off" where the
    settings switch the dataset off, or "recording ended" where nothing later was recorded.
    """
    late_after = {dataset.name: dataset.late_after for dataset in DATASETS}
    reach = {dataset.name: dataset.reach for dataset in DATASETS}
    rows = queries.freshness(view)
    age: pd.Series = pd.Timestamp(state.now_utc) - rows["newest_utc"]
    limits = rows["dataset"].map(lambda name: late_after.get(name, timedelta(0)))
    rows["hours_behind_now"] = (age.dt.total_seconds() / 3600).round(1)
    earliest = rows["dataset"].map(lambda name: -reach.get(name, timedelta(0)) - CLOCK_TOLERANCE)
    ended = queries.ended(view) if state.source == SourceKind.ARCHIVE else frozenset()
    rows["state"] = [
        "off"
        if name in state.switched_off
        else "no data"
        if pd.isna(value)
        else "recording ended"
        if value > limit and name in ended
        else "late"
        if value > limit
        else "ahead of the clock"
        if value < least
        else "in time"
        for name, value, limit, least in zip(rows["dataset"], age, limits, earliest, strict=True)
    ]
    return rows
