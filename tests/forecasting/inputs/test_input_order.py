"""The order of the network's inputs: weights trained before depend on it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from co2_assets.contracts.areas import DENMARK, Area
from co2_assets.contracts.forecast_spec import CO2, HORIZON_HOURS, MEASURED, NEAR_HOURS
from co2_assets.contracts.time import hour_of
from co2_assets.forecasting.inputs import input_lists
from co2_assets.forecasting.inputs import windows as module
from co2_assets.forecasting.inputs.calendar import calendar
from co2_assets.forecasting.inputs.features import features_of
from co2_assets.forecasting.inputs.input_lists import Input, far_inputs, future_inputs, past_inputs
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import NEAR_REACH_HOURS, build_windows

ISSUE = hour_of(datetime(2024, 3, 12, 9))
POWERS = (
    "production_ge_100_mw",
    "production_lt_100_mw",
    "solar_mw",
    "offshore_wind_mw",
    "onshore_wind_mw",
    "net_exchange_mw",
)
FLOWS = (
    "exchange_great_belt_mw",
    "exchange_germany_mw",
    "exchange_netherlands_mw",
    "exchange_great_britain_mw",
    "exchange_norway_mw",
    "exchange_sweden_mw",
)
CALENDAR = ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "is_holiday", "solar_elevation_sin")
WIND_SOLAR = ("offshore_wind_forecast_mw", "onshore_wind_forecast_mw", "solar_forecast_mw")
PRICES = tuple(f"price_{zone}_eur_per_mwh" for zone in ("dk1", "dk2", "de", "no2", "se3", "se4"))
NEAR_ZONES = [0, 1, 2, 5]  # not NO2 and SE3
PROGNOSIS = ("prognosis_g_per_kwh",)
SLOPES = ("from_hour_before", "to_hour_after")
ERROR_SUMMARIES = ("error_mean", "error_now", "error_trend")
POINTS = (
    "Djursland",
    "Malmo",
    "Stockholm",
    "DK_centre",
    "DE_centre",
    "Horns_Rev",
    "Vesterhav",
    "Anholt",
    "Rodsand",
    "Kriegers_Flak",
    "Skagerrak_coast",
    "German_Bight",
)
LAND_POINTS = POINTS[:5]
WIND = ("wind_speed_10m_m_per_s", "wind_speed_100m_m_per_s")
LAND = ("temperature_2m_degc", "cloud_cover_percent", "shortwave_radiation_w_per_m2")
PAST = (
    "co2_g_per_kwh",
    *POWERS,
    "co2_rolling_mean_6h_g_per_kwh",
    "co2_rolling_std_6h_g_per_kwh",
    "co2_rolling_mean_12h_g_per_kwh",
    "co2_rolling_std_12h_g_per_kwh",
    *CALENDAR,
    *WIND_SOLAR,
    *(f"{name}_error" for name in WIND_SOLAR),
    *PRICES,
    *PROGNOSIS,
    "prognosis_g_per_kwh_error",
    *FLOWS,
)
FUTURE = (
    *CALENDAR,
    "lead",
    "age_of_last_value",
    "last_value",
    "day_before_change",
    "change_over_1h",
    "change_over_2h",
    "change_over_3h",
    *(f"{name}_now" for name in POWERS),
    *(f"{name}_change_over_1h" for name in POWERS),
    *WIND_SOLAR,
    *(f"{name}_change" for name in WIND_SOLAR),
    *(f"{name}_{slope}" for slope in SLOPES for name in WIND_SOLAR),
    *(f"{name}_error_now" for name in WIND_SOLAR),
    *(PRICES[zone] for zone in NEAR_ZONES),
    *(f"{name}_change" for name in PRICES[:3]),
    *(f"{name}_{slope}" for slope in SLOPES for name in PRICES[:3]),
    *PROGNOSIS,
    "prognosis_g_per_kwh_change",
    *(f"prognosis_g_per_kwh_{slope}" for slope in SLOPES),
    *(f"prognosis_g_per_kwh_{summary}" for summary in ERROR_SUMMARIES),
    *(f"{point.lower()}_wind_around_m_per_s" for point in POINTS),
    *(f"{name}_now" for name in FLOWS),
    *(f"{name}_change_over_1h" for name in FLOWS),
)
FAR = (
    *CALENDAR,
    "lead",
    "last_value",
    "level_over_24h_change",
    "level_over_72h_change",
    "level_over_168h_change",
    *(f"{name}_now" for name in POWERS),
    *WIND_SOLAR,
    *(f"{name}_change" for name in WIND_SOLAR),
    *PRICES,
    *(f"{name}_change" for name in PRICES),
    *PROGNOSIS,
    "prognosis_g_per_kwh_change",
    *(f"{point.lower()}_{name}" for point in POINTS for name in WIND),
    *(f"{point.lower()}_{name}" for point in LAND_POINTS for name in LAND),
    *(f"{name}_now" for name in FLOWS),
)


def test_the_names_stand_in_the_order_that_stored_models_have() -> None:
    assert tuple(i.name for i in past_inputs(DENMARK)) == PAST
    assert tuple(i.name for i in future_inputs(DENMARK)) == FUTURE
    assert tuple(i.name for i in far_inputs(DENMARK)) == FAR


def test_each_column_of_the_arrays_holds_the_input_of_its_place(data: KnownData) -> None:
    chance = np.random.default_rng(5)
    flows_mw = chance.normal(500.0, 300.0, (len(data.aggregated), len(FLOWS)))
    data = replace(data, aggregated=data.aggregated.assign(**dict(zip(FLOWS, flows_mw.T, strict=True))))
    windows = build_windows(data, np.array([ISSUE]))
    rows = features_of(data).set_index("hour_utc").iloc[: ISSUE - data.first_hour].tail(24)
    error = rows[["offshore_wind_mw", "onshore_wind_mw", "solar_mw"]].to_numpy() - rows[list(WIND_SOLAR)]
    prognosis_error = (rows[CO2] - rows[PROGNOSIS[0]]).to_numpy()[:, None]
    past = [
        rows[list(PAST[: PAST.index(WIND_SOLAR[-1]) + 1])].astype(np.float64),
        error,
        rows[list(PRICES)],
        rows[list(PROGNOSIS)],
        prognosis_error,
        rows[list(FLOWS)],
    ]
    assert windows.past.dtype == np.float32
    np.testing.assert_array_equal(windows.past[0], np.concatenate(past, axis=1, dtype=np.float32))

    def summaries(errors: np.ndarray) -> np.ndarray:
        single = errors.astype(np.float32).astype(np.float64)
        return np.concatenate([single[-3:].mean(axis=0), single[-1], single[-1] - single[-3]])

    hours = ISSUE + np.arange(-1, NEAR_REACH_HOURS + 1)
    at = np.array(ISSUE * 3600)
    last = rows[CO2].iloc[-1]
    powers = rows[list(POWERS)].to_numpy(np.float32).astype(np.float64)
    flows = rows[list(FLOWS)].to_numpy(np.float32).astype(np.float64)
    co2 = rows[CO2].to_numpy(np.float32).astype(np.float64)
    day_before = data.measured_at(hours[1:-1] - 24)[:, MEASURED.index(CO2)]
    day_before[NEAR_HOURS:] = np.nan  # not over at the issue time
    is_shown = [position for position, name in enumerate(module.CALENDAR_COLUMNS) if name in CALENDAR]
    blocks = [
        calendar(hours[1:-1])[:, is_shown],
        np.arange(1, NEAR_REACH_HOURS + 1)[:, None],
        [0.0],
        [last],
        day_before[:, None] - last,
        co2[-1] - co2[[-2, -3, -4]],
        powers[-1],
        powers[-1] - powers[-2],
    ]
    wind_solar_now = rows[["offshore_wind_mw", "onshore_wind_mw", "solar_mw"]].iloc[-1].to_numpy()

    def slopes(around: np.ndarray) -> list[np.ndarray]:
        steps = np.diff(around, axis=0)
        return [steps[:-1], steps[1:]]

    wind_solar = data.wind_solar_at(hours, at)
    blocks += [wind_solar[1:-1], wind_solar[1:-1] - wind_solar_now, *slopes(wind_solar), error.to_numpy()[-1]]
    prices = data.prices_at(hours, at)
    course = prices[:, :3]
    price_now = data.prices_at(np.array(ISSUE - 1), at)[:3]
    blocks += [prices[1:-1, NEAR_ZONES], course[1:-1] - price_now, *slopes(course)]
    prognosis = data.prognosis_at(hours, at)[:, None]
    blocks += [prognosis[1:-1], prognosis[1:-1] - last, *slopes(prognosis), summaries(prognosis_error)]
    wind = data.weather_at(ISSUE + np.arange(-3, NEAR_REACH_HOURS + 3), at)[..., 0]
    blocks.append(np.stack([wind[hour : hour + 7].mean(axis=0) for hour in range(NEAR_REACH_HOURS)]))
    blocks += [flows[-1], flows[-1] - flows[-2]]
    check(windows.future[0], blocks, FUTURE)

    far_hours = ISSUE + np.arange(NEAR_HOURS, HORIZON_HOURS)
    before = data.measured_at(ISSUE - 1 - np.arange(168))[:, MEASURED.index(CO2)]
    wind_solar, prices = data.wind_solar_at(far_hours, at), data.prices_at(far_hours, at)
    prognosis = data.prognosis_at(far_hours, at)[:, None]
    weather = data.weather_at(far_hours, at)
    blocks = [
        calendar(far_hours)[:, is_shown],
        np.arange(NEAR_HOURS + 1, HORIZON_HOURS + 1)[:, None],
        [last],
        *([np.nanmean(before[:length]) - last] for length in (24, 72, 168)),
        powers[-1],
        wind_solar,
        wind_solar - wind_solar_now,
        prices,
        prices - data.prices_at(np.array(ISSUE - 1), at),
        prognosis,
        prognosis - last,
        weather[..., [0, 1]].reshape(len(far_hours), -1),
        # Of the variables in the order of the table: temperature, cloud, radiation.
        weather[:, : len(LAND_POINTS), [3, 4, 2]].reshape(len(far_hours), -1),
        flows[-1],
    ]
    check(windows.far[0], blocks, FAR)


def check(values: np.ndarray, blocks: list[Any], names: tuple[str, ...]) -> None:
    """Hold the values of one window (hours, inputs) against those of groups of inputs, in their order."""
    spread = [np.broadcast_to(block, (len(values), np.shape(block)[-1])) for block in blocks]
    assert values.dtype == np.float32
    expected = np.concatenate(spread, axis=1, dtype=np.float32)
    assert values.shape == expected.shape == (len(values), len(names))
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("inputs", ["past_inputs", "future_inputs", "far_inputs"])
def test_an_input_that_is_only_declared_is_named(
    data: KnownData, monkeypatch: pytest.MonkeyPatch, inputs: str
) -> None:
    declared = getattr(module, inputs)

    def more(area: Area) -> tuple[Input, ...]:
        return (*declared(area), Input("moonlight", input_lists.CALENDAR))

    monkeypatch.setattr(module, inputs, more)
    with pytest.raises(ValueError, match=r"without values: moonlight; .* not declared: none$"):
        build_windows(data, np.array([ISSUE]))


@pytest.mark.parametrize(
    ("inputs", "name"), [("past_inputs", CO2), ("future_inputs", "lead"), ("far_inputs", "lead")]
)
def test_an_input_that_is_not_declared_is_named(
    data: KnownData, monkeypatch: pytest.MonkeyPatch, inputs: str, name: str
) -> None:
    declared = getattr(module, inputs)
    monkeypatch.setattr(module, inputs, lambda area: tuple(i for i in declared(area) if i.name != name))
    with pytest.raises(ValueError, match=f"without values: none; .* not declared: {name}$"):
        build_windows(data, np.array([ISSUE]))
