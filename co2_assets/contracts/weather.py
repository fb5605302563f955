"""Where the weather forecast is read, and which of its variables.

Variables and their names: Open-Meteo (https://open-meteo.com/en/docs). The first five points are those
of which recordings exist; the others are the Danish offshore wind areas and the coasts around.
"""

from dataclasses import dataclass
from typing import Final

from co2_assets.contracts.schema import Column, Kind


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
