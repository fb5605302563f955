"""Odd paths, odd times and odd outputs give one sentence and an exit code, never a traceback."""

import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from co2_assets.cli.app import Output
from co2_assets.cli.commands import app
from co2_assets.cli.dagster_runs import dagster_instance
from co2_assets.cli.output import quarantine_table
from co2_assets.settings import Settings
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home
from co2_assets.warehouse.snapshots import publish, query
from co2_dash.settings import from_environment
from tests.support.environment import without_settings

REPOSITORY = Path(__file__).parents[2]
T = datetime(2024, 6, 1)
TIMES = ("--from", "2024-05-01", "--to", "2024-05-02")
# Every command, so that it needs the home and nothing else.
COMMANDS = {
    "up": (),
    "tick": (),
    "update": (),
    "train": ("--if-needed",),
    "backtest": TIMES,
    "backfill": (),
    "forecast": (),
    "status": (),
    "quarantine": (),
}
# These know no home.
HOMELESS = {"alert_test"}
DONE, FAILED, USAGE = 0, 1, 2


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine's; those a command puts there are taken out again."""
    without_settings(monkeypatch)


def co2(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said_in_one_sentence(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("co2: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


def test_every_command_is_tried() -> None:
    callbacks = [command.callback for command in app.registered_commands]
    assert {callback.__name__ for callback in callbacks if callback} == {*COMMANDS} | HOMELESS


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "name", ["q?x=1", "p%41", "p%2fx", "b\\s", os.fsdecode(b"\xff"), "~nobody-of-that-name/x"]
)
def test_a_home_that_a_database_would_read_as_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ("--source", "simulator", *COMMANDS[command])
    refused = [co2(command, f"--home={name}", *more)]
    monkeypatch.setenv("CO2_HOME", name)
    refused.append(co2(command, *more))
    if not name.startswith("~"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("CO2_HOME", "")
        monkeypatch.chdir(tmp_path / name)
        refused.append(co2(command, *more))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "link").symlink_to(name)
        refused.append(co2(command, "--home=link", *more))
    for result in refused:
        assert "the home folder" in said_in_one_sentence(result, USAGE)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_pages_refuse_such_a_home_too() -> None:
    for name in ("a?b", "~nobody-of-that-name"):
        with pytest.raises(ValueError, match="the home folder"):
            from_environment({"CO2_HOME": name})


@pytest.mark.parametrize(
    "name",
    # Each character means something to a shell, a URL, a configuration, a pattern or a query.
    ["h#x s;p:b", "n\nl\tt", "q\"d'q", "100% %(here)s $HOME", "a*[b]{x}æ"],
)
def test_a_home_of_any_other_name_holds_all_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    # Relative, as a person writes it.
    home = Path(name)
    with dagster_instance(Settings(home=home, source="simulator")) as instance:
        assert instance.get_runs() == []
    folder = Home(home).source("simulator")
    folder.root.mkdir(parents=True)
    warehouse = Warehouse(folder.database, "simulator")
    with warehouse.open_transaction():
        pass
    snapshot = publish(warehouse, folder.snapshots, as_of_utc=T, published_at_utc=T)
    assert query(snapshot, "SELECT * FROM predictions").empty
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parts[0] for path in files} == {name}
    assert {"runs.db", "warehouse.duckdb"} <= {path.name for path in files}


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("up", "tick")])
@pytest.mark.parametrize("name", ["x[/y]", "[bold]", ":smile:"])
def test_square_brackets_in_a_path_are_printed_as_they_are(tmp_path: Path, command: str, name: str) -> None:
    # A file stands where the folder should be.
    blocked = tmp_path / name.partition("/")[0]
    blocked.touch()
    home = f"{tmp_path}/{name}/home"
    result = co2(command, "--home", home, "--source", "simulator", *COMMANDS[command])
    assert str(blocked) in said_in_one_sentence(result, FAILED)


@pytest.mark.parametrize("command", ["up", "tick"])
def test_square_brackets_in_a_source_are_printed_as_they_are(tmp_path: Path, command: str) -> None:
    result = co2(command, "--home", tmp_path, "--source", "archive:/[bold]x[/y]")
    assert "/[bold]x[/y]" in said_in_one_sentence(result, USAGE)


@pytest.mark.parametrize("key", ["a[/b]", "[bold]", ":smile:", "[link=x]"])
def test_a_table_shows_a_key_as_it_is(key: str) -> None:
    cells = dict.fromkeys(("dataset", "row_key", "column_name", "value", "reason"), key)
    times = {"quarantined_at_utc": pd.Timestamp(T), "released_at_utc": pd.NaT}
    console = Output(width=200)
    with console.capture() as captured:
        console.print(quarantine_table(pd.DataFrame([{**cells, **times}])))
        console.print(f"one row with the key {key}")
    assert captured.get().count(key) == 6


