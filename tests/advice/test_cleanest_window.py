"""The cleanest stretch: exact for small forecasts, always within the requested time."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from co2_assets.advice.cleanest_window import ForecastHour, NoWindow, advise, mean_over

START = datetime(2024, 6, 1, 12)
HOUR = timedelta(hours=1)


def forecast(*medians: float, spread: float = 10.0) -> list[ForecastHour]:
    return [ForecastHour(START + i * HOUR, m, m - spread, m + spread) for i, m in enumerate(medians)]


def test_the_cleanest_hours_are_found_and_the_saving_is_against_starting_now() -> None:
    advice = advise(forecast(100, 100, 50, 40, 90), START, 2 * HOUR, START + 5 * HOUR)
    assert advice.best.start_utc == START + 2 * HOUR
    assert advice.best.median == pytest.approx(45)
    assert advice.saving_percent == pytest.approx(55)


def test_starting_now_counts_only_what_is_left_of_the_hour() -> None:
    now = START + timedelta(minutes=30)
    assert mean_over(forecast(100, 40), now, HOUR).median == pytest.approx(70)


def test_a_stretch_may_end_on_the_hour_where_that_is_cleaner() -> None:
    advice = advise(forecast(100, 10, 100), START, timedelta(minutes=90), START + 3 * HOUR)
    assert advice.best.start_utc == START + timedelta(minutes=30)
    assert advice.best.end_utc == START + 2 * HOUR


def test_the_deadline_is_kept_even_when_a_later_hour_is_cleaner() -> None:
    advice = advise(forecast(100, 80, 90, 10), START, HOUR, START + 3 * HOUR)
    assert advice.best.start_utc == START + HOUR


def test_now_is_advised_when_nothing_later_is_cleaner_and_no_chance_is_named() -> None:
    advice = advise(forecast(10, 20, 30), START, HOUR, START + 3 * HOUR)
    assert advice.is_now
    assert advice.saving_percent == 0
    assert advice.chance_cleaner is None


def test_of_equally_clean_stretches_the_earliest_is_advised() -> None:
    assert advise(forecast(50, 20, 20), START, HOUR, START + 3 * HOUR).best.start_utc == START + HOUR


def test_wide_bands_make_the_advice_less_sure() -> None:
    sure = advise(forecast(60, 50, spread=2), START, HOUR, START + 2 * HOUR).chance_cleaner
    unsure = advise(forecast(60, 50, spread=40), START, HOUR, START + 2 * HOUR).chance_cleaner
    assert sure is not None
    assert unsure is not None
    assert 0.5 < unsure < 0.7 < 0.99 < sure


def test_a_gap_in_the_forecast_ends_what_is_covered() -> None:
    with_gap = [*forecast(50, 50), ForecastHour(START + 3 * HOUR, 1, 0, 2)]
    assert advise(with_gap, START, HOUR, START + 4 * HOUR).best.median == 50


@pytest.mark.parametrize(
    ("duration", "before", "words"),
    [(3 * HOUR, START + HOUR, "the deadline"), (9 * HOUR, START + 20 * HOUR, "the end of the forecast")],
)
def test_a_stretch_that_does_not_fit_is_refused_with_the_reason(
    duration: timedelta, before: datetime, words: str
) -> None:
    with pytest.raises(NoWindow, match=words):
        advise(forecast(50, 50, 50, 50), START, duration, before)


@given(
    medians=st.lists(st.floats(1, 600), min_size=2, max_size=24),
    minutes=st.integers(0, 59),
    quarters=st.integers(1, 16),
)
def test_no_start_on_a_finer_grid_beats_the_advice(medians: list[float], minutes: int, quarters: int) -> None:
    hours = forecast(*medians)
    now, end = START + timedelta(minutes=minutes), START + len(medians) * HOUR
    duration = quarters * timedelta(minutes=15)
    try:
        advice = advise(hours, now, duration, end)
    except NoWindow:
        assert now + duration > end
        return
    starts = [
        now + timedelta(minutes=m) for m in range(int((end - duration - now).total_seconds()) // 60 + 1)
    ]
    least = min(mean_over(hours, start, duration).median for start in starts)
    assert advice.best.median <= least + 1e-6
    assert now <= advice.best.start_utc
    assert advice.best.end_utc <= end
