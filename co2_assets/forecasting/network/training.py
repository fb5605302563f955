"""Training: the same data, seed and machine give the same model, bit by bit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from co2_assets.contracts.forecast_spec import (
    DAYS_AHEAD,
    HEADLINE_LEADS,
    HORIZON_HOURS,
    MEDIAN,
    NEAR_HOURS,
)
from co2_assets.forecasting import metrics
from co2_assets.forecasting.calibration import conformal_offsets, scaled_errors
from co2_assets.forecasting.inputs.input_lists import AREA_PRODUCTION_FEED, MASKABLE_FEEDS, POWER_FEED
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import build_windows
from co2_assets.forecasting.network.hour_network import FIRST_LEADS, NearNetwork
from co2_assets.forecasting.network.network import pinball_loss
from co2_assets.forecasting.network.scaling import FAR, NEAR, REACHES, Batch, Batches, InputLayer, Reach
from co2_assets.forecasting.network.trained_model import (
    Ensemble,
    Network,
    TrainedModel,
    TrainingConfig,
    deterministic,
    model_version,
    raw_quantiles_held_out,
    sha256,
    weights_bytes,
)
from co2_assets.forecasting.network.training_data import AreaTrainingData, prepare

Floats = NDArray[np.float64]
# The training and the validation loss of each epoch.
Curve = tuple[tuple[float, float], ...]

# When a feed is missing the bands are at least this much wider.
LEAST_WIDENING = 1.05
# Hours behind, by which the widening for late measurements is measured.
WIDENING_LATE_HOURS = 3
# How much wider is measured on every second held out window.
WIDENING_EVERY = 2

# An epoch has at least this many batches, smaller ones where the history is short.
LEAST_BATCHES = 32

# An epoch shows at most as many windows as one area has in twenty months, drawn anew from those of all areas:
# it keeps the time of a training in bounds. Of shorter histories all are shown. The far networks, which learn
# every few hours only, are shown as many fewer.
SHOWN_AT_MOST = 14_500

_WARM_UP_SHARE = 0.1
_LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class EpochReport:
    """How far a training is: network and epoch count from 1, losses are scaled pinball losses.

    ``reach`` says which of the three kinds of networks: of the first hours, the first day, the days beyond;
    ``epochs`` how many it is trained for.
    """

    reach: str
    network: int
    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float


def train(
    data: KnownData,
    *,
    until: datetime,
    seed: int,
    config: TrainingConfig | None = None,
    progress: Callable[[EpochReport], None] | None = None,
) -> TrainedModel:
    """Train an ensemble on what was knowable of one area at ``until``: see `train_together`."""
    (model,) = train_together([data], until=until, seed=seed, config=config, progress=progress)
    return model


def train_together(
    data: Sequence[KnownData],
    *,
    until: datetime,
    seed: int,
    config: TrainingConfig | None = None,
    progress: Callable[[EpochReport], None] | None = None,
) -> tuple[TrainedModel, ...]:
    """Train one ensemble on what was knowable of some areas at ``until`` (naive UTC, a whole hour).

    Each network learns from every area's training part but a block of its own, which validates it
    and calibrates; the test parts are scored once, at the end. The first day ahead and the days beyond have
    networks of their own. An epoch shows at most SHOWN_AT_MOST windows, drawn anew from all areas.
    Scaling and calibration are each area's own. Returns a model for each area that has enough history, all
    of one version, in the order given; TooLittleDataError when the history is too short for all of them.
    """
    config = config or TrainingConfig()
    prepared = prepare(data, until, config)
    together = tuple(own.area.name for own in prepared)
    networks: dict[str, tuple[Network, ...]] = {}
    curves: list[Curve] = []
    with deterministic(config.threads):
        for reach in REACHES:
            first = sum(map(len, networks.values()))
            fitted = [
                _fit(prepared, reach, number, (seed, first + number), config, progress)
                for number in range(config.networks_of(reach))
            ]
            networks[reach.name] = tuple(network for network, _ in fitted)
            curves += [curve for _, own in fitted for curve in own]
        weights_sha256 = sha256(weights_bytes(networks))
        return tuple(
            _finished(
                TrainedModel(
                    version=model_version(prepared[0].area, until, seed, weights_sha256),
                    area=own.area,
                    config=config,
                    seed=seed,
                    near=Ensemble(own.shown[NEAR.name].layer, networks[NEAR.name]),
                    far=Ensemble(own.shown[FAR.name].layer, networks[FAR.name]),
                    offsets=np.zeros(0),
                    widening={},
                    record=own.record(until, tuple(curves)),
                    weights_sha256=weights_sha256,
                    trained_together=together,
                ),
                own,
            )
            for own in prepared
        )


def _fit(
    prepared: Sequence[AreaTrainingData],
    reach: Reach,
    number: int,
    seed: tuple[int, int],
    config: TrainingConfig,
    progress: Callable[[EpochReport], None] | None,
) -> tuple[Network, list[Curve]]:
    """Fit network ``number`` of a reach to what it learns; return it with the curve of each of its parts."""
    shown = [own.shown[reach.name] for own in prepared]
    learnt = torch.as_tensor(np.flatnonzero(np.concatenate([own.learns(number) for own in shown])))
    lessons = _Lessons(
        shown[0].layer,
        Batches([part for own in shown for part in own.parts]),
        learnt,
        Batch.joined([own.validation(reach, number) for own in prepared]),
        config,
    )
    torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]))
    network = config.network(lessons.layer, len(prepared))
    curves = []
    for course in _courses(network, reach, config):
        curve: list[tuple[float, float]] = []
        for losses in lessons.fit(course):
            curve.append(losses)
            if progress is not None:
                progress(EpochReport(course.name, number + 1, len(curve), course.epochs, *losses))
        curves.append(tuple(curve))
    return network.double().eval(), curves


@dataclass(frozen=True)
class _Course:
    """How one part of a network is trained; ``weight`` (leads,) is how much each of its leads counts."""

    name: str
    part: nn.Module
    weight: torch.Tensor
    epochs: int
    batch_size: int
    shown_at_most: int = SHOWN_AT_MOST


def _courses(network: Network, reach: Reach, config: TrainingConfig) -> list[_Course]:
    weight = _lead_weights(config, reach)
    if not isinstance(network, NearNetwork):
        shown = SHOWN_AT_MOST // config.far_every
        return [_Course(reach.name, network, weight, config.far_epochs, config.batch_size, shown)]
    first = torch.ones(FIRST_LEADS)
    return [
        _Course(reach.name, network.course, weight, config.epochs, config.batch_size),
        _Course("first", network.first, first, config.first_epochs, config.first_batch_size),
    ]


@dataclass(frozen=True)
class _Lessons:
    """What a network learns: the windows ``learnt`` of all ``windows``, and those that validate it."""

    layer: InputLayer
    windows: Batches
    learnt: torch.Tensor
    validation: Batch
    config: TrainingConfig

    def fit(self, course: _Course) -> Iterator[tuple[float, float]]:
        """Fit a part of a network, its learning rate falling to nothing; yield the losses of each epoch."""
        part, config = course.part, self.config
        shown = min(len(self.learnt), course.shown_at_most)
        batch_size = max(1, min(course.batch_size, shown // LEAST_BATCHES))
        optimizer = torch.optim.AdamW(
            part.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            config.learning_rate,
            total_steps=course.epochs * -(-shown // batch_size),
            pct_start=_WARM_UP_SHARE,
            cycle_momentum=False,
        )
        for _ in range(course.epochs):
            part.train()
            losses = []
            for index in torch.split(self.learnt[torch.randperm(len(self.learnt))[:shown]], batch_size):
                batch = self.windows.rows(index)
                for feed in MASKABLE_FEEDS:
                    self.layer.hide(batch, feed, torch.rand(len(index)) < config.feed_dropout)
                past, future = (
                    _disturbed(values, config.input_noise) for values in (batch.past, batch.future)
                )
                target = batch.target[:, : len(course.weight)]
                loss = pinball_loss(part(past, future, batch.area), target, course.weight)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(part.parameters(), _LARGEST_GRADIENT)
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
            yield float(np.mean(losses)), _loss(part, self.validation, course.weight)


def _lead_weights(config: TrainingConfig, reach: Reach) -> torch.Tensor:
    weight = torch.ones(HORIZON_HOURS)
    first, last = HEADLINE_LEADS
    weight[first - 1 : last] = config.headline_weight
    own = weight[reach.leads]
    return own / own.mean()


def _disturbed(values: torch.Tensor, noise: float) -> torch.Tensor:
    """Each input off by the same amount in all hours of a window.

    Windows an hour apart are nearly the same, and a network soon knows the weeks that they lie in by
    their levels; it must not rely on those.
    """
    return values + noise * torch.randn(len(values), 1, values.shape[-1])


def _loss(network: nn.Module, batch: Batch, weight: torch.Tensor) -> float:
    network.eval()
    with torch.inference_mode():
        parts = [batch.rows(index) for index in torch.split(torch.arange(len(batch)), 1024)]
        losses = [
            pinball_loss(
                network(part.past, part.future, part.area), part.target[:, : len(weight)], weight
            ).item()
            for part in parts
        ]
    return float(np.average(losses, weights=[len(part) for part in parts]))


def _finished(model: TrainedModel, own: AreaTrainingData) -> TrainedModel:
    """The model with its calibration and its scores; the one place that looks at the test part."""
    known, held_out, test = own.known, own.held_out, own.test
    actual = held_out.target.astype(np.float64)
    raw = raw_quantiles_held_out(model, held_out)
    offsets, _ = conformal_offsets(scaled_errors(raw, actual))
    # The flows over the borders are in no recording; nobody misses what no network has learnt to use.
    missed = [feed for feed in MASKABLE_FEEDS if feed != AREA_PRODUCTION_FEED or model.near.layer.uses(feed)]
    some = actual[::WIDENING_EVERY]
    without = {
        feed: (raw_quantiles_held_out(model, held_out, feed, every=WIDENING_EVERY), some) for feed in missed
    }
    late = build_windows(known, held_out.issue_hours, measurements_late_hours=WIDENING_LATE_HOURS)
    without[POWER_FEED] = (
        raw_quantiles_held_out(model, late, every=WIDENING_EVERY),
        late.target[::WIDENING_EVERY].astype(np.float64),
    )
    usual = _typical_errors(raw[::WIDENING_EVERY], some)
    widening = {
        feed: tuple(
            max(error / least, LEAST_WIDENING)
            for error, least in zip(_typical_errors(*forecast), usual, strict=True)
        )
        for feed, forecast in without.items()
    }
    scores = {"validation_mae_g_per_kwh": _headline_mae(raw[..., MEDIAN], actual)}
    if len(test):
        median = model.near.quantiles(test)[..., MEDIAN]
        target = test.target.astype(np.float64)
        scores["test_mae_g_per_kwh"] = _headline_mae(median, target)
        last = np.repeat(test.last_value[:, None], NEAR_HOURS, axis=1).astype(np.float64)
        scores["test_persistence_mae_g_per_kwh"] = _headline_mae(last, target)
    return replace(
        model,
        offsets=offsets,
        widening=widening,
        record=replace(model.record, metrics=scores),
    )


def _typical_errors(raw: Floats, actual: Floats) -> list[float]:
    """By day ahead, within how many half bands 80 % of errors of the median are."""
    errors = np.abs(scaled_errors(raw, actual)[..., MEDIAN])
    return [float(np.nanquantile(errors[:, first - 1 : last], 0.8)) for first, last in DAYS_AHEAD]


def _headline_mae(forecast: Floats, target: Floats) -> float:
    first, last = HEADLINE_LEADS
    actual = target[:, first - 1 : last]
    known = ~np.isnan(actual)
    return metrics.mae(actual[known], forecast[:, first - 1 : last][known])
