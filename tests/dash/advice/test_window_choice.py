"""Lengths and deadlines that a browser sends, up to three days ahead."""

from datetime import datetime, timedelta

import pytest

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.contracts.danish_time import danish
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_dash.advice.coming_hours import SPANS, chosen_span
from co2_dash.advice.window_choice import (
    DAY_END,
    FORECAST_END,
    Deadline,
    advice_for,
    chosen_duration,
    deadline_of,
    deadlines,
    default_deadline,
)

START = datetime(2024, 6, 1, 12)
NOW = START + timedelta(minutes=20)
HOUR = timedelta(hours=1)
FAR = [ForecastHour(START + n * HOUR, 100.0 - n, 90.0 - n, 110.0 - n) for n in range(HORIZON_HOURS)]


def test_a_day_is_meant_unless_the_forecast_ends_before() -> None:
    assert default_deadline(FAR, NOW) == DAY_END
    assert deadline_of(FAR, NOW, 3, DAY_END) == Deadline(START + 24 * HOUR)
    assert default_deadline(FAR[:20], NOW) == FORECAST_END
    assert deadline_of(FAR[:20], NOW, 3, DAY_END) == Deadline(START + 20 * HOUR)
    assert deadline_of(FAR, NOW, 3, FORECAST_END) == Deadline(START + HORIZON_HOURS * HOUR)


@pytest.mark.parametrize("sent", [None, 7, "", "soon", "2024-06-02T10:00:00Z", "9999-12-31T00:00:00"])
def test_anything_unknown_is_the_usual_deadline(sent: object) -> None:
    assert deadline_of(FAR, NOW, 3, sent) == Deadline(START + 24 * HOUR)


def test_deadlines_are_every_hour_of_a_day_then_every_three_to_the_end() -> None:
    found = deadlines(FAR, NOW, 3, None)
    ends = [end for _, end in found]
    assert ends == sorted(set(ends))
    near = [end for end in ends if end <= START + 24 * HOUR]
    assert near == [START + n * HOUR for n in range(4, 25)]
    assert all(danish(end).hour % 3 == 0 for end in ends[len(near) : -1])
    assert found[len(near) - 1] == (DAY_END, START + 24 * HOUR)
    assert found[-1] == (FORECAST_END, START + HORIZON_HOURS * HOUR)


def test_a_deadline_between_the_offered_ones_stays_while_it_is_chosen() -> None:
    odd = (START + 30 * HOUR).isoformat()
    assert danish(START + 30 * HOUR).hour % 3
    assert odd not in dict(deadlines(FAR, NOW, 3, None))
    assert odd in dict(deadlines(FAR, NOW, 3, odd))


def test_a_deadline_that_is_too_early_is_named() -> None:
    early = START + 2 * HOUR
    assert deadline_of(FAR, NOW, 3, early.isoformat()) == Deadline(START + 24 * HOUR, unmet=early)


def test_the_advice_reaches_as_far_as_the_deadline() -> None:
    day, end = (advice_for(FAR, NOW, "3", before) for before in (None, FORECAST_END))
    assert day is not None
    assert end is not None
    assert day.best.end_utc == START + 24 * HOUR
    assert end.best.end_utc == START + HORIZON_HOURS * HOUR
    assert advice_for([], NOW, "3", None) is None
    assert advice_for(FAR[:2], NOW, "8", None) is None


def test_spans_and_durations_that_are_unknown_are_the_first_ones() -> None:
    assert [chosen_span(str(span)) for span in SPANS] == list(SPANS) == [24, 48, 72]
    for value in (None, "", "0", "25", 48, "72 ", ["48"], "x" * 9999):
        assert chosen_span(value) == 24
    assert chosen_duration("99") == 3
