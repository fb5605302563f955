"""A home made by the last release opens in this version: nothing is lost, and the next run trains a model."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import httpx
import pytest
from typer.testing import CliRunner, Result

from co2_assets.cli.commands import app
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.paths import Home
from co2_dash.data.snapshot_store import SnapshotStore
from co2_dash.settings import Settings as PageSettings
from tests.support.environment import without_settings
from tests.support.pages_server import serving
from tests.support.pipeline_runs import HISTORY_DAYS, HOUR, SMALL, T0

REPOSITORY = Path(__file__).resolve().parents[2]
# The commit of the last release: the one whose homes this version must open.
LAST_RELEASE = "075d6dcdcd0145ca00298e1f09e65b53175368ec"
PROGRAM = ("co2_assets", "co2_dash", "dagster.yaml", "workspace.yaml")
# What `co2 tick` does, but for the small network. Only the imports differ between the versions.
TICK = """
import json, sys
from pathlib import Path
{imports}
home, as_of, training = sys.argv[1:]
config = {{"ops": {{"trained_model": {{"config": {{"only_if_missing": True, **json.loads(training)}}}}}}}}
run(settings_from("simulator", as_of, Path(home)), TICK_JOB, config)
"""
TICK_OF_LAST_RELEASE = TICK.format(
    imports="""
from co2_assets.automation import TICK_JOB
from co2_assets.cli import run_or_leave as run, settings_from
"""
)
TICK_OF_THIS_VERSION = TICK.format(
    imports="""
from co2_assets.cli.app import settings_from
from co2_assets.cli.run_commands import run_or_exit as run
from co2_assets.defs.automation import TICK_JOB
"""
)
NEXT = T0 + 6 * HOUR
AREAS = {"DK", "DK1", "DK2"}
HISTORY = ("predictions", "model_table", "model_evaluations")
RENAMED = {"as_of_utc": "issued_at_utc"}


@dataclass(frozen=True)
class Upgrade:
    """A home of the last release, and the same home after this version's next tick."""

    before: Home
    after: Home


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Upgrade:
    folder = tmp_path_factory.mktemp("upgrade")
    program = folder / "program"
    with tarfile.open(fileobj=io.BytesIO(archive_of_last_release())) as archive:
        archive.extractall(program, filter="data")
    before = folder / "before"
    # That release had networks of the first day alone.
    training = json.dumps(
        {name: size for name, size in SMALL.items() if not name.startswith(("far_", "first_"))}
    )
    python("-c", TICK_OF_LAST_RELEASE, str(before), f"{T0:%Y-%m-%dT%H:%MZ}", training, program=program)
    after = shutil.copytree(before, folder / "after")
    now = f"{NEXT:%Y-%m-%dT%H:%MZ}"
    python("-c", TICK_OF_THIS_VERSION, str(after), now, json.dumps(SMALL), program=REPOSITORY)
    return Upgrade(Home(before), Home(after))


