"""The arithmetic of what readers see: which forecast is theirs, and which hours are scored for both."""

from datetime import timedelta

import numpy as np
import pytest

from bench.accuracy.contestants import Contestant
from bench.freshness import (
    HOURLY,
    SIX_HOURLY,
    TIMETABLES,
    Judged,
    View,
    change,
    judged,
    tally,
    views,
)
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, QUANTILES

DAYS = 10
ISSUES = 24 * (DAYS + 1) + 1
# Five of six hours begin with five minutes in which the hourly forecast of the hour is not there yet.
LATE = 5 * 5 / 360


def seen_by_all() -> list[View]:
    seen, _ = views(tuple(TIMETABLES.values()), timedelta(seconds=10))
    return seen


def by_lead() -> Judged:
    """Each forecast errs by its lead; the band holds at lead 1 alone."""
    leads = np.broadcast_to(np.arange(1.0, HORIZON_HOURS + 1), (ISSUES, HORIZON_HOURS)).copy()
    return Judged(leads, (leads == 1).astype(np.float64))


def test_a_forecast_is_seen_from_the_end_of_its_run_to_the_end_of_the_next() -> None:
    seen, (six, hourly) = views(tuple(TIMETABLES.values()), timedelta(seconds=10))
    assert {hour: sum(v.minutes for v in seen if v.hour == hour) for hour in range(24)} == dict.fromkeys(
        range(24), 60
    )
    assert [(v.ages, v.minutes) for v in seen if v.hour == 12] == [((0, 0), 60)]
    assert [(v.ages, v.minutes) for v in seen if v.hour == 13] == [((1, 1), 5), ((1, 0), 55)]
    assert [(v.ages, v.minutes) for v in seen if v.hour == 17] == [((5, 1), 5), ((5, 0), 55)]
    assert six.mean == pytest.approx(180)
    assert six.largest == pytest.approx(360 + 1 / 6)
    # From a mark to five past the next hour.
    assert hourly.largest == pytest.approx(65 + 1 / 6)


def test_a_run_that_takes_longer_leaves_the_forecast_before_in_place() -> None:
    seen, (six, _) = views(tuple(TIMETABLES.values()), timedelta(minutes=10))
    assert [(v.ages, v.minutes) for v in seen if v.hour == 0] == [((6, 1), 10), ((0, 0), 50)]
    assert [(v.ages, v.minutes) for v in seen if v.hour == 1] == [((1, 1), 15), ((1, 0), 45)]
    assert six.mean == pytest.approx(190)


@pytest.mark.parametrize("start", [0, 1])
def test_the_error_is_that_of_the_leads_that_are_read(start: int) -> None:
    kinds = (by_lead(), by_lead())
    for span in (1, 3):
        sums = tally(seen_by_all(), kinds, start, span)
        assert len(sums.scored) == DAYS
        assert (sums.scored == 24 * 60 * span).all()
        fresh = start + (span + 1) / 2
        means = sums.error.sum(axis=1) / sums.scored.sum()
        assert means[SIX_HOURLY] == pytest.approx(fresh + 2.5)
        assert means[HOURLY] == pytest.approx(fresh + LATE)
        assert not sums.beyond.any()
    shares = tally(seen_by_all(), kinds, start, 1)
    held = shares.held.sum(axis=1) / shares.scored.sum()
    assert held == pytest.approx([1 / 6, 1 - LATE] if start == 0 else [0, 0])


def test_hours_after_the_end_of_the_older_forecast_are_scored_for_neither() -> None:
    sums = tally(seen_by_all(), (by_lead(), by_lead()), 0, HORIZON_HOURS)
    assert sums.beyond == pytest.approx([2.5, LATE])
    assert sums.unmeasured == pytest.approx(0)
    assert sums.scored.sum() == pytest.approx(DAYS * 24 * 60 * (HORIZON_HOURS - 2.5))
    # Of an old forecast the leads 6 to 24, of a fresh one the leads 1 to 19 of the same hours.
    old, fresh = (
        np.concatenate([np.arange(1.0, HORIZON_HOURS + 1 - age) + shift * age for age in range(6)])
        for shift in (1, 0)
    )
    means = sums.error.sum(axis=1) / sums.scored.sum()
    assert means[SIX_HOURLY] == pytest.approx(old.mean())
    assert fresh.mean() < means[HOURLY] < fresh.mean() + 2 * LATE


def test_an_hour_without_an_outcome_is_scored_for_neither() -> None:
    first, second = by_lead(), by_lead()
    # Hour 3 of the second day that is read, in all forecasts of it that the kinds have.
    hour = 24 * 2 + 3
    for lead in range(HORIZON_HOURS):
        second.error[hour - lead, lead] = np.nan
    sums = tally(seen_by_all(), (first, second), 0, 1)
    assert sums.scored.tolist() == [24 * 60, 23 * 60] + [24 * 60] * (DAYS - 2)
    assert sums.unmeasured == pytest.approx(1 / (24 * DAYS))


def test_an_error_counts_for_the_readers_of_its_forecast_alone() -> None:
    one = Judged(np.zeros((ISSUES, HORIZON_HOURS)), np.ones((ISSUES, HORIZON_HOURS)))
    one.error[24 * 3 + 6, 2] = 7.0
    sums = tally(seen_by_all(), (one, one), 0, 1)
    day = np.zeros(DAYS)
    day[2] = 7.0 * 60
    assert sums.error[SIX_HOURLY].tolist() == day.tolist()
    assert not sums.error[HOURLY].any()


def test_too_few_days_are_refused() -> None:
    few = Judged(np.zeros((24 * 7, HORIZON_HOURS)), np.zeros((24 * 7, HORIZON_HOURS)))
    with pytest.raises(ValueError, match="choose --end later"):
        tally(seen_by_all(), (few, few), 0, 1)


def test_the_band_holds_at_its_ends_and_says_nothing_of_what_is_unknown() -> None:
    actual = np.full((4, HORIZON_HOURS), 100.0)
    quantiles = np.broadcast_to([90.0, 100, 110, 120, 130, 140, 150], (4, HORIZON_HOURS, len(QUANTILES)))
    actual[1], actual[2], actual[3] = 140.0, 141.0, np.nan
    found = judged(Contestant("a", quantiles[..., 3], quantiles), actual)
    assert found.held[:3, 0].tolist() == [1, 1, 0]
    assert found.error[:3, 0].tolist() == [20, 20, 21]
    assert np.isnan(found.held[3]).all()
    assert np.isnan(found.error[3]).all()
    with pytest.raises(ValueError, match="no quantiles"):
        judged(Contestant("b", quantiles[..., 3]), actual)


def test_the_interval_is_as_wide_as_the_days_differ() -> None:
    generator = np.random.default_rng(5)
    other = generator.uniform(50, 150, 180)
    assert change(0.7 * other, other, seed=1) == pytest.approx((-0.3, -0.3, -0.3))
    less, low, high = change(other * generator.uniform(0.8, 1.2, 180), other, seed=1)
    assert low < less < high
    assert -0.05 < low < 0 < high < 0.05
    # The same weather through a week moves the mean more than the same spread day by day.
    weekly = other * np.repeat(generator.uniform(0.8, 1.2, 26), 7)[:180]
    _, weekly_low, weekly_high = change(weekly, other, seed=1)
    assert weekly_high - weekly_low > 1.5 * (high - low)
