"""What the network is shown for each issue time: the last hours, the coming hours, the truth.

Training, backtest and production all come through `build_windows`. Missing values are NaN here;
the network's own input layer turns them into neutral values and marks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import (
    CO2,
    HORIZON_HOURS,
    MEASURED,
    POWERS,
    PROGNOSIS,
    WIND_SOLAR_FORECAST,
    WIND_SOLAR_MEASURED,
    price_column,
)
from co2_assets.contracts.time import hours_since_epoch, second_of
from co2_assets.forecasting.inputs.calendar import CALENDAR_COLUMNS, calendar
from co2_assets.forecasting.inputs.features import ROLLING_COLUMNS, features_of
from co2_assets.forecasting.inputs.known_data import KnownData

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
# By the name of an input: its values, which broadcast to (N, hours).
Values = dict[str, Singles | Floats]

PAST_HOURS: Final = 24
# How far back a measured value may lie and still serve as the last one.
LAST_VALUE_WITHIN_HOURS: Final = 24
# Hours before an issue time of which anything may enter a window: the past, before it the longest
# rolling window, and the day before the last known value.
REACH_BACK_HOURS: Final = 48
# Hours over which a forecast's error so far is averaged, and between the two of its trend.
ERROR_HOURS: Final = 3
TREND_HOURS: Final = 2
# Hours before the newest one, from which the change of the carbon intensity so far is given.
CHANGE_HOURS: Final = (1, 2, 3)

# Feeds, by the name of their table: what can be missing as a whole.
POWER_FEED: Final = "power_system_right_now"
WIND_SOLAR_FEED: Final = "forecasts_hour"
PRICES_FEED: Final = "day_ahead_prices"
PROGNOSIS_FEED: Final = "co2_emission_prognosis"
# Known whatever is down.
CALENDAR: Final = "calendar"
MASKABLE_FEEDS: Final = (WIND_SOLAR_FEED, PRICES_FEED, PROGNOSIS_FEED)
# Windows that are put in order at a time.
_ROWS_AT_A_TIME: Final = 64

# The day of the year is not shown: with one or two years to learn from, it mostly tells a network
# which weeks it is looking at, which is learning by heart. The sun's elevation tells the season.
_CALENDAR_INPUTS: Final = tuple(name for name in CALENDAR_COLUMNS if not name.startswith("yearday"))
_CALENDAR_POSITIONS: Final = [CALENDAR_COLUMNS.index(name) for name in _CALENDAR_INPUTS]
_ERRORS: Final = {
    WIND_SOLAR_FEED: tuple(f"{name}_error" for name in WIND_SOLAR_FORECAST),
    PROGNOSIS_FEED: (f"{PROGNOSIS}_error",),
}


@dataclass(frozen=True)
class Input:
    """One input of the network and the feed that it comes from."""

    name: str
    feed: str


def past_inputs(area: Area) -> tuple[Input, ...]:
    """Inputs of each past hour, in the order of `Windows.past`."""
    names = {
        POWER_FEED: (*MEASURED, *ROLLING_COLUMNS),
        CALENDAR: _CALENDAR_INPUTS,
        WIND_SOLAR_FEED: (*WIND_SOLAR_FORECAST, *_ERRORS[WIND_SOLAR_FEED]),
        PRICES_FEED: tuple(price_column(zone) for zone in area.prices),
        PROGNOSIS_FEED: (PROGNOSIS, *_ERRORS[PROGNOSIS_FEED]),
    }
    return tuple(Input(name, feed) for feed, columns in names.items() for name in columns)


def future_inputs(area: Area) -> tuple[Input, ...]:
    """Inputs of each coming hour, in the order of `Windows.future`."""
    prices = [price_column(zone) for zone in area.prices]
    names = {
        CALENDAR: (*_CALENDAR_INPUTS, "lead", "age_of_last_value"),
        POWER_FEED: (
            "last_value",
            "day_before_change",
            *(f"change_over_{hours}h" for hours in CHANGE_HOURS),
            *(f"{name}_now" for name in POWERS),
            *(f"{name}_change_over_1h" for name in POWERS),
        ),
        WIND_SOLAR_FEED: (
            *WIND_SOLAR_FORECAST,
            *(f"{name}_change" for name in WIND_SOLAR_FORECAST),
            *_slopes(WIND_SOLAR_FORECAST),
            *_error_summaries(WIND_SOLAR_FEED),
        ),
        PRICES_FEED: (*prices, *(f"{name}_change" for name in prices), *_slopes(prices)),
        PROGNOSIS_FEED: (
            PROGNOSIS,
            f"{PROGNOSIS}_change",
            *_slopes((PROGNOSIS,)),
            *_error_summaries(PROGNOSIS_FEED),
        ),
    }
    return tuple(Input(name, feed) for feed, columns in names.items() for name in columns)


def _slopes(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}_{kind}" for kind in ("from_hour_before", "to_hour_after") for name in names)


def _error_summaries(feed: str) -> tuple[str, ...]:
    return tuple(f"{name}_{kind}" for kind in ("mean", "now", "trend") for name in _ERRORS[feed])


@dataclass(frozen=True)
class Windows:
    """Windows of N issue times.

    ``issue_hours``: hours since 1970, (N,). ``past``: (N, PAST_HOURS, len(past_inputs)), oldest
    first, the last row being the hour that ended at the issue time. ``future``: (N, HORIZON_HOURS,
    len(future_inputs)), row 0 being the hour that begins at the issue time. ``last_value``: the
    newest measured carbon intensity, and ``age_hours`` how long before the newest possible it was
    measured, (N,). ``target``: what came true, (N, HORIZON_HOURS). NaN wherever nothing was known.
    """

    issue_hours: Integers
    past: Singles
    future: Singles
    last_value: Singles
    age_hours: Singles
    target: Singles

    def __len__(self) -> int:
        return len(self.issue_hours)

    def take(self, chosen: Integers) -> "Windows":
        """The windows at the positions ``chosen``."""
        return Windows(
            self.issue_hours[chosen],
            self.past[chosen],
            self.future[chosen],
            self.last_value[chosen],
            self.age_hours[chosen],
            self.target[chosen],
        )

    @staticmethod
    def joined(parts: "Sequence[Windows]") -> "Windows":
        """One after the other."""
        return Windows(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("issue_hours", "past", "future", "last_value", "age_hours", "target")
            )
        )


def build_windows(
    data: KnownData,
    issue_hours: Integers,
    *,
    as_of: datetime | None = None,
    measurements_late_hours: int = 0,
) -> Windows:
    """Windows for those of ``issue_hours`` (hours since 1970) that can be forecast at all.

    An issue time is left out when nothing was measured in the 24 hours before it. Nothing knowable
    after the issue time enters but ``target`` — or after ``as_of``, one instant for all, for issuing
    somewhat after the hour. ``measurements_late_hours`` hides that many of the newest measured
    hours, as when that feed is behind.
    """
    instants = issue_hours * 3600 if as_of is None else np.full(len(issue_hours), second_of(as_of), np.int64)
    newest = issue_hours - 1 - measurements_late_hours
    back = np.arange(LAST_VALUE_WITHIN_HOURS - measurements_late_hours)
    recent = data.measured_at(newest[:, None] - back)[..., MEASURED.index(CO2)]
    is_known = ~np.isnan(recent)
    usable = is_known.any(axis=1)
    issue_hours, instants, newest = issue_hours[usable], instants[usable], newest[usable]
    age = is_known[usable].argmax(axis=1) + measurements_late_hours
    last_value = recent[usable][np.arange(len(age)), age - measurements_late_hours]

    past_hours = issue_hours[:, None] + np.arange(-PAST_HOURS, 0)
    coming_hours = issue_hours[:, None] + np.arange(HORIZON_HOURS)
    past: Values = {}
    future: Values = {}
    if len(issue_hours):
        past = _past(data, past_hours, newest)
        future = _future(data, coming_hours, instants, newest, past, last_value, age)
    target = data.measured_at(coming_hours)[..., MEASURED.index(CO2)]
    return Windows(
        issue_hours,
        _in_order(past_inputs(data.area), past, past_hours.shape),
        _in_order(future_inputs(data.area), future, coming_hours.shape),
        last_value.astype(np.float32),
        age.astype(np.float32),
        target.astype(np.float32),
    )


def _in_order(inputs: Sequence[Input], values: Values, shape: tuple[int, ...]) -> Singles:
    """Return ``values``, each broadcast to ``shape``, in the order of ``inputs``: (*shape, len(inputs)).

    ValueError names the inputs that are declared and not given, or given and not declared. With no
    issue times there are no values to ask for.
    """
    array = np.empty((*shape, len(inputs)), np.float32)
    if not array.size:
        return array
    declared = [i.name for i in inputs]
    missing = [name for name in declared if name not in values]
    unknown = [name for name in values if name not in declared]
    if missing or unknown:
        raise ValueError(
            f"declared inputs without values: {', '.join(missing) or 'none'}; "
            f"values of inputs that are not declared: {', '.join(unknown) or 'none'}"
        )
    blocks = [np.broadcast_to(values[name], shape) for name in declared]
    # Some windows at a time, so that what is written stays in the processor's cache.
    for first in range(0, shape[0], _ROWS_AT_A_TIME):
        rows = slice(first, first + _ROWS_AT_A_TIME)
        for position, block in enumerate(blocks):
            array[rows, :, position] = block[rows]
    return array


def _past(data: KnownData, hours: Integers, newest: Integers) -> Values:
    """Values of `past_inputs` for ``hours``, by name; nothing measured after ``newest``."""
    features = features_of(data)
    prices = (price_column(zone) for zone in data.area.prices)
    names = (*MEASURED, *ROLLING_COLUMNS, *WIND_SOLAR_FORECAST, *prices, PROGNOSIS)
    series = {name: features[name] for name in names}
    for measured, forecast in zip(WIND_SOLAR_MEASURED, WIND_SOLAR_FORECAST, strict=True):
        series[f"{forecast}_error"] = features[measured] - features[forecast]
    series[f"{PROGNOSIS}_error"] = features[CO2] - features[PROGNOSIS]
    # The last row is the one of every hour of which nothing is known.
    table = np.full((len(features) + 1, len(series)), np.nan, np.float32)
    table[:-1] = pd.DataFrame(series).to_numpy(np.float32)
    first, last = int(hours.min()), int(hours.max())
    row_of = np.full(last - first + 1, len(features))
    at = hours_since_epoch(features["hour_utc"]) - first
    inside = (at >= 0) & (at < len(row_of))
    row_of[at[inside]] = np.flatnonzero(inside)
    rows = np.where(hours <= newest[:, None], row_of[hours - first], len(features))
    # The calendar of an hour that was not measured is known all the same.
    return {**_named(series, table[rows]), **_named(_CALENDAR_INPUTS, _calendar(hours))}


def _future(
    data: KnownData,
    hours: Integers,
    instants: Integers,
    newest: Integers,
    past: Values,
    last_value: Floats,
    age: Integers,
) -> Values:
    """Values of `future_inputs` by name: what is known of the coming ``hours`` at ``instants``, and how it
    differs from now."""
    last = last_value[:, None]
    day_before = data.measured_at(hours - 24)[..., MEASURED.index(CO2)]
    day_before = np.where(hours - 24 <= newest[:, None], day_before, np.nan)
    co2 = _newest_hours(past[CO2], age)
    values: Values = {
        **_named(_CALENDAR_INPUTS, _calendar(hours)),
        "lead": np.arange(1.0, HORIZON_HOURS + 1)[None],
        "age_of_last_value": age[:, None].astype(np.float64),
        "last_value": last,
        "day_before_change": day_before - last,
    }
    values |= {f"change_over_{ago}h": co2[:, :1] - co2[:, ago, None] for ago in CHANGE_HOURS}
    for name in POWERS:
        power = _newest_hours(past[name], age)
        values[f"{name}_now"] = power[:, :1]
        values[f"{name}_change_over_1h"] = power[:, :1] - power[:, 1:2]
    for name in (error for errors in _ERRORS.values() for error in errors):
        values |= _summaries(name, _newest_hours(past[name], age))

    last_hour = hours[:, 0] - 1 - age
    known_at = instants[:, None]
    # One hour more on either side, for the slopes.
    around = np.concatenate([hours[:, :1] - 1, hours, hours[:, -1:] + 1], axis=1)
    prices = [price_column(zone) for zone in data.area.prices]
    measured_now = data.measured_at(last_hour)[:, [MEASURED.index(name) for name in WIND_SOLAR_MEASURED]]
    prices_now = data.prices_at(last_hour[:, None], known_at)[:, 0]
    for names, forecasts, now in (
        (WIND_SOLAR_FORECAST, data.wind_solar_at(around, known_at), measured_now),
        (prices, data.prices_at(around, known_at), prices_now),
        ((PROGNOSIS,), data.prognosis_at(around, known_at)[..., None], last),
    ):
        for number, name in enumerate(names):
            values |= _ahead(name, forecasts[..., number], now[:, number, None])
    return values


def _named(names: Iterable[str], values: Singles) -> Values:
    """The columns of ``values`` (..., len(names)) by name."""
    return dict(zip(names, np.moveaxis(values, -1, 0), strict=True))


def _ahead(name: str, around: Floats, now: Floats) -> Values:
    """A forecast of the coming hours, its difference from ``now`` (N, 1), and its slopes.

    ``around`` (N, 1 + hours + 1) has an hour more on either side; the values are (N, hours).
    """
    steps = np.diff(around, axis=1)
    return {
        name: around[:, 1:-1],
        f"{name}_change": around[:, 1:-1] - now,
        f"{name}_from_hour_before": steps[:, :-1],
        f"{name}_to_hour_after": steps[:, 1:],
    }


def _calendar(hours: Integers) -> Singles:
    """Calendar inputs of ``hours``, which are asked for in any order and more than once."""
    first = int(hours.min())
    table = calendar(np.arange(first, int(hours.max()) + 1))[:, _CALENDAR_POSITIONS]
    return table.astype(np.float32)[hours - first]


def _newest_hours(past: Singles | Floats, age: Integers) -> Floats:
    """The last measured hour of each window and those before it, newest first: (N, 1 + 3)."""
    rows = PAST_HOURS - 1 - age[:, None] - np.arange(1 + max(*CHANGE_HOURS, TREND_HOURS))
    newest = np.take_along_axis(past, np.maximum(rows, 0), axis=1).astype(np.float64)
    newest[rows < 0] = np.nan
    return newest


def _summaries(name: str, errors: Floats) -> Values:
    """Mean of the last errors, newest error, its change, each (N, 1), from ``errors`` (N, hours)."""
    recent = errors[:, :ERROR_HOURS]
    count = (~np.isnan(recent)).sum(axis=1)
    mean = np.where(count > 0, np.nansum(recent, axis=1) / np.maximum(count, 1), np.nan)
    return {
        f"{name}_mean": mean[:, None],
        f"{name}_now": errors[:, :1],
        f"{name}_trend": errors[:, :1] - errors[:, TREND_HOURS, None],
    }
