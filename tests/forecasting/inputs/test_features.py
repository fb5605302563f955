"""Minutes to hours, hours to features."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import PRICE_AREAS
from co2_assets.contracts.forecast_spec import (
    CO2,
    FLOWS,
    LAG_HOURS,
    MEASURED,
    POWERS,
    PROGNOSIS,
    ROLLING_HOURS,
)
from co2_assets.forecasting.inputs.features import (
    LAG_COLUMNS,
    ROLLING_COLUMNS,
    aggregate_hours,
    engineer_features,
)
from co2_assets.forecasting.inputs.known_data import KnownData
from tests.support.worlds import FEED_TABLES, FETCHED


def minutes(start: datetime, count: int, area: str = "DK") -> pd.DataFrame:
    """Minutes counting up from 0 in every column."""
    values = np.arange(count, dtype=float)
    return pd.DataFrame(
        {"price_area": area, "minute_utc": pd.date_range(start, periods=count, freq="min", unit="us")}
        | dict.fromkeys(MEASURED, values)
        | {"fetched_at_utc": FETCHED}
    )


def engineered(data: KnownData) -> pd.DataFrame:
    return engineer_features(data.aggregated, data.wind_solar, data.prices, data.prognosis)


def test_hours_are_means_of_their_minutes():
    hours = aggregate_hours(minutes(datetime(2024, 5, 1), 180), datetime(2024, 5, 1, 3))
    assert list(hours.columns) == ["price_area", "hour_utc", "minutes_observed", *MEASURED, *FLOWS]
    assert hours[CO2].tolist() == [29.5, 89.5, 149.5]
    assert hours["minutes_observed"].tolist() == [60, 60, 60]
    assert hours["hour_utc"].tolist() == [pd.Timestamp(2024, 5, 1, hour) for hour in range(3)]


def test_the_unfinished_hour_is_never_stored():
    rows = minutes(datetime(2024, 5, 1), 119)
    assert len(aggregate_hours(rows, datetime(2024, 5, 1, 1, 59))) == 1
    assert len(aggregate_hours(rows, datetime(2024, 5, 1, 2))) == 2


def test_an_hour_needs_45_different_minutes():
    rows = minutes(datetime(2024, 5, 1), 45)
    later = datetime(2024, 5, 2)
    assert aggregate_hours(rows, later)["minutes_observed"].tolist() == [45]
    assert aggregate_hours(rows.iloc[1:], later).empty
    assert aggregate_hours(pd.concat([rows.iloc[1:], rows.iloc[1:]]), later).empty
    nulls = rows.assign(co2_g_per_kwh=rows[CO2].where(rows[CO2] > 0))
    assert aggregate_hours(nulls, later).empty


def test_what_is_measured_every_five_minutes_counts_for_five():
    rows = minutes(datetime(2024, 5, 1), 60).iloc[::5][["price_area", "minute_utc", CO2]]
    later, five = datetime(2024, 5, 2), timedelta(minutes=5)
    hours = aggregate_hours(rows.iloc[3:], later, step=five)
    assert hours["minutes_observed"].tolist() == [45]
    assert hours[CO2].tolist() == [rows[CO2].iloc[3:].mean()]
    assert hours[list(POWERS)].isna().all(axis=None)
    assert aggregate_hours(rows.iloc[4:], later, step=five).empty


@pytest.mark.parametrize("there", [1, 44, 45, 60])
def test_production_of_too_few_minutes_is_not_that_of_the_hour(there: int):
    rows = minutes(datetime(2024, 5, 1), 60)
    rows.loc[rows.index[there:], "solar_mw"] = np.nan
    (hour,) = aggregate_hours(rows, datetime(2024, 5, 2)).to_dict("records")
    assert (hour[CO2], hour["minutes_observed"]) == (29.5, 60)
    assert np.isfinite(hour["offshore_wind_mw"])
    assert np.isnan(hour["solar_mw"]) if there < 45 else hour["solar_mw"] == (there - 1) / 2


def test_gaps_stay_gaps_and_areas_stay_apart():
    rows = pd.concat([minutes(datetime(2024, 5, 1), 60), minutes(datetime(2024, 5, 1, 4), 60)])
    other = minutes(datetime(2024, 5, 1), 60, "DK1").assign(co2_g_per_kwh=7.0)
    hours = aggregate_hours(pd.concat([rows, other]), datetime(2024, 5, 2))
    assert hours["price_area"].tolist() == ["DK", "DK", "DK1"]
    assert hours["hour_utc"].dt.hour.tolist() == [0, 4, 0]
    assert hours[CO2].tolist() == [29.5, 29.5, 7.0]


def test_the_autumn_night_keeps_all_its_hours():
    # 25 Danish hours on 27 October 2024; keyed by Danish time two of them would fall together.
    start = datetime(2024, 10, 26, 22)
    hours = aggregate_hours(minutes(start, 25 * 60), start + timedelta(hours=25))
    assert hours["hour_utc"].is_unique
    assert len(hours) == 25


def test_no_minutes_make_no_hours():
    hours = aggregate_hours(minutes(datetime(2024, 5, 1), 0), datetime(2024, 5, 2))
    assert hours.empty
    assert list(hours.columns) == ["price_area", "hour_utc", "minutes_observed", *MEASURED, *FLOWS]


def test_columns_are_those_of_the_table(data: KnownData):
    table = engineered(data)
    assert list(table.columns[:3]) == ["price_area", "hour_utc", CO2]
    assert set(POWERS) | set(LAG_COLUMNS) | set(ROLLING_COLUMNS) | {PROGNOSIS} <= set(table.columns)
    assert len(table) == len(data.aggregated)
    assert table["is_holiday"].dtype == bool


def test_lags_and_rolling_windows_against_a_loop(data: KnownData):
    table = engineered(data).set_index("hour_utc")
    known = table[CO2].to_dict()
    for hour in (*table.index[490:520], *table.index[:15]):
        for lag, column in zip(LAG_HOURS, LAG_COLUMNS, strict=True):
            expected = known.get(hour - timedelta(hours=lag), np.nan)
            assert table.loc[hour, column] == pytest.approx(expected, nan_ok=True)
        for length in ROLLING_HOURS:
            window = [known.get(hour - timedelta(hours=back), np.nan) for back in range(length)]
            mean, std = np.mean(window), np.std(window, ddof=1)
            assert table.loc[hour, f"co2_rolling_mean_{length}h_g_per_kwh"] == pytest.approx(
                mean, nan_ok=True
            )
            assert table.loc[hour, f"co2_rolling_std_{length}h_g_per_kwh"] == pytest.approx(std, nan_ok=True)


def test_no_feature_bridges_a_gap(data: KnownData):
    table = engineered(data)
    after_gap = table.iloc[500]
    assert after_gap["hour_utc"] - table.iloc[499]["hour_utc"] == timedelta(hours=4)
    # Row by row the lag would be the value of four hours before.
    assert np.isnan(after_gap["co2_lag_1h_g_per_kwh"])
    assert after_gap["co2_lag_4h_g_per_kwh"] == table.iloc[499][CO2]
    assert table.iloc[500:511]["co2_rolling_mean_12h_g_per_kwh"].isna().all()


def test_what_comes_later_changes_no_row(data: KnownData):
    whole = engineered(data)
    for cut in (datetime(2024, 3, 10), datetime(2024, 3, 31, 1), datetime(2024, 4, 1, 17)):
        early = engineered(data.cut(cut))
        assert early["hour_utc"].max() == cut - timedelta(hours=1)
        pd.testing.assert_frame_equal(early, whole.iloc[: len(early)], check_exact=True)


def test_features_do_not_depend_on_the_batch_they_come_in(data: KnownData):
    # The last day alone has its lags only because the history before it is looked at too.
    whole = engineered(data)
    recent = engineered(data.between(datetime(2024, 4, 1), datetime(2024, 4, 5)))
    expected = whole[whole["hour_utc"].isin(recent["hour_utc"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(recent.iloc[12:], expected.iloc[12:], check_exact=True)


@pytest.mark.parametrize("missing", FEED_TABLES[1:])
def test_a_feed_that_is_not_there_leaves_nulls(data: KnownData, missing: str):
    table = engineered(replace(data, **{missing: getattr(data, missing).iloc[:0]}))
    whole = engineered(data)
    assert list(table.columns) == list(whole.columns)
    lost = {
        "wind_solar": ["solar_forecast_mw", "onshore_wind_forecast_mw", "offshore_wind_forecast_mw"],
        "prices": [f"price_{zone.lower()}_eur_per_mwh" for zone in PRICE_AREAS],
        "prognosis": [PROGNOSIS],
    }[missing]
    assert table[lost].isna().all(axis=None)
    pd.testing.assert_frame_equal(table.drop(columns=lost), whole.drop(columns=lost))


def test_months_of_minutes():
    assert len(aggregate_hours(minutes(datetime(2024, 1, 1), 200_000), datetime(2025, 1, 1))) == 3333
