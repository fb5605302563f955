"""Runs of the real jobs, small: a month of simulated history and a network of eight units."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pandas as pd

from co2_assets.contracts.tables import TABLES
from co2_assets.definitions import build_definitions
from co2_assets.defs.automation import TICK_JOB, UPDATE_JOB
from co2_assets.defs.resources import PipelineResource
from co2_assets.forecasting.forecaster import Model
from co2_assets.pipeline.champions import load_champion
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home, SourceFolder

T0 = datetime(2024, 6, 1)
HOUR = timedelta(hours=1)
# Seldom fewer days can be parted into training, validation and test.
HISTORY_DAYS = 30
SMALL = {
    "ensemble": 1,
    "hidden": 8,
    "epochs": 2,
    "first_epochs": 1,
    "far_ensemble": 1,
    "far_hidden": 8,
    "far_epochs": 1,
}
FIRST_RUN = {"only_if_missing": True, **SMALL}

Fault = Callable[[httpx.Request, httpx.Response], httpx.Response]


def simulated(home: Path, as_of: datetime = T0, history_days: int = HISTORY_DAYS) -> Settings:
    return Settings(home=home, source="simulator", as_of=as_of, history_days=history_days)


@cache
def records() -> dg.DagsterInstance:
    """Records in memory, made once for all runs of a process: no run asks for those of another."""
    return dg.DagsterInstance.ephemeral()


def run(
    settings: Settings,
    job: str = TICK_JOB,
    *,
    assets: Iterable[str] | None = None,
    training: Mapping[str, Any] | None = None,
    instance: dg.DagsterInstance | None = None,
    resource: type[PipelineResource] = PipelineResource,
) -> dg.ExecuteInProcessResult:
    """Execute a job, or only some of its assets, without printing; return what Dagster saw."""
    config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if job != UPDATE_JOB and (assets is None or "trained_model" in assets):
        config["ops"] = {"trained_model": {"config": dict(FIRST_RUN if training is None else training)}}
    return (
        build_definitions(settings, resource)
        .resolve_job_def(job)
        .execute_in_process(
            instance=records() if instance is None else instance,
            run_config=config,
            raise_on_error=False,
            asset_selection=None if assets is None else [dg.AssetKey(name) for name in assets],
        )
    )


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the message of each step that failed, causes included."""
    messages = {}
    for event in result.filter_events(lambda event: event.is_step_failure):
        error, texts = event.step_failure_data.error, []
        while error is not None:
            texts.append(error.message)
            error = error.cause
        description = event.step_failure_data.user_failure_data
        messages[event.step_key] = " ".join([*texts, (description and description.description) or ""])
    return messages


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


def folder(settings: Settings) -> SourceFolder:
    return Home(settings.home).source("simulator")


def warehouse(settings: Settings) -> Warehouse:
    return Warehouse(folder(settings).database, "simulator", lock_timeout_s=10)


def champion(settings: Settings, area_name: str = "DK", *, now: datetime | None = None) -> Model | None:
    """Return the model that forecasts an area at ``now``, by default the settings' time."""
    with open_run(settings) as opened:
        return load_champion(replace(opened, now=now or opened.now), area_name)


def published(settings: Settings) -> snapshots.Snapshot:
    snapshot = snapshots.current(folder(settings).snapshots)
    assert snapshot is not None
    return snapshot


def rows_of(settings: Settings, name: str) -> pd.DataFrame:
    """Return a table whole, in the order of its key."""
    return warehouse(settings).read(f"SELECT * FROM {name} ORDER BY ALL")


def tables(settings: Settings, *, but: Iterable[str] = ()) -> dict[str, pd.DataFrame]:
    """Return every table whole, in the order of its key, without the columns ``but``."""
    with warehouse(settings).open_transaction() as transaction:
        return {
            table.name: transaction.read(f"SELECT * FROM {table.name} ORDER BY ALL").drop(
                columns=[name for name in but if name in table.column_names]
            )
            for table in TABLES
        }


def differing(before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame]) -> set[str]:
    """Return the names of the tables that are not the same, value by value."""
    return {name for name in before if not before[name].equals(after[name])}


def dataset_asked(request: httpx.Request) -> str:
    return request.url.path.rsplit("/", 1)[-1]


def refusing(*datasets: str) -> Fault:
    """Answer 403 for the service's ``datasets``; for all of them when none is named."""

    def fault(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not datasets or dataset_asked(request) in datasets:
            return httpx.Response(403, json={"message": "forbidden"}, request=request)
        return response

    return fault


def editing(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Fault:
    """Send the good answer with its records changed."""

    def fault(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        body = response.json()
        if "records" not in body:
            return response  # Open-Meteo sends none
        records = change(body["records"])
        content = json.dumps({**body, "total": len(records), "records": records})
        return httpx.Response(200, content=content, request=request)

    return fault
