"""How far each dataset has come, and whether it is late."""

from datetime import timedelta

import pandas as pd

from co2_assets.contracts import DATASETS
from co2_dash.charts.chart import Options
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


def freshness_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return for each dataset its newest row, how far behind now that is, and whether it is late."""
    late_after = {dataset.name: dataset.late_after for dataset in DATASETS}
    rows = queries.freshness(view)
    behind: pd.Series = pd.Timestamp(state.now_utc) - rows["newest_utc"]
    limits = rows["dataset"].map(lambda name: late_after.get(name, timedelta(0)))
    rows["hours_behind_now"] = (behind.dt.total_seconds() / 3600).round(1)
    rows["state"] = [
        "no data" if pd.isna(gap) else "late" if gap > limit else "in time"
        for gap, limit in zip(behind, limits, strict=True)
    ]
    return rows
