"""The weather forecast: where it is read, which of its variables, and the dataset.

Variables and their names: Open-Meteo (https://open-meteo.com/en/docs). The first five points are those
of which recordings exist; the others are the Danish offshore wind areas and the coasts around.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from co2_assets.contracts.columns import FETCHED_AT
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


@dataclass(frozen=True)
class WeatherPoint:
    """A place; ``name`` is its value of ``point`` in the table, degrees are WGS 84."""

    name: str
    title: str
    latitude: float
    longitude: float


WEATHER_POINTS: Final = tuple(
    WeatherPoint(*point)
    for point in (
        ("Djursland", "Djursland", 56.200, 10.500),
        ("Malmo", "Malmö", 55.571, 12.935),
        ("Stockholm", "Stockholm", 59.297, 18.163),
        ("DK_centre", "Central Denmark", 55.993, 9.959),
        ("DE_centre", "Central Germany", 51.494, 10.435),
        ("Horns_Rev", "Horns Rev", 55.53, 7.85),
        ("Vesterhav", "Vesterhav Nord and Syd", 56.35, 8.02),
        ("Anholt", "Anholt", 56.60, 11.21),
        ("Rodsand", "Nysted and Rødsand", 54.55, 11.63),
        ("Kriegers_Flak", "Kriegers Flak", 55.02, 12.92),
        ("Skagerrak_coast", "Southern coast of Norway", 58.10, 7.50),
        ("German_Bight", "German Bight", 54.30, 8.00),
    )
)


def _variable(name: str, service_name: str, description: str, unit: str, low: float, high: float) -> Column:
    return Column(name, Kind.DOUBLE, description, unit, minimum=low, maximum=high, service_name=service_name)


# The bounds are the records of these latitudes with a margin.
WEATHER_VARIABLES: Final = (
    _variable("wind_speed_10m_m_per_s", "wind_speed_10m", "Wind speed 10 m above ground.", "m/s", 0.0, 60.0),
    _variable(
        "wind_speed_100m_m_per_s", "wind_speed_100m", "Wind speed 100 m above ground.", "m/s", 0.0, 75.0
    ),
    _variable(
        "shortwave_radiation_w_per_m2",
        "shortwave_radiation",
        "Global radiation, mean of the hour before.",
        "W/m2",
        0.0,
        1200.0,
    ),
    _variable("temperature_2m_degc", "temperature_2m", "Temperature 2 m above ground.", "degC", -50.0, 50.0),
    _variable("cloud_cover_percent", "cloud_cover", "Share of the sky under cloud.", "%", 0.0, 100.0),
)
# Said wherever a value rests on it: the licence asks for it.
WEATHER_ATTRIBUTION: Final = "Weather data by Open-Meteo.com, CC BY 4.0"
WEATHER_ATTRIBUTION_URL: Final = "https://open-meteo.com/"

# The forecasts of one, two and three days before are kept by the service, as long as they reach.
DAYS_BEFORE: Final = (1, 2, 3)

POINT: Final = Column(
    "point",
    Kind.TEXT,
    "The place of the forecast.",
    nullable=False,
    values=tuple(point.name for point in WEATHER_POINTS),
)
_COLUMNS = (
    POINT,
    Column(
        "hour_utc",
        Kind.TIMESTAMP,
        "The time that the service names: the values are of this instant, radiation is the mean of the hour "
        "that ends then.",
        "UTC",
        nullable=False,
        service_name="time",
    ),
    Column(
        VINTAGE,
        Kind.TIMESTAMP,
        "When this version was first known: when we fetched it, or one, two or three days before its hour "
        "where the service kept it from then.",
        "UTC",
        nullable=False,
    ),
    *WEATHER_VARIABLES,
    FETCHED_AT,
)

WEATHER_FORECAST: Final = Dataset(
    table=Table(
        "weather_forecast",
        "Wind, sun, temperature and cloud as forecast by the hour, every vintage seen.",
        _COLUMNS,
        (POINT.name, "hour_utc", VINTAGE),
    ),
    # The name is the last part of the service's address, for the coming hours as for the past ones.
    endpoints=(
        Endpoint(
            "forecast",
            "time",
            service_fields(_COLUMNS),
        ),
    ),
    time_column="hour_utc",
    step=timedelta(hours=1),
    overlap=timedelta(0),
    # The forecast's 72 hours, the hour in progress, and the radiation of the last one.
    reach=timedelta(days=3, hours=2),
    # Some 120 to 240 calls by the service's count, which allows 600 a minute and 5,000 an hour.
    live_chunk=timedelta(days=90),
    # A day of it is left to forecast from when half a day of fetches has failed.
    late_after=-timedelta(hours=60),
    description="The weather forecast that the wind and sun of the coming three days are forecast from. "
    f"{WEATHER_ATTRIBUTION}; the free service is for non-commercial use. The values of a recording are "
    "recorded, and the errors of its forecasts are made. A recording has some of the points only.",
    service=ServiceName.OPEN_METEO,
    # The models behind it run each third hour at most; runs begin some minutes late or early.
    versions_every=timedelta(hours=2, minutes=45),
    # What it keeps of past forecasts begins between January and March 2024, model by model.
    live_from=datetime(2024, 1, 1),
)
