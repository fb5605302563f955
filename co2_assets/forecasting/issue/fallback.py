"""A forecast without a trained model: the last value, drawn back to what is usual for the hour.

The median starts at the newest carbon intensity measured and decays to the mean of its hour of day
over the last weeks. The bands are the quantiles of what this very rule got wrong over the last weeks,
as known at the time. It stands in while no trained model can be used, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import CO2, HORIZON_HOURS, MARK_HOURS, MEASURED, MEDIAN, QUANTILES
from co2_assets.forecasting.forecaster import NO_TRAINING, TrainingRecord
from co2_assets.forecasting.inputs.baselines import LONGEST_AGE_HOURS
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import Windows
from co2_assets.forecasting.issue.degradation import MODEL_CAUSE

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

VERSION: Final = "fallback-statistical"
CAUSE: Final = (
    f"{MODEL_CAUSE}no trained model can be used; persistence and the usual course of the day stand in"
)

# Measured on the recording of 2023-2024: 28 days and 24 h gave a mean absolute error of 20.5 g/kWh on
# leads 1-6 and 30.6 on 1-24, persistence 21.2 and 33.7; 14 days or 12 h were worse, 42 days no better.
USUAL_DAYS: Final = 28
DECAY_HOURS: Final = 24.0
# Weeks whose errors make the bands, and how many outcomes of a lead the prior bands weigh as much as.
ERRORS_WINDOW: Final = timedelta(days=42)
PRIOR_OUTCOMES: Final = 40.0
# The rule's errors on the recording of March to December 2023: their standard deviation follows
# this curve of the lead (18 g/kWh at 1 h, 47 at 24 h), their quantiles these multiples of it.
PRIOR_DEVIATION_G_PER_KWH: Final = 48.0
PRIOR_GROWTH_HOURS: Final = 7.0
PRIOR_QUANTILES: Final = np.array((-1.46, -1.10, -0.60, 0.0, 0.55, 1.27, 1.82))

# Hours past the newest measurement that a forecast may speak of.
_REACH = HORIZON_HOURS + LONGEST_AGE_HOURS


@dataclass(frozen=True)
class StatisticalFallback:
    """The rule as a model of one area. It uses only what was measured before an issue time."""

    area: Area
    version: str = VERSION
    seed: int = 0
    architecture: str = "last value drawn back to the usual course of the day"
    parameters: int = 0
    weights_sha256: str = ""
    record: TrainingRecord = NO_TRAINING
    # Its bands are those of its own past errors: nothing is left to calibrate.
    offsets: None = None
    standing_causes: tuple[str, ...] = (CAUSE,)
    # Its errors of some weeks, each from weeks before.
    reach_back: timedelta = ERRORS_WINDOW + timedelta(days=USUAL_DAYS + 1)

    @property
    def feature_list(self) -> list[str]:
        """The one series that it looks at."""
        return [f"past.{CO2}"]

    @property
    def widening(self) -> Mapping[str, tuple[float, ...]]:
        """It needs no feed but the measurements, whose age its bands know."""
        return {}

    def quantiles(self, windows: Windows, data: KnownData) -> Floats:
        """Quantiles of all issue times of ``windows``, g/kWh: (N, HORIZON_HOURS, len(QUANTILES))."""
        quantiles = [_quantiles(data, issue) for issue in windows.issue_hours.tolist()]
        return np.reshape(quantiles, (len(windows), HORIZON_HOURS, len(QUANTILES)))


def _quantiles(data: KnownData, issue: int) -> Floats:
    """The rule's quantiles from one issue hour: (HORIZON_HOURS, len(QUANTILES))."""
    issues = np.array([issue], np.int64)
    age = int(_ages(data, issues)[0])
    marks = _marks(issue)
    hours = (marks - _ages(data, marks))[:, None] + np.arange(_REACH)
    errors = _co2(data, hours) - _medians(data, marks)
    # Of each mark only what had come true by the issue time.
    errors[hours >= issue] = np.nan
    quantiles: Floats = _medians(data, issues)[0][:, None] + _bands(errors)
    return np.maximum(quantiles[age : age + HORIZON_HOURS], 0.0)


def _co2(data: KnownData, hours: Integers) -> Floats:
    values: Floats = data.measured_at(hours)[..., MEASURED.index(CO2)]
    return values


def _marks(issue: int) -> Integers:
    """Six-hour marks of the last weeks, the issue's own left out."""
    first = issue - ERRORS_WINDOW // timedelta(hours=1)
    first = -(-first // MARK_HOURS) * MARK_HOURS
    return np.arange(first, issue, MARK_HOURS, dtype=np.int64)


def _ages(data: KnownData, issues: Integers) -> Integers:
    """Hours by which the newest measurement of the day before each issue is too old; 0 where none."""
    known = ~np.isnan(_co2(data, issues[:, None] - 1 - np.arange(LONGEST_AGE_HOURS)))
    ages: Integers = known.argmax(axis=-1)
    return ages


def _medians(data: KnownData, issues: Integers) -> Floats:
    """The rule for the `_REACH` hours past the newest measurement before each issue: (N, _REACH).

    NaN where nothing was measured in the day before.
    """
    back = np.arange(-24 * USUAL_DAYS, 0)
    newest = issues - _ages(data, issues) - 1
    past = _co2(data, newest[:, None] + 1 + back)
    by_hour = past.reshape(len(issues), USUAL_DAYS, 24)
    count = (~np.isnan(by_hour)).sum(axis=1)
    everything = np.nansum(past, axis=1) / np.maximum((~np.isnan(past)).sum(axis=1), 1)
    # An hour of day never measured yet is taken for usual at the mean of all that was.
    usual = np.where(count > 0, np.nansum(by_hour, axis=1) / np.maximum(count, 1), everything[:, None])
    departure = past[:, -1] - usual[:, -1]
    ahead = np.arange(1, _REACH + 1)
    medians: Floats = usual[:, (ahead - 1) % 24] + departure[:, None] * np.exp(-ahead / DECAY_HOURS)
    return medians


def _bands(errors: Floats) -> Floats:
    """Quantiles around the median from past errors (M, _REACH), g/kWh: (_REACH, len(QUANTILES)).

    The prior bands fade as outcomes come in; the median stays the rule's own.
    """
    ahead = np.arange(1, _REACH + 1)
    deviation = PRIOR_DEVIATION_G_PER_KWH * np.sqrt(1 - np.exp(-ahead / PRIOR_GROWTH_HOURS))
    bands: Floats = deviation[:, None] * PRIOR_QUANTILES
    for lead, column in enumerate(errors.T):
        outcomes = column[~np.isnan(column)]
        if len(outcomes):
            weight = len(outcomes) / (len(outcomes) + PRIOR_OUTCOMES)
            bands[lead] = weight * np.quantile(outcomes, QUANTILES) + (1 - weight) * bands[lead]
    bands[:, MEDIAN] = 0.0
    bands[:, MEDIAN:] = np.maximum.accumulate(bands[:, MEDIAN:], axis=1)
    bands[:, : MEDIAN + 1] = np.minimum.accumulate(bands[:, MEDIAN::-1], axis=1)[:, ::-1]
    return bands
