"""A trained model: the networks with all that is needed to use them and to say what they are."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, NEAR_HOURS, QUANTILES
from co2_assets.forecasting.forecaster import TrainingRecord
from co2_assets.forecasting.inputs.input_lists import WEATHER_FEED, past_inputs
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import HANDOVER_HOURS, PAST_HOURS, REACH_BACK_HOURS, Windows
from co2_assets.forecasting.issue.degradation import MODEL_CAUSE
from co2_assets.forecasting.network.hour_network import FIRST_LEADS, HourNetwork, NearNetwork
from co2_assets.forecasting.network.network import AttentionLstm
from co2_assets.forecasting.network.scaling import NEAR, REACHES, InputLayer, Reach, Scaler

Floats = NDArray[np.float64]
Network = AttentionLstm | NearNetwork

# Windows forecast at once: bounds the memory of long backtests.
_CHUNK: Final = 512

NO_WEATHER_CAUSE: Final = (
    f"{MODEL_CAUSE}it was trained without weather forecasts; beyond the first day it is rough"
)


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained; the defaults are the ones measured in docs/accuracy.md.

    ``ensemble`` networks of ``hidden`` units forecast the first day, ``far_ensemble`` of ``far_hidden`` units
    the days beyond. They differ by their seed and by the block of hours held out for validation; their
    quantiles are averaged. A far network is shown every ``far_every``-th issue hour, since neighbours have
    nearly all their hours in common. Beside each network of the first day a plain one of
    ``first_hidden`` units forecasts its first hours (see `hour_network`). ``test_share`` and
    ``validation_share`` are shares of the issue times, taken from the end (see `splits`); a ``test_share``
    of 0 leaves the test part out.
    ``feed_dropout`` is the share of training windows in which each optional feed is hidden;
    ``input_noise`` is the standard deviation, in scales of the input, of an error that is added to an
    input in all hours of a training window alike. In the loss a lead of the headline counts
    ``headline_weight`` times. ``threads`` is part of the result: sums in another order round otherwise.
    """

    ensemble: int = 4
    hidden: int = 64
    epochs: int = 5
    first_hidden: int = 128
    first_epochs: int = 10
    first_batch_size: int = 128
    far_ensemble: int = 2
    far_hidden: int = 48
    far_epochs: int = 6
    far_every: int = 4
    dropout: float = 0.15
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    feed_dropout: float = 0.08
    input_noise: float = 0.3
    headline_weight: float = 2.0
    validation_share: float = 0.16
    test_share: float = 0.1
    threads: int = 1

    def networks_of(self, reach: Reach) -> int:
        """How many networks forecast ``reach``."""
        return self.ensemble if reach is NEAR else self.far_ensemble

    def network(self, layer: InputLayer, areas: int) -> Network:
        """Return a new network for the inputs of ``layer``."""
        widths = layer.past_width, layer.future_width
        if layer.reach is not NEAR:
            return AttentionLstm(*widths, self.far_hidden, self.dropout, areas)
        return NearNetwork(
            AttentionLstm(*widths, self.hidden, self.dropout, areas),
            HourNetwork(*widths, layer.co2_change, self.first_hidden, self.dropout, areas),
        )


@dataclass(frozen=True)
class Ensemble:
    """The networks of one reach, with the scaler of one area."""

    layer: InputLayer
    networks: tuple[Network, ...]

    @property
    def scaler(self) -> Scaler:
        return self.layer.scaler

    def quantiles(
        self, windows: Windows, networks: slice = slice(None), hidden_feed: str | None = None
    ) -> Floats:
        """Mean quantiles of the ``networks`` of the slice, g/kWh: (N, leads of the reach, len(QUANTILES))."""
        with torch.inference_mode():
            return self._quantiles(windows, networks, hidden_feed)

    def _quantiles(self, windows: Windows, networks: slice, hidden_feed: str | None) -> Floats:
        layer = self.layer
        result = np.empty((len(windows), layer.reach.hours, len(QUANTILES)))
        for start in range(0, len(windows), _CHUNK):
            rows = slice(start, min(start + _CHUNK, len(windows)))
            batch = layer.batch(windows.take(rows), torch.float64)
            if hidden_feed is not None:
                layer.hide(batch, hidden_feed, torch.ones(len(batch), dtype=torch.bool))
            outputs = [network(batch.past, batch.future, batch.area) for network in self.networks[networks]]
            result[rows] = torch.stack(outputs).mean(0).numpy()
        change = result * self.scaler.change_scale[:, None]
        return change + windows.last_value.astype(np.float64)[:, None, None]


