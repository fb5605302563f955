"""Danish time as text: each instant can be told from every other of its day, also where the clock changes."""

from datetime import datetime, timedelta

import pytest

from co2_assets.contracts.danish_time import clock, clock_and_zone, day_and_clock

HOUR = timedelta(hours=1)


def test_an_hour_that_the_clock_shows_twice_is_told_apart() -> None:
    first = datetime(2023, 10, 28, 23)
    assert [clock(first + number * HOUR) for number in range(5)] == [
        "01:00", "02:00 CEST", "02:00 CET", "03:00", "04:00"
    ]  # fmt: skip
    assert clock_and_zone(first + HOUR) == "02:00 CEST"
    yesterday, now = datetime(2023, 10, 28, 12), datetime(2023, 10, 29, 12)
    assert day_and_clock(first + HOUR, yesterday) == "02:00 CEST tomorrow"
    assert day_and_clock(first + 2 * HOUR, now) == "02:00 CET"


@pytest.mark.parametrize(
    "midnight", [datetime(2024, 3, 30, 23), datetime(2024, 6, 1), datetime(2023, 10, 28, 22)]
)
def test_no_two_hours_of_a_day_have_the_same_name(midnight: datetime) -> None:
    names = [clock(midnight + number * HOUR) for number in range(23)]
    assert len(set(names)) == len(names)


def test_in_spring_and_summer_no_zone_is_named() -> None:
    assert [clock(datetime(2024, 3, 31) + number * HOUR) for number in range(3)] == [
        "01:00",
        "03:00",
        "04:00",
    ]
    assert clock(datetime(2024, 6, 1, 12, 5)) == "14:05"
