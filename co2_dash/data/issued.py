"""Forecasts that were issued, each the newest of its kind at some time."""

from datetime import datetime

import pandas as pd

from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE, QUANTILE_COLUMNS, ForecastKind
from co2_assets.warehouse.sql import interval
from co2_dash.data.snapshot_store import View

_WHOLE = " AND ".join(f"isfinite({column})" for column in ("lead_hours", *QUANTILE_COLUMNS))
_QUANTILES = ", ".join(QUANTILE_COLUMNS)


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
