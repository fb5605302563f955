"""Forecasts that were issued, each the newest of its kind at some time."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from co2_assets.contracts.forecast_spec import (
    CLOCK_TOLERANCE,
    HORIZON_HOURS,
    MEDIAN_COLUMN,
    QUANTILE_COLUMNS,
    ForecastKind,
)
from co2_assets.contracts.time import HOUR
from co2_assets.warehouse import issue_archive
from co2_assets.warehouse.issue_archive import ALL_PREDICTIONS, query_all
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.sql import interval
from co2_dash.data.snapshot_store import View

_WHOLE = " AND ".join(f"isfinite({column})" for column in ("lead_hours", *QUANTILE_COLUMNS))
_QUANTILES = ", ".join(QUANTILE_COLUMNS)
_REACH = interval(HORIZON_HOURS * HOUR)


def newest_of_each_hour(view: View, area_name: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return what was forecast last for each hour of ``[start, end)``, by live forecasts.

    Columns: target_hour_utc, issued_at_utc, the seven quantiles.
    """
    return view.frame(
        f"""
        SELECT target_hour_utc, issued_at_utc, {_QUANTILES} FROM predictions
        WHERE price_area = ? AND kind = '{ForecastKind.LIVE}' AND {_WHOLE}
          AND target_hour_utc >= ? AND target_hour_utc < ?
          AND issued_at_utc <= (SELECT as_of_utc FROM snapshot_info) + {interval(CLOCK_TOLERANCE)}
        QUALIFY row_number() OVER (
            PARTITION BY target_hour_utc ORDER BY issued_at_utc DESC,
                model_version IN (SELECT model_version FROM champions) DESC, model_version DESC
        ) = 1
        ORDER BY target_hour_utc
        """,
        [area_name, start, end],
    )


def known_at(
    folder: SourceFolder, view: View, area_name: str, instants: Sequence[datetime]
) -> dict[datetime, pd.DataFrame]:
    """Return the newest live forecast that had been issued by each instant, from the snapshot or the archive.

    Columns: issued_at_utc, target_hour_utc, q50_g_per_kwh. An instant is left out if none was issued in the
    time before it that a forecast reaches. All are read at once, since the files are opened for each query;
    nothing is remembered, since many instants would drive out what the pages use.
    """
    if not instants:
        return {}
    rows = query_all(
        folder,
        view.snapshot,
        f"""
        SELECT instant_utc, issued_at_utc, target_hour_utc, {MEDIAN_COLUMN}
        FROM {ALL_PREDICTIONS}, (SELECT DISTINCT unnest($2::TIMESTAMP[]) AS instant_utc)
        WHERE price_area = $1 AND kind = '{ForecastKind.LIVE}' AND {_WHOLE}
          AND issued_at_utc > $3::TIMESTAMP - {_REACH} AND issued_at_utc <= $4
          AND issued_at_utc > instant_utc - {_REACH} AND issued_at_utc <= instant_utc
        QUALIFY dense_rank() OVER (
            PARTITION BY instant_utc ORDER BY issued_at_utc DESC,
                model_version IN (SELECT model_version FROM champions) DESC, model_version DESC
        ) = 1
        ORDER BY instant_utc, target_hour_utc
        """,
        [area_name, list(instants), min(instants), max(instants)],
    )
    return {
        pd.Timestamp(str(instant)).to_pydatetime(): own.drop(columns="instant_utc").reset_index(drop=True)
        for instant, own in rows.groupby("instant_utc")
    }


def oldest_issue(folder: SourceFolder, view: View, area_name: str) -> datetime | None:
    """Return when the oldest live forecast that is kept was issued; None where there is none."""
    return view.remember(
        ("oldest issue", area_name), lambda: issue_archive.oldest_issue(folder, view.snapshot, area_name)
    )
