"""What a reader calls the areas: where they are, and what lies in them."""

from collections.abc import Mapping
from dataclasses import dataclass

from co2_assets.contracts.areas import DENMARK, Area


@dataclass(frozen=True)
class Place:
    """An area in plain words; ``parts`` is empty where its name says enough."""

    name: str
    parts: str = ""


# In the order in which a reader is asked.
PLACES: Mapping[str, Place] = {
    "DK1": Place("West of the Great Belt", "Jutland and Funen"),
    "DK2": Place("East of the Great Belt", "Zealand, Lolland-Falster and Bornholm"),
    DENMARK.name: Place("All of Denmark"),
}


def place_of(area: Area) -> Place:
    """Return what a reader calls an area: its title where it has no name of its own."""
    return PLACES.get(area.name, Place(area.title))
