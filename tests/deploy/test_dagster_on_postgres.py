"""The services of compose.yaml, started by their own commands, with a real PostgreSQL under them.

No container engine is needed: commands, environment and health checks are read from compose.yaml,
and only what names a place in the container network is changed: hosts, ports and folders.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
import yaml

from co2_assets.cli.dagster_client import ask, daemons_healthy, run_status
from co2_assets.cli.supervisor import Supervisor, wait_until
from tests.support.compose_file import OURS, PASSWORD, REPOSITORY, environment, read_yaml, services

ASSET = "day_ahead_prices"
RUN_TIMEOUT_S = 120
LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postgres_programs() -> Path | None:
    """Return the folder of initdb and postgres: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@contextmanager
def postgres(programs: Path) -> Iterator[int]:
    """Run a PostgreSQL with an empty database "dagster" in a folder of its own; yield its port."""
    # It refuses to run as root.
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    as_whom: dict[str, Any] = (
        {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    )
    # pytest's own folders can be entered by their owner alone.
    with tempfile.TemporaryDirectory(prefix="co2-postgres-") as name:
        folder = Path(name)
        password = folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if account:
            for path in (folder, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        data = folder / "data"
        options = ["--auth=scram-sha-256", "--username=dagster", "--encoding=UTF8", "--no-sync"]
        subprocess.run(
            [programs / "initdb", *options, f"--pwfile={password}", f"--pgdata={data}"],
            check=True,
            capture_output=True,
            cwd=folder,
            **as_whom,
        )
        port = free_port()
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"],
                stdout=log,
                stderr=log,
                cwd=folder,
                **as_whom,
            )
        try:
            execute(port, "CREATE DATABASE dagster", database="postgres", patient=True)
            yield port
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: sessions are ended
            server.wait(timeout=30)


def execute(
    port: int, sql: str, *parameters: object, database: str = "dagster", patient: bool = False
) -> list[tuple[Any, ...]]:
    """Run one statement in PostgreSQL and return its rows; ``patient``: wait for the server to start."""
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = psycopg2.connect(
                host="127.0.0.1", port=port, user="dagster", password=PASSWORD, dbname=database
            )
            break
        except psycopg2.OperationalError:
            if not patient or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


class Stack:
    """The four services of ours, on this machine."""

    def __init__(self, folder: Path, postgres_port: int) -> None:
        self.folder = folder
        self.postgres_port = postgres_port
        self.ports = {"4000": free_port(), "3000": free_port(), "8050": free_port()}
        self.dagster_home = folder / "dagster_home"
        self.supervisors: dict[str, Supervisor] = {}
        self._make_dagster_home()

    def _make_dagster_home(self) -> None:
        """Lay the files where the Dockerfile puts them."""
        self.dagster_home.mkdir()
        shutil.copyfile(REPOSITORY / "deploy/dagster.postgres.yaml", self.dagster_home / "dagster.yaml")
        workspace = read_yaml("deploy/workspace.grpc.yaml")
        server = workspace["load_from"][0]["grpc_server"]
        server.update(host="127.0.0.1", port=self.ports[str(server["port"])])
        (self.dagster_home / "workspace.yaml").write_text(yaml.safe_dump(workspace), encoding="utf-8")

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    def here(self, word: str) -> str:
        """Return a word of a command or an environment as it is on this machine."""
        for inside, outside in (
            ("/opt/dagster", str(self.dagster_home)),
            ("/data", str(self.folder / "home")),
            ("0.0.0.0", "127.0.0.1"),  # noqa: S104 -- replaced, not listened on
            *((f"127.0.0.1:{port}", f"127.0.0.1:{free}") for port, free in self.ports.items()),
        ):
            word = word.replace(inside, outside)
        return str(self.ports.get(word, word))

    def environment(self, name: str) -> dict[str, str]:
        given = {"POSTGRES_PASSWORD": PASSWORD, "CO2_SOURCE": "simulator", "CO2_HISTORY_DAYS": "30"}
        variables = {key: self.here(value) for key, value in environment(name, given).items()}
        if "DAGSTER_PG_HOST" in variables:
            variables |= {"DAGSTER_PG_HOST": "127.0.0.1", "DAGSTER_PG_PORT": str(self.postgres_port)}
        return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables}

    def start(self, name: str) -> Supervisor:
        """Start a service with its own command and environment; it must be told to stop."""
        supervisor = Supervisor(self.environment(name), self.folder / "logs")
        program, *rest = (self.here(word) for word in services()[name]["command"])
        self.supervisors[name] = supervisor
        supervisor.start(name, [str(Path(sys.executable).parent / program), *rest])
        return supervisor

    def is_healthy(self, name: str) -> bool:
        """Ask the service's own health check."""
        program, *rest = (self.here(word) for word in services()[name]["healthcheck"]["test"][1:])
        answer = subprocess.run(
            [Path(sys.executable).parent / program, *rest],
            env=self.environment(name),
            capture_output=True,
            check=False,
        )
        return answer.returncode == 0

    def is_listening(self, port: str) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[port])) == 0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """PostgreSQL, code location, webserver, daemon and pages, all up; stopped when the tests are over."""
    programs = postgres_programs()
    if programs is None:
        message = "no initdb here: install PostgreSQL (Debian: apt-get install postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with ExitStack() as ending:
        running = Stack(tmp_path_factory.mktemp("stack"), ending.enter_context(postgres(programs)))

        def up(name: str, ready: Callable[[], bool]) -> None:
            wait_until(ready, running.supervisors[name], name)

        def start(name: str) -> None:
            ending.callback(running.start(name).stop)

        start("code")
        start("pages")
        up("code", lambda: running.is_listening("4000"))
        start("webserver")
        start("daemon")
        up("webserver", lambda: httpx.get(f"{running.url('3000')}/server_info").is_success)
        up("daemon", lambda: daemons_healthy(running.url("3000")))
        up("pages", lambda: httpx.get(f"{running.url('8050')}/healthz").is_success)
        yield running


