"""A month in which the weather forecast does not come: how much worse, and how honest about it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from co2_assets.contracts.forecast_spec import LATER_LEADS, MEDIAN_COLUMN, QUANTILE_COLUMNS
from co2_assets.forecasting import metrics
from co2_assets.forecasting.forecaster import Model
from co2_assets.forecasting.inputs.input_lists import WEATHER_FEED
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.score.backtest import backtest
from co2_assets.forecasting.score.evaluation import band_coverage

SPANS = ((1, 24), *LATER_LEADS[1:])
EVERY = timedelta(hours=6)


@dataclass(frozen=True)
class HiddenMonth:
    """The same issue times with and without the feed.

    ``named`` is the share of the forecasts without it that name it, %. ``rows`` have the leads, and for each
    of the two the MAE and the mean width of the 80 % band in g/kWh and its coverage in %.
    """

    start: datetime
    end: datetime
    named: float
    rows: list[dict[str, float]]


def hidden_month(model: Model, data: KnownData, start: datetime, end: datetime) -> HiddenMonth:
    """Issue from ``start`` to ``end`` (naive UTC) every six hours, and again without what came since."""
    late = (data.weather["published_at_utc"] >= pd.Timestamp(start)) & (
        data.weather["published_at_utc"] < pd.Timestamp(end)
    )
    outcomes = [
        backtest(model, known, start, end, EVERY).dropna(subset=["actual_g_per_kwh"])
        for known in (data, replace(data, weather=data.weather[~late]))
    ]
    rows = []
    for first, last in SPANS:
        row: dict[str, float] = {"lead_from": first, "lead_to": last}
        for name, issued in zip(("with", "without"), outcomes, strict=True):
            own = issued[issued["lead_hours"].between(first, last)]
            actual = own["actual_g_per_kwh"].to_numpy(np.float64)
            quantiles = own[list(QUANTILE_COLUMNS)].to_numpy(np.float64)
            row[f"mae_{name}"] = metrics.mae(actual, own[MEDIAN_COLUMN].to_numpy(np.float64))
            row[f"width_80_{name}"] = float((own["q90_g_per_kwh"] - own["q10_g_per_kwh"]).mean())
            row[f"coverage_80_{name}"] = band_coverage(actual, quantiles, 80)
        rows.append(row)
    causes = outcomes[1].drop_duplicates("issue_time_utc")["degraded_causes"]
    return HiddenMonth(start, end, 100 * float(causes.str.contains(f"{WEATHER_FEED}:").mean()), rows)
