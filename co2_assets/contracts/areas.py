"""The areas that are forecast: a row here is all it takes to add one."""

from collections.abc import Mapping
from dataclasses import dataclass

from co2_assets.contracts.datasets import CO2_EMISSION, DATASETS, POWER_SYSTEM_RIGHT_NOW, PRICE_AREAS


@dataclass(frozen=True)
class Area:
    """An area to forecast.

    ``name`` is its ``price_area`` in the tables, ``title`` what people call it. ``measured_in`` is the
    raw table that its carbon intensity is measured in. Wind and solar forecasts are summed over the
    bidding zones ``wind_solar``; the prognosis is the mean over zones with the given weights;
    ``prices`` are the zones whose day-ahead prices are looked at.
    """

    name: str
    title: str
    measured_in: str
    wind_solar: tuple[str, ...]
    prognosis: Mapping[str, float]
    prices: tuple[str, ...] = PRICE_AREAS


# Western Denmark consumes about three fifths of Danish power, hence the weights.
DENMARK = Area("DK", "Denmark", POWER_SYSTEM_RIGHT_NOW.name, ("DK1", "DK2"), {"DK1": 0.6, "DK2": 0.4})
AREAS: Mapping[str, Area] = {
    area.name: area
    for area in (
        DENMARK,
        Area("DK1", "Western Denmark", CO2_EMISSION.name, ("DK1",), {"DK1": 1.0}),
        Area("DK2", "Eastern Denmark", CO2_EMISSION.name, ("DK2",), {"DK2": 1.0}),
    )
}
# The datasets that carbon intensity is measured in: each area's is in one of them.
MEASUREMENTS = tuple(
    dataset for dataset in DATASETS if dataset.name in {area.measured_in for area in AREAS.values()}
)
