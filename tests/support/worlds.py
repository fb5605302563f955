"""Small made-up power systems, and the recorded one, as the tables the forecasting functions take."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from co2_assets.contracts.forecast_spec import MEASURED, POWERS
from co2_assets.contracts.weather import DAYS_BEFORE, WEATHER_POINTS
from co2_assets.forecasting.inputs.known_data import WEATHER_COLUMNS, KnownData
from co2_assets.forecasting.network.trained_model import TrainingConfig

FEED_TABLES = ("aggregated", "wind_solar", "prices", "prognosis")
PRODUCTS = (
    "forecast_day_ahead_mw",
    "forecast_intraday_mw",
    "forecast_5_hour_mw",
    "forecast_1_hour_mw",
    "forecast_current_mw",
)
ZONES = ("DK1", "DK2", "DE", "NO2", "SE3", "SE4")
KINDS = ("Offshore Wind", "Onshore Wind", "Solar")
FETCHED = pd.Timestamp("2030-01-01")

# A model small enough to be trained in a test.
TINY = TrainingConfig(
    ensemble=2,
    hidden=8,
    epochs=3,
    first_hidden=8,
    first_epochs=2,
    far_ensemble=2,
    far_hidden=8,
    far_epochs=2,
    test_share=0.15,
)
TRAINED_UNTIL = datetime(2024, 4, 1)


def hours_from(start: datetime, count: int) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq="h", unit="us")


def world(start: datetime = datetime(2024, 3, 1), days: int = 40, seed: int = 0) -> KnownData:
    """A country whose carbon intensity follows its wind, sun and clock, with a gap of three hours.

    Forecasts look as a late first fetch finds them: every product filled in, stamped after the hour.
    The prognosis comes in two vintages, the weather in those of one, two and three days before.
    """
    rng = np.random.default_rng(seed)
    hours = hours_from(start, 24 * days)
    ahead = hours_from(start, 24 * (days + 2))
    phase = 2 * np.pi * ahead.hour.to_numpy() / 24
    wave = np.convolve(rng.normal(size=len(ahead) + 47), np.ones(48) / 7, mode="valid")
    power = {
        "Offshore Wind": 1000 + 500 * np.tanh(wave),
        "Onshore Wind": 1500 + 1200 * np.tanh(wave),
        "Solar": np.maximum(0, -900 * np.cos(phase)),
    }
    co2_ahead = 140 - 0.03 * (power["Offshore Wind"] + power["Onshore Wind"]) - 0.02 * power["Solar"]
    co2_ahead = co2_ahead + 8 * np.sin(phase)
    count = len(hours)
    measured = {name: rng.normal(300, 20, count) for name in POWERS}
    for column, kind in zip(("offshore_wind_mw", "onshore_wind_mw", "solar_mw"), KINDS, strict=True):
        measured[column] = power[kind][:count]
    measured["co2_g_per_kwh"] = co2_ahead[:count] + rng.normal(0, 3, count)
    aggregated = pd.DataFrame(
        {"price_area": "DK", "hour_utc": hours, "minutes_observed": 60}
        | {name: measured[name] for name in MEASURED}
    ).drop(index=[500, 501, 502])
    return KnownData(
        aggregated.reset_index(drop=True),
        pd.concat(
            [forecast_rows(zone, kind, ahead, power[kind] / 2, rng) for zone in ZONES[:2] for kind in KINDS]
        ).reset_index(drop=True),
        pd.DataFrame(
            {
                "price_area": np.repeat(ZONES, len(ahead)),
                "time_utc": np.tile(ahead, len(ZONES)),
                "price_eur_per_mwh": np.tile(co2_ahead, len(ZONES))
                + rng.normal(0, 5, len(ZONES) * len(ahead)),
                "fetched_at_utc": FETCHED,
            }
        ),
        pd.concat(
            [
                prognosis_rows(zone, ahead, co2_ahead + rng.normal(0, error, len(ahead)), lead)
                for zone in ZONES[:2]
                for error, lead in ((9.0, timedelta(hours=20)), (4.0, timedelta(hours=7)))
            ]
        ).reset_index(drop=True),
        weather=weather_rows(start, wave, seed),
    )


def weather_rows(start: datetime, wave: np.ndarray, seed: int) -> pd.DataFrame:
    """Rows of `weather_forecast`: wind that follows ``wave``, the worse the older, to three days past it."""
    rng = np.random.default_rng([seed, 1])
    hours = hours_from(start, len(wave) + 72)
    wind = 8 + 4 * np.tanh(np.concatenate([wave, np.full(72, wave[-1])]))
    sun = np.maximum(0, -500 * np.cos(2 * np.pi * hours.hour.to_numpy() / 24))
    return pd.concat(
        [
            weather_version(
                point.name,
                hours,
                hours - timedelta(days=days),
                np.stack([wind, 1.3 * wind, sun, 5 + sun / 50, 90 - sun / 10], axis=1)
                + days * rng.normal(0, 0.4, (len(hours), len(WEATHER_COLUMNS))),
            )
            for point in WEATHER_POINTS
            for days in DAYS_BEFORE
        ],
        ignore_index=True,
    )


def weather_version(
    point: str, hours: pd.DatetimeIndex, published: pd.DatetimeIndex | datetime, values: np.ndarray
) -> pd.DataFrame:
    """Rows of `weather_forecast` of one place; ``values`` (hours, variables) may have one row for all."""
    columns = np.broadcast_to(values, (len(hours), len(WEATHER_COLUMNS))).T
    keys = {"point": point, "hour_utc": hours, "published_at_utc": published}
    frame = pd.DataFrame(keys | dict(zip(WEATHER_COLUMNS, columns, strict=True)))
    return frame.astype({"published_at_utc": "datetime64[us]"}).assign(fetched_at_utc=FETCHED)


def forecast_rows(
    zone: str, kind: str, hours: pd.DatetimeIndex, truth: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows of `forecasts_hour` as found a day after the hour, every column filled."""
    columns = {product: truth + rng.normal(0, 40, len(hours)) for product in PRODUCTS}
    return pd.DataFrame(
        {
            "price_area": zone,
            "forecast_type": kind,
            "hour_utc": hours,
            "published_at_utc": hours + timedelta(days=1),
            **columns,
            "fetched_at_utc": FETCHED,
        }
    )


