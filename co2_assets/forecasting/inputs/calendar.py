"""Danish clock, calendar and daylight, from UTC hours.

Everything takes and gives whole numbers or arrays of them: ``hours`` are hours since 1970-01-01
00:00 UTC, ``seconds`` seconds since then.
"""

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from dateutil.easter import easter
from numpy.typing import NDArray

from co2_assets.contracts.time import Hours, danish_days, danish_times, times_of

Floats = NDArray[np.float64]

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


def calendar(hours: Hours) -> Floats:
    """Calendar of each hour: shape (len(hours), len(CALENDAR_COLUMNS)), in that order."""
    local = danish_times(hours)
    hour_of_day = local.hour.to_numpy() / 24
    weekday = local.day_of_week.to_numpy() / 7
    yearday = (local.day_of_year.to_numpy() - 1) / 365.25
    waves = [
        wave(2 * np.pi * phase) for phase in (hour_of_day, weekday, yearday) for wave in (np.sin, np.cos)
    ]
    holidays = _holidays(int(local.year.min()), int(local.year.max())) if len(local) else frozenset()
    days = danish_days(hours)
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
