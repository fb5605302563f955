"""Each thing is said once when it is bad and once when it is well again, and nothing is lost or repeated."""

import json
import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from co2_assets.notify import alerts, conditions
from co2_assets.notify.alerts import KEPT, QUIET, tell
from co2_assets.notify.conditions import RunOutcome
from co2_assets.settings import Settings
from co2_assets.warehouse.lock import exclusive
from co2_assets.warehouse.paths import Home
from tests.defs.test_automation import publish, score_live_forecasts
from tests.notify.conftest import Clock
from tests.support.pipeline_runs import HOUR, T0, warehouse
from tests.support.receiver import Receiver, receiving

FAILED = RunOutcome("six_hour_tick", succeeded=False, reason="the disk burns")
GOOD = RunOutcome("six_hour_tick", succeeded=True)


def at(settings: Settings, hours: float) -> Settings:
    return replace(settings, as_of=T0 + hours * HOUR)


def test_without_an_address_nothing_is_looked_at(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "nothing")
    assert tell(settings, [FAILED]) == alerts.NOTHING_SET
    assert not settings.home.exists()


def test_a_missing_forecast_is_said_once_and_once_more_when_one_came(
    settings: Settings, receiver: Receiver
) -> None:
    assert tell(settings) == "There is nothing new to say."
    assert receiver.messages == []
    for hours in (3, 4, 24):
        assert "A forecast is missing" in tell(at(settings, hours))
    (message,) = receiver.messages
    assert message["title"] == "CO2 forecast: A forecast is missing"
    assert message["type"] == "failure"
    assert "(simulated data) was issued at 2024-06-01 00:00 UTC" in message["message"]
    assert "01:05, when the next was due" in message["message"]
    for _ in range(2):
        tell(settings)
    assert receiver.titles == ["A forecast is missing", "Forecasts come again"]
    assert receiver.messages[-1]["type"] == "success"


def test_a_run_that_failed_is_said_with_its_reason(settings: Settings, receiver: Receiver) -> None:
    tell(settings, [FAILED])
    # Nothing is known of the job in the second look.
    tell(settings)
    tell(settings, [FAILED])
    assert receiver.titles == ["A run of six_hour_tick failed"]
    assert receiver.messages[0]["message"].startswith("the disk burns\n")
    tell(settings, [GOOD])
    assert receiver.titles[1:] == ["six_hour_tick succeeds again"]


def test_before_anything_is_published_runs_and_disk_are_looked_at(tmp_path: Path, receiver: Receiver) -> None:
    settings = Settings(home=tmp_path / "new", source="simulator", alert_urls=receiver.alert_url)
    tell(settings, [FAILED])
    assert receiver.titles == ["A run of six_hour_tick failed"]


def test_what_comes_and_goes_is_no_storm(settings: Settings, receiver: Receiver, clock: Clock) -> None:
    """A job that fails every other time for a day is said four times."""
    for _ in range(8):
        for outcome in (FAILED, GOOD):
            tell(settings, [outcome])
            clock.now += timedelta(minutes=90)
    assert len(receiver.messages) == 2 * timedelta(days=1) / QUIET
    # A clock that was set back holds nothing back.
    clock.now -= timedelta(days=100)
    tell(settings, [FAILED])
    assert receiver.titles[-1] == "A run of six_hour_tick failed"


