"""The `co2` command: exit codes, messages with a remedy, JSON and nothing else on standard output."""

import importlib.metadata
import json
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from rich.table import Table
from typer.testing import CliRunner

from co2_assets.cli.commands import app
from co2_assets.cli.output import BACKTEST_FORECASTS, backtest_table
from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW, split_rows
from co2_assets.contracts.time import utc_now
from co2_assets.defs.automation import RETRAIN_JOB
from co2_assets.pipeline.quarantine import quarantine_rows
from co2_assets.pipeline.run import held_source, open_run
from co2_assets.warehouse.lock import exclusive
from co2_assets.warehouse.paths import Home
from co2_assets.warehouse.snapshots import publish
from tests.support.environment import without_settings
from tests.support.pipeline_runs import (
    HISTORY_DAYS,
    HOUR,
    SMALL,
    T0,
    failures,
    published,
    run,
    simulated,
    warehouse,
)

COMMANDS = ("up", "tick", "train", "backtest", "backfill", "forecast", "status", "quarantine")
DONE, FAILED, USAGE = 0, 1, 2


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine's; those a command puts there are taken out again."""
    without_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")


def co2(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def in_home(home: Path, *more: str) -> list[str | Path]:
    return ["--home", home, "--source", "simulator", *more]


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=lambda c: c[0] if c else "co2")
def test_help_is_there(command: tuple[str, ...]) -> None:
    result = co2(*command, "--help")
    assert result.exit_code == DONE
    assert "Usage:" in result.stdout
    if command:
        assert "--source" in result.stdout
        assert "--as-of" in result.stdout
        assert "--home" in result.stdout


TOMORROW = f"{utc_now() + timedelta(days=1):%Y-%m-%dT%H:%MZ}"
MISUSES = {
    "unknown source": (["--source", "windmill"], "no source 'windmill'. There are: live"),
    "archive without folder": (["--source", "archive:"], "no source 'archive:'"),
    "archive that is not there": (["--source", "archive:nowhere"], "nowhere"),
    "no instant": (["--as-of", "yesterday"], "write it as 2024-06-01T00:00Z"),
    "future": (["--source", "live", "--as-of", TOMORROW], "future"),
    "live with as-of": (["--source", "live", "--as-of", "2024-06-01T00:00Z"], "overwrites its forecasts"),
}


@pytest.mark.parametrize("misuse", MISUSES)
@pytest.mark.parametrize("command", ["tick", "train", "forecast", "status"])
def test_misuse_is_said_in_one_line(tmp_path: Path, command: str, misuse: str) -> None:
    arguments, words = MISUSES[misuse]
    result = co2(command, "--home", tmp_path / "home", *arguments)
    assert result.exit_code == USAGE, result.output
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CO2_HISTORY_DAYS", "-5", "history days must be"),
        ("CO2_HISTORY_DAYS", "many", "not a whole number"),
        ("CO2_SEED", "x", "not a whole number"),
        ("CO2_LIVE_URL", "mirror.example", "write it as https://HOST"),
        ("CO2_LIVE_URL", "ftp://mirror.example", "write it as https://HOST"),
        ("CO2_LIVE_URL", "http://mirror:99999", "write it as https://HOST"),
        ("CO2_LIVE_URL", "http://[::1", "write it as https://HOST"),
        ("CO2_LIVE_URL", "http://a..b", "write it as https://HOST"),
        ("CO2_LIVE_URL", "http://mirror/?key=1", "write it as https://HOST"),
        ("CO2_AS_OF", "noon", "CO2_AS_OF 'noon' is not an ISO 8601 instant"),
    ],
)
def test_a_bad_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    result = co2("status", *in_home(tmp_path))
    assert result.exit_code == USAGE
    assert words in result.stderr


@pytest.mark.parametrize("command", ["forecast", "status"])
def test_a_home_without_data_names_the_remedy(tmp_path: Path, command: str) -> None:
    for source in ("simulator", "auto"):
        result = co2(command, "--home", tmp_path / "home", "--source", source)
        assert result.exit_code == FAILED
        assert "wait for the first run of `co2 up`, or run `co2 tick` first" in result.stderr.replace(
            "\n", " "
        )
        assert result.stdout == ""


