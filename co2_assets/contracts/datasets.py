"""The service's datasets as they are agreed: columns, ranges, keys, habits.

Facts about the service: Energinet, EnergiDataService (https://www.energidataservice.dk, CC BY 4.0).
"""

from datetime import datetime, timedelta

from co2_assets.contracts.schema import Column, Dataset, Endpoint, Kind, Table

# Day-ahead prices moved from hourly Elspotprices to quarter-hourly DayAheadPrices on 1 October
# 2025, Danish time (CEST, UTC+2).
PRICE_DATASETS_SWITCH = datetime(2025, 9, 30, 22)

# Carbon intensity of electricity consumed in Denmark stays far inside 0..600 g/kWh (2023-2024:
# 11..334). The prognosis was recorded stuck at 711, 756 and 1304..1329: those are faults.
CO2_MAXIMUM = 600.0
# Installed capacity plus a margin: production above it is a meter fault (5417 MW was recorded
# for decentral production, of which about 2,200 MW are installed).
CENTRAL_MAXIMUM = 6000.0
DECENTRAL_MAXIMUM = 3000.0
WIND_MAXIMUM = 10000.0
SOLAR_MAXIMUM = 12000.0
# Small negative production is self-consumption and real.
PRODUCTION_MINIMUM = -200.0
EXCHANGE_MAXIMUM = 12000.0

PRICE_AREA = Column(
    "price_area",
    Kind.TEXT,
    "Price area: DK1 is western Denmark, DK2 eastern; DK stands for both.",
    nullable=False,
)


def _power(
    name: str, service_name: str, description: str, maximum: float, minimum: float = PRODUCTION_MINIMUM
) -> Column:
    return Column(
        name,
        Kind.DOUBLE,
        description,
        "MW",
        minimum=minimum,
        maximum=maximum,
        service_name=service_name,
    )


# The longest one value truly lasted in the recording of 2023-2024: measured, 2 hours; in the
# prognosis, which is given to the gram, 7 hours. It was recorded stuck for 7 to 24 hours.
MEASURED_STUCK_AFTER = timedelta(hours=6)
PROGNOSIS_STUCK_AFTER = timedelta(hours=12)


def _co2(description: str, stuck_after: timedelta) -> Column:
    return Column(
        "co2_g_per_kwh",
        Kind.DOUBLE,
        description,
        "g/kWh",
        minimum=0.0,
        maximum=CO2_MAXIMUM,
        service_name="CO2Emission",
        stuck_after=stuck_after,
    )


POWER_COLUMNS = (
    _power(
        "production_ge_100_mw",
        "ProductionGe100MW",
        "Production of central plants (100 MW and more).",
        CENTRAL_MAXIMUM,
    ),
    _power(
        "production_lt_100_mw",
        "ProductionLt100MW",
        "Production of decentral plants (under 100 MW).",
        DECENTRAL_MAXIMUM,
    ),
    _power("solar_mw", "SolarPower", "Solar production.", SOLAR_MAXIMUM),
    _power("offshore_wind_mw", "OffshoreWindPower", "Offshore wind production.", WIND_MAXIMUM),
    _power("onshore_wind_mw", "OnshoreWindPower", "Onshore wind production.", WIND_MAXIMUM),
    _power(
        "net_exchange_mw",
        "Exchange_Sum",
        "Net exchange with neighbouring countries; positive is import.",
        EXCHANGE_MAXIMUM,
        -EXCHANGE_MAXIMUM,
    ),
)

FETCHED_AT = Column(
    "fetched_at_utc", Kind.TIMESTAMP, "When this row was last fetched.", "UTC", nullable=False
)


def _fields(columns: tuple[Column, ...]) -> dict[str, str]:
    return {column.service_name: column.name for column in columns if column.service_name}


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
    _co2("Carbon intensity of electricity consumed.", MEASURED_STUCK_AFTER),
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
    endpoints=(Endpoint("PowerSystemRightNow", "Minutes1UTC", _fields(_POWER_SYSTEM_COLUMNS)),),
    time_column="minute_utc",
    step=timedelta(minutes=1),
    overlap=timedelta(days=1),
    reach=timedelta(0),
    live_chunk=timedelta(days=90),
    late_after=timedelta(hours=1),
    description="The state of the Danish power system each minute: what is produced by kind of "
    "plant, what crosses the borders, and how much CO2 a consumed kWh carries.",
)