def test_a_message_that_was_not_taken_is_tried_again(
    settings: Settings, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving() as other:
        both = replace(settings, alert_urls=f"{receiver.alert_url} {other.alert_url}")
        receiver.status = 500
        said = tell(both, [FAILED])
        assert "address 1 (JSON) did not take a message" in said
        assert "address 1 (JSON) did not take an alert, it is tried again" in caplog.text
        assert (len(receiver.messages), len(other.messages)) == (0, 1)
        tell(both, [GOOD])
        assert (len(receiver.messages), len(other.messages)) == (0, 2)
        receiver.status = 200
        for _ in range(2):
            tell(both, [GOOD])
        assert (
            receiver.titles
            == other.titles
            == ["A run of six_hour_tick failed", "six_hour_tick succeeds again"]
        )
    assert "a-secret" not in caplog.text + said


def test_a_kill_before_the_sending_loses_nothing(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "_deliver", killed)
        with pytest.raises(KeyboardInterrupt):
            tell(settings, [FAILED])
    assert receiver.messages == []
    for _ in range(2):
        tell(settings)
    assert receiver.titles == ["A run of six_hour_tick failed"]


def test_what_cannot_be_remembered_is_not_sent(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be sent again at every look."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(alerts, "keep", full)
    with pytest.raises(OSError, match="No space"):
        tell(settings, [FAILED])
    assert receiver.messages == []


def test_a_message_that_nobody_takes_for_a_day_is_given_up(
    settings: Settings, receiver: Receiver, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    tell(settings, [FAILED])
    clock.now += KEPT + timedelta(minutes=1)
    receiver.status = 200
    tell(settings)
    assert receiver.messages == []
    assert "given up: CO2 forecast: A run of six_hour_tick failed" in caplog.text


def test_an_address_that_was_taken_out_gets_nothing_more(settings: Settings, receiver: Receiver) -> None:
    with receiving() as other:
        receiver.status = 500
        tell(settings, [FAILED])
        receiver.status = 200
        tell(replace(settings, alert_urls=other.alert_url))
        assert receiver.messages == other.messages == []
    assert json.loads(Home(settings.home).alerts.read_text())["outbox"] == []


def test_a_damaged_memory_begins_anew(
    settings: Settings, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    Home(settings.home).alerts.write_text("{", encoding="utf-8")
    tell(settings, [FAILED])
    assert len(receiver.messages) == 1
    assert "begins anew" in caplog.text


def test_two_processes_do_not_say_the_same(settings: Settings, receiver: Receiver) -> None:
    with ExitStack() as stack:
        # That other process is a thread here: the lock tells them apart too.
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with exclusive(Home(settings.home).alerts.with_suffix(".lock"), timeout_s=0):
                held.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        stack.callback(thread.join)
        stack.callback(done.set)
        held.wait()
        assert tell(settings, [FAILED]) == "Another process is sending alerts."
    assert receiver.messages == []


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the disk have so many bytes free."""

    def free(size: float) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=int(size)))

    return free


def test_a_full_disk_is_said_and_a_value_at_the_limit_is_no_storm(
    settings: Settings, receiver: Receiver, free: Callable[[float], None], clock: Clock
) -> None:
    limit = conditions.LEAST_FREE_BYTES
    for size in (2 * limit, 0.99 * limit, 1.01 * limit, 0.99 * limit, 1.49 * limit):
        free(size)
        tell(settings)
        clock.now += timedelta(days=1)
    assert receiver.titles == ["The disk is nearly full"]
    assert f"0.99 GB are free under {settings.home}" in receiver.messages[0]["message"]
    free(1.5 * limit)
    tell(settings)
    assert receiver.titles[1:] == ["The disk has room again"]


def test_a_low_accuracy_is_said_and_well_again_only_with_a_margin(
    settings: Settings, receiver: Receiver
) -> None:
    tell(settings)
    for hours, accuracy in enumerate((40.0, 66.9, 64.9), start=1):
        score_live_forecasts(settings, accuracy, window_to=T0 + hours * HOUR)
        tell(settings)
    assert receiver.titles == ["The accuracy fell"]
    assert "It is 40.0 % over 24 hours" in receiver.messages[0]["message"]
    # Too few hours say nothing either way.
    score_live_forecasts(settings, 99.0, window_to=T0 + 4 * HOUR, hours=23)
    tell(settings)
    assert len(receiver.messages) == 1
    score_live_forecasts(settings, 67.0, window_to=T0 + 5 * HOUR)
    tell(settings)
    assert receiver.titles[1:] == ["The accuracy is good again"]


def train(settings: Settings, name: str, decision: str, hours: int, trigger: str = "accuracy fell") -> None:
    """Publish a model that was trained ``hours`` after the first run."""
    with warehouse(settings).session() as connection:
        connection.execute(
            "INSERT INTO model_table BY NAME SELECT * REPLACE (? AS model_version, ? AS decision, "
            "'It was compared.' AS reason, ? AS trigger, ?::TIMESTAMP AS trained_at_utc) FROM model_table "
            "WHERE trigger = 'first model'",
            [name, decision, trigger, T0 + hours * HOUR],
        )
    publish(settings)


def test_each_new_model_is_told_once_with_the_decision(settings: Settings, receiver: Receiver) -> None:
    # The model of the first run is not news.
    tell(settings)
    train(settings, "m2", "rejected", 1)
    train(settings, "of-the-past", "rejected", 2, trigger="backfill")
    for _ in range(2):
        tell(settings)
    train(settings, "m3", "promoted", 3)
    train(settings, "m4", "rejected", 4)
    for _ in range(2):
        tell(settings)
    assert receiver.titles == ["A new model was refused", "A new model is in use", "A new model was refused"]
    text: Any = receiver.messages[0]["message"]
    assert text.startswith("m2 was trained (reason: accuracy fell) (simulated data).\n")
    assert "rejected. It was compared." in text
    assert {message["type"] for message in receiver.messages} == {"info"}
