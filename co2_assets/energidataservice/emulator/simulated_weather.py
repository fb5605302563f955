"""Weather, season and calendar of the simulated grid, by the hour from EPOCH on.

Every series has its own random generator and begins at EPOCH, so the value of an hour depends only on
the seed, never on the requested window.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from dateutil.easter import easter

from co2_assets.contracts.time import danish_from_utc

EPOCH = datetime(2020, 1, 1)
# Any number would do: a request for a month draws few blocks of this size.
_KNOTS_DRAWN_AT_ONCE = 256
LATITUDE_DEGREES, LONGITUDE_DEGREES = 56.0, 10.5

Floats = npt.NDArray[np.float64]


def hours_from_epoch(count: int) -> npt.NDArray[np.datetime64]:
    """Return the first ``count`` hours since EPOCH, naive UTC."""
    return np.datetime64(EPOCH, "us") + np.arange(count) * np.timedelta64(3600, "s")


def persistent_noise(seed: int, name: str, count: int, memory_hours: float) -> Floats:
    """Return ``count`` hours of a first-order autoregression with unit variance.

    ``memory_hours`` is the lag at which its autocorrelation falls to 1/e. The first values of a
    longer series are those of a shorter one, to the last bit.
    """
    stream = np.random.default_rng([seed, *name.encode()])
    shocks = stream.standard_normal(count)
    keep = float(np.exp(-1.0 / memory_hours))
    shocks[1:] *= np.sqrt(1.0 - keep**2)
    series: Floats = np.array(list(accumulate(shocks.tolist(), lambda state, shock: keep * state + shock)))
    return series


def smooth_noise(seed: int, name: str, count: int, memory_hours: float, smoothing_hours: float) -> Floats:
    """Return an autoregression driven by another: unit variance, without sharp corners."""
    keep, forget = float(np.exp(-1.0 / smoothing_hours)), float(np.exp(-1.0 / memory_hours))
    driver = persistent_noise(seed, name, count, memory_hours)
    eased = accumulate(driver.tolist(), lambda state, push: keep * state + (1 - keep) * push)
    # Variance of a first-order filter over a first-order autoregression.
    variance = (1 - keep) / (1 + keep) * (1 + keep * forget) / (1 - keep * forget)
    series: Floats = np.array(list(eased)) / np.sqrt(variance)
    return series


def knotted_noise(seed: int, name: str, times_utc: npt.NDArray[np.datetime64], knot_hours: int) -> Floats:
    """Return smooth noise of unit variance at any times; its memory is about ``knot_hours``.

    It goes from one random value to the next on an arc, which keeps the variance. Only the values around
    the given times are drawn.
    """
    knots = (times_utc - np.datetime64(0, "us")) / np.timedelta64(knot_hours, "h")
    before = np.floor(knots).astype(np.int64)
    blocks, position = np.unique(
        np.concatenate([before, before + 1]) // _KNOTS_DRAWN_AT_ONCE, return_inverse=True
    )
    drawn = np.array(
        [
            np.random.default_rng([seed, *name.encode(), block]).standard_normal(_KNOTS_DRAWN_AT_ONCE)
            for block in blocks.tolist()
        ]
    ).reshape(len(blocks), _KNOTS_DRAWN_AT_ONCE)
    here, there = np.split(position, 2)
    angle = 0.5 * np.pi * (knots - before)
    noise: Floats = (
        np.cos(angle) * drawn[here, before % _KNOTS_DRAWN_AT_ONCE]
        + np.sin(angle) * drawn[there, (before + 1) % _KNOTS_DRAWN_AT_ONCE]
    )
    return noise


def sun_height(times_utc: npt.NDArray[np.datetime64]) -> Floats:
    """Return the sine of the sun's elevation over Denmark; 0 at night.

    From declination and hour angle, without the equation of time: its error is up to a quarter of an
    hour.
    """
    day = (times_utc - times_utc.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    hour = (times_utc - times_utc.astype("datetime64[D]")) / np.timedelta64(1, "h")
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365.25)
    angle = np.radians(15 * (hour - 12) + LONGITUDE_DEGREES)
    latitude = np.radians(LATITUDE_DEGREES)
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    up: Floats = np.maximum(height, 0.0)
    return up


def winter(times_utc: npt.NDArray[np.datetime64]) -> Floats:
    """Return the season: +1 in mid January, -1 in mid July."""
    day = (times_utc - times_utc.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    cold: Floats = np.cos(2 * np.pi * (day - 15) / 365.25)
    return cold


def demand_pattern(times_utc: npt.NDArray[np.datetime64]) -> Floats:
    """Return the daily and weekly pattern of demand, with a mean of about 1, in Danish time."""
    local = danish_from_utc(times_utc)
    days = local.astype("datetime64[D]")
    hour = (local - days) / np.timedelta64(1, "h")
    morning = np.exp(-(((hour - 9.0) / 3.0) ** 2))
    noon = np.exp(-(((hour - 12.5) / 3.5) ** 2))
    evening = np.exp(-(((hour - 18.0) / 2.3) ** 2))
    shape = 0.82 + 0.14 * morning + 0.14 * noon + 0.24 * evening
    unique, position = np.unique(days, return_inverse=True)
    free = np.array([_is_free(day) for day in unique.astype(object)])[position]
    pattern: Floats = shape * np.where(free, 0.91, 1.035)
    return pattern


def _is_free(day: date) -> bool:
    return day.weekday() >= 5 or day in _holidays(day.year)


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    """Return Denmark's public holidays, Christmas Eve and New Year's Eve of ``year``."""
    fixed = [(1, 1), (6, 5), (12, 24), (12, 25), (12, 26), (12, 31)]
    from_easter = [-3, -2, 0, 1, 39, 49, 50]
    if year < 2024:
        from_easter.append(26)  # Great Prayer Day, a holiday until 2023
    sunday = easter(year)
    return frozenset(
        [date(year, month, day) for month, day in fixed]
        + [sunday + timedelta(days=days) for days in from_easter]
    )
