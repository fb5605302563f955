"""The scale of the last 30 days of an area, as a snapshot has them."""

from co2_assets.advice.intensity_scale import SCALE_DAYS, Scale, scale_of
from co2_assets.contracts.forecast_spec import CO2
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


def measured_last_month(view: View | None, state: DataState) -> list[float]:
    """Return what was measured in the 30 days up to the last measured hour, in g/kWh, oldest first."""
    end = state.measured_until_utc
    if view is None or end is None:
        return []
    return [
        float(value) for value in queries.measured(view, state.area.name, end - SCALE_DAYS, end)[CO2].dropna()
    ]


def last_month(view: View | None, state: DataState) -> Scale | None:
    """Return the scale of the 30 days up to the last measured hour."""
    return scale_of(measured_last_month(view, state))
