"""The `co2` command: exit codes, messages with a remedy, JSON and nothing else on standard output."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from pipeline_runs import HISTORY_DAYS, HOUR, T0, published, simulated
from typer.testing import CliRunner

from co2_assets.cli import app
from co2_assets.contracts import DATASETS
from co2_assets.settings import utc_now

COMMANDS = ("up", "tick", "train", "forecast", "status", "backtest")
DONE, FAILED, USAGE = 0, 1, 2


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine's; those a command puts there are taken out again."""
    for name in ("CO2_HOME", "CO2_SOURCE", "CO2_AS_OF", "CO2_HISTORY_DAYS", "CO2_SEED", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
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
        ("CO2_HISTORY_DAYS", "many", "no whole number"),
        ("CO2_SEED", "x", "no whole number"),
        ("CO2_AS_OF", "noon", "CO2_AS_OF 'noon' is no ISO 8601 instant"),
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
        assert "run `co2 tick` first" in result.stderr.replace("\n", " ")
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


def test_status_is_good_in_time_and_fails_when_overdue(second_home: Path) -> None:
    in_time = co2("status", *in_home(second_home), "--as-of", "2024-06-01T12:00Z", "--json")
    assert in_time.exit_code == DONE
    state = json.loads(in_time.stdout)
    assert (state["forecast"]["overdue"], state["forecast"]["age_hours"]) == (False, 6.0)
    assert len(state["datasets"]) == len(DATASETS)
    late = co2("status", *in_home(second_home), "--as-of", "2024-06-01T13:01Z", "--json")
    assert late.exit_code == FAILED
    assert json.loads(late.stdout)["forecast"]["overdue"] is True
    table = co2("status", *in_home(second_home), "--as-of", "2024-06-01T13:01Z")
    assert table.exit_code == FAILED
    assert "OVERDUE: issued 2024-06-01 06:00 UTC" in table.stdout


def test_tick_is_recorded_and_closes_with_a_summary(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CO2_HISTORY_DAYS", str(HISTORY_DAYS))
    result = co2("tick", *in_home(home), "--as-of", "2024-06-01T06:00Z")
    assert result.exit_code == DONE, result.output
    assert "issued 2024-06-01 06:00 UTC" in result.stdout
    assert "aggregated" in result.stderr or "Champion" in result.stderr
    assert "Done in" in result.stdout
    assert published(simulated(home)).as_of_utc == T0 + 6 * HOUR
    assert (home / "dagster" / "history" / "runs.db").exists()
