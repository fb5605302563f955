"""The Danish clock and calendar, across both changes of the clock."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.time import day_before_at, hour_of, second_of, times_of
from co2_assets.forecasting.inputs.calendar import CALENDAR_COLUMNS, calendar, solar_elevation_sin


def instant(time: datetime, clock: float) -> datetime:
    seconds = day_before_at(np.array([hour_of(time)]), clock)
    return pd.Timestamp(int(seconds[0]), unit="s").to_pydatetime()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # Winter: 13:00 CET is 12:00 UTC; a Danish day begins at 23:00 UTC.
        (datetime(2024, 1, 10, 12), datetime(2024, 1, 9, 12)),
        (datetime(2024, 1, 10, 23), datetime(2024, 1, 10, 12)),
        # Summer: 13:00 CEST is 11:00 UTC; a Danish day begins at 22:00 UTC.
        (datetime(2024, 7, 10, 21), datetime(2024, 7, 9, 11)),
        (datetime(2024, 7, 10, 22), datetime(2024, 7, 10, 11)),
        # The clock goes forward in the night to 31 March 2024, and back in the night to 27 October.
        (datetime(2024, 3, 31, 12), datetime(2024, 3, 30, 12)),
        (datetime(2024, 4, 1, 12), datetime(2024, 3, 31, 11)),
        (datetime(2024, 10, 27, 12), datetime(2024, 10, 26, 11)),
        (datetime(2024, 10, 28, 12), datetime(2024, 10, 27, 12)),
    ],
)
def test_one_o_clock_the_day_before(target: datetime, expected: datetime):
    assert instant(target, 13.0) == expected


def test_both_autumn_hours_are_two_hours_and_no_spring_hour_is_invented():
    for day in (datetime(2024, 10, 27), datetime(2024, 3, 31)):
        hours = hour_of(day) + np.arange(6)
        assert list(np.diff(times_of(hours)) / np.timedelta64(1, "h")) == [1] * 5
    # 00:00 and 01:00 UTC are both 02:00 in Denmark on 27 October 2024.
    both = calendar(np.array([hour_of(datetime(2024, 10, 27, 0)), hour_of(datetime(2024, 10, 27, 1))]))
    hour_sin = both[:, CALENDAR_COLUMNS.index("hour_sin")]
    assert hour_sin[0] == hour_sin[1]


@pytest.mark.parametrize(
    ("day", "is_free"),
    [
        (datetime(2024, 3, 29, 12), True),  # Good Friday
        (datetime(2024, 5, 9, 12), True),  # Ascension
        (datetime(2023, 5, 5, 12), True),  # Great Prayer Day, for the last time
        (datetime(2024, 4, 26, 12), False),  # where it would have been the year after
        (datetime(2024, 4, 27, 12), True),  # a Saturday
        (datetime(2024, 12, 25, 12), True),
        (datetime(2024, 4, 24, 12), False),
    ],
)
def test_holidays(day: datetime, is_free: bool):
    free = calendar(np.array([hour_of(day)]))[0, CALENDAR_COLUMNS.index("is_holiday")]
    assert bool(free) == is_free


def test_the_sun_is_up_at_noon_and_down_at_night():
    noon, midnight, winter_noon = (
        solar_elevation_sin(np.array([hour_of(time)]))[0]
        for time in (datetime(2024, 6, 21, 11), datetime(2024, 6, 21, 23), datetime(2024, 12, 21, 11))
    )
    # At the solstices the noon sun stands 90 - 56 +- 23.4 degrees high.
    assert noon == pytest.approx(np.sin(np.radians(57.4)), abs=0.01)
    assert winter_noon == pytest.approx(np.sin(np.radians(10.6)), abs=0.01)
    assert midnight == 0.0


def test_whole_seconds_and_hours():
    assert second_of(datetime(1970, 1, 2, 0, 0, 1, 999)) == 86401
    assert hour_of(datetime(1970, 1, 2, 0, 59)) == 24
