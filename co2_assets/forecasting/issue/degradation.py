"""The named causes why a forecast is degraded, and how much wider its bands are because of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import CO2, HORIZON_HOURS, POWERS, PROGNOSIS, WIND_SOLAR, price_column
from co2_assets.contracts.time import day_before_at
from co2_assets.forecasting.inputs.windows import (
    PAST_HOURS,
    POWER_FEED,
    PRICES_FEED,
    PROGNOSIS_FEED,
    WIND_SOLAR_FEED,
    Windows,
    future_inputs,
    past_inputs,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# What a cause that concerns the model, not a feed, begins with.
MODEL_CAUSE: Final = "model: "
# Danish times of the day before by which prices and day-ahead forecasts are surely out: an hour
# after they usually are.
PRICES_DUE_CLOCK = 14.0
DAY_AHEAD_DUE_CLOCK = 19.5
# The prognosis reaches at least this far ahead.
PROGNOSIS_DUE_HOURS = 9
# For up to this many missing hours of the last 24 no cause is named: single hours are lost each month.
FORGIVEN_HOURS = 2
# Full widening once this many measured hours are missing at the end.
FULLY_LATE_HOURS = 3


@dataclass(frozen=True)
class Degradation:
    """For N issue times: plain causes of each, and the factor (N,) >= 1 on its bands."""

    causes: tuple[tuple[str, ...], ...]
    widening: Floats


def assess(area: Area, windows: Windows, as_of: Integers, widening: Mapping[str, float]) -> Degradation:
    """Look for what is missing in ``windows`` though it was due at ``as_of`` (seconds since 1970, (N,)).

    ``widening`` is the model's factor for each feed that it uses, for when all of it is missing; it
    counts in proportion.
    """
    due = _due(windows, as_of)
    names = [i.name for i in future_inputs(area)]
    series = {
        WIND_SOLAR_FEED: {f"{kind.lower()} forecast": names.index(n) for kind, (_, n) in WIND_SOLAR.items()},
        PRICES_FEED: {f"{zone} price": names.index(price_column(zone)) for zone in area.prices},
        PROGNOSIS_FEED: {"prognosis": names.index(PROGNOSIS)},
    }
    causes: list[list[str]] = [[] for _ in range(len(windows))]
    factor = np.ones(len(windows))
    co2 = [i.name for i in past_inputs(area)].index(CO2)
    unknown = np.isnan(windows.past)
    lost = unknown[..., co2].sum(axis=1)
    # Where the intensity is measured by another feed than production is.
    powers = [position for position, i in enumerate(past_inputs(area)) if i.name in POWERS]
    unproduced = (unknown[..., powers].any(axis=-1) & ~unknown[..., co2]).sum(axis=1)
    late = windows.age_hours.astype(np.int64)
    # Whatever else a model uses, its forecast starts at the newest value.
    for row in np.flatnonzero(late > 0):
        causes[row].append(f"{area.measured_in}: newest hour is {late[row]} h older than it should be")
    if POWER_FEED in widening:
        share = np.clip(np.maximum(late / FULLY_LATE_HOURS, (lost + unproduced) / PAST_HOURS), 0, 1)
        share = np.where((late > 0) | (lost + unproduced > FORGIVEN_HOURS), share, 0.0)
        factor *= 1 + share * (widening[POWER_FEED] - 1)
        for row in np.flatnonzero(lost - late > FORGIVEN_HOURS):
            causes[row].append(f"{area.measured_in}: {lost[row]} of the last {PAST_HOURS} hours are missing")
        for row in np.flatnonzero(unproduced > FORGIVEN_HOURS):
            causes[row].append(
                f"{POWER_FEED}: production of {unproduced[row]} of the last {PAST_HOURS} hours is missing"
            )
    for feed, positions in series.items():
        if feed not in widening:
            continue
        missing = np.isnan(windows.future[..., list(positions.values())]) & due[feed][..., None]
        count = missing.any(axis=-1).sum(axis=1)
        due_hours = due[feed].sum(axis=1)
        factor *= 1 + count / np.maximum(due_hours, 1) * (widening[feed] - 1)
        for row in np.flatnonzero(count):
            hours = dict(zip(positions, missing[row].sum(axis=0).tolist(), strict=True))
            causes[row].append(f"{feed}: {_missing(hours, int(due_hours[row]))}")
    return Degradation(tuple(tuple(named) for named in causes), factor)


def _missing(hours: Mapping[str, int], due: int) -> str:
    """In words: for how many of the hours that were ``due`` each series is missing.

    Series that are missing for equally many hours are named together.
    """
    if all(count == due for count in hours.values()):
        return "missing"
    together: dict[int, list[str]] = {}
    for name, count in hours.items():
        if count:
            together.setdefault(count, []).append(name)
    return "; ".join(
        f"no {' or '.join(names)} for {count} of {HORIZON_HOURS} hours" for count, names in together.items()
    )


def _due(windows: Windows, as_of: Integers) -> dict[str, NDArray[np.bool_]]:
    """Whether each feed should know each coming hour by now: feed -> (N, HORIZON_HOURS)."""
    hours = windows.issue_hours[:, None] + np.arange(HORIZON_HOURS)
    now = as_of[:, None]
    return {
        WIND_SOLAR_FEED: day_before_at(hours, DAY_AHEAD_DUE_CLOCK) <= now,
        PRICES_FEED: day_before_at(hours, PRICES_DUE_CLOCK) <= now,
        PROGNOSIS_FEED: hours * 3600 < now + PROGNOSIS_DUE_HOURS * 3600,
    }
