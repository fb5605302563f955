"""The sensor that sends alerts knows which runs failed for good."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test  # Dagster has no public one

from co2_assets.definitions import build_definitions
from co2_assets.defs.alerting import WILL_RETRY_TAG, alert_sensor, newest_outcomes
from co2_assets.defs.automation import BACKFILL_JOB, TICK_JOB, UPDATE_JOB
from co2_assets.notify.alerts import NOTHING_SET
from co2_assets.notify.conditions import RunOutcome
from co2_assets.settings import Settings
from tests.defs.test_automation import point_to
from tests.support.pipeline_runs import T0, refusing, run, simulated
from tests.support.receiver import Receiver, receiving

FAILURE = dg.DagsterRunStatus.FAILURE
SUCCESS = dg.DagsterRunStatus.SUCCESS


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def look(instance: dg.DagsterInstance, settings: Settings) -> str:
    repository = build_definitions(settings).get_repository_def()
    skip = alert_sensor(dg.build_sensor_context(instance=instance, repository_def=repository))
    assert isinstance(skip, dg.SkipReason)
    return skip.skip_message or ""


def test_runs_that_failed_for_good_count_and_others_do_not(instance: dg.DagsterInstance) -> None:
    create_run_for_test(instance, job_name=TICK_JOB, status=FAILURE)
    create_run_for_test(instance, job_name=UPDATE_JOB, status=SUCCESS)
    create_run_for_test(instance, job_name=UPDATE_JOB, status=FAILURE, tags={WILL_RETRY_TAG: "true"})
    create_run_for_test(instance, job_name=BACKFILL_JOB, status=FAILURE, tags={WILL_RETRY_TAG: "false"})
    create_run_for_test(instance, job_name=BACKFILL_JOB, status=dg.DagsterRunStatus.CANCELED)
    create_run_for_test(instance, job_name=BACKFILL_JOB, status=dg.DagsterRunStatus.STARTED)
    assert newest_outcomes(instance, [TICK_JOB, UPDATE_JOB, BACKFILL_JOB, "never-run"]) == [
        RunOutcome(TICK_JOB, succeeded=False),
        RunOutcome(BACKFILL_JOB, succeeded=False),
    ]
    create_run_for_test(instance, job_name=TICK_JOB, status=SUCCESS)
    assert newest_outcomes(instance, [TICK_JOB]) == [RunOutcome(TICK_JOB, succeeded=True)]


def test_a_run_that_died_says_what_dagster_says_of_it(instance: dg.DagsterInstance) -> None:
    died = create_run_for_test(instance, job_name=TICK_JOB, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(died, "The process 7 of this run is gone.")
    (outcome,) = newest_outcomes(instance, [TICK_JOB])
    assert outcome.reason == "The process 7 of this run is gone."


def test_the_sensor_says_why_a_run_failed(
    tmp_path: Path,
    inject: object,
    instance: dg.DagsterInstance,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inject(refusing())  # type: ignore[operator]
    settings = point_to(replace(simulated(tmp_path / "home", T0), alert_urls=receiver.alert_url), monkeypatch)
    assert not run(settings, instance=instance).success
    for _ in range(2):
        said = look(instance, settings)
    assert "Bad: A run of six_hour_tick failed" in said
    assert "A run of six_hour_tick failed" in receiver.titles
    message = receiver.messages[receiver.titles.index("A run of six_hour_tick failed")]["message"]
    assert message.startswith("power_system_right_now holds no rows and could not be fetched: ")
    assert "check the proxy" in message
    assert len(receiver.titles) == len(set(receiver.titles))


def test_without_addresses_the_sensor_does_nothing(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = point_to(simulated(tmp_path / "home", T0), monkeypatch)
    assert look(instance, settings) == NOTHING_SET
