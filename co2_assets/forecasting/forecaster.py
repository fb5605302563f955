"""What the pipeline knows of models: how one is trained, kept and asked for quantiles.

A forecaster trains, saves and loads models; a model forecasts one area. The network of
`forecasting.network` is one forecaster, the rule of `issue.fallback` a model without training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import Windows

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

# Before all hours that are measured.
_NEVER = datetime(1970, 1, 1)


class TooLittleDataError(ValueError):
    """There are not enough measured hours to train on."""


class ModelFileError(RuntimeError):
    """A model's files are missing, damaged or not of this program; the message names the remedy."""


@dataclass(frozen=True)
class TrainingSplit:
    """One part of the training data: ``split`` is train, validation or test.

    ``from_utc`` is its first issue time, ``to_utc`` the end of its last target hour, both naive UTC.
    The validation part may lie within the training part.
    """

    split: str
    from_utc: datetime
    to_utc: datetime
    windows: int


@dataclass(frozen=True)
class TrainingRecord:
    """What a training was made of and how it went.

    ``metrics`` has validation_mae_g_per_kwh, test_mae_g_per_kwh and test_persistence_mae_g_per_kwh
    of leads 1-6, each only where it was measured. ``curves`` lists, for each network in the order of
    training, the epochs' losses as (training, validation); a model without epochs has none.
    """

    data_from: datetime
    data_to: datetime
    parts: tuple[TrainingSplit, ...]
    metrics: Mapping[str, float]
    curves: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def fitted_until(self) -> datetime:
        """End of what the weights were fitted to or chosen by; 1970 where there was nothing."""
        return max((part.to_utc for part in self.parts if part.split != "test"), default=_NEVER)


# What a rule that learns from no training data says of its training.
NO_TRAINING = TrainingRecord(_NEVER, _NEVER, (), {}, ())


class Model(Protocol):
    """A trained model as it forecasts one area.

    ``version`` names it, and is shared by the models of other areas that were trained together with it.
    ``architecture`` is one line for people, ``parameters`` the number of trained weights, ``feature_list``
    the names of its inputs. ``offsets`` (HORIZON_HOURS, len(QUANTILES)) are its own conformal offsets in
    half bands (see `calibration`), which outcomes correct at each issue; None says that its quantiles are
    calibrated already and stay as they are. ``widening`` are, for each feed that it uses, the factors >= 1
    on its bands of each of `DAYS_AHEAD` while all of that feed is missing. ``reach_back`` is how far before
    an issue time it looks at the data. ``standing_causes`` are said with each of its forecasts, first
    among the causes why a forecast is degraded.
    """

    @property
    def version(self) -> str: ...
    @property
    def area(self) -> Area: ...
    @property
    def seed(self) -> int: ...
    @property
    def architecture(self) -> str: ...
    @property
    def parameters(self) -> int: ...
    @property
    def feature_list(self) -> list[str]: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def record(self) -> TrainingRecord: ...
    @property
    def offsets(self) -> Floats | None: ...
    @property
    def widening(self) -> Mapping[str, tuple[float, ...]]: ...
    @property
    def reach_back(self) -> timedelta: ...
    @property
    def standing_causes(self) -> tuple[str, ...]: ...

    def quantiles(self, windows: Windows, data: KnownData) -> Floats:
        """Return the quantiles of all ``windows``, g/kWh: (N, HORIZON_HOURS, len(QUANTILES)), ascending.

        ``data`` are what the windows were built from. Of them a model may use only what was knowable at
        each window's issue time. A forecast must not depend on the other windows. Values may be negative
        where ``offsets`` are given.
        """
        ...


class Forecaster(Protocol):
    """Trains, saves and loads one kind of model. It keeps nothing between calls."""

    def train(
        self,
        data: Sequence[KnownData],
        *,
        until: datetime,
        seed: int,
        sizes: Mapping[str, int],
        with_test: bool,
        progress: Progress,
    ) -> Sequence[Model]:
        """Train on what was knowable of some areas at ``until`` (naive UTC, a whole hour).

        ``sizes`` say how large the model and its training are, by names of the forecaster's own; what is
        not named has its default. Without ``with_test`` no part of the history is set aside for a test.
        ``progress`` gets a line from time to time. The same arguments give the same models, bit by bit.
        Returns a model for each area that has enough history, all of one version, in the order given.
        Raises TooLittleDataError when the history is too short for all areas, ValueError or TypeError for
        ``sizes`` that it does not know.
        """
        ...

    def was_trained_with(self, model: Model, *, sizes: Mapping[str, int], with_test: bool) -> bool:
        """Whether ``model`` was trained with these arguments of `train`."""
        ...

    def save(self, model: Model, folder: Path) -> Path:
        """Write ``model`` into ``folder``, made if need be, and return the path of its weights.

        All its files are named ``version.``, followed by whatever the forecaster likes (`version_of`).
        Writing the same model again changes nothing; a write that is cut short leaves no model.
        """
        ...

    def load(self, folder: Path, version: str, area_name: str) -> Model:
        """Read a saved model of one area. Raises ModelFileError when its files cannot be trusted."""
        ...


def version_of(path: Path) -> str:
    """Return the version of the model that a file of it belongs to."""
    return path.name.split(".")[0]
