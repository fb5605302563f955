"""A forecast without a trained model: the last value, drawn back to what is usual for the hour.

The median starts at the newest carbon intensity measured and decays to the mean of its hour of day
over the last weeks. The bands are the quantiles of what this very rule got wrong over the last weeks,
as known at the time. It stands in while no trained model can be used, and says so.
"""

import json
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import (
    CO2,
    HORIZON_HOURS,
    MARK_HOURS,
    MEASURED,
    MEDIAN,
    QUANTILE_COLUMNS,
    QUANTILES,
)
from co2_assets.contracts.time import hour_of, second_of, times_of
from co2_assets.forecasting.inputs.baselines import LONGEST_AGE_HOURS, persistence, same_hour_yesterday
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import POWER_FEED
from co2_assets.forecasting.issue.forecast import COLUMNS, DECIMALS, NoForecastError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

VERSION: Final = "fallback-statistical"
CAUSE: Final = "model: no trained model can be used; persistence and the usual course of the day stand in"

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


def issue_fallback(data: KnownData, issue_time: datetime, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Return the stand-in forecast of the 24 hours from ``issue_time`` (naive UTC, a whole hour).

    Uses only what was measured before ``issue_time``; ``as_of`` is when it was made, by default the
    issue time. Returns the columns of `predictions` but ``kind``, one row per lead. NoForecastError
    when nothing was measured in the 24 hours before.
    """
    issue = np.array([hour_of(issue_time)], np.int64)
    ages = np.arange(LONGEST_AGE_HOURS)
    known = ~np.isnan(_co2(data, issue[0] - 1 - ages))
    if not known.any():
        raise NoForecastError(
            f"no carbon intensity was measured in the 24 hours before {issue_time:%Y-%m-%d %H:%M} UTC "
            f"in {data.area.name}: fetch {data.area.measured_in} first"
        )
    age = int(known.argmax())
    marks = _marks(int(issue[0]))
    median = _medians(data, issue)[0]
    hours = (marks - _ages(data, marks))[:, None] + np.arange(_REACH)
    errors = _co2(data, hours) - _medians(data, marks)
    # Of each mark only what had come true by the issue time.
    errors[hours >= issue[0]] = np.nan
    quantiles = np.maximum(median[:, None] + _bands(errors), 0.0)
    ahead = slice(age, age + HORIZON_HOURS)

    targets = issue[:, None] + np.arange(HORIZON_HOURS)
    repeated = np.broadcast_to(issue[:, None], targets.shape)
    made = issue * 3600 if as_of is None else np.array([second_of(as_of)], np.int64)
    causes = [CAUSE]
    if age:
        causes.append(f"{POWER_FEED}: newest hour is {age} h older than it should be")
    columns: dict[str, object] = {
        "price_area": data.area.name,
        "issue_time_utc": times_of(repeated.ravel()),
        "target_hour_utc": times_of(targets.ravel()),
        "model_version": VERSION,
        "lead_hours": np.arange(1, HORIZON_HOURS + 1, dtype=np.int32),
        **dict(zip(QUANTILE_COLUMNS, quantiles[ahead].round(DECIMALS).T, strict=True)),
        "persistence_g_per_kwh": np.repeat(persistence(data, issue), HORIZON_HOURS),
        "same_hour_yesterday_g_per_kwh": same_hour_yesterday(data, repeated, targets).ravel(),
        "energinet_prognosis_g_per_kwh": data.prognosis_at(targets, made[:, None]).ravel(),
        "degraded_causes": json.dumps(causes, ensure_ascii=False),
        "as_of_utc": np.repeat(made, HORIZON_HOURS).astype("datetime64[s]").astype("datetime64[us]"),
    }
    return pd.DataFrame(columns)[list(COLUMNS)]


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
