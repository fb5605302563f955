"""UTC times, and Danish times where a rule of the market or a reader needs them.

``hours`` are whole hours since 1970-01-01 00:00 UTC and ``seconds`` whole seconds, as an integer or
an integer array. Datetimes are naive UTC.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
HOUR = timedelta(hours=1)

# Instants from outside lie between these two, so that no sum or difference of ours leaves the calendar.
EARLIEST_UTC = datetime(1970, 1, 1)
LATEST_UTC = datetime(2200, 1, 1)

Hours = NDArray[np.int64]
Times = NDArray[np.datetime64]


def wall_clock() -> datetime:
    """Return the machine's time as naive UTC, to the microsecond."""
    return datetime.now(UTC).replace(tzinfo=None)


def utc_now() -> datetime:
    """Return the machine's time as naive UTC, without the fraction of a second."""
    return wall_clock().replace(microsecond=0)


def hour_containing(instant: datetime) -> datetime:
    """Return the start of the hour that ``instant`` is in."""
    return instant.replace(minute=0, second=0, microsecond=0)


def bounded_utc(instant: datetime) -> datetime:
    """Return an instant as naive UTC; one without an offset is UTC already.

    Raises ValueError, which says what is allowed, outside of `EARLIEST_UTC` to `LATEST_UTC`.
    """
    refusal = f"the time must lie in {EARLIEST_UTC.isoformat()}Z to {LATEST_UTC.isoformat()}Z"
    try:
        utc = instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(refusal) from error
    if not EARLIEST_UTC <= utc <= LATEST_UTC:
        raise ValueError(refusal)
    return utc


def danish_from_utc(times_utc: Times) -> Times:
    """Return the naive Danish times of naive UTC times; one Danish hour repeats each autumn."""
    local = pd.DatetimeIndex(times_utc).tz_localize("UTC").tz_convert(COPENHAGEN).tz_localize(None)
    return local.to_numpy().astype("datetime64[us]")


def daily_publication(times_utc: Times, *, days_before: int, hour: float) -> Times:
    """Return, for each delivery time, when a value that is published once a day becomes known.

    It is published at ``hour``, Danish time, ``days_before`` days before the Danish day of delivery.
    ``hour`` must not be between 2 and 3: clock changes skip or repeat that hour. Times are naive UTC.
    """
    days = danish_from_utc(times_utc).astype("datetime64[D]")
    unique, position = np.unique(days, return_inverse=True)
    local = unique.astype("datetime64[us]") + np.timedelta64(round((hour - 24 * days_before) * 3600), "s")
    known = pd.DatetimeIndex(local).tz_localize(COPENHAGEN).tz_convert("UTC").tz_localize(None)
    return known.to_numpy().astype("datetime64[us]")[position]


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


def time_of(hour: int) -> datetime:
    """Naive UTC time of an hour since 1970."""
    return datetime(1970, 1, 1) + timedelta(hours=hour)


def times_of(hours: Hours) -> pd.DatetimeIndex:
    """Naive UTC times of hours since 1970."""
    return pd.DatetimeIndex(
        (np.asarray(hours, np.int64) * 3600).astype("datetime64[s]").astype("datetime64[us]")
    )


def day_before_at(hours: Hours, clock_hours: float) -> Hours:
    """Seconds since 1970 of a Danish time of day, on the day before the Danish day of each hour.

    ``clock_hours`` is that time of day in hours. It must not be between 2 and 3: clock changes skip
    or repeat that hour.
    """
    return _day_at(hours, -1, clock_hours)


def same_day_at(hours: Hours, clock_hours: float) -> Hours:
    """Seconds since 1970 of a Danish time of day, on the Danish day of each hour; see `day_before_at`."""
    return _day_at(hours, 0, clock_hours)


def _day_at(hours: Hours, days_later: int, clock_hours: float) -> Hours:
    days = danish_days(hours)
    unique, inverse = np.unique(days, return_inverse=True)
    midnight = (unique + days_later).astype("datetime64[D]").astype("datetime64[s]")
    local = midnight + np.timedelta64(round(clock_hours * 3600), "s")
    instants = pd.DatetimeIndex(local).tz_localize(COPENHAGEN).tz_convert("UTC").tz_localize(None)
    result: Hours = seconds_since_epoch(instants)[inverse]
    return result.reshape(np.shape(hours))


def danish_times(hours: Hours) -> pd.DatetimeIndex:
    """Danish times (with their time zone) of hours since 1970."""
    return times_of(hours).tz_localize("UTC").tz_convert(COPENHAGEN)


def danish_days(hours: Hours) -> Hours:
    """Danish date of each hour, as days since 1970."""
    local = danish_times(np.ravel(hours)).tz_localize(None)
    return local.to_numpy().astype("datetime64[D]").astype(np.int64)
