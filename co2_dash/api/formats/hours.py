"""Hours of an area as other tools want them: one number each, measured where it was, else forecast."""

from dataclasses import dataclass
from datetime import datetime

from co2_assets.contracts.forecast_spec import CO2, MEDIAN_COLUMN
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.advice.coming_hours import coming_hours
from co2_dash.data import issued, queries
from co2_dash.data.queries import records
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


@dataclass(frozen=True)
class KnownHour:
    """One hour in g/kWh; ``is_measured`` is False for the median of a forecast."""

    start_utc: datetime
    g_per_kwh: float
    is_measured: bool

    @property
    def end_utc(self) -> datetime:
        return self.start_utc + HOUR


def measured_hours(view: View, area_name: str, start: datetime, end: datetime) -> dict[datetime, float]:
    """Return the measured hours of ``[start, end)`` by their start."""
    rows = queries.measured(view, area_name, start, end).dropna(subset=[CO2])
    return {row["hour_utc"].to_pydatetime(): float(row[CO2]) for row in records(rows)}


def forecast_hours(view: View, state: DataState, start: datetime, end: datetime) -> dict[datetime, float]:
    """Return the median that was forecast last for each hour of ``[start, end)``, by its start.

    From the hour of now on these are the hours of the current forecast, and none of an older one.
    """
    past = issued.newest_of_each_hour(view, state.area.name, start, min(end, hour_containing(state.now_utc)))
    rows = [*records(past), *records(coming_hours(view, state))]
    found = {row["target_hour_utc"].to_pydatetime(): float(row[MEDIAN_COLUMN]) for row in rows}
    return {hour: value for hour, value in found.items() if start <= hour < end}


def known_hours(view: View, state: DataState, start: datetime, end: datetime) -> list[KnownHour]:
    """Return the hours of ``[start, end)`` that are measured or forecast, the earliest first."""
    measured = measured_hours(view, state.area.name, start, end)
    forecast = forecast_hours(view, state, start, end)
    return [
        KnownHour(hour, value, hour in measured) for hour, value in sorted({**forecast, **measured}.items())
    ]
