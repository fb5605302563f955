"""`co2 up`: Dagster's webserver and daemon and the pages, started, watched and ended together."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from co2_assets.cli.dagster_client import FINISHED, UNKNOWN, UpError, daemons_healthy, launch_tick, run_status
from co2_assets.cli.dagster_runs import (
    REPOSITORY_ROOT,
    dagster_instance,
    end_leftover_runs,
    export,
    is_of_home,
)
from co2_assets.defs.automation import TICK_JOB
from co2_assets.settings import Settings, SettingsError
from co2_assets.warehouse.errors import WarehouseBusy
from co2_assets.warehouse.lock import exclusive
from co2_assets.warehouse.paths import Home

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.25
WATCH_S = 1.0
# Weeks of what a process says; the file of before is kept beside it.
LARGEST_LOG_BYTES = 2_000_000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """One supervised process, in a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Interrupted(Exception):  # noqa: N818  an order, not an error
    """Ctrl-C or SIGTERM."""


class Supervisor:
    """Starts processes and leaves none behind."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self.environment = environment
        self.logs = logs
        self.services: list[Service] = []
        self.interrupted = threading.Event()

    def start(self, name: str, command: list[str]) -> None:
        """Start a process whose output goes to ``name``.log; what was said before to ``name``.log.1."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        if log.exists():
            set_aside(log)
        # Appended, so that the file can be emptied while the process has it open.
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603
                command,
                env={**os.environ, **self.environment},
                cwd=REPOSITORY_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.services.append(Service(name, process, log))

    def wait(self, seconds: float) -> None:
        """Let time pass; raise Interrupted when told to stop and UpError when a process has ended."""
        if self.interrupted.wait(seconds):
            raise Interrupted
        for service in self.services:
            if (code := service.process.poll()) is not None:
                tail = service.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:]
                raise UpError(
                    f"{service.name} ended with exit code {code}; its log is {service.log}:\n"
                    + "\n".join(tail)
                )
            # Somebody may have removed it.
            if service.log.exists() and service.log.stat().st_size > LARGEST_LOG_BYTES:
                set_aside(service.log)

    def stop(self) -> None:
        """End every process started, and theirs: politely first, then not."""
        family: list[psutil.Process] = []
        for service in self.services:
            try:
                parent = psutil.Process(service.process.pid)
                family += [parent, *parent.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        for service in self.services:
            if service.process.poll() is None:
                os.killpg(service.process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for service in self.services:
            # What a process started while it was being ended is in its group still.
            with suppress(ProcessLookupError):
                os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait()


def set_aside(log: Path) -> None:
    """Put the end of ``log`` into a file beside it, in place of the one there, and empty it.

    Its process goes on writing to the same file; what it says in between, some lines at most, is lost.
    """
    # On a full disk there is no room for the copy, and all the more reason to make some.
    with suppress(OSError), log.open("rb") as said:
        said.seek(max(log.stat().st_size - LARGEST_LOG_BYTES, 0))
        log.with_name(f"{log.name}.1").write_bytes(said.read(LARGEST_LOG_BYTES))
    with suppress(FileNotFoundError):  # somebody removed it
        os.truncate(log, 0)


def require_free_port(host: str, port: int, option: str) -> None:
    """Raise SettingsError when something listens on ``port`` already."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingsError(f"--host {host} is no address of this machine ({error.strerror})") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise SettingsError(f"--host {host} is no address of this machine") from error
            raise SettingsError(
                f"port {port} on {host} cannot be used ({error.strerror}); choose another with {option}"
            ) from error


def wait_until(ready: Callable[[], bool], supervisor: Supervisor, what: str) -> None:
    """Poll until ``ready``; raises UpError when a process ends or the time is up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        supervisor.wait(POLL_S)
        with suppress(httpx.HTTPError):  # not listening yet: asked again until the deadline
            if ready():
                return
    raise UpError(f"{what} did not come up within {START_TIMEOUT_S:.0f} s; logs are in {supervisor.logs}")


@contextmanager
def single_instance(settings: Settings) -> Iterator[None]:
    """Hold the home for this `co2 up`: two daemons would start every schedule twice. Raises UpError."""
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(Home(settings.home).root / "up.lock", timeout_s=0))
        except WarehouseBusy as error:
            raise UpError(
                f"another `co2 up` watches {settings.home} already; stop it, or choose another --home"
            ) from error
        yield


def up(
    settings: Settings,
    *,
    host: str,
    dagster_port: int,
    page_port: int,
    say: Say,
    first_run_done: Callable[[bool], None],
) -> None:
    """Start everything, launch the first run, and watch until Ctrl-C or SIGTERM.

    ``first_run_done`` is called once with whether the first run succeeded. Raises SettingsError for
    a port in use and UpError when a process fails or the home is watched by another.
    """
    if dagster_port == page_port:
        raise SettingsError(f"--dagster-port and --page-port are both {page_port}: they must differ")
    require_free_port(host, dagster_port, "--dagster-port")
    require_free_port(host, page_port, "--page-port")
    with single_instance(settings):
        started = time.monotonic()
        supervisor = Supervisor(export(settings), Home(settings.home).root / "logs")
        # A flag and no exception: one raised between a start and its being noted would lose a process.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _signal, _frame: supervisor.interrupted.set())
        address = f"[{host}]" if ":" in host else host
        dagster_url, page_url = f"http://{address}:{dagster_port}", f"http://{address}:{page_port}"
        workspace = ["-w", str(REPOSITORY_ROOT / "workspace.yaml")]
        try:
            say("Starting Dagster and the forecast page.")
            # Its tables are made here, by one process: those started next would make them all at once.
            with dagster_instance(settings) as instance:
                # The lock on the home says that no other daemon of ours runs; elsewhere one may.
                if is_of_home(Path(instance.root_directory), settings) and (
                    ended := end_leftover_runs(instance, launched_anew=[TICK_JOB])
                ):
                    say(f"{len(ended)} run(s) that were cut off when all ended last are recorded as failed.")
            supervisor.start(
                "webserver",
                [sys.executable, "-m", "dagster_webserver", "-h", host, "-p", str(dagster_port), *workspace],
            )
            supervisor.start("daemon", [sys.executable, "-m", "dagster._daemon", "run", *workspace])
            supervisor.start(
                "pages", [sys.executable, "-m", "co2_dash", "--host", host, "--port", str(page_port)]
            )
            wait_until(lambda: httpx.get(f"{page_url}/healthz").is_success, supervisor, "the page")
            wait_until(
                lambda: httpx.get(f"{dagster_url}/server_info").is_success, supervisor, "the webserver"
            )
            wait_until(lambda: daemons_healthy(dagster_url), supervisor, "the daemon")
            run_id = launch_tick(dagster_url)
            say(
                f"Up after {time.monotonic() - started:.0f} s.\n"
                f"  Forecast page  {page_url}\n"
                f"  Dagster        {dagster_url}\n"
                f"  First run      {dagster_url}/runs/{run_id}\n"
                "Ctrl-C ends everything."
            )
            status = UNKNOWN
            while True:
                supervisor.wait(WATCH_S)
                if status not in FINISHED:
                    status = run_status(dagster_url, run_id)
                    if status in FINISHED:
                        first_run_done(status == "SUCCESS")
        except Interrupted:
            say("Stopping.")
        finally:
            supervisor.stop()