@pytest.mark.parametrize(
    "times",
    [
        ("2024-05-02", "2024-05-01", None),
        ("2024-05-01", "2024-05-02", "2024-05-01T06:00Z"),
        ("never", "2024-05-02", None),
    ],
)
def test_backtest_times_that_make_no_sense(tmp_path: Path, times: tuple[str, str, str | None]) -> None:
    start, end, train_until = times
    more = ["--train-until", train_until] if train_until else []
    result = co2("backtest", *in_home(tmp_path), "--as-of", "2024-06-01", "--from", start, "--to", end, *more)
    assert result.exit_code == USAGE, result.output


def test_forecast_as_json_and_as_a_table(second_home: Path) -> None:
    result = co2("forecast", *in_home(second_home), "--json")
    assert result.exit_code == DONE
    answer = json.loads(result.stdout)
    assert result.stderr == ""
    assert (answer["source"], answer["issue_time_utc"]) == ("simulator", "2024-06-01T06:00:00Z")
    assert [hour["lead_hours"] for hour in answer["hours"]] == list(range(1, 25))
    for hour in answer["hours"]:
        assert list(hour["quantiles"]) == ["0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95"]
        assert list(hour["quantiles"].values()) == sorted(hour["quantiles"].values())
    table = co2("forecast", *in_home(second_home))
    assert table.exit_code == DONE
    assert "Simulated: these numbers are made up." in table.stdout


