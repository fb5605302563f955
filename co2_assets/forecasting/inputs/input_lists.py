"""The names of all inputs of the networks, in their order, and the feeds that they come from.

There are three lists: of each past hour, of each hour of the first day ahead, and of each hour of the days
beyond. The last is the shortest: the less an input says of so far an hour, the more it tempts a network to
learn its training weeks by heart.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from co2_assets.contracts.area_production import AREA_PRODUCTION
from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import (
    FLOWS,
    MEASURED,
    POWERS,
    PROGNOSIS,
    WIND_SOLAR_FORECAST,
    price_column,
)
from co2_assets.contracts.weather import WEATHER_FORECAST, WEATHER_POINTS
from co2_assets.forecasting.inputs.calendar import CALENDAR_COLUMNS
from co2_assets.forecasting.inputs.features import ROLLING_COLUMNS

# Feeds, by the name of their table: what can be missing as a whole.
POWER_FEED: Final = "power_system_right_now"
WIND_SOLAR_FEED: Final = "forecasts_hour"
PRICES_FEED: Final = "day_ahead_prices"
PROGNOSIS_FEED: Final = "co2_emission_prognosis"
WEATHER_FEED: Final = WEATHER_FORECAST.name
AREA_PRODUCTION_FEED: Final = AREA_PRODUCTION.name
# Known whatever is down.
CALENDAR: Final = "calendar"
MASKABLE_FEEDS: Final = (WIND_SOLAR_FEED, PRICES_FEED, PROGNOSIS_FEED, WEATHER_FEED, AREA_PRODUCTION_FEED)

# Hours before the newest one, from which the change of the carbon intensity so far is given.
CHANGE_HOURS: Final = (1, 2, 3)
# Lengths of the spans before the newest hour, whose mean carbon intensity is given to the far hours.
LEVEL_HOURS: Final = (24, 72, 168)

# The day of the year is not shown: with one or two years to learn from, it mostly tells a network
# which weeks it is looking at, which is learning by heart. The sun's elevation tells the season.
CALENDAR_INPUTS: Final = tuple(name for name in CALENDAR_COLUMNS if not name.startswith("yearday"))
ERRORS: Final = {
    WIND_SOLAR_FEED: tuple(f"{name}_error" for name in WIND_SOLAR_FORECAST),
    PROGNOSIS_FEED: (f"{PROGNOSIS}_error",),
}

# Prices that the first day is told of, and those of them of which also the course: the more of them, the more
# a network learns its training weeks by heart (docs/accuracy.md).
NEAR_PRICES: Final = ("DK1", "DK2", "DE", "SE4")
NEAR_PRICE_COURSES: Final = ("DK1", "DK2", "DE")

# What is read of the weather in the far hours: wind everywhere; where people live, the rest too.
WIND: Final = ("wind_speed_10m_m_per_s", "wind_speed_100m_m_per_s")
LAND_VARIABLES: Final = ("temperature_2m_degc", "cloud_cover_percent", "shortwave_radiation_w_per_m2")
LAND_POINTS: Final = ("Djursland", "Malmo", "Stockholm", "DK_centre", "DE_centre")
FAR_WEATHER: Final = (
    *((point.name, variable) for point in WEATHER_POINTS for variable in WIND),
    *((point, variable) for point in LAND_POINTS for variable in LAND_VARIABLES),
)


@dataclass(frozen=True)
class Input:
    """One input of the network and the feed that it comes from."""

    name: str
    feed: str


def past_inputs(area: Area) -> tuple[Input, ...]:
    """Inputs of each past hour, in the order of `Windows.past`."""
    return _inputs(
        {
            POWER_FEED: (*MEASURED, *ROLLING_COLUMNS),
            CALENDAR: CALENDAR_INPUTS,
            WIND_SOLAR_FEED: (*WIND_SOLAR_FORECAST, *ERRORS[WIND_SOLAR_FEED]),
            PRICES_FEED: price_columns(area),
            PROGNOSIS_FEED: (PROGNOSIS, *ERRORS[PROGNOSIS_FEED]),
            AREA_PRODUCTION_FEED: FLOWS,
        }
    )


def future_inputs(area: Area) -> tuple[Input, ...]:
    """Inputs of each hour of the first day ahead, in the order of `Windows.future`."""
    prices = price_columns(area, NEAR_PRICES)
    courses = price_columns(area, NEAR_PRICE_COURSES)
    return _inputs(
        {
            CALENDAR: (*CALENDAR_INPUTS, "lead", "age_of_last_value"),
            POWER_FEED: (
                "last_value",
                "day_before_change",
                *(f"change_over_{hours}h" for hours in CHANGE_HOURS),
                *(f"{name}_now" for name in POWERS),
                *(f"{name}_change_over_1h" for name in POWERS),
            ),
            WIND_SOLAR_FEED: (
                *WIND_SOLAR_FORECAST,
                *(f"{name}_change" for name in WIND_SOLAR_FORECAST),
                *_slopes(WIND_SOLAR_FORECAST),
                *(f"{name}_now" for name in ERRORS[WIND_SOLAR_FEED]),
            ),
            PRICES_FEED: (*prices, *(f"{name}_change" for name in courses), *_slopes(courses)),
            PROGNOSIS_FEED: (
                PROGNOSIS,
                f"{PROGNOSIS}_change",
                *_slopes((PROGNOSIS,)),
                *(f"{PROGNOSIS}_error_{kind}" for kind in ("mean", "now", "trend")),
            ),
            WEATHER_FEED: tuple(wind_around(point.name) for point in WEATHER_POINTS),
            AREA_PRODUCTION_FEED: (
                *(f"{name}_now" for name in FLOWS),
                *(f"{name}_change_over_1h" for name in FLOWS),
            ),
        }
    )


def far_inputs(area: Area) -> tuple[Input, ...]:
    """Inputs of each hour of the days beyond the first, in the order of `Windows.far`."""
    prices = price_columns(area)
    return _inputs(
        {
            CALENDAR: (*CALENDAR_INPUTS, "lead"),
            POWER_FEED: (
                "last_value",
                *(f"level_over_{hours}h_change" for hours in LEVEL_HOURS),
                *(f"{name}_now" for name in POWERS),
            ),
            WIND_SOLAR_FEED: (*WIND_SOLAR_FORECAST, *(f"{name}_change" for name in WIND_SOLAR_FORECAST)),
            PRICES_FEED: (*prices, *(f"{name}_change" for name in prices)),
            PROGNOSIS_FEED: (PROGNOSIS, f"{PROGNOSIS}_change"),
            WEATHER_FEED: tuple(weather_input(*read) for read in FAR_WEATHER),
            AREA_PRODUCTION_FEED: tuple(f"{name}_now" for name in FLOWS),
        }
    )


def price_columns(area: Area, zones: Collection[str] | None = None) -> tuple[str, ...]:
    """Names of the prices that the model of ``area`` reads; of those of ``zones`` where they are given."""
    return tuple(price_column(zone) for zone in area.prices if zones is None or zone in zones)


def wind_around(point: str) -> str:
    """Name of the input with the wind speed around an hour at ``point``."""
    return f"{point.lower()}_wind_around_m_per_s"


def weather_input(point: str, variable: str) -> str:
    """Name of the input with one variable of the weather at ``point``."""
    return f"{point.lower()}_{variable}"


def _inputs(names: Mapping[str, Sequence[str]]) -> tuple[Input, ...]:
    return tuple(Input(name, feed) for feed, columns in names.items() for name in columns)


def _slopes(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}_{kind}" for kind in ("from_hour_before", "to_hour_after") for name in names)
