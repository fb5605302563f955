"""What an area's forecast is put together from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from co2_assets.contracts import PRICE_AREAS


@dataclass(frozen=True)
class Area:
    """An area to forecast.

    ``name`` is its ``price_area`` in the measured data. Wind and solar forecasts are summed over
    the bidding zones ``wind_solar``; the prognosis is the mean over zones with the given weights;
    ``prices`` are the zones whose day-ahead prices are looked at.
    """

    name: str
    wind_solar: tuple[str, ...]
    prognosis: Mapping[str, float]
    prices: tuple[str, ...] = field(default=PRICE_AREAS)


# Western Denmark consumes about three fifths of Danish power, hence the weights.
DENMARK = Area("DK", ("DK1", "DK2"), {"DK1": 0.6, "DK2": 0.4})
AREAS: Mapping[str, Area] = {area.name: area for area in (DENMARK,)}