def test_status_is_good_in_time_and_fails_when_stale(
    second_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_time = co2("status", *in_home(second_home), "--as-of", "2024-06-01T08:00Z", "--json")
    assert in_time.exit_code == DONE
    state = json.loads(in_time.stdout)
    assert (state["forecast"]["stale"], state["forecast"]["age_hours"]) == (False, 2.0)
    assert state["forecast"]["next_due_utc"] == "2024-06-01T07:05:00Z"
    assert len(state["datasets"]) == len(DATASETS)
    late = co2("status", *in_home(second_home), "--as-of", "2024-06-01T08:15Z", "--json")
    assert late.exit_code == FAILED
    assert json.loads(late.stdout)["forecast"]["stale"] is True
    table = co2("status", *in_home(second_home), "--as-of", "2024-06-01T08:15Z")
    assert table.exit_code == FAILED
    assert "STALE: issued 2024-06-01 06:00 UTC" in table.stdout
    # Without the hourly ones, one that was missed by an hour.
    monkeypatch.setenv("CO2_HOURLY_UPDATE", "off")
    for clock, code in (("12:59", DONE), ("13:00", FAILED)):
        status = co2("status", *in_home(second_home), "--as-of", f"2024-06-01T{clock}Z")
        assert status.exit_code == code


def test_status_and_forecast_speak_of_the_time_they_are_asked_for(second_home: Path) -> None:
    then = ("--as-of", "2024-06-01T05:00Z", "--json")
    state = json.loads(co2("status", *in_home(second_home), *then).stdout)
    assert state["forecast"]["issue_time_utc"] == "2024-06-01T00:00:00Z"
    answer = json.loads(co2("forecast", *in_home(second_home), *then).stdout)
    assert answer["issue_time_utc"] == "2024-06-01T00:00:00Z"
    assert len(answer["hours"]) == 24
    before = co2("status", *in_home(second_home), "--as-of", "2024-05-20T00:00Z")
    assert before.exit_code == FAILED
    assert "STALE: none was ever issued" in before.stdout
    assert "give a later time to --as-of" in " ".join(before.stdout.split())
    assert co2("forecast", *in_home(second_home), "--as-of", "2024-05-20T00:00Z").exit_code == FAILED


def test_a_forecast_ahead_of_the_clock_is_not_fresh(
    second_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("co2_assets.pipeline.status.utc_now", lambda: T0 - 860 * HOUR)
    result = co2("status", *in_home(second_home))
    assert result.exit_code == FAILED
    assert "AHEAD OF THE CLOCK: issued 2024-06-01 06:00 UTC, in 866.0 h" in result.stdout
    assert "h ago" not in result.stdout
    state = json.loads(co2("status", *in_home(second_home), "--json").stdout)
    assert (state["forecast"]["overdue"], state["forecast"]["ahead_of_clock"]) == (True, True)
    monkeypatch.setattr("co2_assets.pipeline.status.utc_now", lambda: T0 + 6 * HOUR - timedelta(minutes=4))
    assert co2("status", *in_home(second_home)).exit_code == DONE


def test_what_is_not_published_does_not_turn_the_pages(home: Path, tmp_path: Path) -> None:
    """A run of another source counts once it has something to show."""
    assert Home(home).active_source() == "simulator"
    empty = tmp_path / "empty"
    with open_run(simulated(empty)):
        assert Home(empty).active_source() is None
    Home(home).set_active_source("archive")
    run(simulated(home, T0 + 6 * HOUR), assets=["day_ahead_prices"])
    assert Home(home).active_source() == "simulator"


def test_commands_on_held_data_take_the_source_last_published(home: Path) -> None:
    settings = replace(simulated(home), source="auto")
    assert held_source(settings) == "simulator"
    Home(home).set_active_source("archive")
    result = co2("train", "--home", home)
    assert result.exit_code == USAGE
    assert "--source archive:DIR" in result.stderr


@pytest.mark.parametrize("command", ["tick", "up"])
def test_nobody_turns_a_home_of_recorded_data_to_another_source_unasked(home: Path, command: str) -> None:
    Home(home).set_active_source("archive")
    result = co2(command, "--home", home)
    assert result.exit_code == USAGE
    assert "--source archive:DIR" in result.stderr
    assert Home(home).active_source() == "archive"


def test_a_time_of_the_past_does_not_turn_a_live_home_to_the_simulator(home: Path) -> None:
    Home(home).set_active_source("live")
    result = co2("tick", "--home", home, "--as-of", "2024-01-01T00:00Z")
    assert result.exit_code == USAGE
    assert "a --home of its own" in result.stderr
    assert Home(home).active_source() == "live"


@pytest.mark.parametrize("command", ["tick", "up", "train", "backfill"])
def test_an_older_state_is_not_published_over_a_newer(home: Path, command: str) -> None:
    before = sorted(path for path in home.rglob("*") if path.is_file())
    result = co2(command, "--home", home, "--source", "simulator", "--as-of", "2024-01-01T00:00Z")
    assert result.exit_code == USAGE
    assert "a --home of its own" in result.stderr
    assert sorted(path for path in home.rglob("*") if path.is_file()) == before


def test_release_needs_no_source(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("co2_assets.pipeline.run.connect", None)
    result = co2("quarantine", "--home", home, "--release", "nothing of that name")
    assert result.exit_code == FAILED
    assert "`co2 quarantine` lists the keys" in result.stderr


def kept_apart(home: Path) -> None:
    """Nine hours of the country at exactly zero, in quarantine and published."""
    times = pd.date_range(T0, periods=9 * 60, freq="min", unit="us")
    rows = pd.DataFrame({"price_area": "DK", "minute_utc": times, "co2_g_per_kwh": 0.0})
    with warehouse(simulated(home)).open_transaction() as transaction:
        quarantine_rows(split_rows(POWER_SYSTEM_RIGHT_NOW, rows)[1], T0, transaction)
    folder = Home(home).source("simulator")
    publish(warehouse(simulated(home)), folder.snapshots, as_of_utc=T0, published_at_utc=T0)


def test_a_span_is_looked_at_and_released(home: Path) -> None:
    kept_apart(home)
    choice = ("--dataset", "power_system_right_now", "--column", "co2_g_per_kwh")
    span = ("--from", "2024-06-01T01:00Z", "--to", "2024-06-01T01:02Z")
    listed = co2("quarantine", *in_home(home, *choice, *span))
    assert listed.exit_code == DONE
    assert listed.stdout.count("price_area=DK") == 2
    released = co2("quarantine", *in_home(home, *choice, *span, "--release-all"))
    assert released.stdout == "2 row(s) stored; the next run uses them.\n"
    again = co2("quarantine", *in_home(home, *choice, *span, "--release-all"))
    assert again.exit_code == FAILED
    assert "`co2 quarantine` with the same options" in " ".join(again.stderr.split())
    others = co2("quarantine", *in_home(home, *choice, "--release-all"))
    assert others.stdout == "538 row(s) stored; the next run uses them.\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--release-all",), "--release-all needs --dataset"),
        (("--release", "key", "--dataset", "forecasts_hour"), "--release takes a key alone"),
        (("--dataset", "windmills"), "there is no dataset 'windmills'; there are power_system_right_now"),
        (("--dataset", "forecasts_hour", "--column", "co2_g_per_kwh"), "in forecasts_hour; there are"),
        (("--column", "colour"), "there is no column 'colour' in any dataset"),
        (("--from", "noon"), "--from 'noon' is not an ISO 8601 instant"),
        (("--from", "2024-06-02", "--to", "2024-06-01"), "is not before --to 2024-06-01"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused(home: Path, options: tuple[str, ...], words: str) -> None:
    result = co2("quarantine", *in_home(home, *options))
    assert result.exit_code == USAGE
    assert words in " ".join(result.stderr.split())


def test_a_report_that_could_not_be_written_is_refused_before_the_work(home: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "report.json"
    times = ("--from", "2024-05-30", "--to", "2024-05-31", "--json", str(nowhere))
    result = co2("backtest", *in_home(home), *times)
    assert result.exit_code == USAGE
    assert str(nowhere.parent) in result.stderr


@pytest.mark.parametrize("seed", ["-1", "9999999999"])
def test_a_seed_that_cannot_be_kept_is_refused(home: Path, seed: str) -> None:
    result = co2("train", *in_home(home), f"--seed={seed}")
    assert result.exit_code == USAGE
    assert "the seed must be 0..2147483647" in result.stderr


def test_training_on_nothing_says_what_to_do_first(tmp_path: Path) -> None:
    result = run(simulated(tmp_path), RETRAIN_JOB, training=SMALL)
    assert "`co2 tick`" in failures(result)["trained_model"]


def test_a_backtest_too_short_for_a_lead_says_nothing_of_it() -> None:
    nothing = {"mae": None, "mape": None, "skill_persistence": None, "coverage_80": None, "coverage_90": None}
    entry = {"n": 0, **dict.fromkeys(BACKTEST_FORECASTS, nothing)}
    table = backtest_table({"leads": [{"lead": 24, **entry}], "headline": entry})
    assert isinstance(table, Table)
    assert [next(iter(column.cells)) for column in table.columns][-3:] == ["–", "–", "–"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--source", "windmill"), "no source 'windmill'"),
        (("--source", "archive:/nowhere"), "nowhere"),
        (("--source", "simulator", "--dagster-port", "8050"), "must differ"),
        (("--source", "simulator", "--host", "no.such.host.invalid"), "not an address of this machine"),
        (
            ("--source", "simulator", "--host", "192.0.2.1"),
            "co2: --host 192.0.2.1 is not an address of this machine",
        ),
        (
            ("--source", "simulator", "--page-host", "192.0.2.1"),
            "co2: --page-host 192.0.2.1 is not an address of this machine",
        ),
    ],
)
def test_up_refuses_what_cannot_come_up(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    result = co2("up", "--home", tmp_path / "home", *options)
    assert result.exit_code == USAGE, result.output
    assert words in result.stderr
    assert not (tmp_path / "home" / "logs").exists()


def test_a_home_is_watched_once(tmp_path: Path) -> None:
    with exclusive(tmp_path / "up.lock", timeout_s=0):
        ports = ("--dagster-port", str(free_port()), "--page-port", str(free_port()))
        done = subprocess.run(
            [sys.executable, "-m", "co2_assets", "up", *map(str, in_home(tmp_path)), *ports],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == FAILED
    assert "another `co2 up` uses" in done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_tick_is_recorded_and_closes_with_a_summary(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CO2_HISTORY_DAYS", str(HISTORY_DAYS))
    result = co2("tick", *in_home(home), "--as-of", "2024-06-01T06:00Z")
    assert result.exit_code == DONE, result.output
    assert "issued 2024-06-01 06:00 UTC" in result.stdout
    assert "aggregated" in result.stderr or "Champion" in result.stderr
    assert "Done in" in result.stdout
    assert published(simulated(home)).as_of_utc == T0 + 6 * HOUR
    assert (home / "dagster" / "history" / "runs.db").exists()


def test_the_version_is_that_of_the_package() -> None:
    result = co2("--version")
    assert (result.exit_code, result.stderr) == (DONE, "")
    assert result.stdout == f"co2 {importlib.metadata.version('co2-assets')}\n"


@pytest.mark.parametrize("columns", ["60", "80"])
def test_help_shows_whole_summaries(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    result = co2("--help")
    shown = " ".join(result.stdout.split())
    for registered in app.registered_commands:
        assert registered.short_help
        assert registered.short_help in shown
