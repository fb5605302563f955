"""The hours of the current forecast that are still to come."""

import pandas as pd

from co2_assets.contracts.forecast_spec import DAYS_AHEAD, HEADLINE_LEADS, HORIZON_HOURS, MEDIAN_COLUMN
from co2_assets.contracts.time import hour_containing
from co2_dash.advice.cleanest_window import ForecastHour
from co2_dash.data import queries
from co2_dash.data.danish_time import HOUR
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

# How many of the coming hours are shown first: as many as there are headline leads.
HEADLINE_HOURS = HEADLINE_LEADS[1]
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


def forecast_hours(rows: pd.DataFrame) -> list[ForecastHour]:
    """Return forecast rows as the hours that `cleanest_window.advise` takes."""
    low, high = queries.BANDS[80]
    return [
        ForecastHour(row["target_hour_utc"].to_pydatetime(), row[MEDIAN_COLUMN], row[low], row[high])
        for row in queries.records(rows)
    ]
