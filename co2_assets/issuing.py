"""Who forecasts now: the champion, the model before it, or the rule that needs no model."""

import json
import logging
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from co2_assets.contracts.areas import Area
from co2_assets.forecasting import fallback
from co2_assets.forecasting.forecast import issue_forecasts
from co2_assets.forecasting.known import KnownData
from co2_assets.forecasting.model import TrainedModel
from co2_assets.forecasting.vocabulary import QUANTILE_COLUMNS
from co2_assets.inputs import HISTORY_NEEDED, read_known_data
from co2_assets.pipeline import Pipeline
from co2_assets.promotion import newest_promoted

logger = logging.getLogger(__name__)

# What the rule without a model looks back to: its errors of some weeks, each from weeks before.
_FALLBACK_HISTORY = fallback.ERRORS_WINDOW + timedelta(days=fallback.USUAL_DAYS + 1)


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

    Without a champion, or where it gives no numbers, the rule of `forecasting.fallback` stands in; a
    model that is not the newest promoted says so among the causes. NoForecastError when there is
    nothing to go on.
    """
    if champion is not None:
        live = issue_forecasts(champion, data, [issue_time], as_of=pipeline.now)
        if np.isfinite(live[list(QUANTILE_COLUMNS)].to_numpy()).all():
            promoted = newest_promoted(pipeline.warehouse, champion.area.name, pipeline.now)
            if promoted != champion.version:
                cause = f"model: {promoted} cannot be used, {champion.version} forecasts in its place"
                live["degraded_causes"] = _with_cause(live["degraded_causes"].iloc[0], cause)
            return live.assign(kind="live")
        logger.error(
            "%s gives no numbers, so it is passed over; train another with `co2 train`", champion.version
        )
    return fallback.issue_fallback(data, issue_time, as_of=pipeline.now).assign(kind="live")


def _with_cause(causes: str, cause: str) -> str:
    return json.dumps([cause, *json.loads(causes)], ensure_ascii=False)
