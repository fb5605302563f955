"""The physics and the market of the simulated grid: from weather to production, prices and CO2.

Wind and solar power come from the weather, thermal production from heat demand and price. The rest of
the demand is imported, a surplus is exported. The carbon intensity of consumption is that of production
and imports together. Constants were fitted to the recording of 2023-2024: means and spreads of
production, exchange, prices and intensity.
"""

from dataclasses import dataclass

import numpy as np

from co2_assets.energidataservice.emulator.simulated_weather import (
    Floats,
    demand_pattern,
    hours_from_epoch,
    persistent_noise,
    smooth_noise,
    sun_height,
    winter,
)

# Installed capacity in MW by price area and kind.
CAPACITY = {
    ("DK1", "Offshore Wind"): 1450.0,
    ("DK2", "Offshore Wind"): 1000.0,
    ("DK1", "Onshore Wind"): 3900.0,
    ("DK2", "Onshore Wind"): 800.0,
    ("DK1", "Solar"): 2700.0,
    ("DK2", "Solar"): 1100.0,
}
# Limits of exchange, and the capacity of thermal plants, in MW.
IMPORT_LIMIT, EXPORT_LIMIT = 4200.0, 4400.0
CENTRAL_CAPACITY, DECENTRAL_CAPACITY = 2300.0, 1300.0
# In g/kWh. Many central plants burn biomass; waste incineration counts as decentral.
CENTRAL_INTENSITY, DECENTRAL_INTENSITY = 260.0, 130.0
NORDIC_INTENSITY = 15.0
# Geometric mean of the carbon intensity of power consumed in Denmark, in g/kWh.
TYPICAL_INTENSITY = 68.0


# Parts of the forecast error: relative size, and memory in hours. The newest forecast has the first
# part only and each earlier forecast one part more, so that the error grows with the lead time.
ERROR_PARTS = {"current": (0.1, 2.0), "1_hour": (0.25, 3.0), "5_hour": (0.55, 6.0), "day_ahead": (0.8, 12.0)}


@dataclass(frozen=True)
class HourlyState:
    """The grid at each full hour since EPOCH; MW, EUR/MWh and g/kWh.

    ``production`` is by area and kind, ``prices`` by area; ``errors`` are the parts of the forecasts'
    errors (see ERROR_PARTS). ``speeds`` are those of the wind that the turbines of an area and kind stand
    in, m/s, and ``clouds`` is how much cloudier it is than usual, in standard deviations. Production and net
    exchange (positive is import) add up to demand. The carbon intensity of DK1 is 1 + ``lean`` times the
    national one.
    """

    production: dict[tuple[str, str], Floats]
    errors: dict[tuple[str, str], dict[str, Floats]]
    speeds: dict[tuple[str, str], Floats]
    clouds: Floats
    prices: dict[str, Floats]
    central_mw: Floats
    decentral_mw: Floats
    net_exchange_mw: Floats
    demand_mw: Floats
    co2_g_per_kwh: Floats
    lean: Floats

    def by_area(self, national: Floats, lean: Floats) -> dict[str, Floats]:
        """Return each price area's carbon intensity; the mean, weighted 0.6 and 0.4, is ``national``."""
        return {"DK1": national * (1 + lean), "DK2": national * (1 - 1.5 * lean)}

    def total(self, kind: str) -> Floats:
        """Return Denmark's production of one kind, MW."""
        return self.production["DK1", kind] + self.production["DK2", kind]


