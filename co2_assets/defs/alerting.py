"""The sensor that sends alerts, and what is done outside after a run."""

import logging

import dagster as dg

from co2_assets.defs.run_log import reason_of
from co2_assets.notify import home_assistant, mqtt
from co2_assets.notify.alerts import NOTHING_SET, tell
from co2_assets.notify.conditions import RunOutcome
from co2_assets.notify.heartbeat import beat
from co2_assets.pipeline.run import Run
from co2_assets.settings import Settings

logger = logging.getLogger(__name__)

# Dagster sets this tag on a failed run that it will start again, or has started again.
WILL_RETRY_TAG = "dagster/will_retry"


def newest_outcomes(instance: dg.DagsterInstance, jobs: list[str]) -> list[RunOutcome]:
    """Return how the newest finished run of each job ended; a job without one is left out.

    A run that is retried, or was cancelled by a person, is left out too.
    """
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    outcomes = []
    for job in jobs:
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=finished), limit=1):
            if run.status is dg.DagsterRunStatus.SUCCESS:
                outcomes.append(RunOutcome(job, succeeded=True))
            elif run.tags.get(WILL_RETRY_TAG, "false").lower() != "true":
                outcomes.append(RunOutcome(job, succeeded=False, reason=_reason(instance, run)))
    return outcomes


def _reason(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Return what the last failed step of a run says, or else what the run itself says."""
    of_steps = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    reasons = [
        reason for entry in of_steps if entry.dagster_event and (reason := _step_reason(entry.dagster_event))
    ]
    if reasons:
        return reasons[-1]
    of_run = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.PIPELINE_FAILURE)
    said = [entry.dagster_event.message for entry in of_run if entry.dagster_event is not None]
    return next((message for message in reversed(said) if message), "")


def _step_reason(event: dg.DagsterEvent) -> str:
    """Return what our own code gave as the reason, or else what the error says."""
    given = event.step_failure_data.user_failure_data
    return (given and given.description) or reason_of(event)


@dg.sensor(
    name="alert_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends alerts to the addresses in CO2_ALERT_URLS, each once and once more when all is well "
    "again: a forecast is missing, a run failed for good, the accuracy is under the threshold, the disk is "
    "nearly full. It also tells of each new model. It starts no runs.",
)
def alert_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look at the published data and at the newest run of each job, and say what is new."""
    settings = Settings.from_environment()
    if not settings.alert_urls:
        return dg.SkipReason(NOTHING_SET)
    assert context.repository_def is not None  # noqa: S101 -- the daemon gives it
    jobs = [name for name in context.repository_def.job_names if not name.startswith("__")]
    return dg.SkipReason(tell(settings, newest_outcomes(context.instance, jobs)))


def after_publication(run: Run, settings: Settings) -> None:
    """If this run has issued a forecast, send it to the MQTT broker, and the heartbeat.

    The run must have published. A failure of either is logged.
    """
    if not (settings.heartbeat_url or settings.mqtt_url) or not run.has_issued():
        return
    if settings.mqtt_url:
        mqtt.publish(settings, home_assistant.messages(run, run.publications[-1]))
    beat(settings)
