"""Raw inputs to what a network can digest: centred, scaled, clipped, gaps neutral but marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import CO2, HEADLINE_LEADS, HORIZON_HOURS, NEAR_HOURS
from co2_assets.forecasting.inputs.input_lists import (
    CALENDAR,
    WEATHER_FEED,
    Input,
    far_inputs,
    future_inputs,
    past_inputs,
)
from co2_assets.forecasting.inputs.windows import NEAR_REACH_HOURS, Windows

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# Beyond this many scales a value is a meter spike or says nothing more than "very high".
CLIP_SCALES = 5.0
# An input known in fewer of the training windows is not used: what the network never saw it cannot
# weigh.
LEAST_COVERAGE = 0.05
# A place whose weather is known in some of the months only would tell the network which months it is in.
LEAST_WEATHER_COVERAGE = 0.5
# Windows scaled at once.
_CHUNK = 512
# From the interquartile range of a normal distribution to its standard deviation.
_IQR_TO_STD = 1.349


@dataclass(frozen=True)
class Reach:
    """The coming hours that one kind of network forecasts: its leads as a slice of the horizon, its inputs.

    ``coming`` takes the part of windows that these inputs are in: (N, leads, width).
    """

    name: str
    leads: slice
    inputs: Callable[[Area], tuple[Input, ...]]
    coming: Callable[[Windows], Singles]

    @property
    def hours(self) -> int:
        """How many leads it has."""
        return int(self.leads.stop - self.leads.start)


NEAR: Final = Reach("near", slice(0, NEAR_REACH_HOURS), future_inputs, lambda windows: windows.future)
FAR: Final = Reach("far", slice(NEAR_HOURS, HORIZON_HOURS), far_inputs, lambda windows: windows.far)
REACHES: Final = (NEAR, FAR)


@dataclass(frozen=True)
class Scaler:
    """Centre and scale of every input, and of the change to be forecast at every lead.

    ``past_*`` belong to `past_inputs`, ``future_*`` to the inputs of the reach; ``*_used`` is 0 for inputs
    to be treated as always missing. ``change_scale``, one for each lead of the reach, is the usual size of
    the change from the last value, g/kWh. ``past_change_scale`` (1,) is that over the headline's hours.
    """

    past_center: Floats
    past_scale: Floats
    past_used: Floats
    future_center: Floats
    future_scale: Floats
    future_used: Floats
    change_scale: Floats
    past_change_scale: Floats

    def to_json(self) -> dict[str, list[float]]:
        """As plain lists, exact."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @staticmethod
    def from_json(content: dict[str, Any]) -> "Scaler":
        """The scaler that `to_json` described; KeyError or ValueError when it is not one."""
        names = Scaler.__dataclass_fields__
        return Scaler(**{name: np.array(content[name], np.float64) for name in names})


def fit_scaler(windows: Windows, area: Area, reach: Reach) -> Scaler:
    """Fit on the training windows, and on nothing else."""
    past = _fit(windows.past, past_inputs(area))
    future = _fit(reach.coming(windows), reach.inputs(area))
    change = windows.target - windows.last_value[:, None]
    known = np.maximum((~np.isnan(change)).sum(axis=0), 1)
    scale = np.maximum(np.sqrt(np.nansum(change.astype(np.float64) ** 2, axis=0) / known), 1.0)
    # In the middle of the headline's span the scale is that of the hours behind.
    return Scaler(*past, *future, scale[reach.leads], scale[HEADLINE_LEADS[1] : HEADLINE_LEADS[1] + 1])


def _fit(windows: Singles, inputs: tuple[Input, ...]) -> tuple[Floats, Floats, Floats]:
    """Median, robust scale and whether known often enough, by input."""
    values = windows.reshape(-1, len(inputs))
    center, scale, used = np.zeros(len(inputs)), np.ones(len(inputs)), np.zeros(len(inputs))
    for column, declared in enumerate(inputs):
        known = values[:, column][~np.isnan(values[:, column])].astype(np.float64)
        least = LEAST_WEATHER_COVERAGE if declared.feed == WEATHER_FEED else LEAST_COVERAGE
        if len(known) < least * len(values) or not len(known):
            continue
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
        spread = (high - low) / _IQR_TO_STD
        # Where half of the values agree, as for the sun at night, the quartiles show no spread.
        spread = max(spread, 0.5 * float(np.std(known)))
        center[column], used[column] = middle, 1.0
        scale[column] = spread if spread > 0 else 1.0
    return center, scale, used


@dataclass(frozen=True)
class Batch:
    """Windows as tensors, for one reach: ``past`` (N, PAST_HOURS, width), ``future`` (N, leads, width),
    ``target`` (N, leads) the scaled change, NaN where unknown, ``area`` (N,) the number of
    the area among those that are trained together."""

    past: torch.Tensor
    future: torch.Tensor
    target: torch.Tensor
    area: torch.Tensor

    def __len__(self) -> int:
        return len(self.past)

    def rows(self, index: torch.Tensor) -> "Batch":
        """The windows at ``index``."""
        return Batch(self.past[index], self.future[index], self.target[index], self.area[index])

    @staticmethod
    def joined(parts: "Sequence[Batch]") -> "Batch":
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        return Batch(
            *(torch.cat([getattr(part, name) for part in parts]) for name in Batch.__dataclass_fields__)
        )


