"""The datasets: their tables, their endpoints and how they are fetched.

That of the weather is in `weather`, that of the areas' production in `area_production`.

Facts about the service: Energinet, EnergiDataService (https://www.energidataservice.dk, CC BY 4.0).
"""

from datetime import datetime, timedelta

from co2_assets.contracts.area_production import AREA_PRODUCTION
from co2_assets.contracts.columns import (
    AREA_STUCK_AFTER,
    AREAS_STUCK_TOGETHER,
    DANISH_PRICE_AREAS,
    FETCHED_AT,
    FIVE_MINUTES_KEY,
    NATIONAL_STUCK_AFTER,
    POWER_COLUMNS,
    PRICE_AREA,
    REVISED_FOR,
    SOLAR_MAXIMUM,
    co2_column,
    power_column,
)
from co2_assets.contracts.forecast_spec import WIND_SOLAR
from co2_assets.contracts.schema import (
    VINTAGE,
    Column,
    Dataset,
    Endpoint,
    Kind,
    ServiceName,
    Table,
    service_fields,
)
from co2_assets.contracts.weather import WEATHER_FORECAST

# All those whose day-ahead prices are read.
PRICE_AREAS = (*DANISH_PRICE_AREAS, "DE", "NO2", "SE3", "SE4")

# The first rows of the service, as its users recorded them. Of the minutes nobody recorded it.
CO2_BEGINS = datetime(2016, 12, 31, 23)
FORECASTS_BEGIN = datetime(2019, 10, 30, 23)

# Day-ahead prices moved from hourly Elspotprices to quarter-hourly DayAheadPrices on 1 October
# 2025, Danish time (CEST, UTC+2).
PRICE_DATASETS_SWITCH = datetime(2025, 9, 30, 22)


_POWER_SYSTEM_COLUMNS = (
    PRICE_AREA,
    Column(
        "minute_utc",
        Kind.TIMESTAMP,
        "The minute measured.",
        "UTC",
        nullable=False,
        service_name="Minutes1UTC",
    ),
    co2_column("Carbon intensity of electricity consumed.", NATIONAL_STUCK_AFTER),
    *POWER_COLUMNS,
    FETCHED_AT,
)

POWER_SYSTEM_RIGHT_NOW = Dataset(
    table=Table(
        "power_system_right_now",
        "Production, exchange and carbon intensity, minute by minute, as measured.",
        _POWER_SYSTEM_COLUMNS,
        ("price_area", "minute_utc"),
    ),
    endpoints=(Endpoint("PowerSystemRightNow", "Minutes1UTC", service_fields(_POWER_SYSTEM_COLUMNS)),),
    time_column="minute_utc",
    step=timedelta(minutes=1),
    overlap=timedelta(days=1),
    reach=timedelta(0),
    live_chunk=timedelta(days=90),
    late_after=timedelta(hours=1),
    description="The state of the Danish power system each minute: production by kind of plant, "
    "exchange with the neighbours, and the carbon intensity of consumed power.",
    revised_for=REVISED_FOR,
)

_EMISSION_COLUMNS = (
    *FIVE_MINUTES_KEY,
    co2_column(
        "Carbon intensity of electricity consumed in the area.", AREA_STUCK_AFTER, AREAS_STUCK_TOGETHER
    ),
    FETCHED_AT,
)

CO2_EMISSION = Dataset(
    table=Table(
        "co2_emission",
        "Carbon intensity of each price area, every five minutes, as measured.",
        _EMISSION_COLUMNS,
        ("price_area", "minute_utc"),
    ),
    endpoints=(
        Endpoint(
            "CO2Emis",
            "Minutes5UTC",
            service_fields(_EMISSION_COLUMNS),
            areas=DANISH_PRICE_AREAS,
            first=CO2_BEGINS,
        ),
    ),
    time_column="minute_utc",
    step=timedelta(minutes=5),
    overlap=timedelta(days=1),
    reach=timedelta(0),
    live_chunk=timedelta(days=180),
    late_after=timedelta(hours=1),
    description="The carbon intensity of power consumed in Western (DK1) and in Eastern Denmark (DK2). A "
    "recording has Energinet's settled declaration of it in its place, hour by hour, or nothing.",
    revised_for=REVISED_FOR,
)

_FORECAST_COLUMNS = (
    Column(
        "price_area",
        Kind.TEXT,
        "Price area of the forecast (DK1 or DK2).",
        nullable=False,
        service_name="PriceArea",
    ),
    Column(
        "forecast_type",
        Kind.TEXT,
        "Offshore Wind, Onshore Wind or Solar.",
        nullable=False,
        service_name="ForecastType",
        values=tuple(WIND_SOLAR),
    ),
    Column(
        "hour_utc",
        Kind.TIMESTAMP,
        "Start of the hour forecast.",
        "UTC",
        nullable=False,
        service_name="HourUTC",
    ),
    Column(
        VINTAGE,
        Kind.TIMESTAMP,
        "The service's own time stamp of this version of the row: its vintage.",
        "UTC",
        nullable=False,
        service_name="TimestampUTC",
    ),
    *(
        power_column(name, service, text, SOLAR_MAXIMUM)
        for name, service, text in (
            (
                "forecast_day_ahead_mw",
                "ForecastDayAhead",
                "Forecast of the day before, published at about 18:00.",
            ),
            ("forecast_intraday_mw", "ForecastIntraday", "Forecast of the morning of the same day."),
            ("forecast_5_hour_mw", "Forecast5Hour", "Forecast known 5 hours before the hour."),
            ("forecast_1_hour_mw", "Forecast1Hour", "Forecast known 1 hour before the hour."),
            ("forecast_current_mw", "ForecastCurrent", "Newest forecast at the time stamp."),
        )
    ),
    FETCHED_AT,
)

