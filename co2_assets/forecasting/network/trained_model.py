"""A trained model: the networks with all that is needed to use them and to say what they are."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, QUANTILES
from co2_assets.forecasting.forecaster import TrainingRecord
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import (
    PAST_HOURS,
    REACH_BACK_HOURS,
    Windows,
    future_inputs,
    past_inputs,
)
from co2_assets.forecasting.network.network import AttentionLstm
from co2_assets.forecasting.network.scaling import InputLayer, Scaler

Floats = NDArray[np.float64]

# Windows forecast at once: bounds the memory of long backtests.
_CHUNK: Final = 512


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained; the defaults are the ones measured in docs/accuracy.md.

    ``ensemble`` networks of ``hidden`` units differ by their seed and by the block of hours held out
    for validation; their quantiles are averaged. ``test_share`` and ``validation_share`` are shares of
    the issue times, taken from the end (see `splits`); a ``test_share`` of 0 leaves the test part out.
    ``feed_dropout`` is the share of training windows in which each optional feed is hidden;
    ``input_noise`` is the standard deviation, in scales of the input, of an error that is added to an
    input in all hours of a training window alike. In the loss a lead of the headline counts
    ``headline_weight`` times. ``threads`` is part of the result: sums in another order round otherwise.
    """

    ensemble: int = 4
    hidden: int = 64
    dropout: float = 0.15
    epochs: int = 5
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    feed_dropout: float = 0.08
    input_noise: float = 0.3
    headline_weight: float = 2.0
    validation_share: float = 0.16
    test_share: float = 0.1
    threads: int = 1


@dataclass(frozen=True)
class TrainedModel:
    """Networks, scaler and calibration of one area.

    ``trained_together`` are the names of all areas that the networks were trained on; each has a
    TrainedModel of its own, of the same version. ``offsets`` (HORIZON_HOURS, len(QUANTILES)) are the
    validation part's conformal offsets in half bands (see `calibration`), each block forecast by the
    network that did not learn it; ``widening`` is the factor on the bands when a feed is missing. The
    networks compute in double precision, so that a forecast does not depend on what else is in its
    batch.
    """

    version: str
    area: Area
    config: TrainingConfig
    seed: int
    scaler: Scaler
    networks: tuple[AttentionLstm, ...]
    offsets: Floats
    widening: Mapping[str, float]
    record: TrainingRecord
    weights_sha256: str
    trained_together: tuple[str, ...]
    input_layer: InputLayer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_layer", InputLayer(self.area, self.scaler, self.number))

    @property
    def reach_back(self) -> timedelta:
        """How far before an issue time its windows look."""
        return timedelta(hours=REACH_BACK_HOURS)

    @property
    def standing_causes(self) -> tuple[str, ...]:
        """A trained network is not degraded by itself."""
        return ()

    def quantiles(self, windows: Windows, data: KnownData) -> Floats:  # noqa: ARG002
        """`raw_quantiles`; all that the networks look at is in ``windows``."""
        return raw_quantiles(self, windows)

    @property
    def number(self) -> int:
        """The area's number in the networks' embedding."""
        return self.trained_together.index(self.area.name)

    @property
    def architecture(self) -> str:
        """The architecture in one line."""
        areas = f", areas {' '.join(self.trained_together)}" if len(self.trained_together) > 1 else ""
        return (
            f"{len(self.networks)} x attention LSTM({self.config.hidden}), {PAST_HOURS} h past, "
            f"{HORIZON_HOURS} h ahead, {len(QUANTILES)} quantiles{areas}"
        )

    @property
    def parameters(self) -> int:
        """Number of trained weights."""
        return sum(weight.numel() for network in self.networks for weight in network.parameters())

    @property
    def feature_list(self) -> list[str]:
        """Names of the inputs, past ones first."""
        return [
            *(f"past.{i.name}" for i in past_inputs(self.area)),
            *(f"future.{i.name}" for i in future_inputs(self.area)),
        ]


def model_version(area: Area, until: datetime, seed: int, weights_sha256: str) -> str:
    """Name of a model, the same for the same training."""
    return f"{area.name}-{until:%Y%m%dT%H%MZ}-s{seed}-{weights_sha256[:8]}"


def weights_bytes(networks: tuple[AttentionLstm, ...]) -> bytes:
    """The weights of all networks as the content of a safetensors file, single precision."""
    return save(
        {
            f"{number}.{name}": tensor.to(torch.float32).contiguous()
            for number, network in enumerate(networks)
            for name, tensor in network.state_dict().items()
        }
    )


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def raw_quantiles(model: TrainedModel, windows: Windows, hidden_feed: str | None = None) -> Floats:
    """The networks' mean quantiles before calibration, g/kWh: (N, HORIZON_HOURS, len(QUANTILES)).

    ``hidden_feed`` is treated as missing. Values may be negative: calibration comes first.
    """
    return _raw_quantiles(model, model.networks, windows, hidden_feed)


def raw_quantiles_of_one(
    model: TrainedModel, network: int, windows: Windows, hidden_feed: str | None = None
) -> Floats:
    """`raw_quantiles` of network number ``network`` alone."""
    return _raw_quantiles(model, model.networks[network : network + 1], windows, hidden_feed)


def _raw_quantiles(
    model: TrainedModel, networks: tuple[AttentionLstm, ...], windows: Windows, hidden_feed: str | None
) -> Floats:
    result = np.empty((len(windows), HORIZON_HOURS, len(QUANTILES)))
    with deterministic(model.config.threads), torch.inference_mode():
        for start in range(0, len(windows), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(windows)))
            batch = model.input_layer.batch(windows.take(rows), torch.float64)
            if hidden_feed is not None:
                model.input_layer.hide(batch, hidden_feed, torch.ones(len(rows), dtype=torch.bool))
            outputs = [network(batch.past, batch.future, batch.area) for network in networks]
            result[rows] = torch.stack(outputs).mean(0).numpy()
    change = result * model.scaler.change_scale[:, None]
    return change + windows.last_value.astype(np.float64)[:, None, None]


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Deterministic algorithms, ``threads`` threads and a random state of its own; restored after.

    One thread is not only reproducible but, for networks as small as these, the fastest on a machine
    that has anything else to do: two threads wait for each other spinning.
    """
    before = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    # As `use_deterministic_algorithms`, which also imports the compiler: 2 s and 100 MB that nothing uses.
    torch.set_deterministic_debug_mode("error")
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        torch.set_num_threads(before[1])
