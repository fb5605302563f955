"""Zeros that stand for nulls, as the service publishes them, and zeros that are real."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import FORECASTS_HOUR
from co2_assets.contracts.areas import DENMARK, Area
from co2_assets.contracts.forecast_spec import WIND_SOLAR
from co2_assets.contracts.time import hour_of, second_of
from co2_assets.energidataservice.emulator.simulator import SimulatedGrid
from co2_assets.forecasting.inputs.known_data import WIND_SOLAR_PRODUCTS, KnownData
from tests.support.worlds import FETCHED, PRODUCTS, ZONES

ONE_ZONE = Area("DK", "Denmark", "power_system_right_now", ("DK1",), {"DK1": 1.0}, ("DK1",))
HOUR = datetime(2024, 5, 2, 12)
EVENING, NIGHT, MORNING = datetime(2024, 5, 1, 16), datetime(2024, 5, 1, 22), datetime(2024, 5, 2, 4)
# As recorded: each type is stamped by itself, seconds to minutes apart.
OFFSETS = {
    "Offshore Wind": timedelta(seconds=23),
    "Onshore Wind": timedelta(seconds=25),
    "Solar": -timedelta(seconds=277),
}
ALL_OUT = timedelta(seconds=25)
Megawatts = dict[str, float]
REAL: Megawatts = {"Offshore Wind": 300.0, "Onshore Wind": 500.0, "Solar": 100.0}
CALM_NIGHT: Megawatts = {"Offshore Wind": 0.0, "Onshore Wind": 20.0, "Solar": 0.0}
NULLS: Megawatts = dict.fromkeys(WIND_SOLAR, 0.0)
UNKNOWN = dict.fromkeys(WIND_SOLAR, np.nan)


def published(data: KnownData, *publications: tuple[datetime, Megawatts]) -> KnownData:
    """Day-ahead forecasts of `HOUR` in DK1, each publication with its types' own time stamps."""
    rows = [
        {
            "price_area": "DK1",
            "forecast_type": kind,
            "hour_utc": HOUR,
            "published_at_utc": at + OFFSETS[kind],
            **dict.fromkeys(PRODUCTS, np.nan),
            "forecast_day_ahead_mw": value,
        }
        for at, values in publications
        for kind, value in values.items()
    ]
    frame = pd.DataFrame(rows).astype({"hour_utc": "datetime64[us]", "published_at_utc": "datetime64[us]"})
    return replace(data, wind_solar=frame, area=ONE_ZONE)


def known_at(data: KnownData, instant: datetime) -> Megawatts:
    values = data.wind_solar_at(np.array([hour_of(HOUR)]), np.array([second_of(instant)]))[0]
    cut = data.cut(instant).wind_solar_at(np.array([hour_of(HOUR)]), np.array([second_of(instant)]))[0]
    np.testing.assert_array_equal(cut, values)
    return dict(zip(WIND_SOLAR, values.tolist(), strict=True))


def test_nulls_are_known_by_their_zeros_though_the_time_stamps_differ(data: KnownData) -> None:
    known = published(data, (EVENING, NULLS))
    np.testing.assert_equal(known_at(known, EVENING + ALL_OUT), UNKNOWN)
    np.testing.assert_equal(known_at(known, HOUR), UNKNOWN)


def test_a_forecast_before_the_nulls_still_counts(data: KnownData) -> None:
    for first in (REAL, CALM_NIGHT):
        known = published(data, (EVENING, first), (NIGHT, NULLS))
        assert known_at(known, NIGHT - timedelta(minutes=6)) == first
        assert known_at(known, NIGHT + ALL_OUT) == first
        assert known_at(known, HOUR) == first


def test_a_forecast_after_the_nulls_counts_from_its_own_publication(data: KnownData) -> None:
    for second in (REAL, CALM_NIGHT):
        known = published(data, (EVENING, NULLS), (NIGHT, second), (MORNING, NULLS))
        np.testing.assert_equal(known_at(known, NIGHT - timedelta(minutes=6)), UNKNOWN)
        for later in (NIGHT + ALL_OUT, MORNING + ALL_OUT, HOUR):
            assert known_at(known, later) == second


@pytest.mark.parametrize("second", range(-290, 40, 7))
def test_nothing_is_judged_by_what_was_not_out_yet(data: KnownData, second: int) -> None:
    known = published(data, (EVENING, CALM_NIGHT), (NIGHT, NULLS), (MORNING, REAL))
    for at in (EVENING, NIGHT, MORNING):
        known_at(known, at + timedelta(seconds=second))


def test_a_calm_night_is_a_forecast(data: KnownData) -> None:
    assert known_at(published(data, (EVENING, CALM_NIGHT)), HOUR) == CALM_NIGHT


def test_nulls_of_the_emulated_service(data: KnownData) -> None:
    now, day = datetime(2025, 5, 14, 4, 30), datetime(2025, 5, 14)
    names = {column.service_name: column.name for column in FORECASTS_HOUR.table.columns}
    served = SimulatedGrid(5).rows("Forecasts_Hour", day, day + timedelta(days=1), now).rename(columns=names)
    nulls = served.assign(
        **{name: served[name].where(served[name].isna(), 0.0) for name in WIND_SOLAR_PRODUCTS}
    )
    asked = hour_of(day) + np.arange(6, 20), np.array([second_of(now)])
    for frame, is_known in ((served, True), (nulls, False)):
        values = replace(data, wind_solar=frame).wind_solar_at(*asked)
        assert (np.isfinite(values) == is_known).all()


def prices(data: KnownData, zero_hours: int, zones: tuple[str, ...] = ZONES) -> KnownData:
    """Prices of 2 May 2024 (Danish time) that are zero in the last ``zero_hours`` of the day."""
    hours = pd.date_range(datetime(2024, 5, 1, 22), periods=24, freq="h", unit="us")
    values = [50.0] * (24 - zero_hours) + [0.0] * zero_hours
    frames = [
        pd.DataFrame(
            {
                "price_area": zone,
                "time_utc": hours,
                "price_eur_per_mwh": values if zone in zones else 50.0,
                "fetched_at_utc": FETCHED,
            }
        )
        for zone in ZONES
    ]
    return replace(data, prices=pd.concat(frames))


@pytest.mark.parametrize("zones", [ZONES, ("DK1",)])
def test_a_day_of_prices_at_zero_is_none(data: KnownData, zones: tuple[str, ...]) -> None:
    hours = hour_of(datetime(2024, 5, 1, 22)) + np.arange(24)
    values = prices(data, 24, zones).prices_at(hours, np.int64(2**32))
    is_null = np.isnan(values).all(axis=0)
    assert [zone for zone, null in zip(DENMARK.prices, is_null, strict=True) if null] == list(zones)
    assert np.isnan(values).sum() == 24 * len(zones)


def test_eight_hours_of_prices_at_zero_are_real(data: KnownData) -> None:
    # As recorded in Germany; in all six zones it was seven (7 April 2024).
    hours = hour_of(datetime(2024, 5, 1, 22)) + np.arange(24)
    values = prices(data, 8).prices_at(hours, np.int64(2**32))
    assert (values[-8:] == 0).all()
    assert np.isfinite(values).all()


def test_a_prognosis_of_zero_is_none(data: KnownData) -> None:
    zero = replace(data, prognosis=data.prognosis.assign(co2_g_per_kwh=0.0))
    hours = hour_of(datetime(2024, 3, 12)) + np.arange(24)
    assert np.isnan(zero.prognosis_at(hours, np.int64(2**32))).all()
    assert np.isfinite(data.prognosis_at(hours, np.int64(2**32))).all()
