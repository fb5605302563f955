"""Baselines: the forecasts that need no model. Hours are since 1970, NaN where nothing was known."""

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import CO2, MEASURED
from co2_assets.forecasting.inputs.known_data import KnownData

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# How long a last known value may serve, and how many days back an hour of day is looked for.
LONGEST_AGE_HOURS = 24
LONGEST_DAYS = 7


def persistence(data: KnownData, issue_hours: Integers) -> Floats:
    """The newest carbon intensity measured before each issue hour, within a day, g/kWh."""
    return _first_known(data, issue_hours[:, None] - 1 - np.arange(LONGEST_AGE_HOURS))


def same_hour_yesterday(data: KnownData, issue_hours: Integers, target_hours: Integers) -> Floats:
    """The newest known value of each target's hour of day, at least 24 h before it, g/kWh.

    Looks back day by day, a week at most. The two arrays have the same shape.
    """
    days = 24 * np.arange(1, LONGEST_DAYS + 1)
    hours = target_hours[..., None] - days
    return _first_known(data, hours, hours < issue_hours[..., None])


def _first_known(data: KnownData, hours: Integers, allowed: NDArray[np.bool_] | None = None) -> Floats:
    """First value along the last axis that was measured, and is ``allowed``."""
    values = data.measured_at(hours)[..., MEASURED.index(CO2)]
    if allowed is not None:
        values = np.where(allowed, values, np.nan)
    first = (~np.isnan(values)).argmax(axis=-1)
    return np.take_along_axis(values, first[..., None], axis=-1)[..., 0]
