"""A forecast each hour: which runs issue one, for what, and what starts them."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test  # Dagster has no public one

from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.contracts.tables import MODEL_TABLE
from co2_assets.defs.automation import (
    TICK_JOB,
    UPDATE_JOB,
    better_model_sensor,
    hourly_schedule,
)
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from tests.support.pipeline_runs import (
    HOUR,
    T0,
    Fault,
    failures,
    materialized,
    published,
    refusing,
    rows_of,
    run,
    simulated,
    tables,
)

MINUTE = timedelta(minutes=1)
AREAS = ["DK", "DK1", "DK2"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


# What a forecast of an area begins with, and the prognosis of the service.
MEASURED = (
    "power_system_right_now",
    "co2_emission",
    "area_production",
    "co2_emission_prognosis",
    "aggregated_data",
    "engineered_features",
)


def update(settings: Settings, assets: Iterable[str] | None = None) -> dg.ExecuteInProcessResult:
    result = run(settings, UPDATE_JOB, assets=assets)
    assert result.success, failures(result)
    return result


def issues(settings: Settings) -> pd.DataFrame:
    """Return a row for each live forecast of the whole country, the oldest first."""
    rows = rows_of(settings, "predictions")
    columns = ["issue_time_utc", "issued_at_utc", "cadence", "model_version", "degraded_causes"]
    live = rows[(rows["kind"] == "live") & (rows["price_area"] == "DK")]
    return live[columns].drop_duplicates().sort_values("issued_at_utc", ignore_index=True)


def asked(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> dg.RunRequest | str:
    """Return what the hourly schedule asks for at the settings' time, or why it does not."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    with dg.build_schedule_context(instance=instance) as context:
        answer = hourly_schedule(context)
    return answer.skip_message or "" if isinstance(answer, dg.SkipReason) else answer


