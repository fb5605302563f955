"""What an ensemble is trained on: the windows of each area, and which of them each network learns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.contracts.time import hour_of, time_of
from co2_assets.forecasting.forecaster import TooLittleDataError, TrainingRecord, TrainingSplit
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import REACH_BACK_HOURS, Windows, build_windows
from co2_assets.forecasting.network.scaling import Batch, InputLayer, fit_scaler
from co2_assets.forecasting.network.splits import Split, split_in_time
from co2_assets.forecasting.network.trained_model import TrainingConfig

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Some windows are shown again with the newest measured hours hidden, so that the networks know what
# to do when that feed is behind: hours behind, and every which window.
LATE_HOURS = (1, 2, 3, 6)
LATE_EVERY = 40


@dataclass(frozen=True)
class AreaTrainingData:
    """What the networks are trained and tested on, of one area.

    ``hours`` are the issue hours of all its windows, ``shown_hours`` those of the windows that networks are
    trained on. ``held_out`` has for each network the windows that it is not trained on, ``test`` those that
    no network is trained on.
    """

    known: KnownData
    hours: Integers
    split: Split
    layer: InputLayer
    shown_hours: Integers
    held_out: tuple[Windows, ...]
    test: Windows

    @property
    def area(self) -> Area:
        return self.known.area

    def learns(self, network: int) -> Flags:
        return self.split.learns(network, self.shown_hours)

    def validation(self, network: int) -> Batch:
        return self.layer.batch(self.held_out[network])

    def record(self, until: datetime, curves: tuple[tuple[tuple[float, float], ...], ...]) -> TrainingRecord:
        return TrainingRecord(
            data_from=time_of(int(self.hours[0])),
            data_to=until,
            parts=tuple(_part(name, self.hours[rows]) for name, rows in _named(self.split)),
            metrics={},
            curves=curves,
        )


def prepare(
    data: Sequence[KnownData], until: datetime, config: TrainingConfig
) -> tuple[list[AreaTrainingData], Batch]:
    """Return the training data of each area with enough history, and the batch of all windows to train on.

    The batch has the areas one after the other. Raises TooLittleDataError when no area has enough history.
    """
    prepared: list[AreaTrainingData] = []
    shown: list[Batch] = []
    errors = []
    for area_data in data:
        try:
            own, batch = _prepare_area(area_data.cut(until), len(prepared), until, config)
        except TooLittleDataError as error:
            errors.append(error)
        else:
            prepared.append(own)
            shown.append(batch)
    if not prepared:
        raise errors[0]
    return prepared, Batch.joined(shown)


def _prepare_area(
    known: KnownData, number: int, until: datetime, config: TrainingConfig
) -> tuple[AreaTrainingData, Batch]:
    """Return an area's training data and its part of the batch; the other windows are not kept."""
    windows = _complete_windows(known, hour_of(until))
    split = split_in_time(windows.issue_hours, config.ensemble, config.validation_share, config.test_share)
    fitted = windows.take(split.fitted)
    layer = InputLayer(known.area, fit_scaler(fitted), number)
    shown = Windows.joined([fitted, *_late(known, fitted.issue_hours)])
    own = AreaTrainingData(
        known,
        windows.issue_hours,
        split,
        layer,
        shown.issue_hours,
        tuple(windows.take(block) for block in split.held_out),
        windows.take(split.test),
    )
    return own, layer.batch(shown)


def _complete_windows(known: KnownData, until_hour: int) -> Windows:
    """Windows of every hour whose targets were over by then, at least one of them measured."""
    first = known.first_hour + REACH_BACK_HOURS
    windows = build_windows(known, np.arange(first, until_hour - HORIZON_HOURS + 1))
    return windows.take(np.flatnonzero((~np.isnan(windows.target)).any(axis=1)))


def _late(known: KnownData, issue_hours: Integers) -> Iterator[Windows]:
    for number, late in enumerate(LATE_HOURS):
        chosen = issue_hours[number * LATE_EVERY // len(LATE_HOURS) :: LATE_EVERY]
        yield build_windows(known, chosen, measurements_late_hours=late)


def _named(split: Split) -> Iterator[tuple[str, Integers]]:
    parts = {"train": split.fitted, "validation": np.concatenate(split.held_out), "test": split.test}
    for name, rows in parts.items():
        if len(rows):
            yield name, rows


def _part(name: str, issue_hours: Integers) -> TrainingSplit:
    end = time_of(int(issue_hours[-1])) + timedelta(hours=HORIZON_HOURS)
    return TrainingSplit(name, time_of(int(issue_hours[0])), end, len(issue_hours))