def prognosis_rows(zone: str, hours: pd.DatetimeIndex, values: np.ndarray, lead: timedelta) -> pd.DataFrame:
    """Rows of `co2_emission_prognosis`, twelve an hour, first seen ``lead`` before the hour."""
    minutes = np.repeat(hours, 12) + pd.to_timedelta(np.tile(np.arange(0, 60, 5), len(hours)), unit="min")
    return pd.DataFrame(
        {
            "price_area": zone,
            "minute_utc": minutes,
            "published_at_utc": np.repeat(hours, 12) - lead,
            "co2_g_per_kwh": np.repeat(values, 12),
            "fetched_at_utc": FETCHED,
        }
    )


def recorded(archive_dir: Path) -> KnownData:
    """The recorded data in the tables' form, implausible values taken out as the contracts do."""
    power = pd.read_parquet(archive_dir / "PowerSystemRightNow_hourly.parquet")
    forecasts = pd.read_parquet(archive_dir / "Forecasts_Hour.parquet")
    prices = pd.read_parquet(archive_dir / "DayAheadPrices.parquet")
    prognosis = pd.read_parquet(archive_dir / "CO2EmisProg.parquet")
    service_names = (
        "CO2Emission",
        "ProductionGe100MW",
        "ProductionLt100MW",
        "SolarPower",
        "OffshoreWindPower",
        "OnshoreWindPower",
        "Exchange_Sum",
    )
    aggregated = pd.DataFrame(
        {"price_area": "DK", "hour_utc": power["HourUTC"].astype("datetime64[us]"), "minutes_observed": 60}
        | {name: power[service] for name, service in zip(MEASURED, service_names, strict=True)}
    )
    spikes = aggregated["production_lt_100_mw"] > 3000
    aggregated.loc[spikes, "production_lt_100_mw"] = np.nan
    return KnownData(
        aggregated,
        pd.DataFrame(
            {
                "price_area": forecasts["PriceArea"],
                "forecast_type": forecasts["ForecastType"],
                "hour_utc": forecasts["HourUTC"].astype("datetime64[us]"),
                "published_at_utc": forecasts["FirstSeenUTC"].astype("datetime64[us]"),
                PRODUCTS[0]: forecasts["ForecastDayAhead"],
                **dict.fromkeys(PRODUCTS[1:], np.nan),
                "fetched_at_utc": FETCHED,
            }
        ),
        pd.DataFrame(
            {
                "price_area": prices["PriceArea"],
                "time_utc": prices["TimeUTC"].astype("datetime64[us]"),
                "price_eur_per_mwh": prices["DayAheadPriceEUR"],
                "fetched_at_utc": FETCHED,
            }
        ),
        pd.DataFrame(
            {
                "price_area": prognosis["PriceArea"],
                "minute_utc": prognosis["Minutes5UTC"],
                "published_at_utc": prognosis["FirstSeenUTC"],
                "co2_g_per_kwh": prognosis["CO2Emission"],
                "fetched_at_utc": FETCHED,
            }
        ),
        weather=recorded_weather(archive_dir),
    )


