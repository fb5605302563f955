"""The jobs, the schedules that start them, and the sensor that asks for a new model."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT, MARK_HOURS, Cadence
from co2_assets.contracts.timetable import HOURLY_MINUTES
from co2_assets.defs.assets.metadata import frame_value
from co2_assets.defs.assets.raw_energy_data import fetch_check_name
from co2_assets.defs.assets.trained_model import LearningConfig
from co2_assets.defs.cadence import CADENCE_TAG, SIX_HOURLY_ASSETS
from co2_assets.forecasting.forecaster import TooLittleDataError
from co2_assets.pipeline.backfill import BackfillError, score_the_past
from co2_assets.pipeline.fetch_plan import history_left
from co2_assets.pipeline.reissue import outdone_forecasts, reason_to_update
from co2_assets.pipeline.retraining import decide, read_retraining_inputs
from co2_assets.pipeline.run import Run, published_snapshot
from co2_assets.pipeline.status import clock
from co2_assets.settings import DEFAULT_BACKFILL_DAYS, Settings

TICK_JOB = "six_hour_tick"
UPDATE_JOB = "hourly_update"
RETRAIN_JOB = "retrain"
DEEPEN_JOB = "deepen_history"
BACKFILL_JOB = "backfill"
BACKFILL_OP = "score_the_past"
REMEMBERED_REQUESTS = 100
# Characters of a reason that are kept as a tag of the run.
LONGEST_TAG = 200
# A window of history whose fetch failed is requested again after this long.
RETRY_HISTORY_AFTER = timedelta(hours=1)
# Our logger for the terminal replaces Dagster's, which prints every event.
SHORT_LINES: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}

# A killed run starts again with all of its steps: repeated steps change nothing, and the data are newer.
RETRY_ALL_STEPS = {"dagster/retry_strategy": "ALL_STEPS"}

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

# All steps run in one process: five small assets take 5 s in one process, and 17-19 s in one each.
six_hour_tick = dg.define_asset_job(
    TICK_JOB,
    selection=dg.AssetSelection.all(),
    description="Fetch the newest data, make hourly means and features, forecast, and score the forecasts "
    "whose hours have passed.",
    config={"ops": {"trained_model": {"config": {"only_if_missing": True}}}, **SHORT_LINES},
    executor_def=dg.in_process_executor,
    tags={**RETRY_ALL_STEPS, CADENCE_TAG: Cadence.SIX_HOUR.value},
)

# Without the checks that read whole tables: the six-hour job makes them. Those of a fetch are part of it.
hourly_update = dg.define_asset_job(
    UPDATE_JOB,
    selection=(dg.AssetSelection.all() - dg.AssetSelection.assets(*SIX_HOURLY_ASSETS)).without_checks()
    | dg.AssetSelection.checks(
        *(dg.AssetCheckKey(dg.AssetKey(dataset.name), fetch_check_name(dataset)) for dataset in DATASETS)
    ),
    description="Fetch the newest data and forecast with the present model. No model is trained, and nothing "
    "is scored.",
    config=SHORT_LINES,
    executor_def=dg.in_process_executor,
    tags={**RETRY_ALL_STEPS, CADENCE_TAG: Cadence.HOURLY.value},
)

retrain = dg.define_asset_job(
    RETRAIN_JOB,
    selection=dg.AssetSelection.assets("trained_model"),
    description="Train a challenger. In each area it becomes the champion if it is better than the present "
    "champion.",
    executor_def=dg.in_process_executor,
    tags=RETRY_ALL_STEPS,
)

deepen_history = dg.define_asset_job(
    DEEPEN_JOB,
    selection=dg.AssetSelection.assets(
        *(dataset.name for dataset in DATASETS), "aggregated_data", "engineered_features"
    ),
    description="Fetch one more window of older history for each dataset that does not have all of it yet.",
    config={"ops": {dataset.name: {"config": {"deepen": True}} for dataset in DATASETS}, **SHORT_LINES},
    executor_def=dg.in_process_executor,
    tags=RETRY_ALL_STEPS,
)

six_hour_schedule = dg.ScheduleDefinition(
    name="six_hour_schedule",
    job=six_hour_tick,
    cron_schedule=f"0 */{MARK_HOURS} * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Makes a new forecast at 00, 06, 12 and 18 UTC.",
)


@dg.schedule(
    name="hourly_schedule",
    job=hourly_update,
    cron_schedule=f"{','.join(map(str, HOURLY_MINUTES))} * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=f"Makes a forecast {HOURLY_MINUTES[0]} minutes past each hour that has none yet. Later in "
    "the hour it makes another if the first failed or an input was late. CO2_HOURLY_UPDATE=off stops it.",
)
def hourly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request an update, unless this hour has a forecast with all its inputs or a run is making one."""
    settings = Settings.from_environment()
    if not settings.hourly_update:
        return dg.SkipReason("CO2_HOURLY_UPDATE is off: forecasts are made every six hours only.")
    snapshot = published_snapshot(settings)
    if snapshot is None:
        return dg.SkipReason("Nothing is published yet; the six-hour run makes the first forecast.")
    if _in_progress(context.instance, "predictions", TICK_JOB, UPDATE_JOB):
        return dg.SkipReason("A run that forecasts is active already.")
    reason = reason_to_update(snapshot, clock(snapshot, settings))
    if reason is None:
        return dg.SkipReason("This hour has a forecast with all its inputs.")
    return dg.RunRequest(tags={"reason": reason[:LONGEST_TAG]})


