"""Issuing forecasts: the one way for the live service, for hindcasts and for backtests."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import HORIZON_HOURS, MARK_HOURS, QUANTILE_COLUMNS
from co2_assets.contracts.time import hour_containing, hour_of, second_of, time_of, times_of
from co2_assets.forecasting.calibration import (
    RECALIBRATION_WINDOW,
    offsets_as_of,
    recalibrated,
    scaled_errors,
    widened,
)
from co2_assets.forecasting.forecaster import Model
from co2_assets.forecasting.inputs.baselines import LONGEST_DAYS, persistence, same_hour_yesterday
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import REACH_BACK_HOURS, Windows, build_windows
from co2_assets.forecasting.issue.degradation import assess

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# How far after an issue time data may matter: the last hour, and those around it.
AHEAD = timedelta(hours=HORIZON_HOURS + 1)

# Forecasts are given to a thousandth of a gram, which also hides in which order sums were rounded.
DECIMALS = 3

COLUMNS = (
    "price_area",
    "issue_time_utc",
    "target_hour_utc",
    "model_version",
    "lead_hours",
    *QUANTILE_COLUMNS,
    "persistence_g_per_kwh",
    "same_hour_yesterday_g_per_kwh",
    "energinet_prognosis_g_per_kwh",
    "degraded_causes",
    "issued_at_utc",
)


class NoForecastError(RuntimeError):
    """There is nothing to forecast from."""


def issue_forecasts(
    model: Model,
    data: KnownData,
    issue_times: Sequence[datetime],
    *,
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Forecasts of the `HORIZON_HOURS` from each of ``issue_times`` (naive UTC, whole hours).

    Each uses only what was knowable at its issue time, or at ``as_of``, which must lie in the hour
    that begins at the one issue time given. Returns the columns of `predictions` but ``kind`` and
    ``cadence``, ordered by issue time and lead. An issue time before which nothing was measured for a
    day is left out; NoForecastError when that leaves none. ValueError for times that break these rules.
    """
    times = sorted(set(issue_times))
    _check(times, as_of)
    issue_hours = np.array([hour_of(time) for time in times], np.int64)
    whole, data = data, data.between(_from(issue_hours, model), times[-1] + AHEAD)
    windows = build_windows(data, issue_hours, as_of=as_of)
    if not len(windows):
        raise NoForecastError(
            f"no carbon intensity was measured in the 24 hours before {times[-1]:%Y-%m-%d %H:%M} UTC "
            f"in {model.area.name}: fetch {model.area.measured_in} first"
        )
    issue_hours = windows.issue_hours
    instants = issue_hours * 3600 if as_of is None else np.full(len(issue_hours), second_of(as_of), np.int64)
    degradation = assess(whole, windows, instants, model.widening)
    quantiles = _calibrated(model, data, windows, degradation.widening).round(DECIMALS)

    targets = issue_hours[:, None] + np.arange(HORIZON_HOURS)
    repeated = np.broadcast_to(issue_hours[:, None], targets.shape)
    causes = [
        json.dumps([*model.standing_causes, *named], ensure_ascii=False) for named in degradation.causes
    ]
    columns: dict[str, object] = {
        "price_area": model.area.name,
        "issue_time_utc": times_of(repeated.ravel()),
        "target_hour_utc": times_of(targets.ravel()),
        "model_version": model.version,
        "lead_hours": np.tile(np.arange(1, HORIZON_HOURS + 1, dtype=np.int32), len(issue_hours)),
        **dict(zip(QUANTILE_COLUMNS, quantiles.reshape(-1, len(QUANTILE_COLUMNS)).T, strict=True)),
        "persistence_g_per_kwh": np.repeat(persistence(data, issue_hours), HORIZON_HOURS),
        "same_hour_yesterday_g_per_kwh": same_hour_yesterday(data, repeated, targets).ravel(),
        "energinet_prognosis_g_per_kwh": data.prognosis_at(targets, instants[:, None]).ravel(),
        "degraded_causes": np.repeat(np.array(causes, dtype=object), HORIZON_HOURS),
        "issued_at_utc": np.repeat(instants.astype("datetime64[s]").astype("datetime64[us]"), HORIZON_HOURS),
    }
    return pd.DataFrame(columns)[list(COLUMNS)]


def history_needed(model: Model) -> timedelta:
    """How far before an issue time the data must reach, for the forecast and all that it is held against.

    Recalibration issues the forecasts of the last weeks once more, and each of those looks back too.
    """
    calibrated = timedelta() if model.offsets is None else RECALIBRATION_WINDOW
    return calibrated + max(model.reach_back, timedelta(hours=REACH_BACK_HOURS), timedelta(days=LONGEST_DAYS))


def _calibrated(model: Model, data: KnownData, windows: Windows, widening: Floats) -> Floats:
    """Quantiles of ``windows``, moved by the errors of forecasts that had come true by each issue time."""
    raw = model.quantiles(windows, data)
    if model.offsets is None:
        return widened(raw, widening)
    marks = build_windows(data, _marks(windows.issue_hours, model))
    errors = scaled_errors(model.quantiles(marks, data), marks.target.astype(np.float64))
    offsets = offsets_as_of(windows.issue_hours, marks.issue_hours, errors, model.offsets)
    return recalibrated(raw, offsets, widening)


def _check(times: list[datetime], as_of: datetime | None) -> None:
    if not times:
        raise ValueError("no issue time was given")
    for time in times:
        if time.tzinfo is not None or time != hour_containing(time):
            raise ValueError(f"an issue time must be a whole hour in naive UTC, not {time!r}")
    if as_of is not None and not (len(times) == 1 and times[0] <= as_of < times[0] + timedelta(hours=1)):
        raise ValueError(
            f"as_of {as_of} must lie in the hour that begins at the one issue time, not {times}: "
            "a later forecast would speak of hours already past"
        )


def _marks(issue_hours: Integers, model: Model) -> Integers:
    """Six-hour marks whose forecasts calibrate: outside of what the model was fitted to."""
    window = RECALIBRATION_WINDOW // timedelta(hours=1)
    first = max(int(issue_hours[0]) - window, hour_of(model.record.fitted_until))
    first = -(-first // MARK_HOURS) * MARK_HOURS
    return np.arange(first, int(issue_hours[-1]), MARK_HOURS, dtype=np.int64)


def _from(issue_hours: Integers, model: Model) -> datetime:
    """Start of the data that can matter."""
    first = int(issue_hours[0])
    if model.offsets is not None:
        first = min([first, *_marks(issue_hours, model)[:1]])
    reach = max(REACH_BACK_HOURS, 24 * LONGEST_DAYS, model.reach_back // timedelta(hours=1))
    return time_of(int(first - reach))
