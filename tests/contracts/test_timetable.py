"""When forecasts are due, and from when on one is stale."""

from datetime import datetime

import pytest

from co2_assets.contracts.timetable import Timetable


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2024-06-01 {clock}")


@pytest.mark.parametrize(
    ("hourly", "issued", "due", "stale"),
    [
        (True, "07:05", "08:05", "09:15"),
        (True, "07:59", "08:05", "09:15"),
        (True, "04:05", "05:05", "06:10"),
        (True, "05:05", "06:00", "07:15"),
        (True, "06:00", "07:05", "08:15"),
        (False, "06:00", "12:00", "13:00"),
        (False, "08:17", "12:00", "13:00"),
    ],
)
def test_the_next_forecast_is_due_and_two_missed_hours_make_one_stale(
    hourly: bool, issued: str, due: str, stale: str
) -> None:
    timetable = Timetable(hourly)
    assert timetable.next_due(at(issued)) == at(due)
    assert timetable.stale_from(at(issued)) == at(stale)
    assert timetable.is_fresh(at(issued), at(issued))
    assert not timetable.is_fresh(at(issued), at(stale))
    assert timetable.stale_from(at(issued)) - at(issued) <= timetable.longest_pause


def test_a_forecast_from_ahead_of_the_clock_is_not_fresh() -> None:
    assert Timetable().is_fresh(at("06:04"), at("06:00"))
    assert not Timetable().is_fresh(at("06:06"), at("06:00"))
