"""Of the weather, what was known at an instant, and what the networks are shown of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.forecast_spec import HORIZON_HOURS, NEAR_HOURS
from co2_assets.contracts.time import hour_of, second_of
from co2_assets.contracts.weather import WEATHER_POINTS
from co2_assets.forecasting.inputs.input_lists import WIND, far_inputs, future_inputs
from co2_assets.forecasting.inputs.known_data import WEATHER_COLUMNS, KnownData
from co2_assets.forecasting.inputs.versions import NEVER_HOUR
from co2_assets.forecasting.inputs.windows import NEAR_REACH_HOURS, Windows, build_windows
from tests.support.worlds import hours_from, weather_version

ISSUE = datetime(2024, 3, 20, 12)
HOUR = timedelta(hours=1)
POINT = "Anholt"
PLACE = [point.name for point in WEATHER_POINTS].index(POINT)


def versions(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def kept(days: int, value: float, hours: pd.DatetimeIndex) -> pd.DataFrame:
    """What the service kept of the forecasts of ``days`` before, every variable the same."""
    return weather_version(POINT, hours, hours - timedelta(days=days), np.array(value))


def with_weather(data: KnownData, weather: pd.DataFrame) -> KnownData:
    return replace(data, weather=weather)


def wind(data: KnownData, hours: np.ndarray, as_of: datetime) -> np.ndarray:
    return data.weather_at(hours, np.array(second_of(as_of)))[:, PLACE, 0]


def shown(data: KnownData, windows: Windows, name: str) -> np.ndarray:
    """One input of the first window: of the first day, or of the days beyond."""
    if name in (names := [i.name for i in future_inputs(data.area)]):
        return windows.future[0, :, names.index(name)]
    return windows.far[0, :, [i.name for i in far_inputs(data.area)].index(name)]


def test_each_lead_has_the_version_of_as_many_days_before(data: KnownData):
    hours = hours_from(ISSUE - timedelta(days=1), 24 * 5)
    known = with_weather(data, versions(*(kept(days, float(days), hours) for days in (3, 1, 2))))
    values = wind(known, hour_of(ISSUE) + np.arange(HORIZON_HOURS + 1), ISSUE)
    # What begins in 24 h sharp was forecast a day before at this very instant.
    assert values.tolist() == [1.0] * 25 + [2.0] * 24 + [3.0] * 24
    assert np.isnan(wind(known, np.array([hour_of(ISSUE) + HORIZON_HOURS + 1]), ISSUE)).all()


def test_a_fresher_version_counts_from_when_it_was_fetched(data: KnownData):
    hours = hours_from(ISSUE, 72)
    fetched = ISSUE + 90 * timedelta(minutes=1)
    known = with_weather(
        data,
        versions(
            weather_version(POINT, hours, fetched, np.array(9.0)), kept(2, 2.0, hours), kept(3, 3.0, hours)
        ),
    )
    ahead = hour_of(ISSUE) + np.arange(72)
    before = wind(known, ahead, fetched - timedelta(seconds=1))
    assert set(before.tolist()) == {2.0, 3.0}
    assert set(wind(known, ahead, fetched).tolist()) == {9.0}
    # A version that the service gave out later than that is the newer one where it is.
    later = wind(known, ahead, fetched + timedelta(days=1))
    assert later.tolist() == [9.0] * 50 + [2.0] * 22


def test_a_window_shows_what_was_known_at_its_issue_time(data: KnownData):
    hours = hours_from(ISSUE - timedelta(days=3), 24 * 8)
    old = versions(*(kept(days, float(days), hours) for days in (1, 2, 3)))
    new = weather_version(POINT, hours, ISSUE + HOUR, np.array(50.0))
    issues = np.array([hour_of(ISSUE)])
    at_first = build_windows(with_weather(data, old), issues)
    with_later = build_windows(with_weather(data, versions(old, new)), issues)
    for name in ("past", "future", "far"):
        np.testing.assert_array_equal(getattr(with_later, name), getattr(at_first, name))
    # Issued anew a little later it is known, in every coming hour.
    known = with_weather(data, versions(old, new))
    anew = build_windows(known, issues, as_of=ISSUE + HOUR)
    assert (shown(data, anew, "anholt_wind_around_m_per_s") == 50.0).all()
    assert (shown(data, anew, "anholt_wind_speed_100m_m_per_s") == 50.0).all()


def test_the_wind_around_is_the_mean_of_three_hours_on_either_side(data: KnownData):
    rng = np.random.default_rng(5)
    hours = hours_from(ISSUE - 24 * HOUR, 24 * 5)
    speeds = rng.uniform(0, 20, (len(hours), len(WEATHER_COLUMNS)))
    # Two hours together and one alone are missing, and all before the issue time but one.
    lost = np.isin(np.arange(len(hours)), [26, 27, 40, *range(23)])
    rows = weather_version(POINT, hours[~lost], hours[~lost] - timedelta(days=5), speeds[~lost])
    known = with_weather(data, rows)
    windows = build_windows(known, np.array([hour_of(ISSUE)]))
    ten_metres = np.where(lost, np.nan, speeds[:, 0])
    expected = [np.nanmean(ten_metres[24 + lead - 3 : 24 + lead + 4]) for lead in range(NEAR_REACH_HOURS)]
    np.testing.assert_allclose(shown(data, windows, "anholt_wind_around_m_per_s"), expected, rtol=1e-6)
    # In the far hours each stands by itself.
    for variable in WIND:
        far = speeds[24 + NEAR_HOURS : 24 + HORIZON_HOURS, WEATHER_COLUMNS.index(variable)]
        np.testing.assert_allclose(shown(data, windows, f"anholt_{variable}"), far, rtol=1e-6)


def test_where_no_hour_around_is_known_there_is_no_wind(data: KnownData):
    hours = hours_from(ISSUE + 8 * HOUR, 1)
    windows = build_windows(with_weather(data, kept(3, 7.0, hours)), np.array([hour_of(ISSUE)]))
    around = shown(data, windows, "anholt_wind_around_m_per_s")
    assert np.flatnonzero(~np.isnan(around)).tolist() == list(range(5, 12))
    assert (around[5:12] == 7.0).all()
    assert np.isnan(windows.far[..., [i.feed == "weather_forecast" for i in far_inputs(data.area)]]).all()


def test_one_variable_may_be_null_and_a_row_of_nulls_is_no_version(data: KnownData):
    hours = hours_from(ISSUE, 1)
    some = np.array([[5.0, np.nan, 100.0, 10.0, np.nan]])
    known = with_weather(
        data,
        versions(
            weather_version(POINT, hours, ISSUE - 2 * HOUR, some),
            weather_version(POINT, hours, ISSUE - HOUR, np.array(np.nan)),
        ),
    )
    values = known.weather_at(np.array([hour_of(ISSUE)]), np.array(second_of(ISSUE)))[0]
    np.testing.assert_array_equal(values[PLACE], some[0])
    assert np.isnan(np.delete(values, PLACE, axis=0)).all()


def test_one_hour_and_one_instant_may_be_asked_for(data: KnownData):
    hour, instant = np.array(hour_of(ISSUE)), np.array(second_of(ISSUE))
    np.testing.assert_array_equal(
        data.weather_at(hour, instant), data.weather_at(hour[None], instant[None])[0]
    )
    np.testing.assert_array_equal(data.prices_at(hour, instant), data.prices_at(hour[None], instant[None])[0])


@pytest.mark.parametrize("minutes", [-1, 0, 60])
def test_the_last_hour_with_weather_is_of_what_was_known(data: KnownData, minutes: int):
    hours = hours_from(ISSUE, 10)
    fresh = weather_version(POINT, hours_from(ISSUE, 48), ISSUE, np.array(1.0))
    known = with_weather(data, versions(fresh, kept(1, 2.0, hours)))
    last = known.last_weather_hour(np.array([second_of(ISSUE) + 60 * minutes]))
    assert last.shape == (1, len(WEATHER_POINTS))
    # Of the versions of a day before those of the first ten hours are out already.
    assert last[0, PLACE] == hour_of(ISSUE) + (9 if minutes < 0 else 47)
    assert (np.delete(last[0], PLACE) == NEVER_HOUR).all()
    long_before = np.array([second_of(ISSUE) - 3 * 86400])
    assert (known.last_weather_hour(long_before) == NEVER_HOUR).all()