@dg.sensor(
    name="better_model_sensor",
    job=hourly_update,
    minimum_interval_seconds=20,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests a forecast at once when a model was promoted after the newest forecast, so that "
    "pages do not show the forecast of one model beside the name of another.",
)
def better_model_sensor(_context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request an update after each promotion, and again in later hours if it failed."""
    settings = Settings.from_environment()
    snapshot = published_snapshot(settings)
    if snapshot is None:
        return dg.SkipReason("Nothing is published yet.")
    outdone = outdone_forecasts(snapshot)
    if not outdone:
        return dg.SkipReason("The newest forecasts are those of the champions.")
    promoted = ", ".join(f"{area}: {model}" for area, model in sorted(outdone.items()))
    # One request an hour: where the new model cannot be used, another run would change nothing.
    run_key = f"{promoted}@{clock(snapshot, settings):%Y-%m-%dT%H}"
    return dg.RunRequest(run_key=run_key, tags={"reason": f"Promoted: {promoted}"[:LONGEST_TAG]})


@dg.schedule(
    name="deepen_history_schedule",
    job=deepen_history,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Fetches older history in small windows, within the rate limit of the service, until all of "
    "it is stored.",
)
def deepen_history_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request the next windows of history, unless all history is stored or another run is active."""
    settings = Settings.from_environment()
    snapshot = published_snapshot(settings)
    if snapshot is None:
        return dg.SkipReason("Nothing is published yet; the six-hour run fetches the newest days first.")
    now = clock(snapshot, settings)
    left = history_left(snapshot, settings, now, patience=RETRY_HISTORY_AFTER)
    if not left:
        failed = history_left(snapshot, settings, now)
        return dg.SkipReason(
            f"{failed} windows of history could not be fetched; they are requested again one hour after the "
            "failure."
            if failed
            else f"All {settings.history_days} days of history are stored."
        )
    if _in_progress(context.instance):
        return dg.SkipReason(f"Another run is active; {left} windows of history are still to be fetched.")
    return dg.RunRequest()


def _in_progress(instance: dg.DagsterInstance, asset: str | None = None, *jobs: str) -> bool:
    """Return whether a run is queued or active.

    With ``asset``, only runs of ``jobs``, which make this asset, and runs that were asked for it count.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    if asset is None:
        return bool(runs)
    return any(
        run.job_name in jobs
        or (run.asset_selection is not None and dg.AssetKey(asset) in run.asset_selection)
        for run in runs
    )


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests a new model when the live accuracy of leads 1-6 is under "
    f"{ACCURACY_THRESHOLD_PERCENT:g} %, when twice as much history is stored as any model was trained on, "
    "when an area is measured that the champion does not know, or when the newest model is over a month old. "
    "It requests one training per evaluation, none while another training runs, and at most one a day.",
)
def retraining_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Apply the retraining rule to the published data; the reason for skipping is a sentence."""
    settings = Settings.from_environment()
    snapshot = published_snapshot(settings)
    if snapshot is None:
        yield dg.SkipReason("Nothing is published yet; the next six-hour run trains the first model.")
        return
    memory = json.loads(context.cursor) if context.cursor else {}
    now = clock(snapshot, settings)
    decision = decide(
        read_retraining_inputs(
            snapshot,
            settings,
            now=now,
            training_running=_in_progress(context.instance, "trained_model", RETRAIN_JOB),
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
        tags={"reason": decision.sentence[:LONGEST_TAG]},
    )


def retrain_config(trigger: str) -> dict[str, Any]:
    """Return the run configuration of a retraining; ``trigger`` is stored with the model."""
    return {"ops": {"trained_model": {"config": {"trigger": str(trigger)}}}, **SHORT_LINES}


def backfill_config(days: int) -> dict[str, Any]:
    """Return the run configuration of a backfill of the last ``days`` days."""
    return {"ops": {BACKFILL_OP: {"config": {"days": days}}}, **SHORT_LINES}


class BackfillConfig(LearningConfig):
    """Run configuration of a backfill."""

    days: int = Field(default=DEFAULT_BACKFILL_DAYS, ge=1, description="How many days, up to now, to score.")


# The op is in no pool: it trains for minutes, and each of its short writes locks the database itself.
@dg.op(name=BACKFILL_OP)
def backfill_op(
    context: dg.OpExecutionContext, config: BackfillConfig, pipeline: dg.ResourceParam[Run]
) -> None:
    """Train on what was known at the beginning, forecast at every mark since, score, and log the scores."""
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
        context.add_output_metadata({f"scores_{area_name}": frame_value(rows)})
        for row in rows[rows["lead_from_hours"] < rows["lead_to_hours"]].to_dict("records"):
            context.log.info(
                f"{AREAS[area_name].title}, leads {row['lead_from_hours']}-{row['lead_to_hours']} h: "
                f"MAE {row['mae_g_per_kwh']:.1f} g/kWh, persistence {row['persistence_mae_g_per_kwh']:.1f}; "
                f"accuracy {row['accuracy_percent']:.1f} %; 80 % band held "
                f"{row['coverage_80_percent']:.1f} % of {row['n_hours']} hours"
            )


@dg.job(
    name=BACKFILL_JOB,
    description="Score forecasts of the past quarter that are made as if they had been live: train on what "
    "was known at its beginning, forecast at every six-hour mark since with what was known then, and score "
    "them. A backfill that was stopped continues where it stopped.",
    config=backfill_config(DEFAULT_BACKFILL_DAYS),
    executor_def=dg.in_process_executor,
)
def backfill() -> None:
    """One step; it reads from the tables which forecasts are already stored."""
    backfill_op()
