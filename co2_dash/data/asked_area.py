"""Which area the address of a page asks for, and what is wrong where it cannot be shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from co2_assets.contracts.areas import AREAS, DENMARK, area_named

# The second is the old one.
PARAMETERS = ("area", "price_area")


@dataclass(frozen=True)
class AskedArea:
    """The area to show. ``in_address``: the address names one; ``fault`` says why it is not the one shown."""

    name: str = DENMARK.name
    in_address: bool = False
    fault: str = ""


def asked_area(query: Mapping[str, object]) -> AskedArea:
    """Return what the query of an address asks for; a value is a text, or a list where it is given twice."""
    values = [value for name in PARAMETERS for value in _texts(query.get(name))]
    if not values:
        return AskedArea()
    areas = [area_named(value) for value in values]
    names = {None if area is None else area.name for area in areas}
    name = names.pop()
    if names:
        return AskedArea(DENMARK.name, True, f"The address names more than one area. {_INSTEAD}")
    if name is None:
        return AskedArea(DENMARK.name, True, f"There is no such area as the address names. {_INSTEAD}")
    return AskedArea(name, True)


def asked_area_in(address: str | None) -> AskedArea:
    """Return the same for an address's query as text."""
    return asked_area(parse_qs((address or "").removeprefix("?")))


_INSTEAD = f"There are {', '.join(AREAS)}; these are the numbers of {DENMARK.title}."


def _texts(value: object) -> list[str]:
    return [
        text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and text
    ]
