"""The rows of a forecast as the hours that advice is made from."""

import pandas as pd

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.contracts.forecast_spec import BAND_LEVELS, MEDIAN_COLUMN, quantile_column

# The ends of the band of an hour of advice.
LOW, HIGH = (quantile_column(level) for level in BAND_LEVELS[80])


def forecast_hours(rows: pd.DataFrame) -> list[ForecastHour]:
    """Return forecast rows as the hours that `cleanest_window.advise` takes."""
    return [
        ForecastHour(row["target_hour_utc"].to_pydatetime(), row[MEDIAN_COLUMN], row[LOW], row[HIGH])
        for row in rows.to_dict("records")
    ]
