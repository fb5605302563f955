"""The live forecast: by the champion, by an earlier champion, or by the rule that needs no model.

The first run of an hour issues one, and so does its first six-hour run. A later run of that hour issues
another only if it is better: by the champion where the one before is not, or with fewer causes of wide
bands. The first six-hour forecast of a model comes with hindcasts of the last days.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from co2_assets.contracts import CO2_MAXIMUM
from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import (
    CLOCK_TOLERANCE,
    MARK_HOURS,
    QUANTILE_COLUMNS,
    Cadence,
    ForecastKind,
)
from co2_assets.contracts.tables import PREDICTIONS
from co2_assets.forecasting.forecaster import Model
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue.degradation import MODEL_CAUSE
from co2_assets.forecasting.issue.fallback import VERSION, StatisticalFallback
from co2_assets.forecasting.issue.forecast import NoForecastError, history_needed, issue_forecasts
from co2_assets.pipeline.champions import champions_before, load_champion, newest_promoted
from co2_assets.pipeline.forecast_inputs import read_known_data
from co2_assets.pipeline.run import Run

logger = logging.getLogger(__name__)

# Measurements above CO2_MAXIMUM are quarantined. The widest band of a working model may be higher when all
# feeds are missing, but never twice as high.
HIGHEST_G_PER_KWH = 2 * CO2_MAXIMUM
# Characters of an error message that are kept: a message of torch can fill a page.
LONGEST_REASON = 200
# The first run also makes hindcasts for the six-hour marks of this many days, so that there are scores.
HINDCAST_DAYS = 7


class ImpossibleForecastError(ValueError):
    """The numbers of a forecast are not possible; the message gives them."""


def read_for_issue(run: Run, area: Area, champion: Model | None, first_issue: datetime) -> KnownData:
    """Return the data for forecasts of ``area`` from ``first_issue`` on, as known at the run's clock."""
    models = [StatisticalFallback(area), *([] if champion is None else [champion])]
    needed = max(history_needed(model) for model in models)
    return read_known_data(run.warehouse, since=first_issue - needed, until=run.now, area=area)


def issue_live(run: Run, champion: Model | None, data: KnownData, issue_time: datetime) -> pd.DataFrame:
    """Return the live forecast from ``issue_time``, columns of `predictions`.

    If the champion fails or gives impossible numbers, the champion before it forecasts, and so on. If all
    fail, or there is none, the rule of `issue.fallback` forecasts. The causes name each model that failed
    with its error, and a newest promoted model that could not be loaded. Raises NoForecastError when
    nothing was measured to forecast from.
    """
    failed: list[str] = []
    for model in _models(run, champion):
        try:
            live = issue_forecasts(model, data, [issue_time], as_of=run.now)
            _require_possible(live)
        except NoForecastError:
            raise
        except Exception as error:
            # Any error, of torch, of the memory or of a damaged file: a worse forecast is better than none.
            logger.exception("%s fails and is passed over; train another with `co2 train`", model.version)
            failed.append(f"{MODEL_CAUSE}{model.version} failed ({_in_short(error)})")
            continue
        promoted = newest_promoted(run, model.area.name)
        if promoted != model.version:
            failed.append(f"{MODEL_CAUSE}{promoted} cannot be used, {model.version} forecasts in its place")
        return _with_causes(live, failed).assign(kind=ForecastKind.LIVE.value)
    live = issue_forecasts(StatisticalFallback(data.area), data, [issue_time], as_of=run.now)
    return _with_causes(live, failed).assign(kind=ForecastKind.LIVE.value)


def _models(run: Run, champion: Model | None) -> Iterator[Model]:
    """Yield the champion, then the champions before it; each is loaded only when it is asked for."""
    if champion is not None:
        yield champion
        yield from champions_before(run, champion)


def _require_possible(live: pd.DataFrame) -> None:
    """Raise ImpossibleForecastError for quantiles that are not finite, negative or far too high."""
    quantiles = live[list(QUANTILE_COLUMNS)].to_numpy(np.float64)
    if not np.isfinite(quantiles).all():
        raise ImpossibleForecastError("it gives no numbers")
    lowest, highest = quantiles.min(), quantiles.max()
    if lowest < 0 or highest > HIGHEST_G_PER_KWH:
        raise ImpossibleForecastError(f"it gives {lowest:.0f} to {highest:.0f} g/kWh")


def _in_short(error: Exception) -> str:
    """Return the type of an error and the beginning of its message, in one line."""
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


def hindcast_marks(issue_time: datetime) -> list[datetime]:
    """Return the six-hour marks of the last seven days before ``issue_time``, oldest first."""
    midnight = issue_time.replace(hour=0)
    marks = (midnight + timedelta(hours=MARK_HOURS * n) for n in range(-4 * (HINDCAST_DAYS + 1), 4))
    return [mark for mark in marks if issue_time - timedelta(days=HINDCAST_DAYS) <= mark < issue_time]


