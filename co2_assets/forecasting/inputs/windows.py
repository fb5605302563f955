"""What the network is shown for each issue time: the last hours, the coming hours, the truth.

Training, backtest and production all come through `build_windows`. Missing values are NaN here;
the network's own input layer turns them into neutral values and marks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import (
    CO2,
    FLOWS,
    HORIZON_HOURS,
    MEASURED,
    NEAR_HOURS,
    POWERS,
    PROGNOSIS,
    WIND_SOLAR_FORECAST,
    WIND_SOLAR_MEASURED,
)
from co2_assets.contracts.time import hours_since_epoch, second_of
from co2_assets.contracts.weather import WEATHER_POINTS
from co2_assets.forecasting.inputs.calendar import CALENDAR_COLUMNS, calendar
from co2_assets.forecasting.inputs.features import ROLLING_COLUMNS, features_of
from co2_assets.forecasting.inputs.input_lists import (
    CALENDAR_INPUTS,
    CHANGE_HOURS,
    ERRORS,
    FAR_WEATHER,
    LEVEL_HOURS,
    PROGNOSIS_FEED,
    WIND,
    WIND_SOLAR_FEED,
    Input,
    far_inputs,
    future_inputs,
    past_inputs,
    price_columns,
    weather_input,
    wind_around,
)
from co2_assets.forecasting.inputs.known_data import HOURLY, WEATHER_COLUMNS, KnownData

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
# By the name of an input: its values, which broadcast to (N, hours).
Values = dict[str, Singles | Floats]

PAST_HOURS: Final = 24
# How far back a measured value may lie and still serve as the last one.
LAST_VALUE_WITHIN_HOURS: Final = 24
# Hours before an issue time of which anything may enter a window: the longest of its levels.
REACH_BACK_HOURS: Final = max(LEVEL_HOURS)
# The first window to learn from comes this long after the first measured hour. Only its levels are means of
# shorter spans.
FIRST_WINDOW_HOURS: Final = 48
# Hours over which a forecast's error so far is averaged, and between the two of its trend.
ERROR_HOURS: Final = 3
TREND_HOURS: Final = 2
# The hours on either side over which the wind is averaged: the errors of its forecasts change from hour to
# hour, and one hour more or less of wind moves little.
WIND_AROUND_HOURS: Final = 3
# The near networks go on into the second day for so many hours, in which the far ones take over step by step.
# With four, LightGBM was better at leads 29 and 30 (docs/accuracy.md).
HANDOVER_HOURS: Final = 8
NEAR_REACH_HOURS: Final = NEAR_HOURS + HANDOVER_HOURS
FAR_HOURS: Final = HORIZON_HOURS - NEAR_HOURS
# A mean level over a span of which less was measured says nothing.
LEAST_LEVEL_SHARE: Final = 1 / 3
# Windows that are put in order at a time.
_ROWS_AT_A_TIME: Final = 64
_CALENDAR_POSITIONS: Final = [CALENDAR_COLUMNS.index(name) for name in CALENDAR_INPUTS]


@dataclass(frozen=True)
class Windows:
    """Windows of N issue times.

    ``issue_hours``: hours since 1970, (N,). ``past``: (N, PAST_HOURS, len(past_inputs)), oldest
    first, the last row being the hour that ended at the issue time. ``future``: (N, NEAR_REACH_HOURS,
    len(future_inputs)), row 0 being the hour that begins at the issue time. ``far``: (N, FAR_HOURS,
    len(far_inputs)), row 0 being the first hour after the first day; windows that were built without it have
    no hour there. ``last_value``: the newest measured carbon intensity, and ``age_hours`` how long before
    the newest possible it was measured, (N,). ``target``: what came true, (N, HORIZON_HOURS). NaN wherever
    nothing was known.
    """

    issue_hours: Integers
    past: Singles
    future: Singles
    far: Singles
    last_value: Singles
    age_hours: Singles
    target: Singles

    def __len__(self) -> int:
        return len(self.issue_hours)

    def take(self, chosen: Integers | slice) -> "Windows":
        """The windows at the positions ``chosen``; those of a slice stay where they are."""
        return Windows(*(getattr(self, field.name)[chosen] for field in fields(self)))


def build_windows(
    data: KnownData,
    issue_hours: Integers,
    *,
    as_of: datetime | None = None,
    measurements_late_hours: int = 0,
    with_far: bool = True,
) -> Windows:
    """Windows for those of ``issue_hours`` (hours since 1970) that can be forecast at all.

    An issue time is left out when nothing was measured in the 24 hours before it. Nothing knowable
    after the issue time enters but ``target`` — or after ``as_of``, one instant for all, for issuing
    somewhat after the hour. ``measurements_late_hours`` hides that many of the newest measured
    hours, as when that feed is behind. Without ``with_far`` the far hours are left out, which are most of
    the memory.
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

    coming_hours = issue_hours[:, None] + np.arange(HORIZON_HOURS)
    past_hours = issue_hours[:, None] + np.arange(-PAST_HOURS, 0)
    near_hours = coming_hours[:, :NEAR_REACH_HOURS]
    far_hours = coming_hours[:, NEAR_HOURS:] if with_far else coming_hours[:, :0]
    past: Values = {}
    future: Values = {}
    far: Values = {}
    if len(issue_hours):
        past = _past(data, past_hours, newest)
        now = _Now(data, issue_hours, instants, newest, age, last_value, past)
        future = _future(now, near_hours)
        far = _far(now, far_hours) if with_far else {}
    target = data.measured_at(coming_hours)[..., MEASURED.index(CO2)]
    return Windows(
        issue_hours,
        _in_order(past_inputs(data.area), past, past_hours.shape),
        _in_order(future_inputs(data.area), future, near_hours.shape),
        _in_order(far_inputs(data.area), far, far_hours.shape),
        last_value.astype(np.float32),
        age.astype(np.float32),
        target.astype(np.float32),
    )


