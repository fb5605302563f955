"""A run of the command line that was killed does not hold the writer's place for ever."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from pipeline_runs import simulated

from co2_assets.automation import TICK_JOB
from co2_assets.definitions import build_definitions
from co2_assets.runs import PROCESS_TAG, dagster_instance, end_dead_runs, prepare_dagster_home, run_job
from co2_assets.settings import SettingsError

POOL = "warehouse"


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a new home; what it puts into the environment is taken out again."""
    settings = simulated(tmp_path / "home")
    for name in ("DAGSTER_HOME", *settings.environment()):
        monkeypatch.setenv(name, "")
    with dagster_instance(settings) as instance:
        yield instance


@pytest.fixture
def dead_process() -> int:
    """The identifier of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    run = create_run_for_test(instance, job_name=TICK_JOB, status=dg.DagsterRunStatus.STARTED, tags=tags)
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(POOL)
    storage.claim_concurrency_slot(POOL, run.run_id, "predictions")
    return run


def test_a_killed_run_is_ended_and_its_place_freed(instance: dg.DagsterInstance, dead_process: int) -> None:
    killed = started(instance, {PROCESS_TAG: str(dead_process)})
    slots = instance.event_log_storage.get_concurrency_info(POOL)
    assert slots.active_run_ids == {killed.run_id}
    assert end_dead_runs(instance) == [killed.run_id]
    run = instance.get_run_by_id(killed.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info(POOL).active_run_ids == set()
    assert end_dead_runs(instance) == []


def test_a_run_that_lives_or_is_the_daemons_is_left_alone(instance: dg.DagsterInstance) -> None:
    for tags in ({PROCESS_TAG: str(os.getpid())}, {}):
        run = started(instance, tags)
        assert end_dead_runs(instance) == []
        kept = instance.get_run_by_id(run.run_id)
        assert kept is not None
        assert kept.status is dg.DagsterRunStatus.STARTED


def test_the_instance_lies_in_the_home_with_our_configuration(instance: dg.DagsterInstance) -> None:
    assert Path(instance.root_directory) == Path(os.environ["CO2_HOME"]) / "dagster"
    assert instance.run_monitoring_enabled
    assert not instance.telemetry_enabled
    assert instance.global_op_concurrency_default_limit == 1


def test_the_home_can_be_prepared_again(tmp_path: Path) -> None:
    settings = simulated(tmp_path / "home")
    assert prepare_dagster_home(settings) == prepare_dagster_home(settings)
    assert (tmp_path / "home" / "dagster" / "dagster.yaml").exists()


def test_a_source_that_does_not_exist_starts_nothing(tmp_path: Path) -> None:
    settings = replace(simulated(tmp_path / "home"), source="windmill")
    with pytest.raises(SettingsError, match="There are: live"):
        run_job(settings, TICK_JOB)
    assert not (tmp_path / "home").exists()


def test_the_line_of_a_failed_step_says_what_first_went_wrong(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = simulated(tmp_path / "home")
    job = build_definitions(settings).resolve_job_def(TICK_JOB)
    config = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            run_config=config,
            raise_on_error=False,
            asset_selection=[dg.AssetKey("predictions")],
        )
    assert not result.success
    assert "fetch power_system_right_now first" in capfd.readouterr().err


def test_a_dagster_home_with_a_configuration_of_its_own_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = simulated(tmp_path / "home")
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(own))
    made = prepare_dagster_home(settings)
    assert made.is_relative_to(tmp_path / "home")
    (own / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    assert prepare_dagster_home(settings) == own
    # A copy of ours is another home's.
    (own / "dagster.yaml").write_bytes((made / "dagster.yaml").read_bytes())
    assert prepare_dagster_home(settings) == made