def _marks_to_hindcast(run: Run, area: Area, champion: Model | None, issue_time: datetime) -> list[datetime]:
    """Return the marks for which hindcasts are to be made; none if a model has forecast before."""
    if champion is None:
        return []
    by_models = (
        f"SELECT 1 FROM {PREDICTIONS.name} "
        "WHERE price_area = ? AND model_version <> ? AND cadence = ? LIMIT 1"
    )
    if len(run.warehouse.read(by_models, [area.name, VERSION, Cadence.SIX_HOUR.value])):
        return []
    # A hindcast of hours that the model was fitted to would be no test.
    return [mark for mark in hindcast_marks(issue_time) if mark >= champion.record.fitted_until]


@dataclass(frozen=True)
class Issued:
    """What a run issues for an area.

    ``rows`` are those to store, columns of `predictions`; empty where the forecast of before is as good.
    ``live`` is the forecast now, ``recent`` the last day's rows of `aggregated_data`.
    """

    rows: pd.DataFrame
    live: pd.DataFrame
    recent: pd.DataFrame


def issue_area(
    run: Run, area: Area, issue_time: datetime, wanted: Cadence, *, log: logging.Logger = logger
) -> Issued:
    """Make an area's forecast of the hour ``issue_time``, for a run of the cadence ``wanted``.

    The first six-hour forecast by a model comes with hindcasts of the last days. If they cannot be made,
    ``log`` gets the reason. Raises NoForecastError when nothing was measured to forecast from.
    """
    champion = load_champion(run, area.name)
    marks = _marks_to_hindcast(run, area, champion, issue_time) if wanted is Cadence.SIX_HOUR else []
    data = read_for_issue(run, area, champion, min([*marks, issue_time]))
    live = issue_live(run, champion, data, issue_time)
    before = _issued_in(run, area, issue_time)
    cadence = _cadence(run, live, before, wanted)
    rows = _after(live, before).assign(cadence=(cadence or wanted).value)
    if cadence is None:
        rows = rows.iloc[:0]
    recent = data.aggregated.sort_values("hour_utc").tail(24)
    if champion is None or not marks:
        return Issued(rows, live, recent)
    try:
        hindcasts = issue_forecasts(champion, data, marks)
    except NoForecastError as error:
        log.warning(f"No hindcast: {error}")
        return Issued(rows, live, recent)
    except Exception:
        # The live forecast is made already, by another model if need be: it must not be lost.
        log.exception(f"{champion.version} failed at the marks of the last days: no hindcasts")
        return Issued(rows, live, recent)
    hindcasts = hindcasts.assign(kind=ForecastKind.HINDCAST.value, cadence=Cadence.SIX_HOUR.value)
    return Issued(pd.concat([rows, hindcasts], ignore_index=True), live, recent)


def _issued_in(run: Run, area: Area, issue_time: datetime) -> pd.DataFrame:
    """Return a row for each live forecast of an hour: when, why, by which model and with which causes."""
    return run.warehouse.read(
        f"""
        SELECT DISTINCT issued_at_utc, cadence, model_version, degraded_causes FROM {PREDICTIONS.name}
        WHERE price_area = ? AND kind = ? AND issue_time_utc = ? AND issued_at_utc <= ?
        ORDER BY issued_at_utc, model_version
        """,
        [area.name, ForecastKind.LIVE.value, issue_time, run.now + CLOCK_TOLERANCE],
    )


def _cadence(run: Run, live: pd.DataFrame, before: pd.DataFrame, wanted: Cadence) -> Cadence | None:
    """Return for what ``live`` is issued after those ``before`` in its hour; None if it is not better."""
    if wanted is Cadence.SIX_HOUR and Cadence.SIX_HOUR not in set(before["cadence"]):
        return wanted
    if before.empty:
        return Cadence.HOURLY
    promoted = newest_promoted(run, str(live["price_area"].iloc[0]))

    def rank(rows: pd.DataFrame) -> tuple[bool, int]:
        return bool((rows["model_version"] == promoted).any()), -_fewest_causes(rows)

    newest = before[before["issued_at_utc"] == before["issued_at_utc"].max()]
    return Cadence.UPDATE if rank(live) > rank(newest) else None


def _fewest_causes(rows: pd.DataFrame) -> int:
    return min(len(json.loads(text)) for text in rows["degraded_causes"].unique())


def _after(live: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Return ``live`` with an instant after those ``before``, where the clock of a replay stands still."""
    newest = before["issued_at_utc"].max()
    if pd.isna(newest) or newest < live["issued_at_utc"].iloc[0]:
        return live
    return live.assign(issued_at_utc=newest + timedelta(seconds=1))
