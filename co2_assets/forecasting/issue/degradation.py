"""The named causes why a forecast is degraded, and how much wider its bands are because of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.area_production import NET_EXCHANGE
from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import (
    CO2,
    DAYS_AHEAD,
    FLOWS,
    HORIZON_HOURS,
    NEAR_HOURS,
    POWERS,
    PROGNOSIS,
    WIND_SOLAR,
    price_column,
)
from co2_assets.contracts.time import day_before_at
from co2_assets.contracts.weather import WEATHER_POINTS
from co2_assets.forecasting.inputs.input_lists import (
    AREA_PRODUCTION_FEED,
    POWER_FEED,
    PRICES_FEED,
    PROGNOSIS_FEED,
    WEATHER_FEED,
    WIND,
    WIND_SOLAR_FEED,
    Input,
    far_inputs,
    future_inputs,
    past_inputs,
    weather_input,
    wind_around,
)
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import PAST_HOURS, Windows

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]
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
# A place counts as one of those whose weather is known for so long after its last forecast. Every live
# forecast is made from more history than that, as every backtest is.
WEATHER_REMEMBERED_HOURS = 28 * 24
# What a cause calls all series of a feed together, where there are too many to name each.
TOGETHER: Final = {WEATHER_FEED: "weather of any place"}
# Full widening once this many measured hours are missing at the end.
FULLY_LATE_HOURS = 3


@dataclass(frozen=True)
class Degradation:
    """For N issue times: plain causes of each, and the factor (N, HORIZON_HOURS) >= 1 on its bands."""

    causes: tuple[tuple[str, ...], ...]
    widening: Floats


def assess(
    data: KnownData, windows: Windows, as_of: Integers, widening: Mapping[str, Sequence[float]]
) -> Degradation:
    """Look for what is missing in ``windows`` though it was due at ``as_of`` (seconds since 1970, (N,)).

    ``data`` are what the windows were built from. ``widening`` is the model's factors for each feed that it
    uses, one for each day ahead, for when all of the feed is missing; they count in proportion to what is
    missing of that day.
    """
    area = data.area
    due = _due(windows, as_of)
    causes: list[list[str]] = [[] for _ in range(len(windows))]
    factor = np.ones((len(windows), HORIZON_HOURS))
    co2 = [i.name for i in past_inputs(area)].index(CO2)
    unknown = np.isnan(windows.past)
    lost = unknown[..., co2].sum(axis=1)
    # Where production is the area's own, it comes from the same rows as the flows, and so does net exchange,
    # which is unknown where a single flow is.
    has_own = data.has_flows and area.measured_in != POWER_FEED
    produced = [name for name in POWERS if not (has_own and name == NET_EXCHANGE)]
    # Where the intensity is measured by another feed than production is.
    powers = [position for position, i in enumerate(past_inputs(area)) if i.name in produced]
    unproduced = (unknown[..., powers].any(axis=-1) & ~unknown[..., co2]).sum(axis=1)
    # No area has every border.
    flows = [position for position, i in enumerate(past_inputs(area)) if i.name in FLOWS]
    unflowed = (unknown[..., flows].all(axis=-1) & ~unknown[..., [co2, *powers]].any(axis=-1)).sum(axis=1)
    late = windows.age_hours.astype(np.int64)
    # Whatever else a model uses, its forecast starts at the newest value.
    for row in np.flatnonzero(late > 0):
        causes[row].append(f"{area.measured_in}: newest hour is {late[row]} h older than it should be")
    if POWER_FEED in widening:
        share = np.clip(np.maximum(late / FULLY_LATE_HOURS, (lost + unproduced) / PAST_HOURS), 0, 1)
        share = np.where((late > 0) | (lost + unproduced > FORGIVEN_HOURS), share, 0.0)
        for day, span in enumerate(_DAYS):
            factor[:, span] *= 1 + share[:, None] * (widening[POWER_FEED][day] - 1)
        for row in np.flatnonzero(lost - late > FORGIVEN_HOURS):
            causes[row].append(f"{area.measured_in}: {lost[row]} of the last {PAST_HOURS} hours are missing")
        for row in np.flatnonzero(unproduced > FORGIVEN_HOURS):
            causes[row].append(
                f"{AREA_PRODUCTION_FEED if has_own else POWER_FEED}: production of {unproduced[row]} of the "
                f"last {PAST_HOURS} hours is missing"
            )
    if AREA_PRODUCTION_FEED in widening:
        share = np.where(unflowed > FORGIVEN_HOURS, unflowed / PAST_HOURS, 0.0)
        for day, span in enumerate(_DAYS):
            factor[:, span] *= 1 + share[:, None] * (widening[AREA_PRODUCTION_FEED][day] - 1)
        for row in np.flatnonzero(unflowed > FORGIVEN_HOURS):
            causes[row].append(
                f"{AREA_PRODUCTION_FEED}: flows over the borders of {unflowed[row]} of the last {PAST_HOURS} "
                "hours are missing"
            )
    near, far = _positions(future_inputs(area)), _positions(far_inputs(area))
    is_far = np.arange(HORIZON_HOURS) >= NEAR_HOURS
    for feed, series in _series(area).items():
        if feed not in widening:
            continue
        positions = [(near.get(first), far[second]) for first, second in series.values()]
        shown = np.stack([due[feed] & (is_far | (first is not None)) for first, _ in positions], axis=-1)
        if feed == WEATHER_FEED:
            shown &= _expected_weather(data, windows, as_of)[:, None]
        values = np.stack([_values(windows, *own) for own in positions], axis=-1)
        missing = np.isnan(values) & shown
        gone: Flags = missing.max(axis=-1)
        # One price of several is missed as much as all, one place's weather as one of many.
        lost_share = (
            missing.sum(axis=-1) / np.maximum(shown.sum(axis=-1), 1) if feed == WEATHER_FEED else gone
        )
        for day, span in enumerate(_DAYS):
            share = lost_share[:, span].sum(axis=1) / np.maximum(due[feed][:, span].sum(axis=1), 1)
            factor[:, span] *= 1 + share[:, None] * (widening[feed][day] - 1)
        for row in np.flatnonzero(gone.any(axis=1)):
            expected = shown[row].any(axis=0)
            named = [name for name, is_expected in zip(series, expected, strict=True) if is_expected]
            hours = dict(zip(named, missing[row][:, expected].sum(axis=0).tolist(), strict=True))
            dues = shown[row][:, expected].sum(axis=0).tolist()
            if feed in TOGETHER and len(set(hours.values())) == 1 and len(hours) > 1:
                hours, dues = {TOGETHER[feed]: next(iter(hours.values()))}, dues[:1]
            causes[row].append(f"{feed}: {_missing(hours, dues)}")
    return Degradation(tuple(tuple(named) for named in causes), factor)


_DAYS: Final = tuple(slice(first - 1, last) for first, last in DAYS_AHEAD)


def _expected_weather(data: KnownData, windows: Windows, as_of: Integers) -> Flags:
    """Which places' weather should be known at each issue time: (N, len(WEATHER_POINTS)).

    That of the places of which a forecast was known in the last weeks; if there were none, of all.
    """
    oldest = windows.issue_hours[:, None] - WEATHER_REMEMBERED_HOURS
    remembered: Flags = data.last_weather_hour(as_of) >= oldest
    return remembered | ~remembered.any(axis=1, keepdims=True)


def _series(area: Area) -> dict[str, dict[str, tuple[str, str]]]:
    """By feed: what a cause calls each series, with its input of the first day and of the days beyond."""
    prices = {f"{zone} price": price_column(zone) for zone in area.prices}
    return {
        WIND_SOLAR_FEED: {f"{kind.lower()} forecast": (n, n) for kind, (_, n) in WIND_SOLAR.items()},
        PRICES_FEED: {title: (name, name) for title, name in prices.items()},
        PROGNOSIS_FEED: {"prognosis": (PROGNOSIS, PROGNOSIS)},
        WEATHER_FEED: {
            f"weather of {point.title}": (wind_around(point.name), weather_input(point.name, WIND[0]))
            for point in WEATHER_POINTS
        },
    }


def _positions(inputs: Sequence[Input]) -> dict[str, int]:
    return {i.name: position for position, i in enumerate(inputs)}


def _values(windows: Windows, near: int | None, far: int) -> Singles:
    """The input at the positions ``near`` and ``far`` over the whole horizon: (N, HORIZON_HOURS).

    None where the networks of the first day are not given it.
    """
    values = np.full((len(windows), HORIZON_HOURS), np.nan, np.float32)
    if near is not None:
        values[:, :NEAR_HOURS] = windows.future[:, :NEAR_HOURS, near]
    values[:, NEAR_HOURS:] = windows.far[..., far]
    return values


def _missing(hours: Mapping[str, int], due: Sequence[int]) -> str:
    """In words: for how many of the hours that were ``due`` of it each series is missing.

    Series that are missing for equally many hours are named together.
    """
    if list(hours.values()) == list(due):
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
        WEATHER_FEED: np.ones(hours.shape, dtype=bool),
        WIND_SOLAR_FEED: day_before_at(hours, DAY_AHEAD_DUE_CLOCK) <= now,
        PRICES_FEED: day_before_at(hours, PRICES_DUE_CLOCK) <= now,
        PROGNOSIS_FEED: hours * 3600 < now + PROGNOSIS_DUE_HOURS * 3600,
    }
