"""Raw inputs to what a network can digest: centred, scaled, clipped, gaps neutral but marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import CO2, HORIZON_HOURS
from co2_assets.forecasting.inputs.windows import CALENDAR, Input, Windows, future_inputs, past_inputs

Floats = NDArray[np.float64]

# Beyond this many scales a value is a meter spike or says nothing more than "very high".
CLIP_SCALES = 5.0
# An input known in fewer of the training windows is not used: what the network never saw it cannot
# weigh.
LEAST_COVERAGE = 0.05
# Windows scaled at once.
_CHUNK = 512
# From the interquartile range of a normal distribution to its standard deviation.
_IQR_TO_STD = 1.349


@dataclass(frozen=True)
class Scaler:
    """Centre and scale of every input, and of the change to be forecast at every lead.

    ``past_*`` belong to `past_inputs`, ``future_*`` to `future_inputs`; ``*_used`` is 0 for inputs
    to be treated as always missing. ``change_scale`` (HORIZON_HOURS,) is the usual size of the
    change from the last value to each lead, g/kWh.
    """

    past_center: Floats
    past_scale: Floats
    past_used: Floats
    future_center: Floats
    future_scale: Floats
    future_used: Floats
    change_scale: Floats

    def to_json(self) -> dict[str, list[float]]:
        """As plain lists, exact."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @staticmethod
    def from_json(content: dict[str, Any]) -> "Scaler":
        """The scaler that `to_json` described; KeyError or ValueError when it is not one."""
        names = Scaler.__dataclass_fields__
        return Scaler(**{name: np.array(content[name], np.float64) for name in names})


def fit_scaler(windows: Windows) -> Scaler:
    """Fit on the training windows, and on nothing else."""
    past = _fit(windows.past.reshape(-1, windows.past.shape[-1]))
    future = _fit(windows.future.reshape(-1, windows.future.shape[-1]))
    change = windows.target - windows.last_value[:, None]
    change_scale = np.maximum(np.sqrt(np.nanmean(change.astype(np.float64) ** 2, axis=0)), 1.0)
    return Scaler(*past, *future, change_scale)


def _fit(values: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Median, robust scale and whether known often enough, by column."""
    width = values.shape[1]
    center, scale, used = np.zeros(width), np.ones(width), np.zeros(width)
    for column in range(width):
        known = values[:, column][~np.isnan(values[:, column])].astype(np.float64)
        if len(known) < LEAST_COVERAGE * len(values) or not len(known):
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
    """Windows as tensors: ``past`` (N, PAST_HOURS, width), ``future`` (N, HORIZON_HOURS, width),
    ``target`` (N, HORIZON_HOURS) the scaled change, NaN where unknown, ``area`` (N,) the number of
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


class InputLayer:
    """Turns windows into batches, and can hide a feed from them.

    The channels are the scaled inputs, 0 where missing; for the past the change from the last value;
    and at last, for every feed, the share of its inputs that is missing.
    """

    def __init__(self, area: Area, scaler: Scaler, number: int = 0) -> None:
        self.scaler = scaler
        self._number = number
        self._past = past_inputs(area)
        self._future = future_inputs(area)
        self.feeds = tuple(dict.fromkeys(i.feed for i in self._past if i.feed != CALENDAR))
        self._past_co2 = [i.name for i in self._past].index(CO2)
        self._past_by_feed = _positions(self._past, self.feeds)
        self._future_by_feed = _positions(self._future, self.feeds)
        self.past_width = len(self._past) + 1 + len(self.feeds)
        self.future_width = len(self._future) + len(self.feeds)

    def uses(self, feed: str) -> bool:
        """Whether the scaler was fitted with values of ``feed``."""
        positions = self._future_by_feed[feed]
        return bool(self.scaler.future_used[positions].any())

    def batch(self, windows: Windows, dtype: torch.dtype = torch.float32) -> Batch:
        """Tensors of ``windows``."""
        count = len(windows)
        batch = Batch(
            torch.empty((count, windows.past.shape[1], self.past_width), dtype=dtype),
            torch.empty((count, HORIZON_HOURS, self.future_width), dtype=dtype),
            torch.empty((count, HORIZON_HOURS), dtype=dtype),
            torch.full((count,), self._number),
        )
        # In parts, for what lies between windows and tensors is larger than both.
        for start in range(0, count, _CHUNK):
            rows = slice(start, min(start + _CHUNK, count))
            past, future, target = self._channels(windows.take(np.arange(rows.start, rows.stop)))
            batch.past[rows] = torch.as_tensor(past, dtype=dtype)
            batch.future[rows] = torch.as_tensor(future, dtype=dtype)
            batch.target[rows] = torch.as_tensor(target, dtype=dtype)
        return batch

    def _channels(self, windows: Windows) -> tuple[Floats, Floats, Floats]:
        scaler = self.scaler
        last = windows.last_value[:, None]
        change = (windows.past[..., self._past_co2] - last) / scaler.change_scale[HORIZON_HOURS // 4]
        past = _scaled(windows.past, scaler.past_center, scaler.past_scale, scaler.past_used)
        future = _scaled(windows.future, scaler.future_center, scaler.future_scale, scaler.future_used)
        past_channels = (
            np.nan_to_num(past),
            np.clip(np.nan_to_num(change), -CLIP_SCALES, CLIP_SCALES)[..., None],
            _missing(past, self._past_by_feed),
        )
        future_channels = (np.nan_to_num(future), _missing(future, self._future_by_feed))
        target = (windows.target - last) / scaler.change_scale
        return np.concatenate(past_channels, axis=-1), np.concatenate(future_channels, axis=-1), target

    def hide(self, batch: Batch, feed: str, rows: torch.Tensor) -> None:
        """Make ``feed`` missing in the given ``rows`` (a mask) of ``batch``, in place."""
        place = self.feeds.index(feed)
        keep = (~rows).to(batch.past.dtype)[:, None, None]
        parts = (
            (batch.past, self._past_by_feed[feed], len(self._past) + 1 + place),
            (batch.future, self._future_by_feed[feed], len(self._future) + place),
        )
        for tensor, positions, mark in parts:
            first, last = int(positions[0]), int(positions[-1]) + 1
            tensor[..., first:last] *= keep
            tensor[..., mark][rows] = 1.0


def _positions(inputs: tuple[Input, ...], feeds: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """Where each feed's inputs stand; they stand together."""
    return {feed: np.array([n for n, i in enumerate(inputs) if i.feed == feed]) for feed in feeds}


def _scaled(values: NDArray[np.float32], center: Floats, scale: Floats, used: Floats) -> Floats:
    result: Floats = np.clip((values - center) / scale, -CLIP_SCALES, CLIP_SCALES)
    result[..., used == 0] = np.nan
    return result


def _missing(scaled: Floats, by_feed: dict[str, NDArray[np.int64]]) -> Floats:
    shares = [np.isnan(scaled[..., positions]).mean(axis=-1) for positions in by_feed.values()]
    return np.stack(shares, axis=-1)
