"""The options that more than one command of `co2` takes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from co2_assets.contracts.areas import AREAS, area_named

SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="live, simulator, archive:DIR, or auto (the default): live where it can be reached, "
        "else the simulator.",
        show_default=False,
    ),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="Run as if the time were this instant, such as 2024-06-01T00:00Z. Default: now; for an archive, "
        "its end.",
        show_default=False,
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder that holds all state. Default: $CO2_HOME, else data/.",
        show_default=False,
    ),
]


def _known_area(name: str) -> str:
    area = area_named(name)
    if area is None:
        raise typer.BadParameter(f"there is no area {name!r}; there are {', '.join(AREAS)}")
    return area.name


AreaOption = Annotated[
    str,
    typer.Option(
        "--area",
        metavar="AREA",
        callback=_known_area,
        help=f"Area: {', '.join(f'{area.name} ({area.title})' for area in AREAS.values())}.",
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class Every(StrEnum):
    """How often a backtest issues a forecast."""

    HOUR = "1h"
    THREE_HOURS = "3h"
    SIX_HOURS = "6h"
    DAY = "24h"

    @property
    def hours(self) -> int:
        """The interval in hours."""
        return int(self.value.removesuffix("h"))