def recorded_weather(archive_dir: Path) -> pd.DataFrame:
    """The recorded weather, with its made forecasts of one, two and three days before."""
    weather = pd.read_parquet(archive_dir / "Weather.parquet")
    hours = weather["HourUTC"].astype("datetime64[us]")
    service_names = ("WindSpeed10m", None, "ShortwaveRadiation", "Temperature2m", "CloudCover")
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "point": weather["Point"],
                    "hour_utc": hours,
                    "published_at_utc": hours - timedelta(days=days),
                    **{
                        name: weather[f"{service}_previous_day{days}"].astype("float64")
                        if service
                        else np.nan
                        for name, service in zip(WEATHER_COLUMNS, service_names, strict=True)
                    },
                    "fetched_at_utc": FETCHED,
                }
            )
            for days in DAYS_BEFORE
        ],
        ignore_index=True,
    )


def spoiled_after(data: KnownData, as_of: datetime) -> KnownData:
    """Everything that was not yet knowable at ``as_of`` turned to nonsense, and the rest as it was.

    Built without the code under test: the publication rules are written out once more, by row.
    """
    instant = pd.Timestamp(as_of)
    aggregated = data.aggregated.copy()
    later = aggregated["hour_utc"] + timedelta(hours=1) > instant
    aggregated.loc[later, list(MEASURED)] = 555.0

    wind_solar = data.wind_solar.copy()
    hour = wind_solar["hour_utc"]
    published = wind_solar["published_at_utc"]
    out = {
        "forecast_day_ahead_mw": _danish_clock(hour, -1, 18, 15),
        "forecast_5_hour_mw": hour - timedelta(hours=5) + timedelta(minutes=5),
        "forecast_1_hour_mw": hour - timedelta(hours=1) + timedelta(minutes=5),
        "forecast_intraday_mw": _danish_clock(hour, 0, 8, 15),
        "forecast_current_mw": published,
    }
    for product, known in out.items():
        unknown = (known > instant) & (published > instant)
        wind_solar.loc[unknown, product] = -9999.0

    prices = data.prices.copy()
    prices.loc[_danish_clock(prices["time_utc"], -1, 13, 0) > instant, "price_eur_per_mwh"] = -8888.0
    prognosis = data.prognosis.copy()
    prognosis.loc[prognosis["published_at_utc"] > instant, "co2_g_per_kwh"] = 1.0
    weather = data.weather.copy()
    weather.loc[weather["published_at_utc"] > instant, list(WEATHER_COLUMNS)] = 66.0
    return KnownData(aggregated, wind_solar, prices, prognosis, data.area, weather)


def _danish_clock(times: pd.Series, days_later: int, hour: int, minute: int) -> pd.Series:
    local = times.dt.tz_localize("UTC").dt.tz_convert("Europe/Copenhagen").dt.tz_localize(None)
    clock = local.dt.normalize() + timedelta(days=days_later, hours=hour, minutes=minute)
    return clock.dt.tz_localize("Europe/Copenhagen").dt.tz_convert("UTC").dt.tz_localize(None)
