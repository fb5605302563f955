"""The two halves of the simulated grid: what each produces, and what flows over its borders.

The whole country is given (`simulated_power`). Here its thermal production and its demand are parted, wind
and sun are those of each half, and the flows follow: what a half lacks comes over the Great Belt, which evens
out the two, and over its other borders, from where power is cheaper than here. When the carbon intensity of
DK1 is above that of the country (``lean``), more of its power comes from central plants and from Germany.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from co2_assets.energidataservice.emulator.simulated_power import HourlyState
from co2_assets.energidataservice.emulator.simulated_weather import Floats, persistent_noise

WEST, EAST = "DK1", "DK2"
KINDS = {"Offshore Wind": "OffshoreWindPower", "Onshore Wind": "OnshoreWindPower", "Solar": "SolarPower"}
CENTRAL, DECENTRAL = "ProductionGe100MW", "ProductionLt100MW"
GREAT_BELT, GERMANY, BORNHOLM = "ExchangeGreatBelt", "ExchangeGermany", "BornholmSE4"
# Share of western Denmark in demand and in decentral production, and its usual share in central production.
DEMAND_SHARE, DECENTRAL_SHARE, CENTRAL_SHARE = 0.6, 0.63, 0.52
# What the Great Belt and the borders of each half carry, MW.
GREAT_BELT_CAPACITY = 600.0
CAPACITIES: Mapping[str, Mapping[str, float]] = {
    WEST: {
        GERMANY: 2500.0,
        "ExchangeNetherlands": 700.0,
        "ExchangeGreatBritain": 1400.0,
        "ExchangeNorway": 1640.0,
        "ExchangeSweden": 740.0,
    },
    EAST: {GERMANY: 1000.0, "ExchangeSweden": 1700.0},
}
# The price area behind each border. Britain, which has no price here, is dearer than Germany.
PRICED_AT = {
    GERMANY: ("DE", 0.0),
    "ExchangeNetherlands": ("DE", 3.0),
    "ExchangeGreatBritain": ("DE", 12.0),
    "ExchangeNorway": ("NO2", 0.0),
}
SWEDISH_AREA = {WEST: "SE3", EAST: "SE4"}
# EUR/MWh: a border is used to three quarters at this difference of prices.
FULL_AT = 20.0


@dataclass(frozen=True)
class HalfState:
    """One half of the grid at each full hour since EPOCH, MW, by the names of the service.

    ``production`` and ``flows`` (positive is import) add up to ``demand``. A border that the half does not
    have has no flow.
    """

    production: Mapping[str, Floats]
    flows: Mapping[str, Floats]
    demand: Floats


def halves(state: HourlyState, seed: int) -> dict[str, HalfState]:
    """Return both halves of ``state``: production adds up to that of the country, and so do the borders."""
    count = len(state.demand_mw)
    # Shifts of a day, those of the carbon intensity.
    local = np.clip(persistent_noise(seed, "lean", count, 24.0), -2.5, 2.5)
    central_share = CENTRAL_SHARE + 0.1 * local
    demand_share = DEMAND_SHARE + 0.01 * persistent_noise(seed, "demand share", count, 30.0)
    shares = {WEST: (central_share, DECENTRAL_SHARE, demand_share)}
    shares[EAST] = (1 - central_share, 1 - DECENTRAL_SHARE, 1 - demand_share)
    production = {
        area: {
            DECENTRAL: decentral * state.decentral_mw,
            CENTRAL: central * state.central_mw,
            **{name: state.production[area, kind] for kind, name in KINDS.items()},
        }
        for area, (central, decentral, _) in shares.items()
    }
    demand = {area: share * state.demand_mw for area, (_, _, share) in shares.items()}
    lacking = {area: demand[area] - np.sum(list(production[area].values()), axis=0) for area in production}
    east = 0.4 * (lacking[EAST] - lacking[WEST]) + 60 * persistent_noise(seed, "Great Belt", count, 6.0)
    east = np.clip(east, -GREAT_BELT_CAPACITY, GREAT_BELT_CAPACITY)
    bornholm = np.clip(13 + 14 * persistent_noise(seed, "Bornholm", count, 20.0), -30, 60)
    wests = _shared_out(state, WEST, lacking[WEST] + east, local)
    easts = _shared_out(state, EAST, lacking[EAST] - east - bornholm, -local)
    return {
        WEST: HalfState(production[WEST], {GREAT_BELT: -east, **wests}, demand[WEST]),
        EAST: HalfState(production[EAST], {GREAT_BELT: east, **easts, BORNHOLM: bornholm}, demand[EAST]),
    }


def _shared_out(state: HourlyState, area: str, net: Floats, local: Floats) -> dict[str, Floats]:
    """Return the flows over the borders of a half, whose sum is ``net``."""
    capacities = CAPACITIES[area]
    flows = {}
    for border, capacity in capacities.items():
        zone, dearer = PRICED_AT.get(border, (SWEDISH_AREA[area], 0.0))
        gain = state.prices[area] - state.prices[zone] - dearer
        if border == GERMANY:
            gain = gain + 8 * local
        flows[border] = 0.9 * capacity * np.tanh(gain / FULL_AT)
    rest = net - np.sum(list(flows.values()), axis=0)
    # Each border takes a part of what is left, by the room that it has in that direction.
    rooms = {
        border: np.where(rest > 0, capacity - flows[border], capacity + flows[border])
        for border, capacity in capacities.items()
    }
    part = rest / np.sum(list(rooms.values()), axis=0)
    return {border: flow + part * rooms[border] for border, flow in flows.items()}
