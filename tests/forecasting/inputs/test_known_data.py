"""From when each value was knowable."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import MEASURED
from co2_assets.contracts.time import hour_of, second_of
from co2_assets.forecasting.inputs.known_data import WIND_SOLAR_PRODUCTS, KnownData
from co2_assets.forecasting.inputs.versions import NEVER_HOUR
from tests.support.worlds import FETCHED, PRODUCTS, ZONES, prognosis_rows

TARGET = datetime(2024, 5, 2, 12)
ONE_ZONE = Area("DK", "Denmark", "power_system_right_now", ("DK1",), {"DK1": 1.0}, ("DK1",))
NOTHING = {
    "aggregated": pd.DataFrame(
        {"price_area": [], "hour_utc": pd.DatetimeIndex([]).as_unit("us")}
        | {name: pd.Series(dtype=float) for name in MEASURED}
    ),
    "prices": pd.DataFrame(
        {"price_area": [], "time_utc": pd.DatetimeIndex([]).as_unit("us"), "price_eur_per_mwh": []}
    ),
    "wind_solar": pd.DataFrame(
        {"price_area": [], "forecast_type": [], "hour_utc": pd.DatetimeIndex([]).as_unit("us")}
        | {"published_at_utc": pd.DatetimeIndex([]).as_unit("us")}
        | {product: pd.Series(dtype=float) for product in PRODUCTS}
    ),
    "prognosis": prognosis_rows("DK1", pd.DatetimeIndex([]).as_unit("us"), np.empty(0), timedelta(0)),
}


def forecast_row(published: datetime, zone: str = "DK1", **values: float) -> dict[str, object]:
    row: dict[str, object] = {
        "price_area": zone,
        "forecast_type": "Onshore Wind",
        "hour_utc": pd.Timestamp(TARGET),
        "published_at_utc": pd.Timestamp(published),
    }
    return row | {product: values.get(product.split("_", 1)[1][:-3], np.nan) for product in PRODUCTS}


def with_forecasts(*rows: dict[str, object], area: Area = ONE_ZONE) -> KnownData:
    return KnownData(**NOTHING | {"wind_solar": pd.DataFrame(list(rows))}, area=area)


def onshore(data: KnownData, as_of: datetime) -> float:
    values = data.wind_solar_at(np.array([hour_of(TARGET)]), np.array([second_of(as_of)]))
    return float(values[0, 1])


def test_the_freshest_product_that_was_out():
    # As found days later, with every column filled: the rules say from when each was known.
    data = with_forecasts(
        forecast_row(
            datetime(2024, 5, 6), **{"day_ahead": 1.0, "intraday": 2.0, "5_hour": 5.0, "1_hour": 9.0}
        )
    )
    day_ahead_out = datetime(2024, 5, 1, 16, 15)  # 18:15 in Denmark, in summer
    assert np.isnan(onshore(data, day_ahead_out - timedelta(seconds=1)))
    assert onshore(data, day_ahead_out) == 1.0
    intraday_out = datetime(2024, 5, 2, 6, 15)  # 08:15 in Denmark
    assert onshore(data, intraday_out - timedelta(seconds=1)) == 1.0
    assert onshore(data, intraday_out) == 2.0
    assert onshore(data, TARGET - timedelta(hours=5)) == 2.0
    assert onshore(data, TARGET - timedelta(hours=4)) == 5.0
    assert onshore(data, TARGET - timedelta(hours=1)) == 5.0
    assert onshore(data, TARGET) == 9.0


def test_a_first_publication_counts_from_its_own_time_stamp():
    early = with_forecasts(forecast_row(datetime(2024, 5, 1, 9), day_ahead=1.0))
    assert onshore(early, datetime(2024, 5, 1, 9)) == 1.0
    late = with_forecasts(forecast_row(datetime(2024, 5, 2, 7), day_ahead=1.0))
    assert np.isnan(onshore(late, datetime(2024, 5, 2, 6)))
    assert onshore(late, datetime(2024, 5, 2, 7)) == 1.0


def test_a_revision_counts_only_from_when_it_was_published():
    data = with_forecasts(
        forecast_row(datetime(2024, 5, 1, 17), day_ahead=1.0),
        forecast_row(datetime(2024, 5, 6), **{"day_ahead": 100.0, "5_hour": 5.0}),
    )
    assert onshore(data, datetime(2024, 5, 1, 20)) == 1.0
    assert onshore(data, TARGET) == 5.0


def test_a_sum_over_zones_needs_both():
    both = Area("DK", "Denmark", "power_system_right_now", ("DK1", "DK2"), {"DK1": 1.0}, ("DK1",))
    west = forecast_row(datetime(2024, 5, 1, 17), "DK1", day_ahead=1.0)
    east = forecast_row(datetime(2024, 5, 1, 18), "DK2", day_ahead=2.0)
    assert onshore(with_forecasts(west, east, area=both), TARGET) == 3.0
    assert np.isnan(onshore(with_forecasts(west, east, area=both), datetime(2024, 5, 1, 17, 30)))
    assert np.isnan(onshore(with_forecasts(west, area=both), TARGET))


def prices(times: pd.DatetimeIndex, values: list[float]) -> KnownData:
    frame = pd.DataFrame(
        {"price_area": "DK1", "time_utc": times, "price_eur_per_mwh": values, "fetched_at_utc": FETCHED}
    )
    return KnownData(**NOTHING | {"prices": frame}, area=ONE_ZONE)


def test_quarter_hours_become_hours():
    data = prices(pd.date_range(TARGET, periods=4, freq="15min", unit="us"), [10.0, 20.0, 30.0, 60.0])
    assert data.prices_at(np.array([hour_of(TARGET)]), np.array([second_of(TARGET)]))[0, 0] == 30.0


SWITCHED = datetime(2025, 11, 3, 12)


def price_of(times: list[datetime], values: list[float]) -> float:
    known = prices(pd.DatetimeIndex(times).as_unit("us"), values)
    hour = hour_of(times[0])
    return float(known.prices_at(np.array([hour]), np.array([3600 * hour]))[0, 0])


@pytest.mark.parametrize("hour", [TARGET, SWITCHED])
@pytest.mark.parametrize("there", [(0,), (1,), (0, 1), (1, 2, 3), (0, 1, 2, 3)])
def test_a_mean_over_some_quarters_is_not_the_price_of_the_hour(hour: datetime, there: tuple[int, ...]):
    # Before the market went over to quarters, one price is that of the hour.
    is_hourly = hour == TARGET and there == (0,)
    times = [hour + timedelta(minutes=15 * quarter) for quarter in there]
    values = [(10.0, 100.0, 200.0, 300.0)[quarter] for quarter in there]
    price = price_of(times, values)
    if there == (0, 1, 2, 3):
        assert price == 152.5
    elif is_hourly:
        assert price == 10.0
    else:
        assert np.isnan(price)
    assert np.isnan(price_of(times, [np.nan, *values[1:]]))


@pytest.mark.parametrize(
    ("target", "out"),
    [
        (datetime(2024, 7, 10, 12), datetime(2024, 7, 9, 11)),
        (datetime(2024, 10, 27, 1), datetime(2024, 10, 26, 11)),
        (datetime(2024, 10, 27, 23), datetime(2024, 10, 27, 12)),
        (datetime(2024, 3, 31, 21), datetime(2024, 3, 30, 12)),
        (datetime(2024, 3, 31, 22), datetime(2024, 3, 31, 11)),
    ],
)
def test_prices_are_out_at_one_the_day_before(target: datetime, out: datetime):
    data = prices(pd.DatetimeIndex([target]).as_unit("us"), [50.0])
    hour = np.array([hour_of(target)])
    assert np.isnan(data.prices_at(hour, np.array([second_of(out) - 1]))[0, 0])
    assert data.prices_at(hour, np.array([second_of(out)]))[0, 0] == 50.0


def prognosis_at(frame: pd.DataFrame, as_of: datetime, area: Area = ONE_ZONE) -> float:
    data = KnownData(**NOTHING | {"prognosis": frame}, area=area)
    return float(data.prognosis_at(np.array([hour_of(TARGET)]), np.array([second_of(as_of)]))[0])


HOUR = pd.DatetimeIndex([TARGET]).as_unit("us")


def test_the_newest_vintage_of_the_prognosis():
    old = prognosis_rows("DK1", HOUR, np.array([80.0]), timedelta(hours=20))
    new = prognosis_rows("DK1", HOUR, np.array([60.0]), timedelta(hours=6))
    after = prognosis_rows("DK1", HOUR, np.array([10.0]), timedelta(hours=-2))
    frame = pd.concat([after, old, new])
    assert np.isnan(prognosis_at(frame, TARGET - timedelta(hours=21)))
    assert prognosis_at(frame, TARGET - timedelta(hours=7)) == 80.0
    assert prognosis_at(frame, TARGET - timedelta(hours=6)) == 60.0
    assert prognosis_at(frame, TARGET + timedelta(hours=1)) == 60.0


def test_a_partly_renewed_prognosis_hour_mixes_the_newest_values():
    old = prognosis_rows("DK1", HOUR, np.array([80.0]), timedelta(hours=20))
    new = prognosis_rows("DK1", HOUR, np.array([56.0]), timedelta(hours=6)).iloc[:6]
    assert prognosis_at(pd.concat([old, new]), TARGET) == 68.0
    assert np.isnan(prognosis_at(new, TARGET))


def test_an_absurd_prognosis_is_not_used():
    frame = prognosis_rows("DK1", HOUR, np.array([1304.0]), timedelta(hours=20))
    assert np.isnan(prognosis_at(frame, TARGET))


def test_the_national_prognosis_weighs_west_and_east():
    frame = pd.concat(
        prognosis_rows(zone, HOUR, np.array([value]), timedelta(hours=20))
        for zone, value in (("DK1", 100.0), ("DK2", 50.0))
    )
    assert prognosis_at(
        frame, TARGET, Area("DK", "Denmark", "power_system_right_now", ZONES[:2], {"DK1": 0.6, "DK2": 0.4})
    ) == pytest.approx(80.0)


@pytest.mark.parametrize(
    "as_of",
    [
        datetime(2024, 3, 20),
        datetime(2024, 3, 30, 12),
        datetime(2024, 3, 31, 1),
        datetime(2024, 3, 20, 17, 14),
        datetime(2024, 3, 20, 17, 15),
        datetime(2024, 3, 20, 11, 59),
    ],
)
def test_cutting_keeps_what_was_known_and_from_when(data: KnownData, as_of: datetime):
    cut = data.cut(as_of)
    hours = (hour_of(as_of) + np.arange(-72, 48))[:, None]
    instants = second_of(as_of) - 3600 * np.arange(0, 60, 7)
    for look_up in ("wind_solar_at", "prices_at", "prognosis_at", "weather_at"):
        np.testing.assert_array_equal(
            getattr(cut, look_up)(hours, instants), getattr(data, look_up)(hours, instants)
        )
    # And nothing more: asked later, the cut data know no more than at the cut.
    far = np.array([second_of(as_of) + 10 * 86400])
    now = np.array([second_of(as_of)])
    for look_up in ("wind_solar_at", "prices_at", "prognosis_at", "weather_at"):
        np.testing.assert_array_equal(getattr(cut, look_up)(hours, far), getattr(data, look_up)(hours, now))
    assert cut.aggregated["hour_utc"].max() + timedelta(hours=1) <= pd.Timestamp(as_of)


def test_cutting_twice_is_cutting_at_the_earlier(data: KnownData):
    early, late = datetime(2024, 3, 20, 6), datetime(2024, 3, 24, 6)
    for name in ("aggregated", "wind_solar", "prices", "prognosis", "weather"):
        pd.testing.assert_frame_equal(
            getattr(data.cut(late).cut(early), name), getattr(data.cut(early), name)
        )


def test_empty_tables_know_nothing():
    data = KnownData(**NOTHING)
    hours, now = np.array([hour_of(TARGET)]), np.array([second_of(TARGET)])
    assert np.isnan(data.measured_at(hours)).all()
    assert np.isnan(data.wind_solar_at(hours, now)).all()
    assert np.isnan(data.prices_at(hours, now)).all()
    assert np.isnan(data.prognosis_at(hours, now)).all()
    assert np.isnan(data.weather_at(hours, now)).all()
    assert (data.last_weather_hour(now) == NEVER_HOUR).all()


def test_other_areas_do_not_mix_in(data: KnownData):
    other = data.aggregated.assign(price_area="DK1", co2_g_per_kwh=1.0)
    both = replace(data, aggregated=pd.concat([data.aggregated, other]))
    np.testing.assert_array_equal(both.measured, data.measured)


def test_a_day_of_zeros_is_no_forecast(data: KnownData):
    day = data.wind_solar["hour_utc"].dt.date == date(2024, 3, 12)
    zone = data.wind_solar["price_area"] == "DK1"
    spoiled = data.wind_solar.copy()
    spoiled.loc[day & zone, "forecast_day_ahead_mw"] = 0.0
    spoiled.loc[:, ["forecast_1_hour_mw", "forecast_5_hour_mw", "forecast_intraday_mw"]] = np.nan
    known = replace(data, wind_solar=spoiled)
    hours = hour_of(datetime(2024, 3, 11, 12)) + np.arange(24)
    values = known.wind_solar_at(hours, np.int64(2**32))
    assert np.isfinite(values[:12]).all()
    assert np.isnan(values[12:]).all()


def test_a_calm_at_sea_is_a_forecast(data: KnownData):
    calm = data.wind_solar.copy()
    calm.loc[calm["forecast_type"] == "Offshore Wind", list(WIND_SOLAR_PRODUCTS)] = 0.0
    hours = hour_of(datetime(2024, 3, 12)) + np.arange(24)
    values = replace(data, wind_solar=calm).wind_solar_at(hours, np.int64(2**32))
    assert (values[:, 0] == 0).all()
    assert np.isfinite(values).all()