def simulate(seed: int, count: int) -> HourlyState:
    """Return the first ``count`` hours since EPOCH."""
    times = hours_from_epoch(count)
    cold = winter(times)
    wind, sea_wind = _wind(seed, cold)
    clouds = persistent_noise(seed, "clouds", count, 14.0)
    height = sun_height(times)
    clear = clear_share(clouds)

    production: dict[tuple[str, str], Floats] = {}
    expected_green = np.zeros(count)
    errors: dict[tuple[str, str], dict[str, Floats]] = {}
    speeds: dict[tuple[str, str], Floats] = {}
    for (area, kind), capacity in CAPACITY.items():
        local = smooth_noise(seed, f"{area} {kind}", count, 9.0, 1.5)
        if kind == "Solar":
            share = height * np.clip(clear + 0.06 * local, 0.08, 1.0)
            room = 0.45 * height
        else:
            speed = (sea_wind if kind == "Offshore Wind" else wind) + 0.9 * local
            share = _turbine(speed)
            speeds[area, kind] = speed
            room = 0.12 + 0.9 * share * (1 - share)
        production[area, kind] = capacity * share
        errors[area, kind] = {
            part: capacity
            * 0.42
            * size
            * room
            * persistent_noise(seed, f"{area} {kind} {part}", count, memory)
            for part, (size, memory) in ERROR_PARTS.items()
        }
        error: Floats = np.sum(list(errors[area, kind].values()), axis=0)
        expected_green += np.clip(production[area, kind] + error, 0, capacity)

    demand = 4380.0 * demand_pattern(times) * (1 + 0.11 * cold)
    demand *= 1 + 0.025 * persistent_noise(seed, "demand", count, 18.0)
    green = np.sum(list(production.values()), axis=0)

    german_residual = (
        0.95 * demand_pattern(times)
        + 0.10 * cold
        - 0.42 * _turbine(wind + 1.3 * smooth_noise(seed, "German wind", count, 30.0, 6.0))
        - 0.50 * height * np.clip(clear + 0.2 * persistent_noise(seed, "German sun", count, 12.0), 0.1, 1)
    )
    prices = _prices(seed, count, cold, german_residual, (demand - expected_green) / 4000.0)
    central, decentral = _thermal(seed, count, cold, prices, demand - green)
    # Wind turbines are curtailed by the surplus that cannot be exported.
    surplus = np.maximum(green + central + decentral - demand - EXPORT_LIMIT, 0.0)
    windy = [key for key in production if key[1] != "Solar"]
    kept = 1 - surplus / np.maximum(np.sum([production[key] for key in windy], axis=0), 1.0)
    for key in windy:
        production[key] = production[key] * kept
    green = green - surplus
    net_exchange = demand - green - central - decentral
    co2 = _intensity(seed, german_residual, prices, central, decentral, green, net_exchange)
    lean = _lean(seed, co2)
    return HourlyState(
        production,
        errors,
        speeds,
        clouds,
        prices,
        central,
        decentral,
        net_exchange,
        demand,
        co2,
        lean,
    )


def _wind(seed: int, cold: Floats) -> tuple[Floats, Floats]:
    """Return the wind speed (m/s) over land and over sea: with fronts of two days, higher in winter."""
    count = len(cold)
    fronts = smooth_noise(seed, "fronts", count, 32.0, 5.0)
    at_sea = smooth_noise(seed, "sea", count, 16.0, 4.0)
    spell = persistent_noise(seed, "spell", count, 240.0)
    base = 7.4 + 0.8 * cold + 2.9 * fronts + 0.9 * spell
    return base, base + 1.5 + 1.3 * at_sea


def _turbine(speed: Floats) -> Floats:
    """Return the production of a region's turbines, as a share of capacity, at a wind speed in m/s."""
    return 0.97 / (1.0 + np.exp(-(speed - 9.9) / 1.75))


def clear_share(clouds: Floats) -> Floats:
    """Return the share of the sun's power that comes through the clouds."""
    clear: Floats = np.clip(0.62 - 0.24 * clouds, 0.12, 1.0)
    return clear