@dataclass(frozen=True)
class TrainedModel:
    """Networks, scalers and calibration of one area.

    ``near`` and ``far`` have the networks of the first day and of the days beyond. ``trained_together`` are
    the names of all areas that the networks were trained on; each has a
    TrainedModel of its own, of the same version. ``offsets`` (HORIZON_HOURS, len(QUANTILES)) are the
    validation part's conformal offsets in half bands (see `calibration`), each block forecast by the
    network that did not learn it; ``widening`` are for each feed the factors on the bands of each day ahead
    when that feed is missing. The
    networks compute in double precision, so that a forecast does not depend on what else is in its
    batch.
    """

    version: str
    area: Area
    config: TrainingConfig
    seed: int
    near: Ensemble
    far: Ensemble
    offsets: Floats
    widening: Mapping[str, tuple[float, ...]]
    record: TrainingRecord
    weights_sha256: str
    trained_together: tuple[str, ...]

    @property
    def reach_back(self) -> timedelta:
        """How far before an issue time its windows look."""
        return timedelta(hours=REACH_BACK_HOURS)

    @property
    def standing_causes(self) -> tuple[str, ...]:
        """Without weather forecasts the days beyond the first are degraded, whatever comes in later."""
        return () if self.far.layer.uses(WEATHER_FEED) else (NO_WEATHER_CAUSE,)

    def quantiles(self, windows: Windows, data: KnownData) -> Floats:  # noqa: ARG002
        """`raw_quantiles`; all that the networks look at is in ``windows``."""
        return raw_quantiles(self, windows)

    @property
    def ensembles(self) -> tuple[Ensemble, Ensemble]:
        """The networks of each reach, in the order of `REACHES`."""
        return self.near, self.far

    @property
    def architecture(self) -> str:
        """The architecture in one line."""
        areas = f", areas {' '.join(self.trained_together)}" if len(self.trained_together) > 1 else ""
        return (
            f"{self.config.ensemble} x (attention LSTM({self.config.hidden}) to {NEAR_HOURS} h, "
            f"with a plain network({self.config.first_hidden}) to {FIRST_LEADS} h) and "
            f"{self.config.far_ensemble} x attention LSTM({self.config.far_hidden}) beyond, "
            f"{PAST_HOURS} h past, {HORIZON_HOURS} h ahead, {len(QUANTILES)} quantiles{areas}"
        )

    @property
    def parameters(self) -> int:
        """Number of trained weights."""
        networks = [network for ensemble in self.ensembles for network in ensemble.networks]
        return sum(weight.numel() for network in networks for weight in network.parameters())

    @property
    def feature_list(self) -> list[str]:
        """Names of the inputs, past ones first."""
        return feature_list(self.area)


def feature_list(area: Area) -> list[str]:
    """Names of the inputs of this program's networks for ``area``."""
    return [
        *(f"past.{i.name}" for i in past_inputs(area)),
        *(f"{reach.name}.{i.name}" for reach in REACHES for i in reach.inputs(area)),
    ]


def model_version(area: Area, until: datetime, seed: int, weights_sha256: str) -> str:
    """Name of a model, the same for the same training."""
    return f"{area.name}-{until:%Y%m%dT%H%MZ}-s{seed}-{weights_sha256[:8]}"


def weights_bytes(networks: Mapping[str, Sequence[Network]]) -> bytes:
    """The weights of the networks of each reach as the content of a safetensors file, single precision."""
    return save(
        {
            f"{reach}.{number}.{name}": tensor.to(torch.float32).contiguous()
            for reach, own in networks.items()
            for number, network in enumerate(own)
            for name, tensor in network.state_dict().items()
        }
    )


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def raw_quantiles(model: TrainedModel, windows: Windows) -> Floats:
    """The networks' mean quantiles before calibration, g/kWh: (N, HORIZON_HOURS, len(QUANTILES)).

    Values may be negative: calibration comes first.
    """
    with deterministic(model.config.threads):
        return _handed_over(*(ensemble.quantiles(windows) for ensemble in model.ensembles))


def raw_quantiles_held_out(
    model: TrainedModel, windows: Windows, hidden_feed: str | None = None, every: int = 1
) -> Floats:
    """`raw_quantiles` of the held out ``windows[::every]``, each by the network that did not learn it.

    The windows are all that were held out, in time order: each ensemble has them as equal blocks, one for
    each of its networks. ``hidden_feed`` is treated as missing.
    """

    def own(ensemble: Ensemble) -> Floats:
        blocks = np.array_split(np.arange(len(windows)), len(ensemble.networks))
        return np.concatenate(
            [
                ensemble.quantiles(
                    windows.take(block[block % every == 0]), slice(number, number + 1), hidden_feed
                )
                for number, block in enumerate(blocks)
            ]
        )

    with deterministic(model.config.threads):
        return _handed_over(*map(own, model.ensembles))


def _handed_over(near: Floats, far: Floats) -> Floats:
    """The first day by the near networks, the days beyond by the far ones, which take over step by step.

    Two kinds of networks that know different things would else leave a leap between two hours.
    """
    share = (np.arange(HANDOVER_HOURS) + 1.0)[:, None] / (HANDOVER_HOURS + 1)
    both = (1 - share) * near[:, NEAR_HOURS:] + share * far[:, :HANDOVER_HOURS]
    return np.concatenate([near[:, :NEAR_HOURS], both, far[:, HANDOVER_HOURS:]], axis=1)


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
