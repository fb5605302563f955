"""What is fetched next follows from what was fetched: nothing twice, no hole for good."""

import itertools
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from co2_assets.contracts import (
    DATASETS,
    DAY_AHEAD_PRICES,
    POWER_SYSTEM_RIGHT_NOW,
    PRICE_DATASETS_SWITCH,
    Dataset,
    Kind,
)
from co2_assets.contracts.tables import NEW_DATA_LOG
from co2_assets.pipeline.fetch_plan import (
    FetchWindow,
    covered_by,
    longest_window,
    plan,
    revisions_due,
    shortest_window,
    subtract,
)

NOW = datetime(2024, 6, 1, 6)
DAY = timedelta(days=1)
HISTORY_DAYS = 730
FIRST_DAYS = 60
POWER = POWER_SYSTEM_RIGHT_NOW

Fetch = tuple[FetchWindow, datetime, str]


def log_of(fetches: Sequence[Fetch], dataset: Dataset = POWER) -> pd.DataFrame:
    """Return rows of `new_data_log` as the warehouse gives them."""
    rows = [
        {
            "dataset": dataset.name,
            "fetched_at_utc": fetched_at,
            "window_from_utc": window.start,
            "window_to_utc": window.end,
            "purpose": window.purpose,
            "outcome": outcome,
        }
        for window, fetched_at, outcome in fetches
    ]
    times = [column.name for column in NEW_DATA_LOG.columns if column.kind is Kind.TIMESTAMP]
    frame = pd.DataFrame(rows, columns=list(NEW_DATA_LOG.column_names))
    return frame.astype(dict.fromkeys(times, "datetime64[us]"))


def planned(
    fetches: Sequence[Fetch] = (),
    *,
    dataset: Dataset = POWER,
    now: datetime = NOW,
    history_days: int = HISTORY_DAYS,
    first_days: int | None = FIRST_DAYS,
    earliest: datetime | None = None,
) -> list[FetchWindow]:
    return plan(
        dataset,
        log_of(fetches, dataset),
        now=now,
        history_days=history_days,
        first_days=first_days,
        earliest=earliest,
    )


def recent(windows: Sequence[FetchWindow]) -> list[FetchWindow]:
    return [window for window in windows if window.purpose == "recent"]


def history(windows: Sequence[FetchWindow]) -> list[FetchWindow]:
    return [window for window in windows if window.purpose == "history"]


def done(windows: Sequence[FetchWindow], now: datetime = NOW, outcome: str = "ok") -> list[Fetch]:
    return [(window, now, outcome) for window in windows]


def test_subtract_leaves_what_is_not_covered() -> None:
    def at(day: int) -> datetime:
        return datetime(2024, 1, day)

    wanted = (at(1), at(10))
    assert subtract(wanted, []) == [wanted]
    assert subtract(wanted, [wanted]) == []
    assert subtract(wanted, [(at(1), at(10) + DAY)]) == []
    assert subtract(wanted, [(at(3), at(4)), (at(6), at(8))]) == [
        (at(1), at(3)),
        (at(4), at(6)),
        (at(8), at(10)),
    ]
    # Overlapping, nested, touching, out of order and outside.
    assert subtract(wanted, [(at(5), at(7)), (at(2), at(6)), (at(3), at(4)), (at(7), at(8))]) == [
        (at(1), at(2)),
        (at(8), at(10)),
    ]
    assert subtract(wanted, [(at(10), at(12)), (at(11), at(12))]) == [wanted]


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_a_first_live_run_asks_once_for_the_newest_sixty_days(dataset: Dataset) -> None:
    windows = planned(dataset=dataset)
    assert recent(windows) == [FetchWindow(NOW - FIRST_DAYS * DAY, NOW + dataset.reach, "recent")]
    assert windows[0].purpose == "recent"
    older = history(windows)
    assert older[0].end == NOW - FIRST_DAYS * DAY
    assert older[-1].start == datetime(2022, 6, 2)
    assert len(older) == math.ceil((older[0].end - older[-1].start) / dataset.live_chunk)


def test_a_recording_is_read_whole_and_from_where_it_begins() -> None:
    begin = datetime(2024, 1, 1, 10)
    windows = planned(first_days=None, earliest=begin)
    assert {window.purpose for window in windows} == {"recent"}
    assert (windows[-1].start, windows[0].end) == (begin, NOW)


def test_the_same_instant_again_asks_for_nothing() -> None:
    assert planned(done(planned())) == []
    for dataset in DATASETS:
        assert planned(done(planned(dataset=dataset)), dataset=dataset) == []


def test_the_next_run_asks_for_the_overlap_and_what_is_new() -> None:
    later = NOW + timedelta(hours=6)
    for dataset in DATASETS:
        fetches = done(planned(dataset=dataset))
        assert planned(fetches, dataset=dataset, now=later) == [
            FetchWindow(NOW - dataset.overlap, later + dataset.reach, "recent")
        ]


@pytest.mark.parametrize("outcome", ["refused", "timed_out", "schema_changed", "empty"])
def test_a_window_that_failed_is_asked_for_again(outcome: str) -> None:
    windows = planned()
    assert planned(done(windows, outcome=outcome)) == windows


