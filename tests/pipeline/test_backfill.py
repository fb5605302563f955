"""A stretch of the past is scored as if it had been live, and goes on where it was stopped."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import pandas as pd
import pytest

from co2_assets.contracts.sources import SourceKind
from co2_assets.definitions import build_definitions
from co2_assets.defs.automation import BACKFILL_JOB, BACKFILL_OP
from co2_assets.pipeline import backfill
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.paths import Home
from tests.support.made_once import made_once

DAYS = 5
NOW = pd.Timestamp(2024, 6, 1, 9).to_pydatetime()
START = pd.Timestamp(2024, 5, 27)
SIZES = {
    "ensemble": 1,
    "hidden": 4,
    "epochs": 2,
    "first_epochs": 1,
    "far_ensemble": 1,
    "far_hidden": 4,
    "far_epochs": 1,
}

ONE_DAY = {"ops": {BACKFILL_OP: {"config": {"days": 1, **SIZES}}}}


def simulated(home: Path) -> Settings:
    return Settings(home=home, source="simulator", as_of=NOW, history_days=45)


def run(settings: Settings, job: str, config: dict[str, Any], assets: list[str] | None = None) -> bool:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        return (
            build_definitions(settings)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={**quiet, **config},
                asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
                raise_on_error=False,
            )
            .success
        )


@pytest.fixture(scope="session")
def fetched_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with some weeks of the simulator's history and no model. Not to be changed."""
    raw = ["power_system_right_now", "forecasts_hour", "day_ahead_prices", "co2_emission_prognosis"]

    def make(home: Path) -> None:
        assert run(simulated(home), "six_hour_tick", {}, [*raw, "aggregated_data"])

    return made_once(tmp_path_factory, "backfill-home", make)


@pytest.fixture
def home(tmp_path: Path, fetched_home: Path) -> Settings:
    """Settings of a copy of that home, to be changed."""
    return simulated(shutil.copytree(fetched_home, tmp_path / "home"))


@pytest.fixture(scope="session")
def backfilled_home(tmp_path_factory: pytest.TempPathFactory, fetched_home: Path) -> Path:
    """That home after a backfill of one day. Not to be changed."""

    def make(home: Path) -> None:
        shutil.copytree(fetched_home, home)
        assert run(simulated(home), BACKFILL_JOB, ONE_DAY)

    return made_once(tmp_path_factory, "backfilled-home", make)


@pytest.fixture
def backfilled(tmp_path: Path, backfilled_home: Path) -> Settings:
    """Settings of a copy of the home after a backfill of one day, to be changed."""
    return simulated(shutil.copytree(backfilled_home, tmp_path / "home"))


def published(settings: Settings, sql: str) -> pd.DataFrame:
    snapshot = snapshots.current(Home(settings.home).source(SourceKind.SIMULATOR).snapshots)
    assert snapshot is not None
    return snapshots.query(snapshot, sql)


def test_a_stopped_backfill_goes_on_where_it_was(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "MARKS_AT_A_TIME", 8)
    config = {"ops": {BACKFILL_OP: {"config": {"days": DAYS, **SIZES}}}}
    issue, parts = backfill._issue, []

    def stop_after_one(pipeline: Any, model: Any, marks: Any, context: Any) -> None:
        if parts:
            raise MemoryError("no memory left")
        parts.append(marks)
        issue(pipeline, model, marks, context)

    with patch.object(backfill, "_issue", stop_after_one):
        assert not run(home, BACKFILL_JOB, config)
    first = published(home, "SELECT * FROM predictions ORDER BY ALL")
    assert first["issue_time_utc"].nunique() == 8

    assert run(home, BACKFILL_JOB, config)
    rows = published(home, "SELECT * FROM predictions ORDER BY ALL")
    assert set(rows["kind"]) == {"backfill"}
    assert sorted(set(rows["issue_time_utc"])) == list(pd.date_range(START, NOW, freq="6h", inclusive="left"))
    kept = rows[rows["issue_time_utc"].isin(first["issue_time_utc"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first)

    # One model, of what was known when the stretch began, that never forecasts.
    models = published(home, "SELECT * FROM model_table")
    assert models["data_to_utc"].tolist() == [START]
    assert models["decision"].tolist() == ["rejected"]
    scores = published(
        home, "SELECT * FROM model_evaluations WHERE lead_from_hours = 1 AND lead_to_hours = 6"
    )
    assert len(scores) == 1
    assert scores["window_from_utc"].iloc[0] == START
    assert scores["n_hours"].iloc[0] > 24 * (DAYS - 1)


def test_a_backfill_that_was_done_changes_nothing(backfilled: Settings) -> None:
    tables = ("predictions", "model_table", "model_evaluations")
    before = [published(backfilled, f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    assert run(backfilled, BACKFILL_JOB, ONE_DAY)
    for table, content in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(published(backfilled, f"SELECT * FROM {table} ORDER BY ALL"), content)


def test_a_backfill_stopped_before_midnight_goes_on_after_it(home: Settings) -> None:
    start = NOW.replace(hour=0) - timedelta(days=1)
    with patch.object(backfill, "_score", side_effect=MemoryError("no memory left")):
        assert not run(home, BACKFILL_JOB, ONE_DAY)
    tomorrow = replace(home, as_of=NOW + timedelta(days=1))
    assert run(tomorrow, BACKFILL_JOB, ONE_DAY)
    models = published(home, "SELECT data_to_utc FROM model_table")
    assert models["data_to_utc"].tolist() == [start]
    issued = published(home, "SELECT max(issue_time_utc) AS t FROM predictions")["t"].iloc[0]
    assert issued > NOW

    # That one is done: the next is of its own day.
    assert run(tomorrow, BACKFILL_JOB, ONE_DAY)
    models = published(home, "SELECT data_to_utc FROM model_table ORDER BY ALL")
    assert models["data_to_utc"].tolist() == [start, start + timedelta(days=1)]


def test_a_backfill_of_another_size_is_another(backfilled: Settings) -> None:
    assert run(
        backfilled, BACKFILL_JOB, {"ops": {BACKFILL_OP: {"config": {"days": 1, **SIZES, "hidden": 3}}}}
    )
    assert published(backfilled, "SELECT * FROM model_table")["model_version"].nunique() == 2


def test_nothing_of_a_backfill_counts_as_the_champions(home: Settings) -> None:
    sizes = {"ops": {"trained_model": {"config": {"only_if_missing": True, **SIZES}}}}
    # What could take a model for its own.
    names = ["trained_model", "predictions", "model_evaluations"]
    assert run(home, "six_hour_tick", sizes, names)
    others = "SELECT * FROM model_evaluations WHERE kind <> 'backfill' ORDER BY ALL"
    before = published(home, others)
    assert len(before)
    assert run(home, BACKFILL_JOB, ONE_DAY)
    assert run(home, "six_hour_tick", sizes, names)
    pd.testing.assert_frame_equal(published(home, others), before)
    kinds = published(home, "SELECT DISTINCT kind FROM predictions")["kind"]
    assert "backfill" in set(kinds)