_EMISSION_COLUMNS = (
    Column(
        "price_area",
        Kind.TEXT,
        "Price area measured (DK1 or DK2).",
        nullable=False,
        service_name="PriceArea",
    ),
    Column(
        "minute_utc",
        Kind.TIMESTAMP,
        "Start of the five minutes measured.",
        "UTC",
        nullable=False,
        service_name="Minutes5UTC",
    ),
    _co2("Carbon intensity of electricity consumed in the area.", MEASURED_STUCK_AFTER),
    FETCHED_AT,
)

CO2_EMISSION = Dataset(
    table=Table(
        "co2_emission",
        "Carbon intensity of each price area, every five minutes, as measured.",
        _EMISSION_COLUMNS,
        ("price_area", "minute_utc"),
    ),
    endpoints=(Endpoint("CO2Emis", "Minutes5UTC", _fields(_EMISSION_COLUMNS)),),
    time_column="minute_utc",
    step=timedelta(minutes=5),
    overlap=timedelta(days=1),
    reach=timedelta(0),
    live_chunk=timedelta(days=180),
    late_after=timedelta(hours=1),
    description="How much CO2 a kWh consumed in Western (DK1) and in Eastern Denmark (DK2) carries.",
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
        "published_at_utc",
        Kind.TIMESTAMP,
        "The service's own time stamp of this version of the row: its vintage.",
        "UTC",
        nullable=False,
        service_name="TimestampUTC",
    ),
    *(
        _power(name, service, text, SOLAR_MAXIMUM)
        for name, service, text in (
            (
                "forecast_day_ahead_mw",
                "ForecastDayAhead",
                "Forecast of the day before, out about 18:00.",
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
        ("price_area", "forecast_type", "hour_utc", "published_at_utc"),
    ),
    endpoints=(Endpoint("Forecasts_Hour", "HourUTC", _fields(_FORECAST_COLUMNS), areas=("DK1", "DK2")),),
    time_column="hour_utc",
    step=timedelta(hours=1),
    overlap=timedelta(days=2),
    reach=timedelta(days=3),
    live_chunk=timedelta(days=365),
    late_after=timedelta(0),
    description="Energinet's forecasts of wind and solar power. Rows are overwritten by the "
    "service as the hour comes nearer; each version seen is kept with its time stamp.",
)

_PRICE_COLUMNS = (
    Column(
        "price_area",
        Kind.TEXT,
        "Bidding zone: DK1, DK2 or a neighbour.",
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
PRICE_AREAS = ("DK1", "DK2", "DE", "NO2", "SE3", "SE4")

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
            _fields(_PRICE_COLUMNS),
            areas=PRICE_AREAS,
            first=PRICE_DATASETS_SWITCH,
        ),
    ),
    time_column="time_utc",
    step=timedelta(hours=1),
    overlap=timedelta(days=2),
    reach=timedelta(days=3),
    live_chunk=timedelta(days=365),
    late_after=timedelta(0),
    description="The auction's prices for tomorrow, out about 12:45 Danish time the day before; "
    "hourly until 30 September 2025, by the quarter hour since.",
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
        "published_at_utc",
        Kind.TIMESTAMP,
        "When this value was first seen: recorded, or our own fetch. Its vintage.",
        "UTC",
        nullable=False,
        service_name="FirstSeenUTC",
        optional=True,
    ),
    _co2("Energinet's own forecast of the carbon intensity.", PROGNOSIS_STUCK_AFTER),
    FETCHED_AT,
)

CO2_EMISSION_PROGNOSIS = Dataset(
    table=Table(
        "co2_emission_prognosis",
        "Energinet's carbon intensity prognosis, every vintage seen.",
        _PROGNOSIS_COLUMNS,
        ("price_area", "minute_utc", "published_at_utc"),
    ),
    endpoints=(Endpoint("CO2EmisProg", "Minutes5UTC", _fields(_PROGNOSIS_COLUMNS), areas=("DK1", "DK2")),),
    time_column="minute_utc",
    step=timedelta(minutes=5),
    overlap=timedelta(0),
    reach=timedelta(days=3),
    live_chunk=timedelta(days=180),
    late_after=timedelta(0),
    description="Energinet's prognosis of carbon intensity. The service overwrites it in place "
    "and keeps no history, so a value counts as known from when it was first seen.",
)

DATASETS: tuple[Dataset, ...] = (
    POWER_SYSTEM_RIGHT_NOW,
    CO2_EMISSION,
    FORECASTS_HOUR,
    DAY_AHEAD_PRICES,
    CO2_EMISSION_PROGNOSIS,
)


def dataset_named(name: str) -> Dataset:
    """Return the dataset whose table is ``name``; KeyError names those there are."""
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    raise KeyError(f"no dataset {name!r}; there are {', '.join(d.name for d in DATASETS)}")
