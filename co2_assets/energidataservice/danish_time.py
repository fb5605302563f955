"""Danish wall-clock time: how the service publishes and, unless told otherwise, is asked."""

from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

COPENHAGEN = ZoneInfo("Europe/Copenhagen")

Times = npt.NDArray[np.datetime64]


def danish_from_utc(times_utc: Times) -> Times:
    """Return naive Danish wall-clock times for naive UTC ones (an hour repeats each autumn)."""
    local = pd.DatetimeIndex(times_utc).tz_localize("UTC").tz_convert(COPENHAGEN).tz_localize(None)
    return local.to_numpy().astype("datetime64[us]")


def daily_publication(times_utc: Times, *, days_before: int, hour: float) -> Times:
    """Return when something published once a day becomes known, for each delivery time.

    ``hour`` is Danish wall-clock time, ``days_before`` the Danish day of delivery. Naive UTC in and
    out. ``hour`` must not fall in 02:00-03:00, which clock changes repeat and skip.
    """
    days = danish_from_utc(times_utc).astype("datetime64[D]")
    unique, position = np.unique(days, return_inverse=True)
    local = unique.astype("datetime64[us]") + np.timedelta64(round((hour - 24 * days_before) * 3600), "s")
    known = pd.DatetimeIndex(local).tz_localize(COPENHAGEN).tz_convert("UTC").tz_localize(None)
    return known.to_numpy().astype("datetime64[us]")[position]