@dataclass(frozen=True)
class _Now:
    """What is known at N issue times: the data, when, the newest hour allowed, and the last hours."""

    data: KnownData
    issue_hours: Integers
    instants: Integers
    newest: Integers
    age: Integers
    last_value: Floats
    past: Values

    @property
    def last(self) -> Floats:
        """The newest measured carbon intensity, (N, 1)."""
        return self.last_value[:, None]

    def newest_hours(self, name: str) -> Floats:
        """One of the past inputs in the last measured hour and those before it: (N, 1 + 3)."""
        return _newest_hours(self.past[name], self.age)

    def powers(self) -> Values:
        """Production, exchange and flows in the last measured hour."""
        return {f"{name}_now": self.newest_hours(name)[:, :1] for name in (*POWERS, *FLOWS)}

    def ahead(self, hours: Integers) -> Iterator[tuple[str, Floats, Floats]]:
        """Yield what operator and market say of ``hours``: name, values (N, hours), value now (N, 1)."""
        data, known_at = self.data, self.instants[:, None]
        last_hour = self.issue_hours - 1 - self.age
        measured = [MEASURED.index(name) for name in WIND_SOLAR_MEASURED]
        prices_now = data.prices_at(last_hour[:, None], known_at)[:, 0]
        for names, values, now in (
            (
                WIND_SOLAR_FORECAST,
                data.wind_solar_at(hours, known_at),
                data.measured_at(last_hour)[:, measured],
            ),
            (price_columns(data.area), data.prices_at(hours, known_at), prices_now),
            ((PROGNOSIS,), data.prognosis_at(hours, known_at)[..., None], self.last),
        ):
            for number, name in enumerate(names):
                yield name, values[..., number], now[:, number, None]


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
    names = (*HOURLY, *ROLLING_COLUMNS, *WIND_SOLAR_FORECAST, *price_columns(data.area), PROGNOSIS)
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
    return {**_named(series, table[rows]), **_named(CALENDAR_INPUTS, _calendar(hours))}


