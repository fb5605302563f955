"""Forecasts as they would have been issued in the past, and what came true."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import (
    BAND_LEVELS,
    CO2,
    HEADLINE_LEADS,
    HORIZON_HOURS,
    MEASURED,
    MEDIAN_COLUMN,
    QUANTILE_COLUMNS,
    QUANTILES,
)
from co2_assets.contracts.time import hours_since_epoch
from co2_assets.forecasting import metrics
from co2_assets.forecasting.forecaster import Model
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue.forecast import issue_forecasts
from co2_assets.forecasting.score.evaluation import band_coverage

Floats = NDArray[np.float64]

RIVALS = {
    "persistence": "persistence_g_per_kwh",
    "same_hour_yesterday": "same_hour_yesterday_g_per_kwh",
    "energinet_prognosis": "energinet_prognosis_g_per_kwh",
}
NOTES = {
    "persistence": "The newest carbon intensity measured before the issue time.",
    "same_hour_yesterday": "The newest known value of the target's hour of day.",
    "energinet_prognosis": "Energinet's prognosis in the version first seen by the issue time, most "
    "often that of the afternoon before: a day-ahead value. National: 0.6 DK1 + 0.4 DK2. Scored, "
    "with the model beside it, where it was known.",
    "same_hours": "All but energinet_prognosis are scored on the same hours.",
}


def backtest(
    model: Model,
    data: KnownData,
    start: datetime,
    end: datetime,
    every: timedelta = timedelta(hours=6),
) -> pd.DataFrame:
    """Issue ``model``'s forecasts at every ``every`` from ``start`` to before ``end`` (naive UTC).

    Returns the columns of `issue_forecasts` with ``actual_g_per_kwh``; targets from ``end`` on have
    none. ValueError when a forecast would be of hours the model was fitted to.
    """
    if start < model.record.fitted_until:
        raise ValueError(
            f"model {model.version} was fitted to hours until {model.record.fitted_until}: a backtest "
            f"from {start} would test it on its own training; start later or train on less"
        )
    times = [start + n * every for n in range(math.ceil((end - start) / every))]
    outcomes = issue_forecasts(model, data, times)
    hours = hours_since_epoch(outcomes["target_hour_utc"])
    actual = data.measured_at(hours)[:, MEASURED.index(CO2)]
    outcomes["actual_g_per_kwh"] = np.where(outcomes["target_hour_utc"] < pd.Timestamp(end), actual, np.nan)
    return outcomes


def report(outcomes: pd.DataFrame, model: Model, every: timedelta) -> dict[str, Any]:
    """A backtest as plain values for JSON: by lead, for the headline's leads, and how it was made.

    Measures of the absolute kind are g/kWh, mape, accuracy and coverage are %; null where there is
    nothing to measure.
    """
    known = outcomes.dropna(subset=["actual_g_per_kwh", *list(RIVALS.values())[:2]])

    def entry(first: int, last: int) -> dict[str, Any]:
        return _compared(known[known["lead_hours"].between(first, last)])

    first, last = HEADLINE_LEADS
    return {
        "from": outcomes["issue_time_utc"].min().isoformat(),
        "to": (outcomes["issue_time_utc"].max() + every).isoformat(),
        "every_hours": every / timedelta(hours=1),
        "train_until": model.record.data_to.isoformat(),
        "model_version": model.version,
        "architecture": model.architecture,
        "price_area": model.area.name,
        "n_issues": int(outcomes["issue_time_utc"].nunique()),
        "n_degraded": int(outcomes.loc[outcomes["degraded_causes"] != "[]", "issue_time_utc"].nunique()),
        "notes": NOTES,
        "headline": {"lead_from": first, "lead_to": last, **entry(first, last)},
        "leads": [{"lead": lead, **entry(lead, lead)} for lead in range(1, HORIZON_HOURS + 1)],
    }


def _compared(rows: pd.DataFrame) -> dict[str, Any]:
    actual = rows["actual_g_per_kwh"].to_numpy(np.float64)
    median = rows[MEDIAN_COLUMN].to_numpy(np.float64)
    quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy(np.float64)
    result: dict[str, Any] = {"n": len(rows)}
    skills = {}
    rivals = {}
    for rival, column in RIVALS.items():
        forecast = rows[column].to_numpy(np.float64)
        there = ~np.isnan(forecast)
        rivals[rival] = {"n": int(there.sum()), **_point(actual[there], forecast[there])}
        beside = metrics.mae(actual[there], median[there])
        skills[f"skill_{rival}"] = metrics.skill(beside, metrics.mae(actual[there], forecast[there]))
    result["model"] = {
        **_point(actual, median),
        "pinball_loss": metrics.pinball_loss(actual, quantiles, QUANTILES),
        "crps": metrics.crps(actual, quantiles, QUANTILES),
        **{f"coverage_{band}": band_coverage(actual, quantiles, band) for band in BAND_LEVELS},
        **skills,
    }
    return _without_nan({**result, **rivals})


def _point(actual: Floats, forecast: Floats) -> dict[str, float]:
    measures: dict[str, Callable[[Floats, Floats], float]] = {
        "mae": metrics.mae,
        "mape": metrics.mape,
        "rmse": metrics.rmse,
        "r2": metrics.r2,
        "accuracy": metrics.accuracy,
    }
    return {name: measure(actual, forecast) for name, measure in measures.items()}


def _without_nan(content: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {
        key: _without_nan(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for key, value in content.items()
    }
