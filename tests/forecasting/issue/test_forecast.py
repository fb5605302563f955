"""Issued forecasts: honest about time, in order, and open about what is missing."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.forecast_spec import CO2, DAYS_AHEAD, HORIZON_HOURS, NEAR_HOURS, QUANTILE_COLUMNS
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue.forecast import COLUMNS, NoForecastError, issue_forecasts
from co2_assets.forecasting.network.scaling import InputLayer
from co2_assets.forecasting.network.trained_model import NO_WEATHER_CAUSE, Ensemble, TrainedModel
from tests.support.worlds import PRODUCTS, spoiled_after

# After the training data, far enough for some outcomes to calibrate with.
ISSUE = datetime(2024, 4, 6, 12)


def half_width(forecasts: pd.DataFrame, first: int = 1, last: int = HORIZON_HOURS) -> float:
    rows = forecasts[forecasts["lead_hours"].between(first, last)]
    return float((rows["q90_g_per_kwh"] - rows["q10_g_per_kwh"]).mean() / 2)


def causes(forecasts: pd.DataFrame) -> list[str]:
    return json.loads(forecasts["degraded_causes"].iloc[0])


def test_72_hours_from_the_issue_time(model: TrainedModel, data: KnownData):
    forecasts = issue_forecasts(model, data, [ISSUE])
    assert tuple(forecasts.columns) == COLUMNS
    assert forecasts["lead_hours"].tolist() == list(range(1, 73))
    assert forecasts["target_hour_utc"].tolist() == [
        pd.Timestamp(ISSUE) + timedelta(hours=lead) for lead in range(72)
    ]
    assert (forecasts["issue_time_utc"] == ISSUE).all()
    assert (forecasts["issued_at_utc"] == ISSUE).all()
    assert (forecasts["model_version"] == model.version).all()
    assert causes(forecasts) == []


def test_quantiles_are_finite_non_negative_and_in_order(model: TrainedModel, data: KnownData):
    times = [ISSUE - timedelta(hours=5 * n) for n in range(20)]
    # Twenty times less carbon: the lower quantiles would be negative.
    clean = replace(data, aggregated=data.aggregated.assign(co2_g_per_kwh=data.aggregated[CO2] / 20))
    for source in (data, clean):
        quantiles = issue_forecasts(model, source, times)[list(QUANTILE_COLUMNS)].to_numpy()
        assert np.isfinite(quantiles).all()
        assert (quantiles >= 0).all()
        assert (np.diff(quantiles, axis=1) >= 0).all()


@pytest.mark.parametrize("issue", [ISSUE, datetime(2024, 4, 9, 1), datetime(2024, 4, 2)])
def test_the_future_does_not_move_a_forecast(model: TrainedModel, data: KnownData, issue: datetime):
    honest = issue_forecasts(model, data, [issue])
    spoiled = issue_forecasts(model, spoiled_after(data, issue), [issue])
    pd.testing.assert_frame_equal(spoiled, honest, check_exact=True)


def test_many_at_once_are_what_each_was_in_its_time(model: TrainedModel, data: KnownData):
    times = [datetime(2024, 4, 2) + timedelta(hours=11 * n) for n in range(12)]
    together = issue_forecasts(model, data, times)
    one_by_one = pd.concat(
        [issue_forecasts(model, data.cut(time), [time]) for time in times], ignore_index=True
    )
    pd.testing.assert_frame_equal(one_by_one, together, check_exact=True)


def test_issuing_somewhat_later_uses_what_came_out_in_between(model: TrainedModel, data: KnownData):
    issue = datetime(2024, 4, 5, 16)  # 18:00 in Denmark: tomorrow's wind is out at 18:15
    at_once = issue_forecasts(model, data, [issue])
    later = issue_forecasts(model, data, [issue], as_of=issue + timedelta(minutes=20))
    assert (later["issued_at_utc"] == issue + timedelta(minutes=20)).all()
    assert not np.allclose(later["q50_g_per_kwh"], at_once["q50_g_per_kwh"])
    pd.testing.assert_series_equal(later["persistence_g_per_kwh"], at_once["persistence_g_per_kwh"])


def test_no_forecast_of_hours_already_past(model: TrainedModel, data: KnownData):
    for as_of in (ISSUE + timedelta(hours=1), ISSUE - timedelta(seconds=1)):
        with pytest.raises(ValueError, match="must lie in the hour"):
            issue_forecasts(model, data, [ISSUE], as_of=as_of)
    with pytest.raises(ValueError, match="must lie in the hour"):
        issue_forecasts(model, data, [ISSUE, ISSUE + timedelta(hours=1)], as_of=ISSUE)
    assert (issue_forecasts(model, data, [ISSUE])["target_hour_utc"] >= ISSUE).all()


@pytest.mark.parametrize("time", [ISSUE + timedelta(minutes=1), ISSUE.replace(tzinfo=UTC)])
def test_issue_times_are_whole_naive_hours(model: TrainedModel, data: KnownData, time: datetime):
    with pytest.raises(ValueError, match="whole hour in naive UTC"):
        issue_forecasts(model, data, [time])


def test_without_a_day_of_measurements_there_is_no_forecast(model: TrainedModel, data: KnownData):
    silent = replace(data, aggregated=data.aggregated[data.aggregated["hour_utc"] < "2024-04-05"])
    with pytest.raises(NoForecastError, match="fetch power_system_right_now first"):
        issue_forecasts(model, silent, [ISSUE])


def test_baselines_against_a_look_at_the_table(model: TrainedModel, data: KnownData):
    known = data.aggregated.set_index("hour_utc")[CO2]
    forecasts = issue_forecasts(model, data, [ISSUE])
    assert (forecasts["persistence_g_per_kwh"] == known[pd.Timestamp(ISSUE) - timedelta(hours=1)]).all()
    # Of the days beyond tomorrow the newest known value of their hour of day is that of the first.
    yesterday = [known[pd.Timestamp(ISSUE) + timedelta(hours=lead % 24 - 24)] for lead in range(72)]
    assert forecasts["same_hour_yesterday_g_per_kwh"].tolist() == yesterday


def test_yesterday_in_a_gap_is_the_day_before(model: TrainedModel, data: KnownData):
    gap = pd.Timestamp(ISSUE) - timedelta(hours=24)
    kept = data.aggregated[data.aggregated["hour_utc"] != gap]
    forecasts = issue_forecasts(model, replace(data, aggregated=kept), [ISSUE])
    two_days_ago = data.aggregated.set_index("hour_utc")[CO2][pd.Timestamp(ISSUE) - timedelta(hours=48)]
    assert forecasts["same_hour_yesterday_g_per_kwh"].iloc[0] == two_days_ago


@pytest.mark.parametrize(
    ("table", "feed"),
    [
        ("wind_solar", "forecasts_hour"),
        ("prices", "day_ahead_prices"),
        ("prognosis", "co2_emission_prognosis"),
        ("weather", "weather_forecast"),
    ],
)
def test_a_missing_feed_is_named_and_widens_the_bands(
    model: TrainedModel, data: KnownData, table: str, feed: str
):
    frame = getattr(data, table)
    time = frame.columns[frame.columns.isin(["hour_utc", "time_utc", "minute_utc"])][0]
    # Down since the day before yesterday's end; what calibrates lies before.
    down = replace(data, **{table: frame[frame[time] < pd.Timestamp(ISSUE) - timedelta(days=1)]})
    degraded = issue_forecasts(model, down, [ISSUE])
    assert causes(degraded) == [f"{feed}: missing"]
    # Networks as small as these may be surer of themselves for knowing less.
    as_sure = issue_forecasts(replace(model, widening={}), down, [ISSUE])
    assert half_width(degraded) > half_width(as_sure)


def test_late_measurements_are_named_and_widen_the_bands(model: TrainedModel, data: KnownData):
    late = data.aggregated[data.aggregated["hour_utc"] < pd.Timestamp(ISSUE) - timedelta(hours=3)]
    degraded = issue_forecasts(model, replace(data, aggregated=late), [ISSUE])
    assert causes(degraded) == ["power_system_right_now: newest hour is 3 h older than it should be"]
    assert half_width(degraded) > half_width(issue_forecasts(model, data, [ISSUE]))


def test_a_partly_missing_feed_says_which_series_for_how_many_hours(model: TrainedModel, data: KnownData):
    frame = data.wind_solar
    hours, kinds = frame["hour_utc"], frame["forecast_type"]

    def lost(kind: str, count: int) -> pd.Series:
        return (hours >= ISSUE) & (hours < ISSUE + timedelta(hours=count)) & (kinds == kind)

    in_one_zone = lost("Onshore Wind", 5) & (frame["price_area"] == "DK2")
    forecasts = issue_forecasts(model, replace(data, wind_solar=frame[~in_one_zone]), [ISSUE])
    assert causes(forecasts) == ["forecasts_hour: no onshore wind forecast for 5 of 72 hours"]
    several = lost("Onshore Wind", 5) | lost("Offshore Wind", 5) | lost("Solar", 2)
    forecasts = issue_forecasts(model, replace(data, wind_solar=frame[~several]), [ISSUE])
    assert causes(forecasts) == [
        "forecasts_hour: no offshore wind forecast or onshore wind forecast for 5 of 72 hours; "
        "no solar forecast for 2 of 72 hours"
    ]


def test_feeds_of_nothing_but_zeros_are_named_and_widen_the_bands(model: TrainedModel, data: KnownData):
    since = pd.Timestamp(ISSUE) - timedelta(days=1)

    def zero(frame: pd.DataFrame, time: str, columns: tuple[str, ...]) -> pd.DataFrame:
        spoiled = frame.copy()
        spoiled.loc[frame[time] >= since, list(columns)] = 0.0
        return spoiled

    zeros = replace(
        data,
        wind_solar=zero(data.wind_solar, "hour_utc", PRODUCTS),
        prices=zero(data.prices, "time_utc", ("price_eur_per_mwh",)),
        prognosis=zero(data.prognosis, "minute_utc", (CO2,)),
    )
    complete, degraded = issue_forecasts(model, data, [ISSUE]), issue_forecasts(model, zeros, [ISSUE])
    assert causes(degraded) == [
        "forecasts_hour: missing",
        "day_ahead_prices: missing",
        "co2_emission_prognosis: missing",
    ]
    assert half_width(degraded) > half_width(complete)


def test_a_price_of_which_quarters_are_missing_is_named(model: TrainedModel, data: KnownData):
    prices = data.prices.copy()
    lost = (prices["price_area"] == "DK1") & (prices["time_utc"] == pd.Timestamp(ISSUE) + timedelta(hours=2))
    # The last of its four quarters alone.
    prices.loc[lost, "time_utc"] += timedelta(minutes=45)
    forecasts = issue_forecasts(model, replace(data, prices=prices), [ISSUE])
    assert causes(forecasts) == ["day_ahead_prices: no DK1 price for 1 of 72 hours"]


def test_what_is_not_out_yet_is_no_fault(model: TrainedModel, data: KnownData):
    # At noon tomorrow's wind and at eleven tomorrow's prices are not out for anyone.
    for hour in range(24):
        assert causes(issue_forecasts(model, data, [datetime(2024, 4, 5, hour)])) == []


def weather_less(data: KnownData, lost: pd.Series) -> KnownData:
    return replace(data, weather=data.weather[~lost])


def test_without_weather_the_days_beyond_are_wider_by_their_own_factors(model: TrainedModel, data: KnownData):
    # A model to which weather means nothing: what is wider is wider by the factor alone.
    factors = (1.2, 1.7, 2.5)
    wider = replace(model, widening={**model.widening, "weather_forecast": factors})
    even = replace(model, widening={**model.widening, "weather_forecast": (1.0, 1.0, 1.0)})
    gone = weather_less(data, data.weather["hour_utc"] >= pd.Timestamp(ISSUE) - timedelta(days=1))
    degraded, plain = issue_forecasts(wider, gone, [ISSUE]), issue_forecasts(even, gone, [ISSUE])
    assert causes(degraded) == causes(plain) == ["weather_forecast: missing"]
    upper = degraded["q90_g_per_kwh"] - degraded["q50_g_per_kwh"]
    expected = plain["q90_g_per_kwh"] - plain["q50_g_per_kwh"]
    for (first, last), factor in zip(DAYS_AHEAD, factors, strict=True):
        rows = degraded["lead_hours"].between(first, last)
        np.testing.assert_allclose(upper[rows], factor * expected[rows], atol=0.01)
    # Nothing else is changed by it: median, baselines and times.
    same = [name for name in COLUMNS if name not in QUANTILE_COLUMNS or name == "q50_g_per_kwh"]
    pd.testing.assert_frame_equal(degraded[same], plain[same], check_exact=True)


def test_missing_weather_costs_the_days_beyond_their_certainty(model: TrainedModel, data: KnownData):
    complete = issue_forecasts(model, data, [ISSUE])
    gone = weather_less(data, data.weather["hour_utc"] >= pd.Timestamp(ISSUE) - timedelta(days=1))
    degraded = issue_forecasts(model, gone, [ISSUE])
    for first, last in DAYS_AHEAD[1:]:
        assert half_width(degraded, first, last) > half_width(complete, first, last)
    others = ["persistence_g_per_kwh", "same_hour_yesterday_g_per_kwh", "energinet_prognosis_g_per_kwh"]
    pd.testing.assert_frame_equal(degraded[others], complete[others])


def test_weather_that_ends_too_soon_widens_only_the_day_that_lacks_it(model: TrainedModel, data: KnownData):
    # The service went down ten hours ago: the last hours ahead are not known yet.
    down = data.weather["published_at_utc"] > pd.Timestamp(ISSUE) - timedelta(hours=10)
    complete = issue_forecasts(model, data, [ISSUE])
    forecasts = issue_forecasts(model, weather_less(data, down), [ISSUE])
    # At 72 h and more no version is known, ten hours before there was none of the last nine.
    (cause,) = causes(forecasts)
    assert cause == "weather_forecast: no weather of any place for 9 of 72 hours"
    assert half_width(forecasts, *DAYS_AHEAD[2]) > half_width(complete, *DAYS_AHEAD[2])
    causes_and_bands = issue_forecasts(
        replace(model, widening={**model.widening, "weather_forecast": (9.0, 9.0, 1.0)}),
        weather_less(data, down),
        [ISSUE],
    )
    pd.testing.assert_frame_equal(
        causes_and_bands[causes_and_bands["lead_hours"] <= 2 * NEAR_HOURS],
        forecasts[forecasts["lead_hours"] <= 2 * NEAR_HOURS],
        check_exact=True,
    )


def test_weather_of_one_place_that_fails_is_named_alone(model: TrainedModel, data: KnownData):
    down = (data.weather["point"] == "Anholt") & (
        data.weather["published_at_utc"] > pd.Timestamp(ISSUE) - timedelta(days=4)
    )
    forecasts = issue_forecasts(model, weather_less(data, down), [ISSUE])
    assert causes(forecasts) == ["weather_forecast: no weather of Anholt for 72 of 72 hours"]
    # With two that are known, and one of them down.
    two = ~data.weather["point"].isin(["Anholt", "Malmo"])
    forecasts = issue_forecasts(model, weather_less(data, two | down), [ISSUE])
    assert causes(forecasts) == ["weather_forecast: no weather of Anholt for 72 of 72 hours"]


def test_a_place_that_was_never_known_is_not_named(model: TrainedModel, data: KnownData):
    # As in the recording: five of the places, one of them only from later on.
    recorded = data.weather["point"].isin(["Djursland", "Malmo", "Stockholm", "DK_centre", "DE_centre"])
    later = (data.weather["point"] == "DE_centre") & (data.weather["published_at_utc"] <= pd.Timestamp(ISSUE))
    some = weather_less(data, ~recorded | later)
    assert causes(issue_forecasts(model, some, [ISSUE])) == []
    # Nor does it matter that others are asked for at once, or that the later data are there.
    times = [ISSUE - timedelta(hours=5), ISSUE, ISSUE + timedelta(hours=3)]
    together = issue_forecasts(model, some, times)
    one_by_one = pd.concat(
        [issue_forecasts(model, some.cut(time), [time]) for time in times], ignore_index=True
    )
    pd.testing.assert_frame_equal(together, one_by_one, check_exact=True)
    # Once some of its hours are known it is one of the places that are: three of each version, two of the
    # third day's, and the wind around those of the first day.
    after = together[together["issue_time_utc"] == times[2]]
    assert causes(after) == ["weather_forecast: no weather of Central Germany for 61 of 72 hours"]


def test_a_model_without_weather_says_so_with_every_forecast(model: TrainedModel, data: KnownData):
    scaler = model.far.scaler
    unused = replace(scaler, future_used=np.zeros_like(scaler.future_used))
    layer = InputLayer(model.area, unused, model.far.layer.reach)
    blind = replace(model, far=Ensemble(layer, model.far.networks))
    forecasts = issue_forecasts(blind, data, [ISSUE, ISSUE + timedelta(hours=1)])
    assert {tuple(json.loads(text)) for text in forecasts["degraded_causes"]} == {(NO_WEATHER_CAUSE,)}
    assert NO_WEATHER_CAUSE.startswith("model: ")
