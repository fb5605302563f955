"""When things run: the six-hour job, the deepening of history, the retraining sensor."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS
from co2_assets.defs.assets.metadata import markdown_table
from co2_assets.defs.assets.trained_model import LearningConfig
from co2_assets.pipeline.fetch_plan import history_left
from co2_assets.pipeline.retraining import (
    decide,
    read_retraining_inputs,
)
from co2_assets.pipeline.run import Run, published_snapshot
from co2_assets.pipeline.status import clock
from co2_assets.settings import Settings

TICK_JOB = "six_hour_tick"
RETRAIN_JOB = "retrain"
DEEPEN_JOB = "deepen_history"
REMEMBERED_REQUESTS = 100
# A stretch of history that could not be had is asked for again after this long.
RETRIED_AFTER = timedelta(hours=1)
# The terminal's logger of a run: ours in place of Dagster's, which prints every event.
SHORT_LINES: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}

# A killed run is made again whole: steps done twice change nothing, and the newest data are better.
RETRIED_WHOLE = {"dagster/retry_strategy": "ALL_STEPS"}

# One process for all steps: five small assets take 5 s so, 17-19 s with a process for each.
six_hour_tick = dg.define_asset_job(
    TICK_JOB,
    selection=dg.AssetSelection.all(),
    description="Fetch, aggregate, build features, forecast, and score what has come true.",
    config={"ops": {"trained_model": {"config": {"only_if_missing": True}}}, **SHORT_LINES},
    executor_def=dg.in_process_executor,
    tags=RETRIED_WHOLE,
)

retrain = dg.define_asset_job(
    RETRAIN_JOB,
    selection=dg.AssetSelection.assets("trained_model"),
    description="Train a challenger; it becomes champion only where it beats the present one.",
    executor_def=dg.in_process_executor,
    tags=RETRIED_WHOLE,
)

deepen_history = dg.define_asset_job(
    DEEPEN_JOB,
    selection=dg.AssetSelection.assets(
        *(dataset.name for dataset in DATASETS), "aggregated_data", "engineered_features"
    ),
    description="Fetch one stretch of older history of each dataset, until all of it is held.",
    config={"ops": {dataset.name: {"config": {"deepen": True}} for dataset in DATASETS}, **SHORT_LINES},
    executor_def=dg.in_process_executor,
    tags=RETRIED_WHOLE,
)

six_hour_schedule = dg.ScheduleDefinition(
    name="six_hour_schedule",
    job=six_hour_tick,
    cron_schedule="0 */6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A forecast at 00, 06, 12 and 18 UTC.",
)


@dg.schedule(
    name="deepen_history_schedule",
    job=deepen_history,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads older history piece by piece within the service's rate limit, then rests.",
)
def deepen_history_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a piece of history unless all is held or another run is under way."""
    settings = Settings.from_environment()
    snapshot = published_snapshot(settings)
    if snapshot is None:
        return dg.SkipReason("Nothing is published yet; the six-hour run fetches the newest days first.")
    now = clock(snapshot, settings)
    left = history_left(snapshot, settings, now, patience=RETRIED_AFTER)
    if not left:
        waiting = history_left(snapshot, settings, now)
        return dg.SkipReason(
            f"{waiting} pieces of history could not be had; they are asked for again an hour after that."
            if waiting
            else f"All {settings.history_days} days of history are held."
        )
    if _in_progress(context.instance, None):
        return dg.SkipReason(f"Another run is under way; {left} pieces of history are left.")
    return dg.RunRequest()


def _in_progress(instance: dg.DagsterInstance, asset: str | None) -> bool:
    """Return whether a run (that makes ``asset``, if named) is queued or under way."""
    runs = instance.get_runs(
        dg.RunsFilter(
            statuses=[
                dg.DagsterRunStatus.QUEUED,
                dg.DagsterRunStatus.NOT_STARTED,
                dg.DagsterRunStatus.STARTING,
                dg.DagsterRunStatus.STARTED,
                dg.DagsterRunStatus.CANCELING,
            ]
        )
    )
    if asset is None:
        return bool(runs)
    return any(
        run.job_name == RETRAIN_JOB
        or (run.asset_selection is not None and dg.AssetKey(asset) in run.asset_selection)
        for run in runs
    )


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a new model when the live accuracy of leads 1-6 falls under 65 % (or when "
    "twice the history that any model knew is held, an area it does not know, or a month has passed since "
    "the last training); once per evaluation, never beside another training, at most once a day.",
)
def retraining_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Apply the retraining rule to what is published; the reason for skipping is a sentence."""
    settings = Settings.from_environment()
    snapshot = published_snapshot(settings)
    if snapshot is None:
        yield dg.SkipReason("Nothing is published yet; the next six-hour run makes the first model.")
        return
    memory = json.loads(context.cursor) if context.cursor else {}
    now = clock(snapshot, settings)
    decision = decide(
        read_retraining_inputs(
            snapshot,
            settings,
            now=now,
            training_running=_in_progress(context.instance, "trained_model"),
            memory=memory,
        )
    )
    if not decision.train:
        yield dg.SkipReason(decision.sentence)
        return
    fired = [*memory.get("fired", []), decision.name][-REMEMBERED_REQUESTS:]
    context.update_cursor(json.dumps({"fired_at": now.isoformat(), "fired": fired}))
    yield dg.RunRequest(
        run_key=f"{decision.name}@{now:%Y-%m-%dT%H:%M:%S}",
        run_config=retrain_config(decision.trigger),
        tags={"reason": decision.sentence[:200]},
    )


def retrain_config(trigger: str) -> dict[str, Any]:
    """Return the run configuration of a retraining: who asked for it is kept with the model."""
    return {"ops": {"trained_model": {"config": {"trigger": trigger}}}, **SHORT_LINES}


BACKFILL_JOB = "backfill"

OP = "score_the_past"

DEFAULT_DAYS = 90


class BackfillConfig(LearningConfig):
    """Run configuration of a backfill."""

    days: int = Field(
        default=DEFAULT_DAYS, ge=1, description="Days to score, up to now; a quarter unless told otherwise."
    )


# In no pool: it trains for minutes, and its writes are short and locked like all others.
@dg.op(name=OP)
def backfill_op(
    context: dg.OpExecutionContext, config: BackfillConfig, pipeline: dg.ResourceParam[Run]
) -> None:
    """Train as of the beginning, issue every mark since, score, and say how it went."""
    from co2_assets.forecasting.network.splits import TooLittleDataError
    from co2_assets.pipeline.backfill import BackfillError, score_the_past

    try:
        scores = score_the_past(
            pipeline,
            days=config.days,
            window_days=config.window_days,
            sizes=config.sizes(),
            seed=config.seed,
            log=context.log,
        )
    except (TooLittleDataError, BackfillError) as error:
        raise dg.Failure(str(error)) from error
    for area_name, rows in scores.items():
        context.add_output_metadata({f"scores_{area_name}": dg.MetadataValue.md(markdown_table(rows))})
        for row in rows[rows["lead_from_hours"] < rows["lead_to_hours"]].to_dict("records"):
            context.log.info(
                f"{AREAS[area_name].title}, leads {row['lead_from_hours']}-{row['lead_to_hours']} h: "
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
    backfill_op()