class Batches:
    """Some batches, seen as if one came after the other. They stay where they are: nothing is held twice.

    Rows are taken from them in single precision, whatever they are kept in.
    """

    def __init__(self, parts: Sequence[Batch]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = torch.as_tensor([len(part) for part in self._parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def rows(self, index: torch.Tensor) -> Batch:
        """The windows at ``index``, those of each part together."""
        owner = torch.searchsorted(self._ends, index, right=True)
        chosen = []
        for number, part in enumerate(self._parts):
            own = index[owner == number]
            if len(own):
                rows = part.rows(own - (self._ends[number] - len(part)))
                chosen.append(replace(rows, past=rows.past.float(), future=rows.future.float()))
        return Batch.joined(chosen)


class InputLayer:
    """Turns windows into batches of one reach, and can hide a feed from them.

    The channels are the scaled inputs, 0 where missing; for the past the change from the last value;
    and at last, for every feed, the share of its inputs that is missing.
    """

    def __init__(self, area: Area, scaler: Scaler, reach: Reach, number: int = 0) -> None:
        self.scaler = scaler
        self.reach = reach
        self._number = number
        self._past = past_inputs(area)
        self._future = reach.inputs(area)
        self.feeds = tuple(dict.fromkeys(i.feed for i in self._future if i.feed != CALENDAR))
        self._past_co2 = [i.name for i in self._past].index(CO2)
        past_feeds = {i.feed for i in self._past}
        self._past_feeds = tuple(feed for feed in self.feeds if feed in past_feeds)
        self._past_by_feed = _positions(self._past, self._past_feeds)
        self._future_by_feed = _positions(self._future, self.feeds)
        # A mark says how much is missing of what is used.
        self._past_marked = _used(self._past_by_feed, scaler.past_used)
        self._future_marked = _used(self._future_by_feed, scaler.future_used)
        # Among the past channels, that of the change from the last value.
        self.co2_change = len(self._past)
        self.past_width = len(self._past) + 1 + len(self._past_feeds)
        self.future_width = len(self._future) + len(self.feeds)

    def uses(self, feed: str) -> bool:
        """Whether the scaler was fitted with values of ``feed``."""
        positions = self._future_by_feed[feed]
        return bool(self.scaler.future_used[positions].any())

    def batch(self, windows: Windows, dtype: torch.dtype = torch.float32) -> Batch:
        """Tensors of ``windows``; the targets are never less precise than single."""
        count = len(windows)
        batch = Batch(
            torch.empty((count, windows.past.shape[1], self.past_width), dtype=dtype),
            torch.empty((count, self.reach.hours, self.future_width), dtype=dtype),
            torch.empty((count, self.reach.hours), dtype=torch.promote_types(dtype, torch.float32)),
            torch.full((count,), self._number),
        )
        # In parts, for what lies between windows and tensors is larger than both.
        for start in range(0, count, _CHUNK):
            rows = slice(start, min(start + _CHUNK, count))
            past, future, target = self._channels(windows.take(rows))
            batch.past[rows] = torch.as_tensor(past, dtype=dtype)
            batch.future[rows] = torch.as_tensor(future, dtype=dtype)
            batch.target[rows] = torch.as_tensor(target)
        return batch

    def _channels(self, windows: Windows) -> tuple[Floats, Floats, Floats]:
        scaler = self.scaler
        last = windows.last_value[:, None]
        change = (windows.past[..., self._past_co2] - last) / scaler.past_change_scale
        past = _scaled(windows.past, scaler.past_center, scaler.past_scale, scaler.past_used)
        coming = self.reach.coming(windows)
        future = _scaled(coming, scaler.future_center, scaler.future_scale, scaler.future_used)
        past_channels = (
            np.nan_to_num(past),
            np.clip(np.nan_to_num(change), -CLIP_SCALES, CLIP_SCALES)[..., None],
            _missing(past, self._past_marked),
        )
        future_channels = (np.nan_to_num(future), _missing(future, self._future_marked))
        target = (windows.target[:, self.reach.leads] - last) / scaler.change_scale
        return np.concatenate(past_channels, axis=-1), np.concatenate(future_channels, axis=-1), target

    def hide(self, batch: Batch, feed: str, rows: torch.Tensor) -> None:
        """Make ``feed`` missing in the given ``rows`` (a mask) of ``batch``, in place."""
        keep = (~rows).to(batch.past.dtype)[:, None, None]
        parts = [
            (batch.future, self._future_by_feed[feed], len(self._future) + self.feeds.index(feed)),
        ]
        if feed in self._past_feeds:
            mark = len(self._past) + 1 + self._past_feeds.index(feed)
            parts.append((batch.past, self._past_by_feed[feed], mark))
        for tensor, positions, mark in parts:
            first, last = int(positions[0]), int(positions[-1]) + 1
            tensor[..., first:last] *= keep
            tensor[..., mark][rows] = 1.0


def _positions(inputs: tuple[Input, ...], feeds: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """Where each feed's inputs stand; they stand together."""
    return {feed: np.array([n for n, i in enumerate(inputs) if i.feed == feed]) for feed in feeds}


def _used(by_feed: dict[str, NDArray[np.int64]], used: Floats) -> dict[str, NDArray[np.int64]]:
    """Those positions that are used; all of a feed of which none is."""
    return {feed: own[used[own] > 0] if used[own].any() else own for feed, own in by_feed.items()}


def _scaled(values: Singles, center: Floats, scale: Floats, used: Floats) -> Floats:
    result: Floats = np.clip((values - center) / scale, -CLIP_SCALES, CLIP_SCALES)
    result[..., used == 0] = np.nan
    return result


def _missing(scaled: Floats, by_feed: dict[str, NDArray[np.int64]]) -> Floats:
    shares = [np.isnan(scaled[..., positions]).mean(axis=-1) for positions in by_feed.values()]
    return np.stack(shares, axis=-1)
