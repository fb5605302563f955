"""What runs by itself, when, and what is said when it does not."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test  # Dagster has no public one

from co2_assets.contracts import DATASETS
from co2_assets.contracts.tables import MODEL_EVALUATIONS
from co2_assets.definitions import build_definitions
from co2_assets.defs.automation import (
    BACKFILL_JOB,
    DEEPEN_JOB,
    RETRAIN_JOB,
    TICK_JOB,
    UPDATE_JOB,
    deepen_history_schedule,
    retraining_sensor,
)
from co2_assets.pipeline.fetch_plan import history_left
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.retraining import decide_now
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from tests.support.made_once import made_once
from tests.support.pipeline_runs import HOUR, T0, folder, published, rows_of, simulated, warehouse

NOON = T0 + 12 * HOUR


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of the first home, where the daemon's environment points to."""
    return point_to(simulated(home, NOON), monkeypatch)


def point_to(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return settings


def publish(settings: Settings) -> None:
    at = settings.as_of
    assert at is not None
    snapshots.publish(warehouse(settings), folder(settings).snapshots, as_of_utc=at, published_at_utc=at)


def score_live_forecasts(
    settings: Settings, accuracy: float, *, hours: int = 24, window_to: Any = NOON
) -> str:
    """Publish an evaluation of the champion's live forecasts, leads 1-6; return its name."""
    row = warehouse(settings).read(
        "SELECT * FROM model_evaluations WHERE price_area = 'DK' AND lead_from_hours = 1 "
        "AND lead_to_hours = 6 ORDER BY ALL LIMIT 1"
    )
    version = warehouse(settings).read("SELECT model_version AS v FROM model_table LIMIT 1")["v"].iloc[0]
    name = f"{version}:live:{window_to:%Y%m%dT%H%M}"
    row = row.assign(
        evaluation_id=name,
        kind="live",
        n_hours=hours,
        accuracy_percent=accuracy,
        persistence_accuracy_percent=55.5,
        window_to_utc=pd.Timestamp(window_to),
    )
    with warehouse(settings).open_transaction() as transaction:
        transaction.insert_missing(MODEL_EVALUATIONS, row)
    publish(settings)
    return name


def look(instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[list[Any], str | None]:
    """Evaluate the sensor once; return what it asks for or says, and its memory."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return list(retraining_sensor(context)), context.cursor


def test_jobs_schedules_and_sensors_are_these_and_run_by_default(first_home: Path) -> None:
    definitions = build_definitions(simulated(first_home))
    repository = definitions.get_repository_def()
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == {
        TICK_JOB,
        UPDATE_JOB,
        RETRAIN_JOB,
        DEEPEN_JOB,
        BACKFILL_JOB,
    }
    schedules = {
        schedule.name: (
            schedule.job_name,
            schedule.cron_schedule,
            schedule.execution_timezone,
            schedule.default_status,
        )
        for schedule in repository.schedule_defs
    }
    running = dg.DefaultScheduleStatus.RUNNING
    assert schedules == {
        "six_hour_schedule": ("six_hour_tick", "0 */6 * * *", "UTC", running),
        "hourly_schedule": ("hourly_update", "5,20,35,50 * * * *", "UTC", running),
        "deepen_history_schedule": ("deepen_history", "*/10 * * * *", "UTC", running),
    }
    sensors = {sensor.name: sensor for sensor in repository.sensor_defs}
    requested = {name: [target.job_name for target in sensor.targets] for name, sensor in sensors.items()}
    assert requested == {
        "retraining_sensor": ["retrain"],
        "better_model_sensor": ["hourly_update"],
        "alert_sensor": [],
    }
    for sensor in sensors.values():
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert 0 < sensor.minimum_interval_seconds <= 60


def test_the_lineage_is_the_one_that_is_promised(first_home: Path) -> None:
    graph = build_definitions(simulated(first_home)).resolve_asset_graph()
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    measured = {"power_system_right_now", "co2_emission", "area_production"}
    energinet = {*measured, "forecasts_hour", "day_ahead_prices", "co2_emission_prognosis"}
    raw = {*energinet, "weather_forecast"}
    assert {name for name, above in parents.items() if not above} == {"energi_data_service", "open_meteo"}
    assert {name for name, above in parents.items() if above == {"energi_data_service"}} == energinet
    assert {name for name, above in parents.items() if above == {"open_meteo"}} == {"weather_forecast"}
    assert parents["aggregated_data"] == measured
    assert parents["engineered_features"] == {"aggregated_data", *raw - measured}
    assert parents["predictions"] >= {"trained_model", "engineered_features"}
    assert parents["model_evaluations"] >= {"predictions", "aggregated_data"}
    assert parents["forecast_pages"] == {"published_snapshot"}
    assert parents["published_snapshot"] >= {"predictions", "model_evaluations"}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key


def test_the_sensor_fires_on_a_bad_live_score(settings: Settings, instance: dg.DagsterInstance) -> None:
    evaluation = score_live_forecasts(settings, 58.25)
    (request,), cursor = look(instance)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == f"{evaluation}@{NOON:%Y-%m-%dT%H:%M:%S}"
    assert request.run_config["ops"] == {"trained_model": {"config": {"trigger": "accuracy fell"}}}
    assert "58.2 %" in request.tags["reason"]
    assert "persistence 55.5 %" in request.tags["reason"]
    assert json.loads(cursor or "") == {"fired_at": NOON.isoformat(), "fired": [evaluation]}


@pytest.mark.parametrize(
    ("accuracy", "hours", "words"),
    [(64.9, 23, "Only 23 hours"), (65.0, 24, "not under 65 %"), (91.0, 168, "Accuracy is 91.0 %")],
)
def test_the_sensor_skips_and_says_why(
    settings: Settings, instance: dg.DagsterInstance, accuracy: float, hours: int, words: str
) -> None:
    score_live_forecasts(settings, accuracy, hours=hours)
    (skip,), cursor = look(instance)
    assert isinstance(skip, dg.SkipReason)
    assert words in (skip.skip_message or "")
    assert cursor is None


def test_scores_of_hindcasts_and_of_other_models_do_not_count(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    score_live_forecasts(settings, 20.0)
    with warehouse(settings).session() as connection:
        connection.execute("UPDATE model_evaluations SET model_version = 'another' WHERE kind = 'live'")
        connection.execute("UPDATE model_evaluations SET accuracy_percent = 1 WHERE kind <> 'live'")
    publish(settings)
    (skip,), _ = look(instance)
    assert "No live forecast of the champion can be scored yet." in skip.skip_message


def test_before_anything_is_published_sensor_and_schedule_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    point_to(simulated(tmp_path / "nothing", NOON), monkeypatch)
    (skip,), _ = look(instance)
    assert "Nothing is published yet" in skip.skip_message
    waiting = deepen_history_schedule(dg.build_schedule_context(instance=instance))
    assert "Nothing is published yet" in waiting.skip_message


def test_the_sensor_remembers_what_it_asked_for(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_live_forecasts(settings, 40.0)
    _, cursor = look(instance)
    (skip,), again = look(instance, cursor)
    assert "Already retrained for this evaluation." in skip.skip_message
    assert again == cursor

    # A worse evaluation six hours later comes too soon; a day later it counts.
    at = NOON + 6 * HOUR
    point_to(simulated(settings.home, at), monkeypatch)
    second = score_live_forecasts(settings, 30.0, window_to=at)
    (skip,), _ = look(instance, cursor)
    assert "less than a day ago" in skip.skip_message
    point_to(simulated(settings.home, NOON + timedelta(days=1)), monkeypatch)
    (request,), cursor = look(instance, cursor)
    assert request.run_key.startswith(second)
    assert len(json.loads(cursor or "")["fired"]) == 2


def test_the_sensor_waits_while_a_training_runs(settings: Settings, instance: dg.DagsterInstance) -> None:
    score_live_forecasts(settings, 40.0)
    for status in (
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ):
        running = create_run_for_test(instance, job_name=RETRAIN_JOB, status=status)
        (skip,), cursor = look(instance)
        assert "A training is running already." in skip.skip_message, status
        assert cursor is None
        instance.delete_run(running.run_id)
        assert isinstance(look(instance)[0][0], dg.RunRequest), status


def test_a_training_on_demand_counts_and_an_ordinary_run_does_not(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    score_live_forecasts(settings, 40.0)
    create_run_for_test(instance, job_name=TICK_JOB, status=dg.DagsterRunStatus.STARTED)
    create_run_for_test(instance, job_name=RETRAIN_JOB, status=dg.DagsterRunStatus.SUCCESS)
    assert isinstance(look(instance)[0][0], dg.RunRequest)
    create_run_for_test(
        instance,
        job_name="__ASSET_JOB",
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset({dg.AssetKey("trained_model")}),
    )
    assert isinstance(look(instance)[0][0], dg.SkipReason)


def test_a_training_is_asked_for_once_twice_the_history_is_held(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    with warehouse(settings).session() as connection:
        connection.execute("UPDATE model_table SET data_from_utc = data_to_utc - INTERVAL 14 DAY")
    publish(settings)
    (request,), cursor = look(instance)
    assert request.run_config["ops"]["trained_model"]["config"]["trigger"] == "history grew"
    assert isinstance(look(instance, cursor)[0][0], dg.SkipReason)


def test_a_training_is_asked_for_once_a_month_has_passed(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    with warehouse(settings).session() as connection:
        connection.execute("UPDATE model_table SET trained_at_utc = trained_at_utc - INTERVAL 31 DAY")
    publish(settings)
    (request,), _ = look(instance)
    assert request.run_config["ops"]["trained_model"]["config"]["trigger"] == "month passed"

    # A challenger trained since then counts, promoted or not; one that is to score the past does not.
    with warehouse(settings).session() as connection:
        connection.execute(
            "INSERT INTO model_table BY NAME SELECT * REPLACE ('challenger' AS model_version, 'rejected' AS "
            "decision, trained_at_utc + INTERVAL 31 DAY AS trained_at_utc, 'backfill' AS trigger) "
            "FROM model_table"
        )
    publish(settings)
    assert isinstance(look(instance)[0][0], dg.RunRequest)
    with warehouse(settings).session() as connection:
        connection.execute("UPDATE model_table SET trigger = 'asked for'")
    publish(settings)
    assert isinstance(look(instance)[0][0], dg.SkipReason)


def test_the_command_line_asks_the_same_rule(settings: Settings) -> None:
    score_live_forecasts(settings, 40.0)
    decision = decide_now(settings, published(settings))
    assert (decision.train, decision.trigger) == (True, "accuracy fell")
    with warehouse(settings).session() as connection:
        connection.execute("UPDATE model_table SET trigger = 'accuracy fell'")
    publish(settings)
    assert "less than a day ago" in decide_now(settings, published(settings)).sentence


@pytest.fixture(scope="module")
def deep_home(tmp_path_factory: pytest.TempPathFactory, first_home: Path) -> Path:
    """The home with 75 days of history. Not to be changed."""

    def make(home: Path) -> None:
        shutil.copytree(first_home, home)
        for deepen in (False, True):
            with open_run(simulated(home, NOON, history_days=75)) as pipeline:
                for dataset in DATASETS:
                    update(pipeline, dataset, deepen=deepen)
                pipeline.publish()

    return made_once(tmp_path_factory, "deep-home", make)


def test_deepening_is_asked_for_until_all_is_held(
    settings: Settings, deep_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.instance_for_test() as instance, dg.build_schedule_context(instance=instance) as context:
        assert deepen_history_schedule(context).skip_message == "All 30 days of history are stored."

        point_to(simulated(settings.home, NOON, history_days=75), monkeypatch)
        assert isinstance(deepen_history_schedule(context), dg.RunRequest)
        other = create_run_for_test(instance, job_name=TICK_JOB, status=dg.DagsterRunStatus.STARTED)
        assert "Another run is active; 7 windows" in deepen_history_schedule(context).skip_message
        instance.delete_run(other.run_id)

        point_to(simulated(deep_home, NOON, history_days=75), monkeypatch)
        assert deepen_history_schedule(context).skip_message == "All 75 days of history are stored."


def test_what_failed_while_deepening_is_asked_for_again_an_hour_later(
    deep_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(deep_home, tmp_path / "deep")
    deeper = point_to(simulated(home, NOON, history_days=75), monkeypatch)
    with warehouse(deeper).session() as connection:
        connection.execute(
            "UPDATE new_data_log SET outcome = 'refused' WHERE dataset = 'day_ahead_prices' "
            "AND purpose = 'history'"
        )
    publish(deeper)
    with dg.instance_for_test() as instance, dg.build_schedule_context(instance=instance) as context:
        assert "could not be fetched" in deepen_history_schedule(context).skip_message
        point_to(simulated(home, NOON + HOUR, history_days=75), monkeypatch)
        assert isinstance(deepen_history_schedule(context), dg.RunRequest)


def test_history_from_before_the_source_began_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The simulated grid begins in 2020: what is asked for of the years before is never left.
    deepest = point_to(simulated(settings.home, NOON, history_days=3650), monkeypatch)
    snapshot = published(deepest)
    begun = history_left(snapshot, deepest, NOON)
    assert begun == history_left(snapshot, simulated(settings.home, NOON, history_days=2000), NOON) > 0


def test_the_schedule_deepens_by_the_job_of_that_name(home: Path) -> None:
    settings = simulated(home, history_days=75)
    job = build_definitions(settings).resolve_job_def(DEEPEN_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("forecasts_hour")])
    assert result.success
    log = rows_of(settings, "new_data_log").query("dataset == 'forecasts_hour'")
    assert set(log["purpose"]) == {"recent", "history"}