def test_an_hour_has_one_forecast_and_the_schedule_asks_for_it_once(
    home: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = simulated(home, T0 + 5 * MINUTE)
    assert asked(first, instance, monkeypatch) == "This hour has a forecast with all its inputs."
    later = simulated(home, T0 + HOUR + 5 * MINUTE)
    request = asked(later, instance, monkeypatch)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["reason"] == "No forecast of 01:00 UTC yet."

    before = tables(later)
    result = update(later)
    assert "trained_model" not in materialized(result)
    assert "model_evaluations" not in materialized(result)
    made = issues(later).iloc[-1]
    assert (made["issue_time_utc"], made["issued_at_utc"]) == (T0 + HOUR, T0 + HOUR + 5 * MINUTE)
    assert (made["cadence"], made["degraded_causes"]) == ("hourly", "[]")
    rows = rows_of(later, "predictions")
    assert len(rows) == len(before["predictions"]) + 3 * HORIZON_HOURS
    # Nothing that was issued before was touched.
    old = rows[rows["issued_at_utc"] < later.as_of]
    assert old.reset_index(drop=True).equals(before["predictions"])
    assert published(later).as_of_utc == later.as_of
    assert asked(later, instance, monkeypatch) == "This hour has a forecast with all its inputs."

    # A second run within the hour, for whatever reason, issues nothing.
    update(simulated(home, T0 + HOUR + 20 * MINUTE), ["predictions"])
    assert len(rows_of(later, "predictions")) == len(rows)


def test_the_six_hour_forecast_is_issued_at_its_mark_whatever_was_issued_before(home: Path) -> None:
    update(simulated(home, T0 + 6 * HOUR), ["predictions"])
    settings = simulated(home, T0 + 6 * HOUR + 2 * MINUTE)
    assert run(settings, assets=["predictions"]).success
    assert issues(settings)["cadence"].tolist() == ["six_hour", "hourly", "six_hour"]
    # And once only.
    later = simulated(home, T0 + 12 * HOUR)
    assert run(simulated(home, T0 + 6 * HOUR + 9 * MINUTE), assets=["predictions"]).success
    assert len(issues(settings)) == 3

    # Those of the hours between are scored by themselves, also as they are when they are some hours old.
    assert run(later, assets=[*MEASURED, "model_evaluations"]).success
    scored = rows_of(later, "model_evaluations")
    live = scored[(scored["kind"] == "live") & (scored["price_area"] == "DK")]
    newest = live[live["evaluated_at_utc"] == later.as_of].set_index(
        ["cadence", "lead_from_hours", "lead_to_hours"]
    )["n_forecasts"]
    assert set(newest.index.get_level_values("cadence")) == {"six_hour", "hourly"}
    # Issued at 00:00 and 06:02, and in between at 06:00.
    assert newest["six_hour", 1, 6] == 12
    assert newest["hourly", 1, 6] == 6
    assert newest["hourly", 3, 8] == 4
    rows = snapshots.query(
        published(later),
        "SELECT DISTINCT series FROM prediction_outcomes "
        "WHERE kind = 'live' AND actual_g_per_kwh IS NOT NULL",
    )
    assert set(rows["series"]) == {"live", "live-hourly"}


def test_a_late_input_is_made_good_within_the_hour(
    home: Path,
    inject: Callable[[Fault | None], None],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inject(refusing())
    late = simulated(home, T0 + 3 * HOUR + 5 * MINUTE)
    update(late, [*MEASURED, "predictions"])
    assert "newest hour is 3 h older" in issues(late)["degraded_causes"].iloc[-1]
    request = asked(late, instance, monkeypatch)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["reason"].startswith("Inputs were late: power_system_right_now: newest hour")

    inject(None)
    # Also where the clock of a replay stands still.
    update(late, [*MEASURED, "weather_forecast", "predictions"])
    made = issues(late)
    assert made["cadence"].tolist() == ["six_hour", "hourly", "update"]
    assert made["degraded_causes"].iloc[-1] == "[]"
    assert made["issued_at_utc"].iloc[-1] == late.as_of + timedelta(seconds=1)
    assert asked(late, instance, monkeypatch) == "This hour has a forecast with all its inputs."


def test_a_promotion_is_followed_by_a_forecast_of_the_new_champion(
    first_home: Path,
    retrained_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    instance: dg.DagsterInstance,
) -> None:
    def sensed(settings: Settings) -> dg.RunRequest | dg.SkipReason:
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        with dg.build_sensor_context(instance=instance) as context:
            return better_model_sensor(context)

    assert isinstance(sensed(simulated(first_home, T0 + HOUR)), dg.SkipReason)
    settings = simulated(shutil.copytree(retrained_home, tmp_path / "home"), T0 + HOUR)
    models = rows_of(settings, "model_table")
    challenger = models.loc[models["trained_at_utc"] == settings.as_of, "model_version"].iloc[0]
    with open_run(settings) as pipeline:
        with pipeline.warehouse.open_transaction() as transaction:
            transaction.upsert(
                MODEL_TABLE, models.assign(decision=models["decision"].replace("rejected", "promoted"))
            )
        pipeline.publish()
    request = sensed(settings)
    assert isinstance(request, dg.RunRequest)
    assert challenger in (request.run_key or "")
    update(settings, ["predictions"])
    assert issues(settings)["model_version"].iloc[-1] == challenger
    assert isinstance(sensed(settings), dg.SkipReason)


def test_the_schedule_waits_for_a_run_that_forecasts_and_can_be_switched_off(
    home: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = simulated(home, T0 + 9 * HOUR + 5 * MINUTE)
    off = replace(settings, hourly_update=False)
    assert "CO2_HOURLY_UPDATE is off" in str(asked(off, instance, monkeypatch))
    # After hours away one forecast is asked for, that of now.
    assert isinstance(asked(settings, instance, monkeypatch), dg.RunRequest)
    create_run_for_test(instance, job_name=TICK_JOB, status=dg.DagsterRunStatus.STARTED)
    assert asked(settings, instance, monkeypatch) == "A run that forecasts is active already."


def test_without_anything_published_the_six_hour_run_comes_first(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing is published yet" in str(asked(simulated(tmp_path), instance, monkeypatch))