def _future(now: _Now, hours: Integers) -> Values:
    """Values of `future_inputs` by name: what is known of the coming ``hours``, and how it differs from
    now."""
    data, last = now.data, now.last
    day_before = data.measured_at(hours - 24)[..., MEASURED.index(CO2)]
    day_before = np.where(hours - 24 <= now.newest[:, None], day_before, np.nan)
    co2 = now.newest_hours(CO2)
    values: Values = {
        **_named(CALENDAR_INPUTS, _calendar(hours)),
        "lead": np.arange(1.0, NEAR_REACH_HOURS + 1)[None],
        "age_of_last_value": now.age[:, None].astype(np.float64),
        "last_value": last,
        "day_before_change": day_before - last,
        **now.powers(),
    }
    values |= {f"change_over_{ago}h": co2[:, :1] - co2[:, ago, None] for ago in CHANGE_HOURS}
    for name in (*POWERS, *FLOWS):
        power = now.newest_hours(name)
        values[f"{name}_change_over_1h"] = power[:, :1] - power[:, 1:2]
    for name in ERRORS[PROGNOSIS_FEED]:
        values |= _summaries(name, now.newest_hours(name))
    values |= {f"{name}_now": now.newest_hours(name)[:, :1] for name in ERRORS[WIND_SOLAR_FEED]}
    declared = {i.name for i in future_inputs(data.area)}
    # One hour more on either side, for the slopes.
    around = np.concatenate([hours[:, :1] - 1, hours, hours[:, -1:] + 1], axis=1)
    for name, forecast, value_now in now.ahead(around):
        steps = np.diff(forecast, axis=1)
        said = {
            name: forecast[:, 1:-1],
            f"{name}_change": forecast[:, 1:-1] - value_now,
            f"{name}_from_hour_before": steps[:, :-1],
            f"{name}_to_hour_after": steps[:, 1:],
        }
        # Of some prices less is shown.
        values |= {key: value for key, value in said.items() if key in declared}
    return values | _wind_around(now, hours)


def _wind_around(now: _Now, hours: Integers) -> Values:
    """Mean wind speed of each hour and WIND_AROUND_HOURS on either side, where it is known."""
    reach = np.arange(-WIND_AROUND_HOURS, WIND_AROUND_HOURS + 1)
    wider = hours[:, :1] + np.arange(reach[0], hours.shape[1] + reach[-1])
    wind = now.data.weather_at(wider, now.instants[:, None])[..., WEATHER_COLUMNS.index(WIND[0])]
    known = ~np.isnan(wind)
    shown = [slice(first, first + hours.shape[1]) for first in range(len(reach))]
    total = sum(np.where(known, wind, 0.0)[:, rows] for rows in shown)
    count = sum(known[:, rows].astype(np.int64) for rows in shown)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return {wind_around(point.name): mean[..., number] for number, point in enumerate(WEATHER_POINTS)}


def _far(now: _Now, hours: Integers) -> Values:
    """Values of `far_inputs` by name: what is known of the ``hours`` beyond the first day."""
    values: Values = {
        **_named(CALENDAR_INPUTS, _calendar(hours)),
        "lead": np.arange(NEAR_HOURS + 1.0, HORIZON_HOURS + 1)[None],
        "last_value": now.last,
        **_levels(now),
        **now.powers(),
    }
    for name, forecast, value_now in now.ahead(hours):
        values[name] = forecast
        values[f"{name}_change"] = forecast - value_now
    weather = now.data.weather_at(hours, now.instants[:, None])
    places = {point.name: number for number, point in enumerate(WEATHER_POINTS)}
    return values | {
        weather_input(point, variable): weather[..., places[point], WEATHER_COLUMNS.index(variable)]
        for point, variable in FAR_WEATHER
    }


def _levels(now: _Now) -> Values:
    """Mean carbon intensity of the spans before the issue time, as the difference from the last value.

    A span counts where at least a third of it was measured.
    """
    hours = now.issue_hours[:, None] - np.arange(1, max(LEVEL_HOURS) + 1)
    co2 = now.data.co2_at(hours)
    co2[hours > now.newest[:, None]] = np.nan
    known = ~np.isnan(co2)
    values: Values = {}
    for length in LEVEL_HOURS:
        count = known[:, :length].sum(axis=1)
        mean = np.nansum(co2[:, :length], axis=1) / np.maximum(count, 1)
        level = np.where(count >= length * LEAST_LEVEL_SHARE, mean, np.nan)
        values[f"level_over_{length}h_change"] = level[:, None] - now.last
    return values


def _named(names: Iterable[str], values: Singles) -> Values:
    """The columns of ``values`` (..., len(names)) by name."""
    return dict(zip(names, np.moveaxis(values, -1, 0), strict=True))


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