def test_a_hole_left_by_a_failed_fetch_is_filled_by_the_next() -> None:
    failed_at, mended_at = NOW + timedelta(hours=6), NOW + timedelta(hours=12)
    fetches = done(planned())
    fetches += done(planned(fetches, now=failed_at), failed_at, "server_fault")
    assert planned(fetches, now=mended_at) == [FetchWindow(NOW - POWER.overlap, mended_at, "recent")]


def test_a_hole_in_the_middle_is_filled() -> None:
    low, high = FetchWindow(datetime(2024, 5, 1), datetime(2024, 5, 10), "recent"), NOW - 5 * DAY
    fetches: list[Fetch] = [(low, NOW, "ok"), (FetchWindow(high, NOW, "recent"), NOW, "ok")]
    assert planned(fetches, history_days=31) == [FetchWindow(low.end, high, "recent")]


def test_an_outage_longer_than_the_first_days_is_asked_for_in_two_parts() -> None:
    later = NOW + 70 * DAY
    fetches = done(planned())
    windows = planned(fetches, now=later)
    assert windows == [
        FetchWindow(later - FIRST_DAYS * DAY, later, "recent"),
        FetchWindow(NOW - POWER.overlap, later - FIRST_DAYS * DAY, "history"),
    ]


def test_deepening_goes_back_piece_by_piece_and_never_starts_over() -> None:
    now = NOW
    fetches = done(recent(planned()))
    asked: list[FetchWindow] = []
    # A piece every ten minutes, the newest rows every six hours, until nothing is left.
    while left := history(planned(fetches, now=now)):
        asked.append(left[0])
        fetches += done(left[:1], now)
        assert len(history(planned(fetches, now=now))) == len(left) - 1
        now += timedelta(minutes=10)
    assert len(asked) == math.ceil((HISTORY_DAYS - FIRST_DAYS) / (POWER.live_chunk / DAY))
    assert all(older.end == newer.start for newer, older in itertools.pairwise(asked))
    for later in (now + timedelta(hours=6), now + 3 * DAY):
        assert history(planned(fetches, now=later)) == []


def test_a_piece_that_failed_keeps_its_place() -> None:
    fetches = done(recent(planned()))
    first, second = history(planned(fetches))[:2]
    assert history(planned([*fetches, *done([first], outcome="timed_out")]))[:2] == [first, second]


def test_history_that_stayed_empty_three_times_is_believed_to_hold_nothing() -> None:
    fetches = done(recent(planned()))
    piece = history(planned(fetches))[0]
    now = NOW
    for _ in range(3):
        assert history(planned(fetches, now=now))[0] == piece
        fetches += done([piece], now, "empty")
        now += timedelta(minutes=10)
    assert piece not in planned(fetches, now=now)


def test_deepening_comes_to_rest_where_the_service_holds_less_than_is_wanted() -> None:
    now = NOW
    begins = NOW - 200 * DAY
    fetches = done(recent(planned()))
    requests = 0
    while left := history(planned(fetches, now=now)):
        fetches += done(left[:1], now, "ok" if left[0].end > begins else "empty")
        now += timedelta(minutes=10)
        requests += 1
        assert requests < 50, "empty history is asked for without end"
    assert history(planned(fetches, now=now + 2 * DAY)) == []


def test_a_clock_set_back_asks_for_nothing_that_is_held() -> None:
    fetches = done(planned())
    for hours in (1, 3, 48):
        windows = planned(fetches, now=NOW - timedelta(hours=hours))
        assert recent(windows) == []
        # All that may be new is history before the oldest held.
        assert all(window.end <= datetime(2022, 6, 2) for window in windows)


