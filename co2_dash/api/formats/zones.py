"""The zones of Electricity Maps for the price areas, by name and by place."""

from typing import Annotated

from fastapi import Depends, Query

from co2_assets.contracts.areas import AREAS, DENMARK
from co2_dash.api.parameters import refused_parameters

ZONES = {area: area if area == DENMARK.name else f"DK-{area}" for area in AREAS}
_AREA_OF = {zone: area for area, zone in ZONES.items()}
_NAMES = ("zone", "zoneKey", "countryCode")
# Rough boxes of the places in each price area: west, south, east, north. A place in two belongs to the first.
_BOXES = {
    "DK1": ((8.0, 54.7, 10.93, 57.8), (10.93, 56.35, 11.8, 57.8)),
    "DK2": ((10.93, 54.5, 12.68, 56.2), (14.6, 54.9, 15.3, 55.4)),
}

Longitude = Annotated[float | None, Query(ge=-180, le=180, description="Longitude of a place, degrees east.")]
Latitude = Annotated[float | None, Query(ge=-90, le=90, description="Latitude of a place, degrees north.")]


def area_at(lat: float, lon: float) -> str | None:
    """Return the price area of a place; None outside of Denmark."""
    for area, boxes in _BOXES.items():
        if any(west <= lon < east and south <= lat < north for west, south, east, north in boxes):
            return area
    return None


def _area_of_zone(parameter: str, zone: str) -> str:
    area = _AREA_OF.get(zone.upper())
    if area is None:
        raise refused_parameters([(parameter, f"there is no such zone; there are {', '.join(_AREA_OF)}")])
    return area


async def _asked_zone(
    zone: str | None = None,
    zoneKey: str | None = None,  # noqa: N803 -- the tools' own names of parameters
    countryCode: str | None = None,  # noqa: N803
    lat: Latitude = None,
    lon: Longitude = None,
) -> str:
    """Return the area that was asked for by a zone, under any of its three names, or by a place."""
    given = dict(zip(_NAMES, (zone, zoneKey, countryCode), strict=True))
    areas = {_area_of_zone(name, value) for name, value in given.items() if value is not None}
    if len(areas) > 1:
        raise refused_parameters([("zone", f"{', '.join(_NAMES)} name different zones; give one of them")])
    if areas:
        return areas.pop()
    if lat is None or lon is None:
        raise refused_parameters([("zone", f"give one of {', '.join(_AREA_OF)}, or lat and lon")])
    area = area_at(lat, lon)
    if area is None:
        raise refused_parameters([("lat", "the place is not in Denmark; there is nothing for others")])
    return area


ZoneParameter = Annotated[str, Depends(_asked_zone)]
