"""Two forecasts of the same hours, and whether their difference is more than noise."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.noise import standard_error
from co2_assets.contracts.forecast_spec import MEDIAN_COLUMN

# Days whose weather is alike: daily means of differences are correlated over so many days.
CORRELATED_DAYS = 2
# Two-sided 5 % of the normal distribution.
NOISE_IN_STANDARD_ERRORS = 1.96

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Mean absolute errors of two forecasts of the same hours, leads 1-6, g/kWh.

    ``mean`` is ``mae`` less ``other_mae``: above nothing, the first is worse. See `compared`.
    """

    n_hours: int
    mae: float
    other_mae: float
    mean: float
    standard_error: float

    @property
    def verdict(self) -> str:
        if abs(self.mean) <= NOISE_IN_STANDARD_ERRORS * self.standard_error:
            return "equal"
        return "worse" if self.mean > 0 else "better"


def compared(outcomes: pd.DataFrame, others: pd.DataFrame) -> Difference:
    """Compare absolute errors of two sets of outcomes on the issue and target hours of both.

    The standard error is that of the mean of daily mean differences, with the variance of Newey and
    West (1987) over `CORRELATED_DAYS`; `Difference.verdict` is thus the test of Diebold and Mariano
    (1995) on days. ValueError when the two have no hour in common.
    """
    key = ["issue_time_utc", "target_hour_utc"]
    errors = pd.concat(
        [
            (rows.set_index(key)[MEDIAN_COLUMN] - rows.set_index(key)["actual_g_per_kwh"]).abs()
            for rows in (outcomes, others)
        ],
        axis=1,
        keys=["own", "other"],
    ).dropna()
    if errors.empty:
        raise ValueError("there is no hour that both forecasts spoke of and that was measured")
    differences = errors["own"] - errors["other"]
    days = pd.DatetimeIndex(differences.index.get_level_values("target_hour_utc")).floor("D")
    by_day = differences.groupby(days).mean()
    return Difference(
        n_hours=len(errors),
        mae=float(errors["own"].mean()),
        other_mae=float(errors["other"].mean()),
        mean=float(differences.mean()),
        standard_error=standard_error(by_day.to_numpy(np.float64), CORRELATED_DAYS),
    )
