"""The backfill: forecasts of the past, made and scored as if they had been live.

One model for all areas is trained on what was known when the period began. It forecasts at every six-hour
mark since then, with what was known at that mark. The forecasts are stored week by week, so a backfill that
was stopped continues where it stopped. At the end they are scored.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts.forecast_spec import MARK, Cadence, ForecastKind
from co2_assets.contracts.schema import BEGINNING
from co2_assets.contracts.tables import MODEL_EVALUATIONS, MODEL_TABLE, PREDICTIONS
from co2_assets.forecasting.forecaster import Model, ModelFileError
from co2_assets.forecasting.issue.forecast import NoForecastError, history_needed, issue_forecasts
from co2_assets.forecasting.score.comparison import Verdict
from co2_assets.pipeline.champions import record_models, train_challenger
from co2_assets.pipeline.evaluation import evaluation_rows
from co2_assets.pipeline.forecast_inputs import read_known_data
from co2_assets.pipeline.retraining import Trigger
from co2_assets.pipeline.run import Run

logger = logging.getLogger(__name__)

# How many marks are forecast and stored at a time: those of a week.
MARKS_AT_A_TIME = 28
# A backfill that was stopped longer ago starts again from the beginning.
RESUMED_WITHIN = timedelta(days=7)


class BackfillError(RuntimeError):
    """A backfill has nothing to score; the message gives the reason."""


def score_the_past(
    run: Run,
    *,
    days: int,
    window_days: int | None = None,
    sizes: Mapping[str, int] | None = None,
    seed: int | None = None,
    log: logging.Logger = logger,
) -> dict[str, pd.DataFrame]:
    """Train on what was known ``days`` ago, forecast at every mark since, and return the scores by area.

    ``window_days``, ``sizes`` and ``seed`` are those of `train_challenger`. ``log`` gets the
    progress. Raises TooLittleDataError when too little was measured before that time, and BackfillError
    when no forecast hour was measured.
    """
    start = _start(run, days)
    scores = {}
    for model in _models_as_of(run, start, window_days=window_days, sizes=sizes or {}, seed=seed, log=log):
        marks = _marks_left(run, model, start)
        log.info(f"{model.area.title}: {len(marks)} marks since {start:%Y-%m-%d} UTC are still to be issued")
        for number, some in _weeks(marks):
            _issue(run, model, some, log)
            log.info(f"issued {number} of {len(marks)} marks, {100 * number // len(marks)} %")
        scores[model.area.name] = _score(run, model, start)
    return scores


def _start(run: Run, days: int) -> datetime:
    """Return the midnight, UTC, to begin at: where an equally long backfill was stopped, or ``days`` ago."""
    start = (run.now - timedelta(days=days)).replace(hour=0, minute=0, second=0)
    unfinished = run.warehouse.read(
        f"""
        SELECT max(data_to_utc) AS start FROM {MODEL_TABLE.name} m
        WHERE trigger = ? AND data_to_utc BETWEEN ? AND ? AND trained_at_utc <= ?
            AND date_diff('day', data_to_utc, trained_at_utc) = ?
            AND NOT EXISTS (
                SELECT 1 FROM {MODEL_EVALUATIONS.name} e
                WHERE e.model_version = m.model_version AND e.kind = ?
            )
        """,
        [Trigger.BACKFILL.value, start - RESUMED_WITHIN, start, run.now, days, ForecastKind.BACKFILL.value],
    )["start"].iloc[0]
    return start if pd.isna(unfinished) else unfinished.to_pydatetime()


def _models_as_of(
    run: Run,
    start: datetime,
    *,
    window_days: int | None,
    sizes: Mapping[str, int],
    seed: int | None,
    log: logging.Logger,
) -> Sequence[Model]:
    """Return the models that an earlier backfill trained at ``start``, or train them."""
    since = BEGINNING if window_days is None else start - timedelta(days=window_days)
    wanted_seed = run.seed if seed is None else seed
    held = _trained_before(run, start, log)
    if held:
        first = held[0]
        is_same = run.forecaster.was_trained_with(first, sizes=sizes, with_test=False)
        if is_same and first.seed == wanted_seed and first.record.data_from >= since:
            log.info(f"going on with {first.version}")
            return held
        log.info(f"{first.version} was trained otherwise than asked for: training anew")
    log.info(f"training on what was known at {start:%Y-%m-%d %H:%M} UTC")
    # The backfill itself is the test, so no part of the history is set aside for one.
    challenger = train_challenger(
        run, until=start, since=since, sizes=sizes, seed=seed, with_test=False, progress=log.info
    )
    verdict = Verdict(False, "It was trained to score the past, not to forecast.")
    verdicts = {model.area.name: verdict for model in challenger.models}
    record_models(run, challenger, verdicts, trigger=Trigger.BACKFILL.value)
    return challenger.models


def _trained_before(run: Run, start: datetime, log: logging.Logger) -> list[Model]:
    """Return the newest models that a backfill trained at ``start``; none if they cannot be loaded."""
    known = run.warehouse.read(
        f"SELECT price_area, model_version FROM {MODEL_TABLE.name} WHERE trigger = ? AND data_to_utc = ? "
        "QUALIFY dense_rank() OVER (ORDER BY trained_at_utc DESC, model_version DESC) = 1 "
        "ORDER BY price_area",
        [Trigger.BACKFILL.value, start],
    )
    try:
        return [
            run.forecaster.load(run.models, row["model_version"], row["price_area"])
            for row in known.to_dict("records")
        ]
    except ModelFileError as error:
        log.warning(f"{error}: training it again")
        return []


def _marks_left(run: Run, model: Model, start: datetime) -> list[datetime]:
    """Return the six-hour marks from ``start`` to now that ``model`` has not issued, oldest first."""
    issued = run.warehouse.read(
        f"SELECT DISTINCT issue_time_utc FROM {PREDICTIONS.name} WHERE price_area = ? AND model_version = ?",
        [model.area.name, model.version],
    )
    done = set(issued["issue_time_utc"])
    marks = pd.date_range(start, run.now, freq=MARK, inclusive="left")
    return [mark.to_pydatetime() for mark in marks if mark not in done]


def _weeks(marks: list[datetime]) -> Iterator[tuple[int, list[datetime]]]:
    """Yield the marks of a week at a time, each time with the number of marks so far."""
    for first in range(0, len(marks), MARKS_AT_A_TIME):
        part = marks[first : first + MARKS_AT_A_TIME]
        yield first + len(part), part


def _issue(run: Run, model: Model, marks: list[datetime], log: logging.Logger) -> None:
    """Make and store the forecasts of some marks, each with what was known at its mark."""
    since = marks[0] - history_needed(model)
    data = read_known_data(run.warehouse, since=since, until=run.now, area=model.area)
    try:
        rows = issue_forecasts(model, data, marks).assign(
            kind=ForecastKind.BACKFILL.value, cadence=Cadence.SIX_HOUR.value
        )
    except NoForecastError as error:
        log.warning(f"Nothing was issued from {marks[0]} to {marks[-1]}: {error}")
        return
    with run.warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, rows)


def _score(run: Run, model: Model, start: datetime) -> pd.DataFrame:
    """Score the forecasts whose hours were measured; store the rows of the evaluation and return them."""
    outcomes = run.warehouse.read(
        "SELECT * FROM prediction_outcomes WHERE price_area = ? AND model_version = ? "
        "AND actual_g_per_kwh IS NOT NULL AND target_hour_utc < ?",
        [model.area.name, model.version, run.now],
    )
    if outcomes.empty:
        raise BackfillError(f"Nothing that was forecast since {start:%Y-%m-%d} UTC has come true yet.")
    rows = evaluation_rows(outcomes, model.area.name, model.version, ForecastKind.BACKFILL, run)
    with run.warehouse.open_transaction() as transaction:
        transaction.insert_missing(MODEL_EVALUATIONS, rows)
    return rows
