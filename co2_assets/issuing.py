"""Who forecasts now: the champion, the model before it, or the rule that needs no model."""

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from co2_assets.contracts import CO2_MAXIMUM
from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import QUANTILE_COLUMNS
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue import fallback
from co2_assets.forecasting.issue.forecast import NoForecastError, issue_forecasts
from co2_assets.forecasting.network.trained_model import TrainedModel
from co2_assets.inputs import HISTORY_NEEDED, read_known_data
from co2_assets.pipeline import Pipeline
from co2_assets.promotion import champions_before, newest_promoted

logger = logging.getLogger(__name__)

# What the rule without a model looks back to: its errors of some weeks, each from weeks before.
_FALLBACK_HISTORY = fallback.ERRORS_WINDOW + timedelta(days=fallback.USUAL_DAYS + 1)

# No measurement above CO2_MAXIMUM is believed. The widest band of a model that works may reach past
# it when all feeds are missing; twice of it is a model that does not.
HIGHEST_G_PER_KWH = 2 * CO2_MAXIMUM
# Of an error's words: torch's go on for a page.
LONGEST_REASON = 200


class ImpossibleForecastError(ValueError):
    """A model's numbers cannot come true; the message says what it gives."""


def read_for_issue(
    pipeline: Pipeline, area: Area, champion: TrainedModel | None, first_issue: datetime
) -> KnownData:
    """Return what forecasts of ``area`` from ``first_issue`` on look at, as known at the pipeline's clock."""
    needed = _FALLBACK_HISTORY if champion is None else max(HISTORY_NEEDED, _FALLBACK_HISTORY)
    return read_known_data(pipeline.warehouse, since=first_issue - needed, until=pipeline.now, area=area)


def issue_live(
    pipeline: Pipeline, champion: TrainedModel | None, data: KnownData, issue_time: datetime
) -> pd.DataFrame:
    """Return the live forecast from ``issue_time``, columns of `predictions`.

    A champion that fails, or gives what cannot be, makes way for the model before it, and the last of
    them for the rule of `forecasting.fallback`, which also stands in without a champion; which model
    failed and how is said among the causes, as is that a model is not the newest promoted.
    NoForecastError when there is nothing to go on.
    """
    failed: list[str] = []
    for model in _models(pipeline, champion):
        try:
            live = issue_forecasts(model, data, [issue_time], as_of=pipeline.now)
            _require_possible(live)
        except NoForecastError:
            raise
        except Exception as error:
            # Whatever it is, of memory, of torch, of a file half right: a worse forecast beats none.
            logger.exception("%s fails and is passed over; train another with `co2 train`", model.version)
            failed.append(f"model: {model.version} failed ({_in_short(error)})")
            continue
        promoted = newest_promoted(pipeline.warehouse, model.area.name, pipeline.now)
        if promoted != model.version:
            failed.append(f"model: {promoted} cannot be used, {model.version} forecasts in its place")
        return _with_causes(live, failed).assign(kind="live")
    live = fallback.issue_fallback(data, issue_time, as_of=pipeline.now)
    return _with_causes(live, failed).assign(kind="live")


def _models(pipeline: Pipeline, champion: TrainedModel | None) -> Iterator[TrainedModel]:
    """Yield the models to try: the champion and, each only once it is needed, those before it."""
    if champion is not None:
        yield champion
        yield from champions_before(pipeline.warehouse, pipeline.models, champion, pipeline.now)


def _require_possible(live: pd.DataFrame) -> None:
    """Raise ImpossibleForecastError for quantiles that are no numbers, or of no power system."""
    quantiles = live[list(QUANTILE_COLUMNS)].to_numpy(np.float64)
    if not np.isfinite(quantiles).all():
        raise ImpossibleForecastError("it gives no numbers")
    lowest, highest = quantiles.min(), quantiles.max()
    if lowest < 0 or highest > HIGHEST_G_PER_KWH:
        raise ImpossibleForecastError(f"it gives {lowest:.0f} to {highest:.0f} g/kWh")


def _in_short(error: Exception) -> str:
    """Return an error's kind and the begin of what it says, as one line."""
    said = " ".join(str(error).split())[:LONGEST_REASON]
    if isinstance(error, ImpossibleForecastError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _with_causes(live: pd.DataFrame, causes: Sequence[str]) -> pd.DataFrame:
    """Return the forecast of one issue time with ``causes`` named before its own."""
    if not causes:
        return live
    own = json.loads(live["degraded_causes"].iloc[0])
    return live.assign(degraded_causes=json.dumps([*causes, *own], ensure_ascii=False))
