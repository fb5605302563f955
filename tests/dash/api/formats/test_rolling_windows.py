"""The Carbon Aware SDK's rules for points and windows."""

from datetime import datetime, timedelta

import pytest

from co2_dash.api.formats.rolling_windows import BadChoice, Point, choose, covers

FIRST = datetime(2024, 6, 1, 12)
HOUR = timedelta(hours=1)


def points(*values: float) -> list[Point]:
    return [Point(FIRST + number * HOUR, HOUR, value) for number, value in enumerate(values)]


def at(hours: float) -> datetime:
    return FIRST + hours * HOUR


def test_without_choices_the_points_stand_as_they_are() -> None:
    chosen = choose(points(30, 10, 20, 10))
    assert [point.value for point in chosen.data] == [30, 10, 20, 10]
    assert [point.start for point in chosen.optimal] == [at(1), at(3)]
    # The end that is shown is the start of the last point.
    assert (chosen.start, chosen.end, chosen.window) == (at(0), at(3), timedelta(0))


def test_a_point_is_kept_that_ends_after_the_start_and_begins_by_the_end() -> None:
    chosen = choose(points(1, 2, 3, 4, 5), at(1.5), at(3))
    assert [point.start for point in chosen.data] == [at(1), at(2), at(3)]
    assert (chosen.start, chosen.end) == (at(1.5), at(3))
    assert [point.start for point in choose(points(1, 2, 3), at(1)).data] == [at(1), at(2)]


def test_windows_are_means_by_time_each_a_point_later() -> None:
    chosen = choose(points(10, 20, 30, 40), window_minutes=90)
    assert [(point.start, point.value) for point in chosen.data] == [
        (at(0), pytest.approx((10 + 20 / 2) / 1.5, abs=1e-3)),
        (at(1), pytest.approx((20 + 30 / 2) / 1.5, abs=1e-3)),
        (at(2), pytest.approx((30 + 40 / 2) / 1.5, abs=1e-3)),
    ]
    assert {point.duration for point in chosen.data} == {timedelta(minutes=90)}
    assert [point.start for point in chosen.optimal] == [at(0)]


def test_windows_begin_with_the_start_and_end_by_the_end() -> None:
    chosen = choose(points(10, 20, 30, 40), at(0.5), at(3), 60)
    assert [point.start for point in chosen.data] == [at(0.5), at(1.5)]
    assert [point.value for point in chosen.data] == [15, 25]


def test_a_window_longer_than_the_time_leaves_nothing() -> None:
    chosen = choose(points(1, 2), window_minutes=180)
    assert (chosen.data, chosen.optimal) == ((), ())


def test_the_sdks_own_example_of_windows() -> None:
    # From the remarks on its rolling average: the lowest point alone is no window of two.
    chosen = choose(points(10, 20, 30, 40, 5), window_minutes=120)
    assert [point.value for point in chosen.data] == [15, 25, 35, 22.5]


@pytest.mark.parametrize(
    ("start", "end", "window", "parameter"),
    [
        (-0.5, None, None, "dataStartAt"),
        (None, 4.5, None, "dataEndAt"),
        (2, 2, None, "dataStartAt"),
        (3, 2, None, "dataStartAt"),
        (None, None, -1, "windowSize"),
    ],
)
def test_what_the_forecast_does_not_allow_is_named(
    start: float | None, end: float | None, window: int | None, parameter: str
) -> None:
    with pytest.raises(BadChoice) as refused:
        choose(
            points(1, 2, 3, 4),
            None if start is None else at(start),
            None if end is None else at(end),
            window,
        )
    assert refused.value.parameter == parameter


def test_no_window_rolls_over_a_gap() -> None:
    with_gap = [points(1, 2, 3, 4)[number] for number in (0, 1, 3)]
    assert len(choose(with_gap).data) == 3
    with pytest.raises(BadChoice, match="gap"):
        choose(with_gap, window_minutes=60)
    assert len(choose(with_gap, end=at(1.5), window_minutes=60).data) == 1


def test_only_points_without_a_gap_cover_a_time() -> None:
    assert covers(points(1, 2, 3), at(0.5), at(3))
    assert not covers(points(1, 2, 3), at(0.5), at(3.5))
    assert not covers(points(1, 2, 3)[1:], at(0.5), at(2))
    assert not covers([], at(0), at(1))
