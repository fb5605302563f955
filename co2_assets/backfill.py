"""Score a stretch of the past as if it had been live: by a model that knew nothing of it.

One model is trained on what was known when the stretch began, its forecasts are issued at every
six-hour mark as of then, and all that came true is scored. What is done is kept week by week, so a
backfill that was stopped goes on where it was.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from pydantic import Field

from co2_assets.assets.evaluations import evaluation_rows
from co2_assets.assets.features import BEGINNING
from co2_assets.assets.metadata import markdown_table
from co2_assets.assets.trained_model import LearningConfig, record_models
from co2_assets.contracts.forecast_spec import MARK
from co2_assets.contracts.tables import MODEL_EVALUATIONS, MODEL_TABLE, PREDICTIONS
from co2_assets.inputs import HISTORY_NEEDED, read_areas, read_known_data
from co2_assets.pipeline import Pipeline
from co2_assets.retraining import BACKFILL

if TYPE_CHECKING:
    from co2_assets.forecasting.network.trained_model import TrainedModel

BACKFILL_JOB = "backfill"
OP = "score_the_past"
DEFAULT_DAYS = 90
# Marks issued and kept at a time: a week's.
MARKS_AT_A_TIME = 28
# One that was stopped longer ago is begun anew.
RESUMED_WITHIN = timedelta(days=7)


class BackfillConfig(LearningConfig):
    """Run configuration of a backfill."""

    days: int = Field(
        default=DEFAULT_DAYS, ge=1, description="Days to score, up to now; a quarter unless told otherwise."
    )


# In no pool: it trains for minutes, and its writes are short and locked like all others.
@dg.op(name=OP)
def score_the_past(
    context: dg.OpExecutionContext, config: BackfillConfig, pipeline: dg.ResourceParam[Pipeline]
) -> None:
    """Train as of the beginning, issue every mark since, score, and say how it went."""
    start = _start(pipeline, config.days)
    for model in _models_as_of(start, config, context, pipeline):
        marks = _marks_left(pipeline, model, start)
        context.log.info(
            f"{model.area.title}: {len(marks)} marks since {start:%Y-%m-%d} UTC are still to be issued"
        )
        for number, part in _parts(marks):
            _issue(pipeline, model, part, context)
            context.log.info(f"issued {number} of {len(marks)} marks, {100 * number // len(marks)} %")
        scores = _score(pipeline, model, start)
        context.add_output_metadata(
            {f"scores_{model.area.name}": dg.MetadataValue.md(markdown_table(scores))}
        )
        for row in scores[scores["lead_from_hours"] < scores["lead_to_hours"]].to_dict("records"):
            context.log.info(
                f"{model.area.title}, leads {row['lead_from_hours']}-{row['lead_to_hours']} h: "
                f"MAE {row['mae_g_per_kwh']:.1f} g/kWh, persistence {row['persistence_mae_g_per_kwh']:.1f}; "
                f"accuracy {row['accuracy_percent']:.1f} %; 80 % band held "
                f"{row['coverage_80_percent']:.1f} % of {row['n_hours']} hours"
            )


@dg.job(
    name=BACKFILL_JOB,
    description="Score the past quarter as if live: train as of its beginning, forecast at every six-hour "
    "mark since, as of then, and score what came true. A backfill that was stopped goes on where it was.",
    config={
        "ops": {OP: {"config": {"days": DEFAULT_DAYS}}},
        "loggers": {"console": {"config": {"log_level": "INFO"}}},
    },
    executor_def=dg.in_process_executor,
)
def backfill() -> None:
    """One step, which remembers by the tables how far it came."""
    score_the_past()


def _start(pipeline: Pipeline, days: int) -> datetime:
    """Return the midnight, UTC, to begin at: where an equally long backfill was stopped, or ``days`` ago."""
    start = (pipeline.now - timedelta(days=days)).replace(hour=0, minute=0, second=0)
    unfinished = pipeline.warehouse.read(
        f"""
        SELECT max(data_to_utc) AS start FROM {MODEL_TABLE.name} m
        WHERE trigger = ? AND data_to_utc BETWEEN ? AND ? AND trained_at_utc <= ?
            AND date_diff('day', data_to_utc, trained_at_utc) = ?
            AND NOT EXISTS (
                SELECT 1 FROM {MODEL_EVALUATIONS.name} e
                WHERE e.model_version = m.model_version AND e.kind = ?
            )
        """,
        [BACKFILL, start - RESUMED_WITHIN, start, pipeline.now, days, BACKFILL],
    )["start"].iloc[0]
    return start if pd.isna(unfinished) else unfinished.to_pydatetime()


def _models_as_of(
    start: datetime, config: BackfillConfig, context: dg.OpExecutionContext, pipeline: Pipeline
) -> "Sequence[TrainedModel]":
    """Return the models that an earlier backfill trained as of ``start``, or train them."""
    from co2_assets.forecasting.network.model_file import ModelFileError, load_model
    from co2_assets.forecasting.network.trained_model import TrainingConfig
    from co2_assets.forecasting.network.training import EpochReport, train_together
    from co2_assets.forecasting.score.comparison import Verdict

    since = BEGINNING if config.window_days is None else start - timedelta(days=config.window_days)
    # What follows is the test, so none of the history is set aside for one.
    training = TrainingConfig(test_share=0.0, **config.sizes())
    seed = pipeline.seed if config.seed is None else config.seed
    known = pipeline.warehouse.read(
        f"SELECT price_area, model_version FROM {MODEL_TABLE.name} WHERE trigger = ? AND data_to_utc = ? "
        "QUALIFY dense_rank() OVER (ORDER BY trained_at_utc DESC, model_version DESC) = 1 "
        "ORDER BY price_area",
        [BACKFILL, start],
    )
    if len(known):
        try:
            loaded = [
                load_model(pipeline.models, row["model_version"], row["price_area"])
                for row in known.to_dict("records")
            ]
        except ModelFileError as error:
            context.log.warning(f"{error}: training it again")
        else:
            first = loaded[0]
            if first.config == training and first.seed == seed and first.record.data_from >= since:
                context.log.info(f"going on with {first.version}")
                return loaded
            context.log.info(f"{first.version} was trained otherwise than asked for: training anew")

    def progress(report: EpochReport) -> None:
        context.log.info(f"network {report.network}, epoch {report.epoch} of {training.epochs}")

    data = read_areas(pipeline.warehouse, since=since, until=start)
    if not data:
        raise dg.Failure(f"No hour before {start:%Y-%m-%d} UTC was measured: fewer days, or more history.")
    context.log.info(f"training on what was known at {start:%Y-%m-%d %H:%M} UTC")
    started = time.perf_counter()
    models = train_together(list(data.values()), until=start, seed=seed, config=training, progress=progress)
    verdict = Verdict(False, "It was trained to score the past, not to forecast.")
    record_models(
        pipeline,
        models,
        dict.fromkeys(data, verdict),
        seconds=time.perf_counter() - started,
        trigger=BACKFILL,
    )
    return models


def _marks_left(pipeline: Pipeline, model: "TrainedModel", start: datetime) -> list[datetime]:
    """Return the six-hour marks from ``start`` to now that ``model`` has not issued, oldest first."""
    issued = pipeline.warehouse.read(
        f"SELECT DISTINCT issue_time_utc FROM {PREDICTIONS.name} WHERE price_area = ? AND model_version = ?",
        [model.area.name, model.version],
    )
    done = set(issued["issue_time_utc"])
    marks = pd.date_range(start, pipeline.now, freq=MARK, inclusive="left")
    return [mark.to_pydatetime() for mark in marks if mark not in done]


def _parts(marks: list[datetime]) -> Iterator[tuple[int, list[datetime]]]:
    """Give the marks a week at a time, with how many there were up to then."""
    for first in range(0, len(marks), MARKS_AT_A_TIME):
        part = marks[first : first + MARKS_AT_A_TIME]
        yield first + len(part), part


def _issue(
    pipeline: Pipeline, model: "TrainedModel", marks: list[datetime], context: dg.OpExecutionContext
) -> None:
    """Issue and keep the forecasts of some marks, each as of then."""
    from co2_assets.forecasting.issue.forecast import NoForecastError, issue_forecasts

    data = read_known_data(
        pipeline.warehouse, since=marks[0] - HISTORY_NEEDED, until=pipeline.now, area=model.area
    )
    try:
        rows = issue_forecasts(model, data, marks).assign(kind=BACKFILL)
    except NoForecastError as error:
        context.log.warning(f"Nothing was issued from {marks[0]} to {marks[-1]}: {error}")
        return
    with pipeline.warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, rows)


def _score(pipeline: Pipeline, model: "TrainedModel", start: datetime) -> pd.DataFrame:
    """Score all that came true, keep it as an evaluation of its own and return its rows."""
    outcomes = pipeline.warehouse.read(
        "SELECT * FROM prediction_outcomes WHERE price_area = ? AND model_version = ? "
        "AND actual_g_per_kwh IS NOT NULL AND target_hour_utc < ?",
        [model.area.name, model.version, pipeline.now],
    )
    if outcomes.empty:
        raise dg.Failure(f"Nothing that was forecast since {start:%Y-%m-%d} UTC has come true yet.")
    rows = evaluation_rows(outcomes, model.area.name, model.version, BACKFILL, pipeline)
    with pipeline.warehouse.open_transaction() as transaction:
        transaction.insert_missing(MODEL_EVALUATIONS, rows)
    return rows
