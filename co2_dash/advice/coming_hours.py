"""The hours of the current forecast that are still to come."""

import pandas as pd

from co2_assets.contracts.forecast_spec import HEADLINE_LEADS, MEDIAN_COLUMN
from co2_assets.contracts.time import hour_containing
from co2_dash.advice.cleanest_window import ForecastHour
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

# How many of the coming hours are shown first: as many as there are headline leads.
HEADLINE_HOURS = HEADLINE_LEADS[1]


def coming_hours(view: View, state: DataState) -> pd.DataFrame:
    """Return the rows of the current forecast from the current hour on."""
    forecast = queries.current_forecast(view, state.area.name)
    return forecast[forecast["target_hour_utc"] >= hour_containing(state.now_utc)].reset_index(drop=True)


def forecast_hours(rows: pd.DataFrame) -> list[ForecastHour]:
    """Return forecast rows as the hours that `cleanest_window.advise` takes."""
    low, high = queries.BANDS[80]
    return [
        ForecastHour(row["target_hour_utc"].to_pydatetime(), row[MEDIAN_COLUMN], row[low], row[high])
        for row in queries.records(rows)
    ]
