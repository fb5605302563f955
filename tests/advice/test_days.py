"""Each coming day's cleanest and dirtiest hours, by the Danish calendar."""

from datetime import date, datetime, timedelta

import pytest

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.advice.days import days_ahead

HOUR = timedelta(hours=1)


def hours(start: datetime, *medians: float, spread: float = 5.0) -> list[ForecastHour]:
    return [ForecastHour(start + n * HOUR, m, m - spread, m + spread) for n, m in enumerate(medians)]


def test_a_day_begins_at_danish_midnight_and_counts_what_begins_after_now() -> None:
    # Midnight in Denmark is 22:00 UTC in summer.
    made = hours(datetime(2024, 6, 1, 17), 90, 50, 10, 20, 30, 80, 70, 60)
    first, second = days_ahead(made, datetime(2024, 6, 1, 17, 20))
    assert (first.day, first.n_hours) == (date(2024, 6, 1), 4)
    assert first.cleanest.start_utc == datetime(2024, 6, 1, 19)
    assert first.cleanest.median == pytest.approx(20)
    assert first.dirtiest.start_utc == datetime(2024, 6, 1, 18)
    assert (second.day, second.n_hours) == (date(2024, 6, 2), 3)
    assert second.cleanest == second.dirtiest
    assert second.chance_cleaner is None


def test_an_hour_under_way_is_no_start() -> None:
    made = hours(datetime(2024, 6, 1, 8), 1, 1, 1, 50, 50, 50)
    (day,) = days_ahead(made, datetime(2024, 6, 1, 8))
    assert day.cleanest.start_utc == datetime(2024, 6, 1, 9)


def test_a_day_with_too_few_hours_or_none_in_a_row_is_left_out() -> None:
    assert days_ahead(hours(datetime(2024, 6, 1, 8), 1, 2), datetime(2024, 6, 1, 7)) == []
    broken = [hour for hour in hours(datetime(2024, 6, 1, 8), *range(1, 9)) if hour.start_utc.hour % 3]
    assert days_ahead(broken, datetime(2024, 6, 1, 7)) == []
    assert days_ahead([], datetime(2024, 6, 1, 7)) == []


def test_of_equal_stretches_the_earliest_is_told() -> None:
    (day,) = days_ahead(hours(datetime(2024, 6, 1, 8), *[40.0] * 8), datetime(2024, 6, 1, 7))
    assert day.cleanest.start_utc == day.dirtiest.start_utc == datetime(2024, 6, 1, 8)


@pytest.mark.parametrize(("day", "count"), [(date(2024, 10, 27), 25), (date(2024, 3, 31), 23)])
def test_the_days_of_the_clock_changes_are_whole(day: date, count: int) -> None:
    start = datetime(day.year, day.month, day.day) - 12 * HOUR
    found = days_ahead(hours(start, *[float(n % 17) for n in range(60)]), start)
    assert {each.day: each.n_hours for each in found}[day] == count


def test_wide_bands_make_the_difference_less_sure() -> None:
    start = datetime(2024, 6, 1, 6)
    sure, unsure = (
        days_ahead(hours(start, 50, 50, 50, 60, 60, 60, spread=spread), start - HOUR)[0].chance_cleaner
        for spread in (2, 40)
    )
    assert sure is not None
    assert unsure is not None
    assert 0.5 < unsure < 0.7 < 0.99 < sure
