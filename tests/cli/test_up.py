"""`co2 up` for real: everything comes up, a run can be watched, and nothing is left behind."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from co2_assets.cli.processes import runs

DEADLINE_S = 240
SMALLEST_HISTORY_DAYS = "30"
NO_PROXY_THERE = "http://127.0.0.1:9"

OVERVIEW = """
query {
  repositoriesOrError { ... on RepositoryConnection { nodes {
    location { name }
    assetNodes { assetKey { path } groupName description }
    schedules { name scheduleState { status } }
    sensors { name sensorState { status } }
  } } }
}
"""
RUN = """
query Run($run: ID!) {
  runOrError(runId: $run) { ... on Run {
    status
    assetMaterializations { assetKey { path } }
    assetChecks { name }
  } }
}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Up:
    """A running `co2 up`."""

    def __init__(self, home: Path) -> None:
        self.dagster_port, self.page_port = free_port(), free_port()
        command = [sys.executable, "-m", "co2_assets", "up", "--source", "simulator", "--home", str(home)]
        ports = ["--dagster-port", str(self.dagster_port), "--page-port", str(self.page_port)]
        self.process = subprocess.Popen(
            command + ports,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # No request to our own servers may go through a proxy, or none of the tests here passes.
            env={**os.environ, "CO2_HISTORY_DAYS": SMALLEST_HISTORY_DAYS, "HTTP_PROXY": NO_PROXY_THERE},
        )
        self.output = ""

    def wait_for(self, words: str) -> str:
        """Read what it prints until ``words`` appear; return all it has printed."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + DEADLINE_S
        while words not in self.output:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            assert "co2: " not in self.output, self.output
            readable, _, _ = select.select([self.process.stdout], [], [], deadline - time.monotonic())
            assert readable, f"{words!r} was not printed within {DEADLINE_S} s:\n{self.output}"
            self.output += os.read(self.process.stdout.fileno(), 65536).decode()
        return self.output

    def ask(self, query: str, **variables: object) -> Any:
        answer = httpx.post(
            f"http://127.0.0.1:{self.dagster_port}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
        )
        body = answer.raise_for_status().json()
        assert "errors" not in body, body
        return body["data"]

    def stop(self, how: signal.Signals) -> list[psutil.Process]:
        """End it and return those of its processes that outlived it."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(how)
        self.process.communicate(timeout=60)
        return [process for process in family if runs(process)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One `co2 up` for all tests here; ended by SIGTERM, it must leave no process behind."""
    running = Up(tmp_path_factory.mktemp("home"))
    try:
        running.wait_for("Ctrl-C ends everything")
        yield running
    finally:
        survivors = running.stop(signal.SIGTERM) if running.process.poll() is None else []
    assert survivors == []
    assert running.process.returncode == 0


@pytest.fixture(scope="module")
def first_run(up: Up) -> Any:
    """The first run, once the forecast it made has been printed."""
    output = up.wait_for("Model DK-")
    run_id = output.split("/runs/")[1].split()[0]
    return up.ask(RUN, run=run_id)["runOrError"]


def test_says_where_things_are_and_that_data_are_made_up(up: Up, first_run: Any) -> None:
    assert first_run["status"] == "SUCCESS"
    assert f"http://127.0.0.1:{up.dagster_port}" in up.output
    assert f"http://127.0.0.1:{up.page_port}" in up.output
    assert "made up" in up.output


def test_first_run_fills_the_whole_lineage(first_run: Any) -> None:
    made = {tuple(event["assetKey"]["path"]) for event in first_run["assetMaterializations"]}
    assert made == {
        ("power_system_right_now",),
        ("co2_emission",),
        ("area_production",),
        ("forecasts_hour",),
        ("day_ahead_prices",),
        ("co2_emission_prognosis",),
        ("weather_forecast",),
        ("aggregated_data",),
        ("engineered_features",),
        ("trained_model",),
        ("predictions",),
        ("model_evaluations",),
        ("published_snapshot",),
    }


def test_schedule_and_sensor_are_running_and_assets_explained(up: Up) -> None:
    (repository,) = up.ask(OVERVIEW)["repositoriesOrError"]["nodes"]
    assert repository["location"]["name"] == "co2_assets.definitions"
    schedules = {s["name"]: s["scheduleState"]["status"] for s in repository["schedules"]}
    assert schedules["six_hour_schedule"] == schedules["hourly_schedule"] == "RUNNING"
    assert {s["name"]: s["sensorState"]["status"] for s in repository["sensors"]} == {
        "retraining_sensor": "RUNNING",
        "better_model_sensor": "RUNNING",
        "alert_sensor": "RUNNING",
    }
    for node in repository["assetNodes"]:
        assert node["description"], node["assetKey"]


def test_page_shows_the_forecast_of_the_first_run(up: Up, first_run: Any) -> None:
    assert first_run["status"] == "SUCCESS"
    page = f"http://127.0.0.1:{up.page_port}"
    assert httpx.get(f"{page}/readyz", timeout=30).is_success
    assert httpx.get(page, timeout=30).is_success


def test_busy_port_is_named_with_the_option_that_changes_it(up: Up, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "co2_assets", "up", "--source", "simulator", "--home", str(tmp_path)]
    refused = subprocess.run(
        [*command, "--dagster-port", str(up.dagster_port)], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert str(up.dagster_port) in refused.stderr
    assert "--dagster-port" in refused.stderr


def test_ctrl_c_while_starting_leaves_no_process_behind(tmp_path: Path) -> None:
    running = Up(tmp_path)
    running.wait_for("Starting")
    assert running.stop(signal.SIGINT) == []
    assert running.process.returncode == 0
