"""A run of the command line that was killed does not hold the writer's place for ever."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX
from dagster._core.test_utils import create_run_for_test  # Dagster has no public one

from co2_assets.cli.dagster_runs import (
    FORMER_PROCESS_TAG,
    MAX_RETRIES_TAG,
    PROCESS_TAG,
    dagster_instance,
    end_dead_runs,
    end_leftover_runs,
    is_of_home,
    prepare_dagster_home,
    run_job,
)
from co2_assets.cli.processes import is_alive, process_identity
from co2_assets.definitions import build_definitions
from co2_assets.defs.automation import RETRAIN_JOB, TICK_JOB
from co2_assets.settings import SettingsError
from tests.support.pipeline_runs import simulated

POOL = "warehouse"
POSTGRES = Path(__file__).resolve().parents[2] / "deploy" / "dagster.postgres.yaml"


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


STARTED = dg.DagsterRunStatus.STARTED


def started(
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    status: dg.DagsterRunStatus = STARTED,
    job_name: str = TICK_JOB,
    parent: str | None = None,
) -> dg.DagsterRun:
    run = create_run_for_test(
        instance, job_name=job_name, status=status, tags=tags, parent_run_id=parent, root_run_id=parent
    )
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(POOL)
    storage.claim_concurrency_slot(POOL, run.run_id, "predictions")
    return run


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


@pytest.mark.parametrize("tag", [PROCESS_TAG, FORMER_PROCESS_TAG])
def test_a_killed_run_is_ended_and_its_place_freed(
    instance: dg.DagsterInstance, dead_process: int, tag: str
) -> None:
    killed = started(instance, {tag: str(dead_process)})
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


def test_another_process_of_the_same_number_is_not_taken_for_the_runs(instance: dg.DagsterInstance) -> None:
    number, boot, since_boot = process_identity(os.getpid()).split()
    alive = started(instance, {PROCESS_TAG: f"{number} {boot} {since_boot}"})
    earlier = started(instance, {PROCESS_TAG: f"{number} {boot} {float(since_boot) - 60:.2f}"})
    before_the_boot = started(instance, {PROCESS_TAG: f"{number} another-boot {since_boot}"})
    assert set(end_dead_runs(instance)) == {earlier.run_id, before_the_boot.run_id}
    assert status_of(instance, alive) is STARTED
    slots = instance.event_log_storage.get_concurrency_info(POOL)
    assert slots.active_run_ids | slots.pending_run_ids == {alive.run_id}


def test_a_process_that_was_killed_but_not_yet_asked_for_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(process.pid)
    assert is_alive(identity)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(identity)
    process.communicate()


@pytest.mark.parametrize("tag", ["", "soon", "one boot 3.0"])
def test_a_tag_that_says_nothing_ends_no_run_and_stops_nobody(instance: dg.DagsterInstance, tag: str) -> None:
    run = started(instance, {PROCESS_TAG: tag})
    assert end_dead_runs(instance) == []
    assert status_of(instance, run) is STARTED


def test_a_run_of_the_command_line_is_tagged_with_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = simulated(tmp_path / "home")
    for name in ("DAGSTER_HOME", *settings.environment()):
        monkeypatch.setenv(name, "")
    # Ends at once: there is no warehouse to deepen.
    run_job(settings, RETRAIN_JOB)
    with dagster_instance(settings) as instance:
        (run,) = instance.get_runs()
        assert run.tags[PROCESS_TAG].split()[0] == str(os.getpid())
        assert is_alive(run.tags[PROCESS_TAG])
        shown = {name: value for name, value in run.tags.items() if not name.startswith(HIDDEN_TAG_PREFIX)}
        assert shown["co2/started_by"] == "command"
        assert shown["co2/source"] == "simulator"
        assert not any(str(os.getpid()) in value for value in shown.values())


def test_what_a_killed_daemon_left_under_way_is_ended_before_the_next_starts(
    instance: dg.DagsterInstance, dead_process: int
) -> None:
    left = [started(instance, {}, status) for status in (STARTED, dg.DagsterRunStatus.STARTING)]
    retraining = started(instance, {}, job_name=RETRAIN_JOB)
    cancelled = started(instance, {}, dg.DagsterRunStatus.CANCELING)
    killed = started(instance, {PROCESS_TAG: str(dead_process)})
    # Made again in the UI: the daemon's, whatever its tags say.
    again = started(instance, {PROCESS_TAG: process_identity(os.getpid())}, parent=killed.run_id)
    submitted_soon = started(instance, {}, dg.DagsterRunStatus.NOT_STARTED)
    alive = started(instance, {PROCESS_TAG: process_identity(os.getpid())})

    ended = end_leftover_runs(instance, launched_anew=[TICK_JOB])
    assert set(ended) == {run.run_id for run in (*left, retraining, cancelled, killed, again)}
    for run in (*left, retraining, killed, again):
        assert status_of(instance, run) is dg.DagsterRunStatus.FAILURE
    assert status_of(instance, cancelled) is dg.DagsterRunStatus.CANCELED
    assert status_of(instance, submitted_soon) is dg.DagsterRunStatus.NOT_STARTED
    assert status_of(instance, alive) is STARTED
    slots = instance.event_log_storage.get_concurrency_info(POOL)
    assert slots.active_run_ids <= {submitted_soon.run_id, alive.run_id}
    assert not slots.pending_run_ids & set(ended)
    assert end_leftover_runs(instance) == []


def test_of_a_job_that_is_launched_anyway_the_daemon_makes_no_second(instance: dg.DagsterInstance) -> None:
    tick, retraining = started(instance, {}), started(instance, {}, job_name=RETRAIN_JOB)
    end_leftover_runs(instance, launched_anew=[TICK_JOB])
    will_retry = {}
    for run in (tick, retraining):
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        will_retry[run.job_name] = found.tags["dagster/will_retry"]
        assert (MAX_RETRIES_TAG in found.tags) == (run is tick)
    assert will_retry == {TICK_JOB: "false", RETRAIN_JOB: "true"}


def test_records_shared_with_others_are_told_from_the_homes_own(tmp_path: Path) -> None:
    settings = simulated(tmp_path / "home")
    assert is_of_home(prepare_dagster_home(settings), settings)
    assert not is_of_home(tmp_path, settings)


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
    (own / "dagster.yaml").write_bytes(POSTGRES.read_bytes())
    assert prepare_dagster_home(settings) == own
    # A copy of ours is another home's.
    (own / "dagster.yaml").write_bytes((made / "dagster.yaml").read_bytes())
    assert prepare_dagster_home(settings) == made


@pytest.mark.parametrize(
    "content", [None, "telemetry: {enabled: false}\n", "concurrency: 2\n", "- a\n", "a: [", "\xff"]
)
def test_the_dagster_home_of_another_project_is_passed_over_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    if content is not None:
        (other / "dagster.yaml").write_text(content, encoding="latin-1")
    monkeypatch.setenv("DAGSTER_HOME", str(other))
    settings = simulated(tmp_path / "home")
    assert is_of_home(prepare_dagster_home(settings), settings)
    assert f"DAGSTER_HOME {other} is not of this home" in caplog.text
    caplog.clear()
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_dagster_home(settings)))
    caplog.clear()
    prepare_dagster_home(settings)
    assert caplog.text == ""


def test_the_slot_of_a_run_that_is_no_longer_recorded_is_freed(instance: dg.DagsterInstance) -> None:
    lost, kept = started(instance, {}), started(instance, {})
    instance.run_storage.delete_run(lost.run_id)
    end_dead_runs(instance)
    assert instance.event_log_storage.get_concurrency_run_ids() <= {kept.run_id}