def test_there_is_no_other_console_than_the_one_without_markup() -> None:
    made = [
        path
        for path in (REPOSITORY / "co2_assets").rglob("*.py")
        if re.search(r"\bConsole\b|from_markup|RichHandler", path.read_text(encoding="utf-8"))
    ]
    assert [path.name for path in made] == ["app.py"]
    assert issubclass(Output, Console)


def test_the_home_folder_of_the_user_is_put_in_place_of_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"{tmp_path}/x" in co2("status", "--home=~/x", "--source", "simulator").stderr
    monkeypatch.setenv("CO2_HOME", "~/x")
    assert f"{tmp_path}/x" in co2("status", "--source", "simulator").stderr
    assert from_environment({"CO2_HOME": "~/x"}).home == Home(tmp_path / "x")


@pytest.mark.parametrize(
    "time", ["0001-01-01", "1969-12-31T23:59Z", "2200-01-01T00:01Z", "9999-12-31T23:59-14:00"]
)
@pytest.mark.parametrize(
    ("command", "option"),
    [
        *((command, "--as-of") for command in COMMANDS),
        ("backtest", "--from"),
        ("backtest", "--to"),
        ("backtest", "--train-until"),
        ("quarantine", "--from"),
        ("quarantine", "--to"),
    ],
)
def test_a_time_at_the_edge_of_the_calendar_is_refused(
    tmp_path: Path, command: str, option: str, time: str
) -> None:
    result = co2(command, "--home", tmp_path, "--source", "simulator", *COMMANDS[command], option, time)
    said = said_in_one_sentence(result, USAGE)
    assert f"{option} {time!r} cannot be used: the time must lie in 1970" in said


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (("1970-01-01", "2200-01-01"), "a backtest takes 3650 at most"),
        (("2199-12-31", "2200-01-01"), "nothing can be scored yet"),
        (("2024-06-01", "2024-06-02"), "nothing can be scored yet"),
    ],
)
def test_a_backtest_outside_of_all_history_is_refused(
    tmp_path: Path, times: tuple[str, str], words: str
) -> None:
    more = ("--as-of", "2024-06-01", "--from", times[0], "--to", times[1])
    assert words in said_in_one_sentence(
        co2("backtest", "--home", tmp_path, "--source", "simulator", *more), USAGE
    )


@pytest.mark.parametrize("number", ["9999999999", "9" * 400, "-1", "nan", "inf", "1e3"])
@pytest.mark.parametrize(
    ("command", "option"),
    [("backfill", "--days"), ("train", "--seed"), ("up", "--page-port"), ("up", "--dagster-port")],
)
def test_a_number_out_of_range_is_refused(tmp_path: Path, command: str, option: str, number: str) -> None:
    result = co2(command, "--home", tmp_path, "--source", "simulator", f"{option}={number}")
    assert result.exit_code == USAGE, result.output
    assert result.stdout == ""
    assert "seed" in result.stderr or option in result.stderr


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which ``co2`` is the command."""
    line = f'co2() {{ "{sys.executable}" -m co2_assets "$@"; }}; {command}'
    return subprocess.run(
        ["/bin/bash", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("co2 --help > /dev/full", FAILED, "co2: the output cannot be written: No space left on device\n"),
        ("co2 --version > /dev/full", FAILED, "co2: the output cannot be written: No space left on device\n"),
        ("co2 status --home /none 2> /dev/full", FAILED, ""),
        ("co2 --version >&-", DONE, ""),
        ("co2 --version <&- >&- 2>&-", DONE, ""),
        ("co2 status --home 'a?b' <&- >&- 2>&-", USAGE, ""),
        ("exec 3> >(true); wait $!; co2 --version >&3", FAILED, ""),
    ],
)
def test_an_output_that_cannot_be_written_gives_an_exit_code(line: str, code: int, words: str) -> None:
    done = shell(line)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", words)


def test_closed_streams_are_not_the_place_of_the_next_file(tmp_path: Path) -> None:
    """Else a library that prints would write into the database."""
    script = (
        "import os, sys; from co2_assets.cli import commands; commands._open_closed_streams(); "
        f"sys.exit(os.open({str(tmp_path / 'next')!r}, os.O_CREAT | os.O_WRONLY) < 3)"
    )
    done = subprocess.run(
        ["/bin/bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, script], check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "utf-8"])
def test_a_terminal_may_lack_characters(second_home: Path, encoding: str) -> None:
    script = (
        "import sys; from co2_assets.cli.commands import main; sys.argv = ['co2', 'forecast', "
        f"'--source', 'simulator', '--home', {str(second_home)!r}]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "TERM": "dumb"},
    )
    assert (done.returncode, done.stderr) == (DONE, b"")
    assert "Simulated: these numbers are made up." in done.stdout.decode(encoding)


def test_a_narrow_terminal_shows_every_line(second_home: Path) -> None:
    from co2_assets.cli.output import forecast_table
    from co2_assets.pipeline.run import published_snapshot

    snapshot = published_snapshot(Settings(home=second_home, source="simulator"))
    assert snapshot is not None
    console = Output(width=20)
    with console.capture() as captured:
        console.print(forecast_table(snapshot))
    assert "made up" in captured.get()
