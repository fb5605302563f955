"""The Definitions object of the pipeline, which Dagster loads."""

import dagster as dg

from co2_assets.defs.alerting import alert_sensor
from co2_assets.defs.assets.all_assets import all_assets
from co2_assets.defs.automation import (
    backfill,
    better_model_sensor,
    deepen_history,
    deepen_history_schedule,
    hourly_schedule,
    hourly_update,
    retrain,
    retraining_sensor,
    six_hour_schedule,
    six_hour_tick,
)
from co2_assets.defs.checks import all_checks
from co2_assets.defs.resources import PipelineResource
from co2_assets.defs.run_log import console_logger
from co2_assets.settings import Settings


def build_definitions(
    settings: Settings, resource: type[PipelineResource] = PipelineResource
) -> dg.Definitions:
    """Return the pipeline's definitions; ``settings`` are the defaults of the resource.

    ``resource`` names the forecaster: a subclass may name another one.
    """
    return dg.Definitions(
        assets=all_assets(settings.timetable),
        asset_checks=all_checks,
        jobs=[six_hour_tick, hourly_update, retrain, deepen_history, backfill],
        schedules=[six_hour_schedule, hourly_schedule, deepen_history_schedule],
        sensors=[retraining_sensor, better_model_sensor, alert_sensor],
        resources={"pipeline": resource.from_settings(settings)},
        loggers={"console": console_logger},
        executor=dg.in_process_executor,
    )


defs = build_definitions(Settings.from_environment())