FORECASTS_HOUR = Dataset(
    table=Table(
        "forecasts_hour",
        "Wind and solar production forecasts by the hour, every vintage seen.",
        _FORECAST_COLUMNS,
        ("price_area", "forecast_type", "hour_utc", VINTAGE),
    ),
    endpoints=(
        Endpoint(
            "Forecasts_Hour",
            "HourUTC",
            service_fields(_FORECAST_COLUMNS),
            areas=DANISH_PRICE_AREAS,
            first=FORECASTS_BEGIN,
        ),
    ),
    time_column="hour_utc",
    step=timedelta(hours=1),
    overlap=timedelta(days=2),
    reach=timedelta(days=3),
    live_chunk=timedelta(days=365),
    late_after=timedelta(0),
    description="Energinet's forecasts of wind and solar power. The service overwrites a row as its "
    "hour comes nearer; each version seen is kept with its time stamp.",
    revised_for=REVISED_FOR,
)

_PRICE_COLUMNS = (
    Column(
        "price_area",
        Kind.TEXT,
        "Price area: DK1, DK2 or a neighbour.",
        nullable=False,
        service_name="PriceArea",
    ),
    Column("time_utc", Kind.TIMESTAMP, "Start of delivery.", "UTC", nullable=False, service_name="TimeUTC"),
    Column(
        "price_eur_per_mwh",
        Kind.DOUBLE,
        "Day-ahead price.",
        "EUR/MWh",
        minimum=-1000.0,
        maximum=5000.0,
        service_name="DayAheadPriceEUR",
    ),
    FETCHED_AT,
)

DAY_AHEAD_PRICES = Dataset(
    table=Table(
        "day_ahead_prices",
        "Day-ahead prices of both Danish areas and their neighbours.",
        _PRICE_COLUMNS,
        ("price_area", "time_utc"),
    ),
    endpoints=(
        Endpoint(
            "Elspotprices",
            "HourUTC",
            {"PriceArea": "price_area", "HourUTC": "time_utc", "SpotPriceEUR": "price_eur_per_mwh"},
            areas=PRICE_AREAS,
            end=PRICE_DATASETS_SWITCH,
        ),
        Endpoint(
            "DayAheadPrices",
            "TimeUTC",
            service_fields(_PRICE_COLUMNS),
            areas=PRICE_AREAS,
            first=PRICE_DATASETS_SWITCH,
            step=timedelta(minutes=15),
        ),
    ),
    time_column="time_utc",
    step=timedelta(hours=1),
    overlap=timedelta(days=2),
    reach=timedelta(days=3),
    live_chunk=timedelta(days=365),
    late_after=timedelta(0),
    description="The prices of the day-ahead auction, published at about 12:45 Danish time the day "
    "before; hourly until 30 September 2025, for each quarter hour since.",
    revised_for=REVISED_FOR,
)

_PROGNOSIS_COLUMNS = (
    Column(
        "price_area",
        Kind.TEXT,
        "Price area of the prognosis (DK1 or DK2).",
        nullable=False,
        service_name="PriceArea",
    ),
    Column(
        "minute_utc",
        Kind.TIMESTAMP,
        "Start of the five minutes forecast.",
        "UTC",
        nullable=False,
        service_name="Minutes5UTC",
    ),
    Column(
        VINTAGE,
        Kind.TIMESTAMP,
        "When this value was first seen, by the recording or by our own fetch: its vintage.",
        "UTC",
        nullable=False,
        service_name="FirstSeenUTC",
        optional=True,
    ),
    co2_column("Energinet's own forecast of the carbon intensity.", AREA_STUCK_AFTER, AREAS_STUCK_TOGETHER),
    FETCHED_AT,
)

CO2_EMISSION_PROGNOSIS = Dataset(
    table=Table(
        "co2_emission_prognosis",
        "Energinet's carbon intensity prognosis, every vintage seen.",
        _PROGNOSIS_COLUMNS,
        ("price_area", "minute_utc", VINTAGE),
    ),
    endpoints=(
        Endpoint(
            "CO2EmisProg",
            "Minutes5UTC",
            service_fields(_PROGNOSIS_COLUMNS),
            areas=DANISH_PRICE_AREAS,
            first=CO2_BEGINS,
        ),
    ),
    time_column="minute_utc",
    step=timedelta(minutes=5),
    overlap=timedelta(0),
    reach=timedelta(days=3),
    live_chunk=timedelta(days=180),
    late_after=timedelta(0),
    description="Energinet's prognosis of carbon intensity. The service overwrites it and keeps no "
    "history, so a value counts as known from the time when it was first seen.",
)

DATASETS: tuple[Dataset, ...] = (
    POWER_SYSTEM_RIGHT_NOW,
    CO2_EMISSION,
    AREA_PRODUCTION,
    FORECASTS_HOUR,
    DAY_AHEAD_PRICES,
    CO2_EMISSION_PROGNOSIS,
    WEATHER_FORECAST,
)


def datasets_of(service: ServiceName) -> tuple[Dataset, ...]:
    """Return the datasets that come from ``service``."""
    return tuple(dataset for dataset in DATASETS if dataset.service is service)


def dataset_named(name: str) -> Dataset:
    """Return the dataset whose table is ``name``; KeyError, naming all datasets, where there is none."""
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    raise KeyError(f"no dataset {name!r}; there are {', '.join(d.name for d in DATASETS)}")
