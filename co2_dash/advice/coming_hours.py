"""The hours of the current forecast that are still to come."""

import pandas as pd

from co2_assets.contracts.forecast_spec import DAYS_AHEAD, HORIZON_HOURS
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

# How many hours a reader can choose to see: one day, two, three, as far as the forecast reaches.
SPANS = tuple(dict.fromkeys(min(last, HORIZON_HOURS) for _, last in DAYS_AHEAD))


def chosen_span(value: object) -> int:
    """Return the number of hours that was chosen; the first of `SPANS` for anything unknown."""
    return next((hours for hours in SPANS if str(hours) == value), SPANS[0])


def coming_hours(view: View, state: DataState, hours: int = HORIZON_HOURS) -> pd.DataFrame:
    """Return the rows of the current forecast for the next ``hours``, the current one included."""
    forecast = queries.current_forecast(view, state.area.name)
    first = hour_containing(state.now_utc)
    within = forecast["target_hour_utc"].between(first, first + hours * HOUR, inclusive="left")
    return forecast[within].reset_index(drop=True)
