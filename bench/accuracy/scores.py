"""Measures of the contestants on the same hours, and whether their differences are more than luck."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.contestants import Contestant
from bench.noise import standard_error
from co2_assets.contracts.forecast_spec import (
    BAND_LEVELS,
    HEADLINE_LEADS,
    HORIZON_HOURS,
    LATER_LEADS,
    QUANTILES,
)
from co2_assets.contracts.time import times_of
from co2_assets.forecasting import metrics
from co2_assets.forecasting.score.evaluation import band_coverage

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Errors of forecasts issued an hour apart are alike, and so is the weather of two days.
CORRELATED_HOURS = 48
SPANS = (HEADLINE_LEADS, LATER_LEADS[0], (12, 24), *LATER_LEADS[1:])
RANGES = (*((lead, lead) for lead in range(1, HORIZON_HOURS + 1)), *SPANS)


def same_hours(actual: Floats, contestants: Sequence[Contestant]) -> Flags:
    """Where the truth is known and all those have a forecast: (N, HORIZON_HOURS)."""
    known = ~np.isnan(actual)
    for contestant in contestants:
        known &= ~np.isnan(contestant.median)
    return known


def measures(contestant: Contestant, actual: Floats, judged: Flags) -> list[dict[str, Any]]:
    """One entry for each of `RANGES`; a point forecast's CRPS is its mean absolute error."""
    entries = []
    for first, last in RANGES:
        leads = slice(first - 1, last)
        chosen = judged[:, leads] & ~np.isnan(contestant.median[:, leads])
        truth, median = actual[:, leads][chosen], contestant.median[:, leads][chosen]
        entry: dict[str, Any] = {
            "lead_from": first,
            "lead_to": last,
            "n": len(truth),
            "mae": metrics.mae(truth, median),
            "mape": metrics.mape(truth, median),
            "rmse": metrics.rmse(truth, median),
            "r2": metrics.r2(truth, median),
            "crps": metrics.mae(truth, median),
        }
        if contestant.quantiles is not None:
            quantiles = contestant.quantiles[:, leads][chosen]
            entry["crps"] = metrics.crps(truth, quantiles, QUANTILES)
            entry["pinball_loss"] = metrics.pinball_loss(truth, quantiles, QUANTILES)
            entry |= {f"coverage_{band}": band_coverage(truth, quantiles, band) for band in BAND_LEVELS}
        entries.append({name: None if value != value else value for name, value in entry.items()})
    return entries


def monthly_coverage(quantiles: Floats, actual: Floats, issue_hours: NDArray[np.int64]) -> dict[str, float]:
    """Coverage of the 80 % band by month of the target, all leads together, %."""
    hours = issue_hours[:, None] + np.arange(HORIZON_HOURS)
    months = times_of(hours.ravel()).strftime("%Y-%m").to_numpy().reshape(hours.shape)
    known = ~np.isnan(actual)
    return {
        month: band_coverage(actual[chosen], quantiles[chosen], 80)
        for month in np.unique(months)
        if (chosen := known & (months == month)).any()
    }


def diebold_mariano(loss: Floats, rival_loss: Floats) -> float:
    """Two-sided p that two forecasts of one lead, issued hour by hour, are equally good.

    Diebold and Mariano, "Comparing predictive accuracy" (1995), with `standard_error` over
    `CORRELATED_HOURS` and the normal distribution.
    """
    difference = loss - rival_loss
    error = standard_error(difference, CORRELATED_HOURS)
    return math.erfc(abs(difference.mean()) / error / math.sqrt(2)) if error else 1.0


def duel(own: Contestant, rival: Contestant, actual: Floats, judged: Flags) -> list[dict[str, Any]]:
    """By lead: both MAEs where the rival says something, how much less ours is, and p."""
    entries = []
    for lead in range(HORIZON_HOURS):
        chosen = judged[:, lead] & ~np.isnan(rival.median[:, lead])
        if not chosen.any():
            continue
        losses = [np.abs(each.median[chosen, lead] - actual[chosen, lead]) for each in (own, rival)]
        ours, theirs = (float(loss.mean()) for loss in losses)
        entries.append(
            {
                "lead": lead + 1,
                "n": int(chosen.sum()),
                "mae": ours,
                "rival_mae": theirs,
                "skill": metrics.skill(ours, theirs),
                "p": diebold_mariano(*losses),
            }
        )
    return entries