@pytest.fixture(scope="module")
def finished_run(stack: Stack) -> str:
    """A run of one raw dataset, launched as the UI launches it, queued, executed and over."""
    parameters = {
        "selector": {
            "repositoryLocationName": "co2_assets.definitions",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": [ASSET]}],
        },
        "mode": "default",
        "runConfigData": {},
    }
    url = stack.url("3000")
    outcome = ask(url, LAUNCH, {"parameters": parameters})["launchRun"]
    assert outcome["__typename"] == "LaunchRunSuccess", outcome
    run_id: str = outcome["run"]["runId"]
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while (status := run_status(url, run_id)) not in ("SUCCESS", "FAILURE", "CANCELED"):
        assert time.monotonic() < deadline, f"still {status} after {RUN_TIMEOUT_S} s"
        for supervisor in stack.supervisors.values():
            supervisor.wait(0.1)
    assert status == "SUCCESS", (stack.folder / "logs" / "code.log").read_text(encoding="utf-8")[-4000:]
    return run_id


@pytest.mark.parametrize("name", OURS)
def test_every_service_passes_its_own_health_check(stack: Stack, name: str) -> None:
    assert stack.is_healthy(name)


def test_a_run_is_queued_executed_and_recorded_in_postgres(stack: Stack, finished_run: str) -> None:
    runs = execute(
        stack.postgres_port, "SELECT status, pipeline_name FROM runs WHERE run_id = %s", finished_run
    )
    assert runs == [("SUCCESS", "__ASSET_JOB")]
    events = dict(
        execute(
            stack.postgres_port,
            "SELECT dagster_event_type, count(*) FROM event_logs WHERE run_id = %s GROUP BY 1",
            finished_run,
        )
    )
    assert events["PIPELINE_ENQUEUED"] == 1
    assert events["ASSET_MATERIALIZATION"] == 1
    assert events["ASSET_CHECK_EVALUATION"] == 3
    heartbeats = execute(stack.postgres_port, "SELECT DISTINCT daemon_type FROM daemon_heartbeats")
    assert {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR", "MONITORING"} <= {kind for (kind,) in heartbeats}


def test_the_pages_see_what_the_run_stored(stack: Stack, finished_run: str) -> None:
    assert finished_run
    status = httpx.get(f"{stack.url('8050')}/api/v1/status", timeout=30).raise_for_status().json()
    assert status["origin"]["source"] == "simulator"
    rows = {dataset["dataset"]: dataset["rows"] for dataset in status["datasets"]}
    assert rows[ASSET] > 0


def test_the_ui_finds_what_the_run_printed(stack: Stack, finished_run: str) -> None:
    """The code location writes it and the webserver reads it: both must mean the same folder."""
    folder = stack.folder / "home" / "dagster"
    assert [path for path in folder.rglob("*.err") if finished_run in path.parts]


def test_no_file_is_written_beside_the_configuration(stack: Stack, finished_run: str) -> None:
    """In the container it lies on the read-only part of the file system.

    Two empty folders may appear: Dagster makes them for the telemetry that is switched off, and goes
    on where it cannot.
    """
    assert finished_run
    files = {path.name for path in stack.dagster_home.rglob("*") if path.is_file()}
    assert files == {"dagster.yaml", "workspace.yaml"}
