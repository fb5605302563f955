"""What the Carbon Aware SDK's WebAPI is asked and what it answers."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from co2_assets.contracts.areas import AREAS, area_named
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_dash.api.formats.camel import CamelAnswer
from co2_dash.api.formats.zones import ZONES
from co2_dash.api.parameters import IsoInstant
from co2_dash.api.schemas import Instant


def area_of_location(name: str) -> str:
    """Return the area of a location, which is the name of an area or of its zone; ValueError for others."""
    zone = {zone.upper(): area for area, zone in ZONES.items()}.get(name.upper())
    area = area_named(zone or name)
    if area is None:
        raise ValueError(f"there is no such location; there are {', '.join(AREAS)}")
    return area.name


def _known(name: str) -> str:
    area_of_location(name)
    return name


Location = Annotated[str, AfterValidator(_known)]
Locations = Annotated[list[Location], Query(alias="location", min_length=1, max_length=len(AREAS))]
WindowMinutes = Annotated[int, Field(ge=0, le=HORIZON_HOURS * 60)]


class LocationForecastPoint(CamelAnswer):
    """One point of a forecast, or a window of it."""

    location: str
    timestamp: Instant
    duration: int
    value: float


class LocationForecast(CamelAnswer):
    """A forecast with its best points; ``window_size`` 0 is the points as they are."""

    generated_at: Instant
    requested_at: Instant
    location: str
    data_start_at: Instant
    data_end_at: Instant
    window_size: int
    optimal_data_points: list[LocationForecastPoint]
    forecast_data: list[LocationForecastPoint]


class LocationForecasts(RootModel[list[LocationForecast]]):
    """A forecast for each location or request."""


class Emission(CamelAnswer):
    """One hour."""

    location: str
    time: Instant
    rating: float
    duration: Literal["01:00:00"] = "01:00:00"


class Emissions(RootModel[list[Emission]]):
    """Hours, the earliest first."""


class Average(CamelAnswer):
    """The mean over a time."""

    location: str
    start_time: Instant
    end_time: Instant
    carbon_intensity: float


class Averages(RootModel[list[Average]]):
    """A mean for each request."""


class Place(CamelAnswer):
    """Where a location is."""

    latitude: float
    longitude: float
    name: str


class Places(RootModel[dict[str, Place]]):
    """The locations by their names."""


class SdkError(CamelAnswer):
    """An error as the SDK sends it; ``errors`` has the messages by parameter."""

    title: str
    status: int
    detail: str
    errors: dict[str, list[str]]


class Asked(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class AskedForecast(Asked):
    """A forecast as it was at a time."""

    requested_at: IsoInstant
    location: Location
    data_start_at: IsoInstant | None = None
    data_end_at: IsoInstant | None = None
    window_size: WindowMinutes | None = None


class AskedAverage(Asked):
    """The mean over a time."""

    location: Location
    start_time: IsoInstant
    end_time: IsoInstant
