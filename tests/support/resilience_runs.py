"""Homes on recorded data, small, and what is done to them."""

import itertools
import logging
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import dagster as dg
import pandas as pd

from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW, Dataset
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.tables import TABLES
from co2_assets.definitions import build_definitions
from co2_assets.defs.automation import TICK_JOB
from co2_assets.http_service.emulated import Fault
from co2_assets.pipeline import run as pipeline
from co2_assets.pipeline.ingest import FetchReport, update
from co2_assets.pipeline.run import open_run
from co2_assets.pipeline.sources import connect
from co2_assets.settings import Settings
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home, SourceFolder
from tests.support.pipeline_runs import records

# Ten days later the recording has a meter's spike, and three weeks later a clock change.
T0 = datetime(2024, 10, 5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HISTORY_DAYS = 32
SIZES = {
    "ensemble": 1,
    "hidden": 4,
    "epochs": 4,
    "first_epochs": 1,
    "far_ensemble": 1,
    "far_hidden": 4,
    "far_epochs": 1,
}
TRAINING = {"only_if_missing": True, **SIZES}
# From what is measured of the country to its forecast, without training, scores and pages.
COUNTRY = (POWER_SYSTEM_RIGHT_NOW.name, "aggregated_data", "engineered_features", "predictions")
# The same with all that the service has.
FORECAST = (*(dataset.name for dataset in DATASETS), *COUNTRY[1:])


def at(settings: Settings, now: datetime) -> Settings:
    return replace(settings, as_of=now)


def folder(settings: Settings) -> SourceFolder:
    return Home(settings.home).source(SourceKind.ARCHIVE)


def warehouse(settings: Settings) -> Warehouse:
    return Warehouse(folder(settings).database, SourceKind.ARCHIVE, lock_timeout_s=10)


@contextmanager
def served(fault: Fault | None) -> Iterator[None]:
    """The emulated service does this wrong as long as the block lasts."""
    with patch.object(pipeline, "connect", partial(connect, fault=fault)):
        yield


def fetch(settings: Settings, dataset: Dataset, fault: Fault | None = None) -> FetchReport:
    with served(fault), open_run(settings) as opened:
        return update(opened, dataset)


def tick(settings: Settings, fault: Fault | None = None, *, assets: Iterable[str] | None = None) -> bool:
    """Run the six-hour job or some of its assets, quietly; return whether it succeeded."""
    config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if assets is None or "trained_model" in assets:
        config["ops"] = {"trained_model": {"config": TRAINING}}
    job = build_definitions(settings).resolve_job_def(TICK_JOB)
    with served(fault):
        return job.execute_in_process(
            instance=records(),
            run_config=config,
            raise_on_error=False,
            asset_selection=None if assets is None else [dg.AssetKey(name) for name in assets],
        ).success


def tick_apart(settings: Settings, largest_file: int | None, killed_at_turn: int | None) -> None:
    """Run the job in a process of its own.

    No file may grow past ``largest_file`` bytes. The process kills itself, without a word, when it
    has just taken the writer's turn for the ``killed_at_turn``-th time.
    """
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if killed_at_turn is not None:
        _kill_at(killed_at_turn)
    sys.exit(0 if tick(settings) else 1)


def _kill_at(turn: int) -> None:
    taken = itertools.count(1)
    take = Warehouse.locked

    @contextmanager
    def last_turn(self: Warehouse) -> Iterator[None]:
        with take(self):
            if next(taken) == turn:
                os.kill(os.getpid(), signal.SIGKILL)
            yield

    Warehouse.locked = last_turn  # type: ignore[method-assign]


def rows(settings: Settings, table: str) -> pd.DataFrame:
    """Return a table whole, in the order of its columns, without when it was fetched."""
    frame = warehouse(settings).read(f"SELECT * FROM {table} ORDER BY ALL")
    return frame.drop(columns=[name for name in ("fetched_at_utc",) if name in frame])


# A training's seconds and a fetch's are never the same twice.
_VARYING = {
    "model_table": ["training_seconds"],
    "new_data_log": ["duration_s", "rows_new", "rows_changed", "rows_received", "message"],
}


def everything(settings: Settings) -> dict[str, pd.DataFrame]:
    """Return every table whole, but for what is never the same twice."""
    return {
        table.name: rows(settings, table.name).drop(columns=_VARYING.get(table.name, [])) for table in TABLES
    }


def differing(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> set[str]:
    return {name for name in one if not one[name].equals(other[name])}