@pytest.mark.parametrize("outcome", ["timed_out", "server_fault", "too_large", "truncated", "bad_answer"])
def test_a_window_that_was_too_much_is_halved_and_grows_again_by_the_day(outcome: str) -> None:
    now, chunk = NOW, POWER.live_chunk
    fetches: list[Fetch] = []
    sizes = []
    for _ in range(7):
        longest = longest_window(POWER, log_of(fetches), now)
        sizes.append(longest)
        fetches.append((FetchWindow(now - longest, now, "history"), now, outcome))
        now += timedelta(minutes=10)
    halves = [chunk / 2**n for n in range(5)]
    assert sizes == [*(timedelta(hours=half // timedelta(hours=1)) for half in halves), sizes[5], 2 * DAY]
    assert shortest_window(POWER) == 2 * DAY
    for days in range(1, 6):
        assert longest_window(POWER, log_of(fetches), now + days * DAY) == min(chunk, 2 * DAY * 2**days)
    assert longest_window(POWER, log_of(fetches), now + 1000 * DAY) == chunk
    windows = plan(
        POWER, log_of(fetches), now=now, history_days=30, first_days=60, earliest=None, longest=2 * DAY
    )
    assert {window.end - window.start for window in windows[:-1]} == {2 * DAY}


@pytest.mark.parametrize("outcome", ["refused", "not_found", "rate_limited", "empty", "ok", "schema_changed"])
def test_other_outcomes_and_short_windows_say_nothing_of_the_length(outcome: str) -> None:
    long, short = FetchWindow(NOW - 90 * DAY, NOW, "history"), FetchWindow(NOW - DAY, NOW, "recent")
    assert longest_window(POWER, log_of([(long, NOW, outcome)]), NOW) == POWER.live_chunk
    assert longest_window(POWER, log_of([(short, NOW, "server_fault")]), NOW) == POWER.live_chunk


def test_no_window_crosses_from_one_endpoint_to_the_next() -> None:
    now = PRICE_DATASETS_SWITCH + 10 * DAY
    windows = planned(dataset=DAY_AHEAD_PRICES, now=now)
    assert windows[:2] == [
        FetchWindow(PRICE_DATASETS_SWITCH, now + DAY_AHEAD_PRICES.reach, "recent"),
        FetchWindow(now - FIRST_DAYS * DAY, PRICE_DATASETS_SWITCH, "recent"),
    ]
    # A part of the future alone would have no rows yet.
    before = PRICE_DATASETS_SWITCH - DAY
    assert planned(dataset=DAY_AHEAD_PRICES, now=before)[0].end == before + DAY_AHEAD_PRICES.reach


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_nothing_is_asked_for_of_before_a_dataset_began(dataset: Dataset) -> None:
    windows = planned(dataset=dataset, history_days=366 * 40)
    assert windows[-1].start == dataset.begins


def test_what_is_to_be_read_again_is_part_of_the_one_request_for_the_newest_rows() -> None:
    later, again_from = NOW + timedelta(hours=6), NOW - 6 * DAY
    fetches = done(planned())

    def again(now: datetime) -> list[FetchWindow]:
        return plan(
            POWER,
            log_of(fetches),
            now=now,
            history_days=HISTORY_DAYS,
            first_days=FIRST_DAYS,
            earliest=None,
            again_from=again_from,
        )

    assert again(later) == [FetchWindow(again_from, later, "recent")]
    # At the same instant the answer would be the same.
    assert again(NOW) == []


def test_the_last_week_is_read_again_once_a_day() -> None:
    week, fetches = POWER.revised_for, done(planned())

    def is_due(now: datetime) -> bool:
        return revisions_due(POWER, log_of(fetches), now, week, None)

    assert [is_due(NOW + timedelta(hours=hours)) for hours in (0, 6, 18, 24, 30)] == [False] * 3 + [True] * 2
    now = NOW + DAY
    # The newest rows alone are no reading of the week.
    fetches.append((FetchWindow(now - DAY, now, "recent"), now, "ok"))
    assert is_due(now)
    fetches.append((FetchWindow(now - week, now, "recent"), now, "ok"))
    assert not is_due(now + timedelta(hours=18))
    assert is_due(now + DAY)


_hours = st.integers(min_value=-900, max_value=30)


@st.composite
def _fetches(draw: st.DrawFn) -> list[Fetch]:
    result: list[Fetch] = []
    for _ in range(draw(st.integers(0, 8))):
        start = NOW + timedelta(hours=draw(_hours))
        end = start + timedelta(hours=draw(st.integers(1, 500)))
        fetched_at = NOW - timedelta(hours=draw(st.integers(0, 900)))
        purpose = draw(st.sampled_from(("recent", "history")))
        outcome = draw(st.sampled_from(("ok", "ok", "empty", "refused")))
        result.append((FetchWindow(start, end, purpose), fetched_at, outcome))
    return result


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(
    fetches=_fetches(),
    dataset=st.sampled_from(DATASETS),
    history_days=st.integers(21, 40),
    first_days=st.one_of(st.none(), st.integers(1, 60)),
)
def test_plan_and_covered_make_up_what_is_wanted(
    fetches: list[Fetch], dataset: Dataset, history_days: int, first_days: int | None
) -> None:
    now = NOW + timedelta(hours=1)
    windows = planned(fetches, dataset=dataset, now=now, history_days=history_days, first_days=first_days)
    covered = covered_by(dataset, log_of(fetches, dataset), now)
    begin = (now - history_days * DAY).replace(hour=0)
    wanted = (begin, now + dataset.reach)
    asked = [(window.start, window.end) for window in windows]
    assert subtract(wanted, [*covered, *asked]) == []
    for window in windows:
        assert timedelta(0) < window.end - window.start <= dataset.live_chunk
        assert wanted[0] <= window.start < window.end <= wanted[1]
        # Nothing that is settled is asked for.
        assert subtract((window.start, window.end), covered) == [(window.start, window.end)]
    assert all(older.end <= newer.start for newer, older in itertools.pairwise(windows))
    purposes = [window.purpose for window in windows]
    assert purposes == sorted(purposes, reverse=True)
    assert planned(
        [*fetches, *done(windows, now)],
        dataset=dataset,
        now=now,
        history_days=history_days,
        first_days=first_days,
    ) == ([] if not windows or windows[0].purpose == "recent" else recent(windows))
