"""Home Assistant finds the forecast of each area at a broker, with the numbers that were published."""

import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.defs.automation import UPDATE_JOB
from co2_assets.notify import mqtt
from co2_assets.notify.home_assistant import fields_of, messages
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings, SettingsError
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.paths import Home
from co2_dash.settings import Settings as PageSettings
from tests.support.broker import Broker, running_broker
from tests.support.environment import without_settings
from tests.support.pages_server import serving
from tests.support.pipeline_runs import HOUR, T0, failures, published, run, simulated

AREAS = ("dk", "dk1", "dk2")
# The recorder of Home Assistant keeps no larger attributes.
MOST_ATTRIBUTE_BYTES = 16_384


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path) as broker:
        yield broker


def read(text: str) -> Any:
    return json.loads(text)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def test_after_an_issue_each_area_is_a_sensor_with_its_forecast(
    home: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    settings = replace(simulated(home, T0 + HOUR), mqtt_url=broker.url)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    result = run(settings, UPDATE_JOB, assets=["predictions"])
    assert result.success, failures(result)
    kept = broker.retained(3 * len(AREAS))
    for area in AREAS:
        sensor = read(kept[f"homeassistant/sensor/co2/{area}/config"])
        assert sensor["state_topic"] == f"co2/{area}/state"
        assert sensor["unit_of_measurement"] == "g/kWh"
        assert "(simulated data)" in sensor["name"]
        # Two hours without a forecast make it stale, which was issued on the hour.
        assert sensor["expire_after"] == timedelta(hours=2, minutes=15).total_seconds()
        rows = snapshots.query(
            published(settings),
            "SELECT * FROM current_forecast WHERE price_area = ? ORDER BY target_hour_utc",
            [area.upper()],
        )
        assert kept[sensor["state_topic"]] == f"{rows['q50_g_per_kwh'].iloc[0]:.1f}"
        text = kept[sensor["json_attributes_topic"]]
        attributes = read(text)
        assert len(text) < MOST_ATTRIBUTE_BYTES
        assert (attributes["source"], attributes["price_area"]) == ("simulator", area.upper())
        assert "Made up" in attributes["attribution"]
        forecast = attributes["forecast"]
        assert len(forecast) == len(rows) == 72
        assert [at(hour["from"]) for hour in forecast] == list(rows["target_hour_utc"])
        assert all(at(hour["to"]) - at(hour["from"]) == HOUR for hour in forecast)
        assert [hour["intensity"] for hour in forecast] == [round(value) for value in rows["q50_g_per_kwh"]]
        assert [hour["hour"] for hour in attributes["next_hours"]] == [hour["from"] for hour in forecast[:6]]
    assert len({read(kept[f"homeassistant/sensor/co2/{area}/config"])["unique_id"] for area in AREAS}) == 3
    # What the API says to Home Assistant of the same snapshot at the same instant.
    with serving(PageSettings(Home(home), source="simulator"), lambda: T0 + HOUR) as pages:
        for area in AREAS:
            said = httpx.get(f"{pages}/api/v1/home-assistant", params={"area": area.upper()}).json()
            del said["stale"]
            assert f"{said.pop('state'):.1f}" == kept[f"co2/{area}/state"]
            assert said == read(kept[f"co2/{area}/attributes"])
            assert said["level"]
            assert at(said["cleanest_end"]) - at(said["cleanest_start"]) == 3 * HOUR


def test_a_forecast_too_short_for_a_stretch_has_no_cleanest_one() -> None:
    hours = [ForecastHour(T0 + lead * HOUR, 100.0, 90.0, 110.0) for lead in range(2)]
    fields = fields_of(hours, T0, None)
    assert fields["cleanest_start"] is fields["cleanest_is_now"] is fields["level"] is None
    assert fields["state"] == 100.0


def test_an_hour_without_a_forecast_of_it_has_no_state(home: Path) -> None:
    settings = simulated(home, T0)
    with open_run(settings) as opened:
        assert len(messages(opened, published(settings))) == 3 * len(AREAS)
        assert messages(replace(opened, now=T0 + 6 * HOUR), published(settings)) == {}
        assert messages(replace(opened, now=T0 + 100 * HOUR), published(settings)) == {}


def test_a_broker_that_refuses_is_logged_without_the_password(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    right = Settings(mqtt_url=broker.url)
    assert mqtt.publish(right, {"a": "b"})
    assert broker.retained(1) == {"a": "b"}
    wrong = replace(right, mqtt_url=broker.url.replace("signs", "hunter2"))
    assert not mqtt.publish(wrong, {"a": "c"})
    assert "it refused the connection (Not authorized); check CO2_MQTT_URL" in caplog.text
    assert "hunter2" not in caplog.text
    assert broker.retained(1) == {"a": "b"}


def test_a_broker_that_is_away_or_silent_costs_little_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mqtt, "TIMEOUT_S", 0.1)
    assert not mqtt.publish(Settings(mqtt_url="mqtt://127.0.0.1:9"), {"a": "b"})
    assert "Connection refused" in caplog.text
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert not mqtt.publish(Settings(mqtt_url=f"mqtt://127.0.0.1:{silent.getsockname()[1]}"), {"a": "b"})
    assert "it did not answer within 0.1 s" in caplog.text


@pytest.mark.parametrize(
    "url",
    ["host:1883", "http://u:hunter2@host", "mqtt://", "mqtt://u:hun/ter2@host", "mqtt://u:hunter2@host:x"],
)
def test_an_address_that_is_no_broker_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(SettingsError, match="CO2_MQTT_URL is not the address of a broker") as refused:
        Settings(mqtt_url=url)
    assert "ter2" not in str(refused.value)
    assert "hunter2" not in repr(Settings(mqtt_url="mqtt://u:hunter2@host"))
