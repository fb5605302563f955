"""The weather at the points of the forecast, from which the simulated wind and solar power came.

Each point has the wind of the turbines near it and the sky of the solar cells, with some noise of its own.
Forecasts of it err more with each day ahead. All of it is made: nothing here is a measurement.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from co2_assets.contracts.weather import DAYS_BEFORE
from co2_assets.energidataservice.emulator.simulated_power import HourlyState, clear_share
from co2_assets.energidataservice.emulator.simulated_weather import (
    EPOCH,
    Floats,
    knotted_noise,
    sun_height,
    winter,
)

Times = npt.NDArray[np.datetime64]


class _Site(NamedTuple):
    """A point: the turbines whose wind it has, how much of that wind, and the rest, which is its own."""

    area: str
    kind: str
    share: float = 1.0


# Of the wind farms' own points the wind is the turbines'. The others are farther away.
SITES = {
    "Djursland": _Site("DK1", "Onshore Wind"),
    "DK_centre": _Site("DK1", "Onshore Wind"),
    "Malmo": _Site("DK2", "Onshore Wind"),
    "Stockholm": _Site("DK2", "Onshore Wind", 0.4),
    "DE_centre": _Site("DK1", "Onshore Wind", 0.6),
    "Horns_Rev": _Site("DK1", "Offshore Wind"),
    "Vesterhav": _Site("DK1", "Offshore Wind"),
    "Anholt": _Site("DK1", "Offshore Wind"),
    "Rodsand": _Site("DK2", "Offshore Wind"),
    "Kriegers_Flak": _Site("DK2", "Offshore Wind"),
    "Skagerrak_coast": _Site("DK1", "Offshore Wind", 0.7),
    "German_Bight": _Site("DK1", "Offshore Wind", 0.9),
}
# Wind at 10 m as a share of that at 100 m: land is rougher than the sea.
GROUND_SHARE = {"Onshore Wind": 0.66, "Offshore Wind": 0.85}
MEAN_WIND_M_PER_S, WIND_SPREAD_M_PER_S = 7.4, 3.1
# Noise of a point's own, m/s.
LOCAL_WIND_M_PER_S = 0.4
# Radiation in W/m2 when the sun is straight above and the sky is clear.
CLEAR_SKY_W_PER_M2 = 1050.0
# Standard deviation of the forecasts of one, two and three days before: those of the recording's.
ERRORS = {
    "wind_speed": (1.35, 1.8, 2.25),
    "shortwave_radiation": (60.0, 80.0, 100.0),
    "temperature_2m": (1.0, 1.3, 1.6),
    "cloud_cover": (25.0, 30.0, 34.0),
}
# How long an error lasts, and the part of its variance that all points share.
ERROR_HOURS, SHARED_VARIANCE = 8, 0.5
_HOUR = np.timedelta64(1, "h")


def forecast_weather(
    state: HourlyState, seed: int, point: str, times: Times, days_before: int
) -> dict[str, Floats]:
    """Return the weather at ``times`` (whole hours) as it was forecast ``days_before`` days before.

    Values are by the service's name of the variable. Times that are not simulated are null.
    """
    position = ((times - np.datetime64(EPOCH, "us")) // _HOUR).astype(np.int64)
    simulated = (position >= 1) & (position < len(state.clouds))
    position = np.where(simulated, position, 1)
    true = _true_weather(state, seed, point, times, position)
    error = {name: _error(seed, point, name, times, days_before) for name in ERRORS}
    # A forecast of darkness does not err, and a clear noon errs as much as the figures say.
    daylight = np.minimum(1.0, true["shortwave_radiation"] / 200.0)
    site = SITES[point]
    high = np.maximum(true["wind_speed_100m"] + error["wind_speed"], 0.0)
    weather = {
        "wind_speed_10m": np.maximum(
            true["wind_speed_10m"] + GROUND_SHARE[site.kind] * error["wind_speed"], 0.0
        ),
        "wind_speed_100m": high,
        "shortwave_radiation": np.clip(
            true["shortwave_radiation"] + daylight * error["shortwave_radiation"], 0.0, CLEAR_SKY_W_PER_M2
        ),
        "temperature_2m": true["temperature_2m"] + error["temperature_2m"],
        "cloud_cover": np.clip(true["cloud_cover"] + error["cloud_cover"], 0.0, 100.0),
    }
    return {name: np.where(simulated, values, np.nan) for name, values in weather.items()}


def _true_weather(
    state: HourlyState, seed: int, point: str, times: Times, position: npt.NDArray[np.int64]
) -> dict[str, Floats]:
    site = SITES[point]
    speed = state.speeds[site.area, site.kind][position]
    if site.share < 1.0:
        own = MEAN_WIND_M_PER_S + WIND_SPREAD_M_PER_S * knotted_noise(seed, f"{point} wind", times, 12)
        speed = site.share * speed + (1 - site.share) * own
    speed = speed + LOCAL_WIND_M_PER_S * knotted_noise(seed, f"{point} local", times, 3)
    # Turbines are simulated at speeds that may be below zero, where they stand still.
    high = np.maximum(speed, 0.0)
    heights = (sun_height(times - _HOUR) + sun_height(times)) / 2
    clouds = (state.clouds[position - 1] + state.clouds[position]) / 2
    cold = winter(times)
    warmth = knotted_noise(seed, "air", times, 60) + 0.3 * knotted_noise(seed, f"{point} air", times, 12)
    return {
        "wind_speed_100m": high,
        "wind_speed_10m": GROUND_SHARE[site.kind] * high,
        "shortwave_radiation": CLEAR_SKY_W_PER_M2 * heights * clear_share(clouds),
        "temperature_2m": 9.0 - 8.0 * cold + 5.0 * (sun_height(times) - 0.25) + 2.8 * warmth,
        "cloud_cover": np.clip(60.0 + 35.0 * state.clouds[position], 0.0, 100.0),
    }


def _error(seed: int, point: str, name: str, times: Times, days_before: int) -> Floats:
    """Return the error of a forecast: each day ahead adds a part of its own."""
    total = np.zeros(len(times))
    sizes = (0.0, *ERRORS[name])
    for day, (nearer, farther) in zip(DAYS_BEFORE, pairwise(sizes), strict=True):
        if day > days_before:
            break
        shared = knotted_noise(seed, f"error {name} {day}", times, ERROR_HOURS)
        own = knotted_noise(seed, f"error {name} {day} {point}", times, ERROR_HOURS)
        noise = np.sqrt(SHARED_VARIANCE) * shared + np.sqrt(1 - SHARED_VARIANCE) * own
        total += np.sqrt(farther**2 - nearer**2) * noise
    return total
