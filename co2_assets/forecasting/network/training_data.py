"""What an ensemble is trained on: the windows of each area, and which of them each network learns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import torch
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, NEAR_HOURS
from co2_assets.contracts.time import hour_of, time_of
from co2_assets.forecasting.forecaster import TooLittleDataError, TrainingRecord, TrainingSplit
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import FIRST_WINDOW_HOURS, Windows, build_windows
from co2_assets.forecasting.network.scaling import FAR, NEAR, REACHES, Batch, InputLayer, Reach, fit_scaler
from co2_assets.forecasting.network.splits import Split, split_in_time
from co2_assets.forecasting.network.trained_model import TrainingConfig

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Some windows are shown again with the newest measured hours hidden, so that the networks know what
# to do when that feed is behind: hours behind, and every which window.
LATE_HOURS = (1, 2, 3, 6)
LATE_EVERY = 40


@dataclass(frozen=True)
class Shown:
    """The windows of an area that the networks of one reach are trained on, and their issue hours."""

    layer: InputLayer
    split: Split
    parts: tuple[Batch, ...]
    issue_hours: Integers

    def learns(self, network: int) -> Flags:
        return self.split.learns(network, self.issue_hours)


@dataclass(frozen=True)
class AreaTrainingData:
    """What the networks are trained and tested on, of one area.

    ``hours`` are the issue hours of all its windows. ``shown`` has the windows that networks are trained on,
    by the name of their reach. ``held_out`` are the windows of which no network is trained on its own block,
    in time order, ``test`` those that no network is trained on, without their far hours.
    """

    known: KnownData
    hours: Integers
    split: Split
    shown: Mapping[str, Shown]
    held_out: Windows
    test: Windows

    @property
    def area(self) -> Area:
        return self.known.area

    def validation(self, reach: Reach, network: int) -> Batch:
        """The block of a network."""
        shown = self.shown[reach.name]
        blocks = np.array_split(np.arange(len(self.held_out)), len(shown.split.held_out))
        return shown.layer.batch(self.held_out.take(blocks[network]))

    def record(self, until: datetime, curves: tuple[tuple[tuple[float, float], ...], ...]) -> TrainingRecord:
        return TrainingRecord(
            data_from=time_of(int(self.hours[0])),
            data_to=until,
            parts=tuple(_part(name, self.hours[rows], until) for name, rows in _named(self.split)),
            metrics={},
            curves=curves,
        )


def prepare(data: Sequence[KnownData], until: datetime, config: TrainingConfig) -> list[AreaTrainingData]:
    """Return the training data of each area with enough history.

    Raises TooLittleDataError when no area has enough history.
    """
    prepared: list[AreaTrainingData] = []
    errors = []
    for area_data in data:
        try:
            prepared.append(_prepare_area(area_data.cut(until), len(prepared), until, config))
        except TooLittleDataError as error:
            errors.append(error)
    if not prepared:
        raise errors[0]
    return prepared


def _prepare_area(known: KnownData, number: int, until: datetime, config: TrainingConfig) -> AreaTrainingData:
    """Return an area's training data. Windows are kept once, as batches; those held out as they are."""
    windows = _complete_windows(known, hour_of(until))
    hours = windows.issue_hours
    splits = {
        reach.name: split_in_time(
            hours, config.networks_of(reach), config.validation_share, config.test_share
        )
        for reach in REACHES
    }
    split = splits[NEAR.name]
    # Everything before the test part, as a view.
    fitted = windows.take(slice(0, len(split.fitted)))
    far = build_windows(known, fitted.issue_hours[:: config.far_every])
    shown = {}
    for reach, own in ((NEAR, fitted), (FAR, far)):
        layer = InputLayer(known.area, fit_scaler(own, known.area, reach), reach, number)
        late = list(_late(known, own.issue_hours, with_far=reach is FAR))
        shown[reach.name] = Shown(
            layer,
            splits[reach.name],
            # Half precision is finer than the noise that a training adds, and takes half of the memory.
            tuple(layer.batch(part, torch.float16) for part in (own, *late)),
            np.concatenate([part.issue_hours for part in (own, *late)]),
        )
    return AreaTrainingData(
        known,
        hours,
        split,
        shown,
        build_windows(known, hours[np.concatenate(split.held_out)]),
        windows.take(split.test),
    )


def _complete_windows(known: KnownData, until_hour: int) -> Windows:
    """Windows of every hour whose first day was over by then, at least one hour of it measured.

    Of the days beyond, what was not over is not known. The far hours are left out.
    """
    first = known.first_hour + FIRST_WINDOW_HOURS
    windows = build_windows(known, np.arange(first, until_hour - NEAR_HOURS + 1), with_far=False)
    return windows.take(np.flatnonzero((~np.isnan(windows.target[:, :NEAR_HOURS])).any(axis=1)))


def _late(known: KnownData, issue_hours: Integers, *, with_far: bool) -> Iterator[Windows]:
    for number, late in enumerate(LATE_HOURS):
        chosen = issue_hours[number * LATE_EVERY // len(LATE_HOURS) :: LATE_EVERY]
        yield build_windows(known, chosen, measurements_late_hours=late, with_far=with_far)


def _named(split: Split) -> Iterator[tuple[str, Integers]]:
    parts = {"train": split.fitted, "validation": np.concatenate(split.held_out), "test": split.test}
    for name, rows in parts.items():
        if len(rows):
            yield name, rows


def _part(name: str, issue_hours: Integers, until: datetime) -> TrainingSplit:
    end = min(time_of(int(issue_hours[-1])) + timedelta(hours=HORIZON_HOURS), until)
    return TrainingSplit(name, time_of(int(issue_hours[0])), end, len(issue_hours))
