"""The hours that are still to come of a forecast."""

from datetime import datetime

import pandas as pd

from co2_dash.advice.cleanest_window import ForecastHour
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

HEADLINE_HOURS = 6


def full_hour(instant_utc: datetime) -> datetime:
    """Return the start of the hour that an instant lies in."""
    return instant_utc.replace(minute=0, second=0, microsecond=0)


def coming_hours(view: View, state: DataState) -> pd.DataFrame:
    """Return the rows of the current forecast from the hour of now on."""
    forecast = queries.current_forecast(view, state.price_area)
    return forecast[forecast["target_hour_utc"] >= full_hour(state.now_utc)].reset_index(drop=True)


def forecast_hours(rows: pd.DataFrame) -> list[ForecastHour]:
    """Return forecast rows as the hours that `windows.advise` takes."""
    return [
        ForecastHour(
            row["target_hour_utc"].to_pydatetime(),
            row["q50_g_per_kwh"],
            row["q10_g_per_kwh"],
            row["q90_g_per_kwh"],
        )
        for row in queries.records(rows)
    ]
