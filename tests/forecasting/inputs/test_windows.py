"""What the network is shown."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.forecast_spec import CO2, HORIZON_HOURS, NEAR_HOURS
from co2_assets.contracts.time import hour_of
from co2_assets.forecasting.inputs.input_lists import CHANGE_HOURS, far_inputs, future_inputs, past_inputs
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import NEAR_REACH_HOURS, Windows, build_windows
from tests.support.worlds import spoiled_after

INPUTS = ("past", "future", "far", "last_value", "age_hours")


def windows_at(data: KnownData, *times: datetime, late: int = 0) -> Windows:
    return build_windows(
        data, np.array([hour_of(time) for time in times], np.int64), measurements_late_hours=late
    )


def past(data: KnownData, windows: Windows, name: str) -> np.ndarray:
    return windows.past[..., [i.name for i in past_inputs(data.area)].index(name)]


def future(data: KnownData, windows: Windows, name: str) -> np.ndarray:
    return windows.future[..., [i.name for i in future_inputs(data.area)].index(name)]


def far(data: KnownData, windows: Windows, name: str) -> np.ndarray:
    return windows.far[..., [i.name for i in far_inputs(data.area)].index(name)]


def test_the_hours_are_the_ones_next_to_the_issue_time(data: KnownData):
    issue = datetime(2024, 3, 10, 6)
    windows = windows_at(data, issue)
    known = data.aggregated.set_index("hour_utc")[CO2]
    before = [known[pd.Timestamp(issue) - timedelta(hours=24 - n)] for n in range(24)]
    after = [known[pd.Timestamp(issue) + timedelta(hours=n)] for n in range(HORIZON_HOURS)]
    np.testing.assert_allclose(past(data, windows, CO2)[0], before, rtol=1e-6)
    np.testing.assert_allclose(windows.target[0], after, rtol=1e-6)
    assert windows.last_value[0] == pytest.approx(before[-1])
    np.testing.assert_allclose(future(data, windows, "lead")[0], np.arange(1, NEAR_REACH_HOURS + 1))
    np.testing.assert_allclose(far(data, windows, "lead")[0], np.arange(25, HORIZON_HOURS + 1))
    np.testing.assert_allclose(
        future(data, windows, "day_before_change")[0, :NEAR_HOURS], np.array(before) - before[-1], atol=1e-3
    )


def test_a_window_is_24_hours_long_even_across_a_gap(data: KnownData):
    gap_start = data.aggregated["hour_utc"].iloc[499] + timedelta(hours=1)
    issue = gap_start + timedelta(hours=10)
    values = past(data, windows_at(data, issue.to_pydatetime()), CO2)[0]
    # Hours 10, 9 and 8 before the issue time are missing, and marked; nothing was moved up.
    assert np.flatnonzero(np.isnan(values)).tolist() == [14, 15, 16]
    known = data.aggregated.set_index("hour_utc")[CO2]
    assert values[13] == pytest.approx(known[gap_start - timedelta(hours=1)])
    assert values[0] == pytest.approx(known[issue - timedelta(hours=24)])


def test_the_last_value_says_how_old_it_is(data: KnownData):
    gap_start = data.aggregated["hour_utc"].iloc[499] + timedelta(hours=1)
    windows = windows_at(data, (gap_start + timedelta(hours=2)).to_pydatetime())
    assert windows.last_value[0] == pytest.approx(data.aggregated[CO2].iloc[499])
    assert windows.age_hours[0] == 2


@pytest.mark.parametrize("late", [0, 2])
def test_what_went_on_last_is_told_from_the_newest_measured_hour(data: KnownData, late: int):
    issue = datetime(2024, 3, 12, 9)
    windows = windows_at(data, issue, late=late)
    rows = data.aggregated.set_index("hour_utc")
    newest = pd.Timestamp(issue) - timedelta(hours=1 + late)

    def told(name: str) -> float:
        values = future(data, windows, name)[0]
        assert (values == values[0]).all()
        return values[0]

    for hours in CHANGE_HOURS:
        change = rows[CO2][newest] - rows[CO2][newest - timedelta(hours=hours)]
        assert told(f"change_over_{hours}h") == pytest.approx(change, abs=1e-3)
    exchange = rows["net_exchange_mw"]
    assert told("net_exchange_mw_now") == pytest.approx(exchange[newest])
    change = exchange[newest] - exchange[newest - timedelta(hours=1)]
    assert told("net_exchange_mw_change_over_1h") == pytest.approx(change, abs=1e-2)
    errors = past(data, windows_at(data, issue), "prognosis_g_per_kwh_error")[0, : 24 - late]
    assert told("prognosis_g_per_kwh_error_now") == pytest.approx(errors[-1], rel=1e-5)
    assert told("prognosis_g_per_kwh_error_mean") == pytest.approx(errors[-3:].mean(), rel=1e-5)
    assert told("prognosis_g_per_kwh_error_trend") == pytest.approx(errors[-1] - errors[-3], abs=1e-2)
    assert far(data, windows, "last_value")[0] == pytest.approx(rows[CO2][newest])
    assert far(data, windows, "net_exchange_mw_now")[0] == pytest.approx(exchange[newest])


def test_slopes_are_differences_from_the_hours_on_either_side(data: KnownData):
    windows = windows_at(data, datetime(2024, 3, 12, 19))
    values = future(data, windows, "price_dk1_eur_per_mwh")[0]
    before = future(data, windows, "price_dk1_eur_per_mwh_from_hour_before")[0]
    after = future(data, windows, "price_dk1_eur_per_mwh_to_hour_after")[0]
    np.testing.assert_allclose(before[1:], np.diff(values), atol=1e-3)
    np.testing.assert_allclose(after[:-1], np.diff(values), atol=1e-3)
    # The hour before is known too, and so is that after the first day.
    assert np.isfinite([before[0], after[NEAR_HOURS - 1]]).all()


def test_an_hour_without_a_day_of_measurements_is_left_out(data: KnownData):
    end = data.aggregated["hour_utc"].max().to_pydatetime()
    windows = windows_at(data, end + timedelta(hours=24), end + timedelta(hours=25))
    assert windows.issue_hours.tolist() == [hour_of(end) + 24]


def test_late_measurements_are_like_measurements_that_are_not_there(data: KnownData):
    issue = datetime(2024, 3, 12, 9)
    known = data.aggregated["hour_utc"] < pd.Timestamp(issue) - timedelta(hours=3)
    really_missing = windows_at(replace(data, aggregated=data.aggregated[known]), issue)
    hidden = windows_at(data, issue, late=3)
    for name in INPUTS:
        np.testing.assert_array_equal(getattr(hidden, name), getattr(really_missing, name))


@pytest.mark.parametrize(
    "issue",
    [datetime(2024, 3, 15), datetime(2024, 3, 20, 13), datetime(2024, 3, 30, 18), datetime(2024, 3, 31, 1)],
)
def test_nothing_knowable_later_enters(data: KnownData, issue: datetime):
    honest = windows_at(data, issue)
    for other in (spoiled_after(data, issue), data.cut(issue)):
        windows = windows_at(other, issue)
        for name in INPUTS:
            np.testing.assert_array_equal(getattr(windows, name), getattr(honest, name))


def test_nothing_knowable_later_enters_from_the_recorded_data(archive: KnownData):
    for issue in (datetime(2024, 3, 31, 0), datetime(2024, 10, 27, 1), datetime(2024, 8, 20, 17)):
        near = archive.between(issue - timedelta(days=4), issue + timedelta(days=3))
        honest, spoiled = windows_at(near, issue), windows_at(spoiled_after(near, issue), issue)
        for name in INPUTS:
            np.testing.assert_array_equal(getattr(spoiled, name), getattr(honest, name))


def test_an_issue_time_does_not_depend_on_the_others(data: KnownData):
    times = [datetime(2024, 3, 10) + timedelta(hours=7 * n) for n in range(20)]
    together = windows_at(data, *times)
    for row, time in enumerate(times):
        alone = windows_at(data, time)
        for name in INPUTS:
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[row])


def test_no_issue_times_make_no_windows(data: KnownData):
    assert len(windows_at(data)) == 0


def test_the_far_hours_can_be_left_out(data: KnownData):
    hours = hour_of(datetime(2024, 3, 12, 9)) + np.arange(5)
    whole, near = build_windows(data, hours), build_windows(data, hours, with_far=False)
    assert whole.far.shape == (5, HORIZON_HOURS - NEAR_HOURS, len(far_inputs(data.area)))
    assert near.far.shape == (5, 0, len(far_inputs(data.area)))
    for name in ("past", "future", "last_value", "age_hours", "target"):
        np.testing.assert_array_equal(getattr(near, name), getattr(whole, name))


def test_the_windows_of_a_slice_are_not_held_twice(data: KnownData):
    windows = build_windows(data, hour_of(datetime(2024, 3, 12)) + np.arange(24))
    some = windows.take(slice(0, 10))
    for name in ("past", "future", "far", "target"):
        assert np.shares_memory(getattr(some, name), getattr(windows, name))


@pytest.mark.parametrize("late", [0, 4])
def test_levels_are_means_of_the_hours_before_that_were_known(data: KnownData, late: int):
    # The gap of three hours lies in all but the shortest span.
    issue = datetime(2024, 3, 24, 6)
    windows = windows_at(data, issue, late=late)
    known = data.aggregated.set_index("hour_utc")[CO2]
    known = known[known.index < pd.Timestamp(issue) - timedelta(hours=late)]
    for span in (24, 72, 168):
        level = known[known.index >= pd.Timestamp(issue) - timedelta(hours=span)].mean()
        told = far(data, windows, f"level_over_{span}h_change")[0]
        assert (told == told[0]).all()
        assert told[0] == pytest.approx(level - known.iloc[-1], abs=1e-4)


def test_a_level_of_which_less_than_a_third_was_measured_is_unknown(data: KnownData):
    issue = datetime(2024, 3, 24, 6)

    def levels(hours_measured: int) -> list[bool]:
        since = pd.Timestamp(issue) - timedelta(hours=hours_measured)
        some = replace(data, aggregated=data.aggregated[data.aggregated["hour_utc"] >= since])
        windows = windows_at(some, issue)
        spans = (24, 72, 168)
        return [bool(np.isfinite(far(data, windows, f"level_over_{s}h_change")).all()) for s in spans]

    assert levels(7) == [False, False, False]
    assert levels(8) == [True, False, False]
    assert levels(24) == [True, True, False]
    # With the three hours of the gap.
    assert levels(58) == [True, True, False]
    assert levels(59) == [True, True, True]