def archive_of_last_release() -> bytes:
    """The last release as a tar file; where the clone lacks it, a failure in CI, else a skip."""
    command = ["git", "-C", str(REPOSITORY), "archive", "--format=tar", LAST_RELEASE, *PROGRAM]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        message = (
            f"the last release, commit {LAST_RELEASE}, cannot be read ({error}): "
            "install git and fetch the whole history (git fetch --unshallow)"
        )
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def python(*arguments: str, program: Path) -> None:
    """Run the Python of these tests on the code in ``program``, on the small history."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CO2_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=program,
        env=clean | {"PYTHONPATH": str(program), "CO2_HISTORY_DAYS": str(HISTORY_DAYS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def attached(upgrade: Upgrade) -> duckdb.DuckDBPyConnection:
    """Both warehouses as they are in their files, as ``old`` and ``new``."""
    connection = duckdb.connect()
    for name, home in (("old", upgrade.before), ("new", upgrade.after)):
        connection.execute(f"ATTACH '{home.source('simulator').database}' AS {name} (READ_ONLY)")
    return connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    return connection.execute(sql).fetchall()


def co2(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("table", HISTORY)
def test_every_row_of_the_history_is_kept(upgrade: Upgrade, table: str) -> None:
    with attached(upgrade) as connection:
        described = rows(connection, f"SELECT column_name FROM (DESCRIBE old.{table})")
        names = [str(name) for (name,) in described]
        old = f"SELECT {', '.join(names)} FROM old.{table}"
        kept = f"SELECT {', '.join(RENAMED.get(name, name) for name in names)} FROM new.{table}"
        assert rows(connection, f"{old} LIMIT 1")
        assert rows(connection, f"{old} EXCEPT ALL {kept}") == []


def test_what_was_issued_keeps_its_meaning(upgrade: Upgrade) -> None:
    with attached(upgrade) as connection:
        for table in ("predictions", "model_evaluations"):
            cadences = f"SELECT DISTINCT cadence FROM new.{table}"
            assert rows(connection, cadences) == [("six_hour",)]


def test_the_champion_of_a_day_is_kept_and_one_of_three_days_forecasts(upgrade: Upgrade) -> None:
    with attached(upgrade) as connection:
        champions = "SELECT price_area, model_version FROM {}.champions ORDER BY ALL"
        old = rows(connection, champions.format("old"))
        assert {area for area, _ in old} == AREAS
        new = rows(connection, champions.format("new"))
        assert {area for area, _ in new} == AREAS
        assert not set(new) & set(old)
        trained = "SELECT price_area, model_version FROM {}.model_table ORDER BY ALL"
        assert rows(connection, trained.format("new")) == sorted([*old, *new])
        forecasts = (
            "SELECT price_area, model_version, count(*) FROM new.predictions "
            f"WHERE kind = 'live' AND issue_time_utc = '{NEXT}' GROUP BY ALL ORDER BY ALL"
        )
        assert rows(connection, forecasts) == [(area, version, HORIZON_HOURS) for area, version in new]


def test_the_pages_show_what_the_last_release_published(upgrade: Upgrade) -> None:
    snapshot = snapshots.current(upgrade.before.source("simulator").snapshots)
    assert snapshot is not None
    assert (snapshot.source, snapshot.as_of_utc) == ("simulator", T0)
    settings = PageSettings(upgrade.before)
    view = SnapshotStore(settings).view()
    assert view is not None
    assert view.snapshot == snapshot
    with serving(settings, lambda: T0) as address, httpx.Client(base_url=address, timeout=30) as client:
        answer = client.get("/api/v1/status").raise_for_status().json()
        assert (answer["state"], answer["issue_time"]) == ("ok", "2024-06-01T00:00:00Z")
        assert answer["origin"]["source"] == "simulator"
        assert client.get("/").status_code == httpx.codes.OK


def test_the_commands_read_the_upgraded_home(
    upgrade: Upgrade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    for made_by, home, issued in (("old", upgrade.before, T0), ("new", upgrade.after, NEXT)):
        copy = shutil.copytree(home.root, tmp_path / made_by)
        options = ("--home", copy, "--source", "simulator", "--as-of", f"{issued:%Y-%m-%dT%H:%MZ}", "--json")
        status, forecast = co2("status", *options), co2("forecast", *options)
        assert status.exit_code == 0, status.output
        assert forecast.exit_code == 0, forecast.output
        assert json.loads(status.stdout)["forecast"]["overdue"] is False
        assert json.loads(forecast.stdout)["issue_time_utc"] == f"{issued:%Y-%m-%dT%H:%M:%SZ}"


def test_dagster_keeps_the_records_of_earlier_runs(upgrade: Upgrade) -> None:
    records = []
    for home in (upgrade.before, upgrade.after):
        with dg.DagsterInstance.local_temp(str(home.dagster)) as instance:
            records.append({run.run_id: run.status for run in instance.get_runs()})
    before, after = records
    assert len(before) == 1
    assert len(after) == 2
    assert before.items() <= after.items()
    assert set(after.values()) == {dg.DagsterRunStatus.SUCCESS}
