"""Danish clock, calendar and daylight, from UTC hours.

Everything takes and gives whole numbers or arrays of them: ``hours`` are hours since 1970-01-01
00:00 UTC, ``seconds`` seconds since then.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from dateutil.easter import easter
from numpy.typing import NDArray

Hours = NDArray[np.int64]
Floats = NDArray[np.float64]

DENMARK = ZoneInfo("Europe/Copenhagen")
# About the middle of Danish wind, sun and demand.
LATITUDE_DEGREES = 56.0
LONGITUDE_DEGREES = 10.5

CALENDAR_COLUMNS = (
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
    "yearday_sin",
    "yearday_cos",
    "is_holiday",
    "solar_elevation_sin",
)


def hours_since_epoch(times: pd.Series | pd.DatetimeIndex) -> Hours:
    """Whole hours since 1970 of naive UTC times, rounded down."""
    return seconds_since_epoch(times) // 3600


def seconds_since_epoch(times: pd.Series | pd.DatetimeIndex) -> Hours:
    """Whole seconds since 1970 of naive UTC times, rounded down."""
    return times.to_numpy().astype("datetime64[s]").astype(np.int64)


def hour_of(time: datetime) -> int:
    """Hours since 1970 of one naive UTC time, rounded down."""
    return int((time - datetime(1970, 1, 1)) // timedelta(hours=1))


def second_of(time: datetime) -> int:
    """Seconds since 1970 of one naive UTC time, rounded down."""
    return int((time - datetime(1970, 1, 1)) // timedelta(seconds=1))


def times_of(hours: Hours) -> pd.DatetimeIndex:
    """Naive UTC times of hours since 1970."""
    return pd.DatetimeIndex(
        (np.asarray(hours, np.int64) * 3600).astype("datetime64[s]").astype("datetime64[us]")
    )


def day_before_at(hours: Hours, clock_hours: float) -> Hours:
    """Seconds since 1970 of a Danish clock time on the day before each hour's Danish day.

    ``clock_hours`` is the Danish time of day in hours, outside the small hours in which clocks
    change, so that it names one instant.
    """
    days = _danish_days(hours)
    unique, inverse = np.unique(days, return_inverse=True)
    midnight = (unique - 1).astype("datetime64[D]").astype("datetime64[s]")
    local = midnight + np.timedelta64(round(clock_hours * 3600), "s")
    instants = pd.DatetimeIndex(local).tz_localize(DENMARK).tz_convert("UTC").tz_localize(None)
    result: Hours = seconds_since_epoch(instants)[inverse]
    return result.reshape(np.shape(hours))


def calendar(hours: Hours) -> Floats:
    """Calendar of each hour: shape (len(hours), len(CALENDAR_COLUMNS)), in that order."""
    local = _danish(hours)
    hour_of_day = local.hour.to_numpy() / 24
    weekday = local.day_of_week.to_numpy() / 7
    yearday = (local.day_of_year.to_numpy() - 1) / 365.25
    waves = [
        wave(2 * np.pi * phase) for phase in (hour_of_day, weekday, yearday) for wave in (np.sin, np.cos)
    ]
    holidays = _holidays(int(local.year.min()), int(local.year.max())) if len(local) else frozenset()
    days = _danish_days(hours)
    is_free = (local.day_of_week.to_numpy() >= 5) | np.isin(days, np.array(sorted(holidays), np.int64))
    return np.column_stack([*waves, is_free.astype(np.float64), solar_elevation_sin(hours)])


def solar_elevation_sin(hours: Hours) -> Floats:
    """Sine of the sun's elevation over Denmark in the middle of each hour; 0 when it is down.

    Declination and equation of time by Spencer's series (Spencer, J. W., "Fourier series
    representation of the position of the sun", Search 2 (5), 1971).
    """
    middle = np.asarray(hours, np.float64) + 0.5
    since_new_year = times_of(np.asarray(hours, np.int64)).day_of_year.to_numpy() - 1 + (middle % 24) / 24
    g = 2 * np.pi * since_new_year / 365.25
    declination = (
        0.006918
        - 0.399912 * np.cos(g)
        + 0.070257 * np.sin(g)
        - 0.006758 * np.cos(2 * g)
        + 0.000907 * np.sin(2 * g)
        - 0.002697 * np.cos(3 * g)
        + 0.00148 * np.sin(3 * g)
    )
    equation_of_time_hours = (229.18 / 60) * (
        0.000075
        + 0.001868 * np.cos(g)
        - 0.032077 * np.sin(g)
        - 0.014615 * np.cos(2 * g)
        - 0.040849 * np.sin(2 * g)
    )
    solar_time = middle % 24 + LONGITUDE_DEGREES / 15 + equation_of_time_hours
    hour_angle = np.pi / 12 * (solar_time - 12)
    latitude = np.radians(LATITUDE_DEGREES)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(
        hour_angle
    )
    result: Floats = np.maximum(sine, 0.0)
    return result


@lru_cache(maxsize=8)
def _holidays(first_year: int, last_year: int) -> frozenset[int]:
    """Danish public holidays as days since 1970."""
    days: set[date] = set()
    for year in range(first_year, last_year + 1):
        sunday = easter(year)
        days |= {sunday + timedelta(days=shift) for shift in (-3, -2, 0, 1, 39, 49, 50)}
        days |= {date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)}
        if year <= 2023:  # Great Prayer Day was abolished from 2024.
            days.add(sunday + timedelta(days=26))
    return frozenset((day - date(1970, 1, 1)).days for day in days)


def _danish(hours: Hours) -> pd.DatetimeIndex:
    return times_of(hours).tz_localize("UTC").tz_convert(DENMARK)


def _danish_days(hours: Hours) -> Hours:
    """Danish date of each hour, as days since 1970."""
    local = _danish(np.ravel(hours)).tz_localize(None)
    return local.to_numpy().astype("datetime64[D]").astype(np.int64)
