"""The network as a forecaster. Only its methods import torch, which takes a second and a half."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from co2_assets.forecasting.forecaster import Model, Progress
from co2_assets.forecasting.inputs.known_data import KnownData

if TYPE_CHECKING:
    from co2_assets.forecasting.network.trained_model import TrainedModel, TrainingConfig
    from co2_assets.forecasting.network.training import EpochReport


class NetworkForecaster:
    """Attention LSTMs; ``sizes`` are fields of `TrainingConfig`."""

    def train(
        self,
        data: Sequence[KnownData],
        *,
        until: datetime,
        seed: int,
        sizes: Mapping[str, int],
        with_test: bool,
        progress: Progress,
    ) -> "tuple[TrainedModel, ...]":
        """Train an ensemble on all areas together: see `training.train_together`."""
        from co2_assets.forecasting.network.training import train_together

        config = _config(sizes, with_test=with_test)

        def report(epoch: "EpochReport") -> None:
            progress(
                f"{epoch.reach} network {epoch.network}, epoch {epoch.epoch} of {epoch.epochs}: "
                f"training loss {epoch.train_loss:.4f}, validation loss {epoch.validation_loss:.4f}"
            )

        return train_together(data, until=until, seed=seed, config=config, progress=report)

    def was_trained_with(self, model: Model, *, sizes: Mapping[str, int], with_test: bool) -> bool:
        """Whether the configuration of ``model`` is the one that `train` would use."""
        return _own(model).config == _config(sizes, with_test=with_test)

    def save(self, model: Model, folder: Path) -> Path:
        """Write the weights and the sidecar: see `model_file.save_model`."""
        from co2_assets.forecasting.network.model_file import save_model

        return save_model(_own(model), folder)

    def load(self, folder: Path, version: str, area_name: str) -> "TrainedModel":
        """Read a model: see `model_file.load_model`."""
        from co2_assets.forecasting.network.model_file import load_model

        return load_model(folder, version, area_name)


def _config(sizes: Mapping[str, int], *, with_test: bool) -> "TrainingConfig":
    from co2_assets.forecasting.network.trained_model import TrainingConfig

    config = TrainingConfig(**sizes)
    return config if with_test else replace(config, test_share=0.0)


def _own(model: Model) -> "TrainedModel":
    """Return ``model`` as a network. Raises TypeError where another forecaster made it."""
    from co2_assets.forecasting.network.trained_model import TrainedModel

    if not isinstance(model, TrainedModel):
        raise TypeError(f"{model.version} is no model of networks")
    return model
