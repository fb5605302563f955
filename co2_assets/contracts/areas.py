"""The areas that are forecast. To add one, add a row to `AREAS`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from co2_assets.contracts.area_production import AREA_PRODUCTION
from co2_assets.contracts.columns import DANISH_PRICE_AREAS
from co2_assets.contracts.datasets import (
    CO2_EMISSION,
    DATASETS,
    POWER_SYSTEM_RIGHT_NOW,
    PRICE_AREAS,
)


@dataclass(frozen=True)
class Area:
    """An area to forecast.

    ``name`` is its ``price_area`` in the tables, ``title`` its name on the pages. ``measured_in`` is
    the raw table with its measured carbon intensity. Its wind and solar forecast is the sum over the
    price areas ``wind_solar``, its prognosis the weighted mean over the price areas ``prognosis``.
    The model reads the day-ahead prices of the price areas ``prices``.
    """

    name: str
    title: str
    measured_in: str
    wind_solar: tuple[str, ...]
    prognosis: Mapping[str, float]
    prices: tuple[str, ...] = PRICE_AREAS


# The weights: Western Denmark consumes about three fifths of Danish power.
DENMARK = Area("DK", "Denmark", POWER_SYSTEM_RIGHT_NOW.name, DANISH_PRICE_AREAS, {"DK1": 0.6, "DK2": 0.4})
AREAS: Mapping[str, Area] = {
    area.name: area
    for area in (
        DENMARK,
        Area("DK1", "Western Denmark", CO2_EMISSION.name, ("DK1",), {"DK1": 1.0}),
        Area("DK2", "Eastern Denmark", CO2_EMISSION.name, ("DK2",), {"DK2": 1.0}),
    )
}


def area_named(text: str) -> Area | None:
    """Return the area of this name, written in any case of letters; None where there is none."""
    return next((area for name, area in AREAS.items() if name.upper() == text.upper()), None)


# The datasets with measured carbon intensity: that of each area is in one of them.
MEASUREMENTS = tuple(
    dataset for dataset in DATASETS if dataset.name in {area.measured_in for area in AREAS.values()}
)
# An area that was not measured for so long is neither forecast nor trained: a forecast needs measurements of
# the last day, and what is missing is asked for again for a week.
MEASURED_WITHIN = timedelta(days=7)
# The datasets that the hourly means are made of. Their rows can be fetched again, and only the means are
# published and kept for good.
AVERAGED = (*MEASUREMENTS, AREA_PRODUCTION)
