"""The scores of forecasts whose hours were measured, by lead and over ranges of leads."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import (
    BAND_LEVELS,
    DAYS_AHEAD,
    HEADLINE_LEADS,
    HORIZON_HOURS,
    LATER_LEADS,
    MARK_HOURS,
    MEDIAN,
    MEDIAN_COLUMN,
    QUANTILE_COLUMNS,
    QUANTILES,
)
from co2_assets.forecasting import metrics

Floats = NDArray[np.float64]

# The next hours as a reader sees them in a forecast that is one hour old, two hours old, and so on until the
# next six-hour mark.
AGED_RANGES = tuple((HEADLINE_LEADS[0] + age, HEADLINE_LEADS[1] + age) for age in range(1, MARK_HOURS))
# Rows of a score: each lead by itself, the headline when issued and at each age, what follows it by day, a
# day, and all.
LEAD_RANGES = (
    *((lead, lead) for lead in range(1, HORIZON_HOURS + 1)),
    HEADLINE_LEADS,
    *AGED_RANGES,
    *LATER_LEADS,
    DAYS_AHEAD[0],
    (1, HORIZON_HOURS),
)


def score(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Score the forecasts whose truth is known.

    ``outcomes`` has the columns of the view `prediction_outcomes`; rows without actual or without
    persistence are left out, so that model and persistence are measured on the same hours. One row for
    each of `LEAD_RANGES` that has any, with the columns of `model_evaluations` from
    lead_from_hours, lead_to_hours, window_from_utc and window_to_utc to the measures.
    """
    known = outcomes.dropna(subset=["actual_g_per_kwh", "persistence_g_per_kwh", MEDIAN_COLUMN])
    lead = known["lead_hours"].to_numpy()
    # As arrays once, not for each range.
    scored = _Scored(
        known["target_hour_utc"].to_numpy(),
        known["actual_g_per_kwh"].to_numpy(np.float64),
        known["persistence_g_per_kwh"].to_numpy(np.float64),
        known["energinet_prognosis_g_per_kwh"].to_numpy(np.float64),
        known[list(QUANTILE_COLUMNS)].to_numpy(np.float64),
    )
    rows = []
    for first, last in LEAD_RANGES:
        chosen = (lead >= first) & (lead <= last)
        if chosen.any():
            measures = _measures(scored.rows(chosen))
            rows.append({"lead_from_hours": first, "lead_to_hours": last, **measures})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Scored:
    """Forecasts with their truth, g/kWh; ``quantiles`` is (n, len(QUANTILES)), the others (n,)."""

    target_hour_utc: NDArray[np.datetime64]
    actual: Floats
    persistence: Floats
    prognosis: Floats
    quantiles: Floats

    def rows(self, chosen: NDArray[np.bool_]) -> "_Scored":
        return _Scored(*(getattr(self, field.name)[chosen] for field in fields(self)))


def _measures(rows: _Scored) -> dict[str, object]:
    actual, last_value, prognosis, quantiles = rows.actual, rows.persistence, rows.prognosis, rows.quantiles
    median = quantiles[:, MEDIAN]
    own = metrics.mae(actual, median)
    naive = metrics.mae(actual, last_value)
    has_prognosis = ~np.isnan(prognosis)
    prognosis_mae = metrics.mae(actual[has_prognosis], prognosis[has_prognosis])
    beside_prognosis = metrics.mae(actual[has_prognosis], median[has_prognosis])
    return {
        "window_from_utc": pd.Timestamp(rows.target_hour_utc.min()),
        "window_to_utc": pd.Timestamp(rows.target_hour_utc.max()) + pd.Timedelta(hours=1),
        "n_hours": len(np.unique(rows.target_hour_utc)),
        "n_forecasts": len(actual),
        "mae_g_per_kwh": own,
        "rmse_g_per_kwh": metrics.rmse(actual, median),
        "mse": metrics.mse(actual, median),
        "mape_percent": metrics.mape(actual, median),
        "r2": metrics.r2(actual, median),
        "accuracy_percent": metrics.accuracy(actual, median),
        "persistence_mae_g_per_kwh": naive,
        "persistence_accuracy_percent": metrics.accuracy(actual, last_value),
        "skill_persistence": metrics.skill(own, naive),
        "n_prognosis": int(has_prognosis.sum()),
        "prognosis_mae_g_per_kwh": prognosis_mae,
        "skill_prognosis": metrics.skill(beside_prognosis, prognosis_mae),
        "pinball_loss_g_per_kwh": metrics.pinball_loss(actual, quantiles, QUANTILES),
        **{f"coverage_{band}_percent": band_coverage(actual, quantiles, band) for band in BAND_LEVELS},
    }


def band_coverage(actual: Floats, quantiles: Floats, band: int) -> float:
    """Coverage of one of `BAND_LEVELS`, %; ``quantiles`` is (n, len(QUANTILES))."""
    lower, upper = (quantiles[:, QUANTILES.index(level)] for level in BAND_LEVELS[band])
    return metrics.coverage(actual, lower, upper)
