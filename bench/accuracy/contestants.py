"""What a contestant hands in, and those that need no training to speak of."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.accuracy.recording import Trial
from co2_assets.contracts.forecast_spec import (
    CO2,
    HORIZON_HOURS,
    MEASURED,
    MEDIAN,
    QUANTILE_COLUMNS,
    QUANTILES,
)
from co2_assets.contracts.time import times_of
from co2_assets.forecasting.inputs.baselines import persistence, same_hour_yesterday
from co2_assets.forecasting.network.trained_model import TrainedModel, TrainingConfig
from co2_assets.forecasting.network.training import EpochReport, train_together
from co2_assets.forecasting.score.backtest import backtest

Floats = NDArray[np.float64]

OWN_SEED = 1
PERSISTENCE = "persistence"


@dataclass(frozen=True)
class Contestant:
    """Forecasts of all test windows.

    ``median`` (N, HORIZON_HOURS) in g/kWh, NaN where it says nothing; ``quantiles`` (N,
    HORIZON_HOURS, len(QUANTILES)) for those that give them. ``training_seconds`` is the processor's
    time, not the wall's, so that a busy machine does not count against anyone.
    """

    name: str
    median: Floats
    quantiles: Floats | None = None
    training_seconds: float = 0.0
    facts: Mapping[str, object] = field(default_factory=dict)


def last_value(trial: Trial) -> Contestant:
    """Persistence, with the quantiles of its own residuals over the training hours, by lead."""
    median = np.repeat(persistence(trial.data, trial.test.issue_hours)[:, None], HORIZON_HOURS, axis=1)
    residuals = trial.train.target - trial.train.last_value[:, None]
    spread = np.nanquantile(residuals.astype(np.float64), QUANTILES, axis=0).T
    return Contestant(PERSISTENCE, median, np.maximum(median[..., None] + spread, 0.0))


def yesterday(trial: Trial) -> Contestant:
    """The newest known value of the same hour of day, with its residuals' quantiles by lead."""

    def forecast(issue_hours: NDArray[np.int64]) -> Floats:
        targets = issue_hours[:, None] + np.arange(HORIZON_HOURS)
        return same_hour_yesterday(trial.data, np.broadcast_to(issue_hours[:, None], targets.shape), targets)

    residuals = trial.train.target - forecast(trial.train.issue_hours)
    spread = np.nanquantile(residuals.astype(np.float64), QUANTILES, axis=0).T
    median = forecast(trial.test.issue_hours)
    return Contestant("same hour yesterday", median, np.maximum(median[..., None] + spread, 0.0))


def climatology(trial: Trial) -> Contestant:
    """Quantiles of what was measured at the same hour of day in the same month, UTC."""
    known = trial.data.cut(trial.until)
    hours = known.first_hour + np.arange(len(known.measured))
    values = pd.Series(known.measured[:, MEASURED.index(CO2)])
    by_clock = (
        values.groupby([times_of(hours).month, times_of(hours).hour]).quantile(np.array(QUANTILES)).unstack()
    )
    table = np.full((13, 24, len(QUANTILES)), np.nan)
    months, clocks = (by_clock.index.get_level_values(n).to_numpy() for n in (0, 1))
    table[months, clocks] = by_clock.to_numpy()
    targets = times_of((trial.test.issue_hours[:, None] + np.arange(HORIZON_HOURS)).ravel())
    quantiles = table[targets.month, targets.hour].reshape(-1, HORIZON_HOURS, len(QUANTILES))
    return Contestant("climatology", quantiles[..., MEDIAN], quantiles)


def energinet(trial: Trial) -> Contestant:
    """Energinet's prognosis in the newest version first seen by the issue time."""
    hours = trial.test.issue_hours[:, None] + np.arange(HORIZON_HOURS)
    return Contestant(
        "Energinet's prognosis", trial.data.prognosis_at(hours, trial.test.issue_hours[:, None] * 3600)
    )


@dataclass(frozen=True)
class OwnModel:
    """This project's model, and the processor's seconds that its training took."""

    model: TrainedModel
    training_seconds: float


def _report(epoch: EpochReport) -> None:
    """Print how far a training is."""
    print(f"  {epoch.reach} network {epoch.network}, epoch {epoch.epoch}: {epoch.train_loss:.4f}", flush=True)


def train_ours(trial: Trial) -> OwnModel:
    """Train this project's model by the same functions as in production."""
    (own,) = train_ours_together([trial])
    return own


def train_ours_together(trials: Sequence[Trial]) -> list[OwnModel]:
    """Train one model of the areas of all trials, as in production; ValueError if an area is too short."""
    started = time.process_time()
    # What comes after is the test, so none of the training span is set aside for one.
    models = train_together(
        [trial.data for trial in trials],
        until=trials[0].until,
        seed=OWN_SEED,
        config=TrainingConfig(test_share=0.0),
        progress=_report,
    )
    if len(models) < len(trials):
        raise ValueError(f"only {', '.join(model.area.name for model in models)} could be trained")
    seconds = time.process_time() - started
    return [OwnModel(model, seconds) for model in models]


def ours(trial: Trial, name: str, trained: OwnModel | None = None) -> Contestant:
    """This project's model, trained unless it is given, as it issues in production."""
    trained = trained or train_ours(trial)
    model = trained.model
    outcomes = backtest(model, trial.data, trial.until, trial.end, timedelta(hours=1))
    hours = times_of(trial.test.issue_hours)
    outcomes = outcomes[outcomes["issue_time_utc"].isin(hours)]
    values = outcomes[list(QUANTILE_COLUMNS)].to_numpy(np.float64)
    quantiles: Floats = values.reshape(len(hours), HORIZON_HOURS, len(QUANTILES))
    facts = {
        "model_version": model.version,
        "architecture": model.architecture,
        "parameters": model.parameters,
    }
    return Contestant(name, quantiles[..., MEDIAN], quantiles, trained.training_seconds, facts)
