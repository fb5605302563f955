"""Training: the same data, seed and machine give the same model, bit by bit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import torch
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import HEADLINE_LEADS, HORIZON_HOURS, MEDIAN
from co2_assets.forecasting import metrics
from co2_assets.forecasting.calibration import conformal_offsets, scaled_errors
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import (
    MASKABLE_FEEDS,
    POWER_FEED,
    Windows,
    build_windows,
)
from co2_assets.forecasting.network.network import AttentionLstm, pinball_loss
from co2_assets.forecasting.network.scaling import Batch, InputLayer
from co2_assets.forecasting.network.trained_model import (
    TrainedModel,
    TrainingConfig,
    deterministic,
    model_version,
    raw_quantiles,
    raw_quantiles_of_one,
    sha256,
    weights_bytes,
)
from co2_assets.forecasting.network.training_data import AreaTrainingData, prepare

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# When a feed is missing the bands are at least this much wider.
LEAST_WIDENING = 1.05
# Hours behind, by which the widening for late measurements is measured.
WIDENING_LATE_HOURS = 3

# An epoch has at least this many batches, smaller ones where the history is short.
LEAST_BATCHES = 32

# However many areas there are, an epoch shows as many windows as two of them have. Of three simulated areas,
# leads 1-6 of the whole country erred by 9.15 g/kWh with one area's windows and by 8.91 with two's, and
# by 9.00 where it learnt alone (`co2 backtest`, March to May 2024).
AREAS_SHOWN = 2

_WARM_UP_SHARE = 0.1
_LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class EpochReport:
    """How far a training is: network and epoch count from 1, losses are scaled pinball losses."""

    network: int
    epoch: int
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
    and calibrates; the test parts are scored once, at the end. An epoch shows as many windows as
    AREAS_SHOWN areas have, drawn anew from all. Scaling and calibration are each area's
    own. Returns a model for each area that has enough history, all of one version, in the order
    given; TooLittleDataError when the history is too short for all of them.
    """
    config = config or TrainingConfig()
    prepared, shown = prepare(data, until, config)
    together = tuple(own.area.name for own in prepared)
    networks, curves = [], []
    with deterministic(config.threads):
        for number in range(config.ensemble):
            learnt = torch.as_tensor(np.concatenate([own.learns(number) for own in prepared]))
            validation = Batch.joined([own.validation(number) for own in prepared])
            network, curve = _fit(
                prepared[0].layer,
                shown,
                torch.as_tensor(np.flatnonzero(learnt)),
                validation,
                (seed, number),
                config,
                progress,
            )
            networks.append(network.double().eval())
            curves.append(curve)
        weights_sha256 = sha256(weights_bytes(tuple(networks)))
        return tuple(
            _finished(
                TrainedModel(
                    version=model_version(prepared[0].area, until, seed, weights_sha256),
                    area=own.area,
                    config=config,
                    seed=seed,
                    scaler=own.layer.scaler,
                    networks=tuple(networks),
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
    layer: InputLayer,
    shown: Batch,
    learnt: torch.Tensor,
    validation: Batch,
    seed: tuple[int, int],
    config: TrainingConfig,
    progress: Callable[[EpochReport], None] | None,
) -> tuple[AttentionLstm, tuple[tuple[float, float], ...]]:
    """Fit one network to the rows ``learnt`` of ``shown``, its learning rate falling to nothing."""
    torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]))
    areas = int(shown.area.max()) + 1
    shown_each_epoch = -(-len(learnt) * min(areas, AREAS_SHOWN) // areas)
    network = AttentionLstm(layer.past_width, layer.future_width, config.hidden, config.dropout, areas)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    batch_size = max(1, min(config.batch_size, shown_each_epoch // LEAST_BATCHES))
    steps = config.epochs * -(-shown_each_epoch // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps, pct_start=_WARM_UP_SHARE, cycle_momentum=False
    )
    weight = _lead_weights(config)
    curve: list[tuple[float, float]] = []
    for epoch in range(1, config.epochs + 1):
        network.train()
        losses = []
        for index in torch.split(learnt[torch.randperm(len(learnt))[:shown_each_epoch]], batch_size):
            batch = shown.rows(index)
            for feed in MASKABLE_FEEDS:
                layer.hide(batch, feed, torch.rand(len(index)) < config.feed_dropout)
            past, future = (_disturbed(values, config.input_noise) for values in (batch.past, batch.future))
            loss = pinball_loss(network(past, future, batch.area), batch.target, weight)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        curve.append((float(np.mean(losses)), _loss(network, validation, weight)))
        if progress is not None:
            progress(EpochReport(seed[1] + 1, epoch, *curve[-1]))
    return network, tuple(curve)


def _lead_weights(config: TrainingConfig) -> torch.Tensor:
    weight = torch.ones(HORIZON_HOURS)
    first, last = HEADLINE_LEADS
    weight[first - 1 : last] = config.headline_weight
    return weight / weight.mean()


def _disturbed(values: torch.Tensor, noise: float) -> torch.Tensor:
    """Each input off by the same amount in all hours of a window.

    Windows an hour apart are nearly the same, and a network soon knows the weeks that they lie in by
    their levels; it must not rely on those.
    """
    return values + noise * torch.randn(len(values), 1, values.shape[-1])


def _loss(network: AttentionLstm, batch: Batch, weight: torch.Tensor) -> float:
    network.eval()
    with torch.inference_mode():
        parts = [batch.rows(index) for index in torch.split(torch.arange(len(batch)), 1024)]
        losses = [
            pinball_loss(network(part.past, part.future, part.area), part.target, weight).item()
            for part in parts
        ]
    return float(np.average(losses, weights=[len(part) for part in parts]))


def _finished(model: TrainedModel, own: AreaTrainingData) -> TrainedModel:
    """The model with its calibration and its scores; the one place that looks at the test part."""
    known, held_out, test = own.known, own.held_out, own.test

    def blocks(windows: Sequence[Windows], hidden_feed: str | None = None) -> Floats:
        """What was held out, forecast by the networks that did not learn it."""
        parts = (raw_quantiles_of_one(model, n, part, hidden_feed) for n, part in enumerate(windows))
        return np.concatenate(list(parts))

    actual = _targets(held_out)
    raw = blocks(held_out)
    offsets, _ = conformal_offsets(scaled_errors(raw, actual))
    usual = _typical_error(raw, actual)
    widening = {
        feed: _typical_error(blocks(held_out, hidden_feed=feed), actual) / usual for feed in MASKABLE_FEEDS
    }
    late = [
        build_windows(known, part.issue_hours, measurements_late_hours=WIDENING_LATE_HOURS)
        for part in held_out
    ]
    widening[POWER_FEED] = _typical_error(blocks(late), _targets(late)) / usual
    scores = {"validation_mae_g_per_kwh": _headline_mae(raw[..., MEDIAN], actual)}
    if len(test):
        median = raw_quantiles(model, test)[..., MEDIAN]
        scores["test_mae_g_per_kwh"] = _headline_mae(median, _targets([test]))
        last = np.repeat(test.last_value[:, None], HORIZON_HOURS, axis=1).astype(np.float64)
        scores["test_persistence_mae_g_per_kwh"] = _headline_mae(last, _targets([test]))
    return replace(
        model,
        offsets=offsets,
        widening={feed: max(factor, LEAST_WIDENING) for feed, factor in widening.items()},
        record=replace(model.record, metrics=scores),
    )


def _targets(parts: Sequence[Windows]) -> Floats:
    return np.concatenate([part.target for part in parts]).astype(np.float64)


def _typical_error(raw: Floats, actual: Floats) -> float:
    """80 % of errors of the median are within this many half bands."""
    errors = np.abs(scaled_errors(raw, actual)[..., MEDIAN])
    return float(np.nanquantile(errors, 0.8))


def _headline_mae(forecast: Floats, target: Floats) -> float:
    first, last = HEADLINE_LEADS
    actual = target[:, first - 1 : last]
    known = ~np.isnan(actual)
    return metrics.mae(actual[known], forecast[:, first - 1 : last][known])