def _prices(seed: int, count: int, cold: Floats, german: Floats, danish: Floats) -> dict[str, Floats]:
    """Return the prices of the six price areas, EUR/MWh: of Germany by residual load, of Norway by water."""
    fuel = 1 + 0.18 * persistent_noise(seed, "fuel", count, 24 * 45.0)
    germany = fuel * (-12 + 145 * german + 130 * np.maximum(german - 0.75, 0))
    water = 56 + 20 * persistent_noise(seed, "water", count, 24 * 40.0) + 8 * cold
    norway = 0.65 * water + 0.35 * np.clip(germany, 0, 120)
    sweden = 0.55 * norway + 6 + 22 * persistent_noise(seed, "Sweden", count, 30.0)
    tight = 38 * np.clip(danish - 0.35, -0.9, 0.9)
    ours = 0.55 * germany + 0.45 * norway + tight
    south = 0.55 * sweden + 0.45 * ours
    small = {area: persistent_noise(seed, f"price {area}", count, 6.0) for area in ("DK1", "DK2", "DE")}
    return {
        "DK1": np.clip(ours + 3 * small["DK1"], -60, 900),
        "DK2": np.clip(0.8 * ours + 0.2 * sweden + 5 * small["DK2"], -60, 900),
        "DE": np.clip(germany + 4 * small["DE"], -130, 900),
        "NO2": np.clip(norway, -10, 400),
        "SE3": np.clip(sweden, -20, 400),
        "SE4": np.clip(south, -30, 500),
    }


def _thermal(
    seed: int, count: int, cold: Floats, prices: dict[str, Floats], missing: Floats
) -> tuple[Floats, Floats]:
    """Return central and decentral production, MW, from heat demand, price and the limits of exchange."""
    price = 0.5 * (prices["DK1"] + prices["DK2"])
    heat = np.clip(0.40 + 0.38 * cold + 0.10 * persistent_noise(seed, "heat", count, 60.0), 0.05, 1.0)
    worth = 1.0 / (1.0 + np.exp(-(price - 84.0) / 20.0))
    outage = np.clip(1 + 0.16 * persistent_noise(seed, "central outage", count, 120.0), 0.5, 1.3)
    central = CENTRAL_CAPACITY * np.clip(
        (0.04 + 0.24 * heat + 0.42 * worth * (0.4 + heat)) * outage, 0.03, 0.92
    )
    decentral = DECENTRAL_CAPACITY * np.clip(0.20 + 0.16 * heat + 0.12 * worth, 0.15, 0.9)
    over = missing - central - decentral - IMPORT_LIMIT
    central = np.minimum(central + np.maximum(over, 0.0), CENTRAL_CAPACITY)
    under = -EXPORT_LIMIT - (missing - central - decentral)
    return np.maximum(central - np.maximum(under, 0.0), 0.0), decentral


def _intensity(
    seed: int,
    german_residual: Floats,
    prices: dict[str, Floats],
    central: Floats,
    decentral: Floats,
    green: Floats,
    net_exchange: Floats,
) -> Floats:
    """Return the carbon intensity of consumption, g/kWh: the mix of production and imports.

    Power is imported from the cheaper neighbour and exported to the dearer one. Some of it only passes
    through, so imports count even while net exchange is export.
    """
    count = len(central)
    gap = 0.6 * prices["SE4"] + 0.4 * prices["NO2"] - prices["DE"]
    gap = gap + 9 * persistent_noise(seed, "intraday trade", count, 3.0)
    from_south = 1.0 / (1.0 + np.exp(-(gap + 16.0) / 9.0))
    german = np.clip(120 + 340 * german_residual, 90, 620)
    imported = np.maximum(net_exchange, 0.0) + 500.0
    import_intensity = from_south * german + (1 - from_south) * NORDIC_INTENSITY
    fuel_mix = 1 + 0.12 * persistent_noise(seed, "fuel mix", count, 90.0)
    emitted = fuel_mix * (CENTRAL_INTENSITY * central + DECENTRAL_INTENSITY * decentral)
    emitted = emitted + import_intensity * imported
    mixed = emitted / (green + central + decentral + imported)
    measured = mixed * np.exp(0.10 * persistent_noise(seed, "intensity", count, 3.0))
    return np.clip(measured, 8.0, 450.0)


def _lean(seed: int, co2: Floats) -> Floats:
    """Return the share by which DK1 is above the national carbon intensity.

    It rises with that intensity, because more of the power then comes from Germany. Its spread (0.2)
    and its correlation (0.55) are those of the recorded prognosis.
    """
    dirty = np.log(co2 / TYPICAL_INTENSITY)
    local = persistent_noise(seed, "lean", len(co2), 24.0)
    lean: Floats = 0.6 * np.tanh((0.02 + 0.17 * dirty + 0.16 * local) / 0.6)
    return lean
