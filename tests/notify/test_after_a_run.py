"""After a run: the heartbeat if it issued a forecast, and the alerts where there is no daemon."""

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from co2_assets.cli import dagster_runs
from co2_assets.defs import resources
from co2_assets.defs.automation import DEEPEN_JOB, UPDATE_JOB
from co2_assets.notify.alerts import tell
from co2_assets.notify.conditions import RunOutcome
from co2_assets.notify.heartbeat import beat
from co2_assets.settings import Settings
from tests.support.environment import without_settings
from tests.support.pipeline_runs import HOUR, T0, failures, run
from tests.support.receiver import Receiver


@pytest.fixture
def hour_later(settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a run an hour after the first, in the environment too, where a run reads its addresses."""
    without_settings(monkeypatch)
    later = replace(settings, as_of=T0 + HOUR, heartbeat_url=f"{receiver.address}/ping/hunter2?rid=1")
    for name, value in later.environment().items():
        monkeypatch.setenv(name, value)
    return later


def test_a_forecast_by_the_command_is_followed_by_heartbeat_and_alerts_whose_failure_fails_nothing(
    hour_later: Settings,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell(hour_later, [RunOutcome(UPDATE_JOB, succeeded=False)])
    assert dagster_runs.run_job(hour_later, UPDATE_JOB)
    assert receiver.asked == ["/ping/hunter2?rid=1"]
    assert receiver.titles == ["A run of hourly_update failed", "hourly_update succeeds again"]

    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(resources, "after_publication", broken)
    monkeypatch.setattr(dagster_runs, "tell", broken)
    # This one has nothing to fetch, and publishes all the same.
    assert dagster_runs.run_job(hour_later, DEEPEN_JOB)
    assert "Alerts were not sent" in caplog.text
    assert "was not said" in caplog.text


def test_a_run_that_issues_nothing_has_no_heartbeat(hour_later: Settings, receiver: Receiver) -> None:
    result = run(hour_later, DEEPEN_JOB, assets=["aggregated_data"])
    assert result.success, failures(result)
    assert receiver.asked == []


def test_a_run_by_the_command_that_fails_is_said(
    hour_later: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(*_: Any) -> Any:
        return SimpleNamespace(success=False, all_events=[])

    monkeypatch.setattr(dagster_runs, "_execute", failed)
    assert not dagster_runs.run_job(hour_later, UPDATE_JOB)
    assert receiver.titles == ["A run of hourly_update failed"]


@pytest.mark.parametrize("status", [404, 500])
def test_a_heartbeat_that_fails_is_logged_without_its_secret(
    hour_later: Settings, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.INFO)
    assert beat(hour_later)
    receiver.status = status
    assert not beat(hour_later)
    assert f"status {status}" in caplog.text
    assert not beat(replace(hour_later, heartbeat_url="http://127.0.0.1:9/hunter2"))
    assert "ConnectError" in caplog.text
    assert "hunter2" not in caplog.text
    assert not beat(replace(hour_later, heartbeat_url=""))
