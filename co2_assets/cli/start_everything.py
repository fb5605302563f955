"""Start Dagster's webserver and daemon and the forecast page, watch them, and end them together."""

import errno
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from co2_assets.cli.child import MODULE
from co2_assets.cli.dagster_client import (
    FINISHED,
    UNKNOWN,
    answers,
    daemons_healthy,
    launch_tick,
    newest_runs,
    run_status,
)
from co2_assets.cli.dagster_runs import (
    dagster_instance,
    end_leftover_runs,
    export,
    is_of_home,
)
from co2_assets.cli.processes import KILL_TIMEOUT_S, STOP_TIMEOUT_S, end, is_alive, started_by
from co2_assets.cli.supervisor import REPOSITORY_ROOT, Interrupted, Supervisor, UpError, wait_until
from co2_assets.cli.trainings import Trainings
from co2_assets.defs.automation import RETRAIN_JOB, TICK_JOB
from co2_assets.pipeline.progress import Progress
from co2_assets.settings import Settings, SettingsError
from co2_assets.warehouse.errors import WarehouseBusy
from co2_assets.warehouse.lock import exclusive
from co2_assets.warehouse.paths import Home

WATCH_S = 1.0
# Trainings take minutes, and each look is a request to the webserver.
WATCH_TRAININGS_S = 15.0


def require_free_port(host: str, port: int, option: str, host_option: str = "--host") -> None:
    """Raise SettingsError if the port cannot be listened on; the options are those that change both."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingsError(
            f"{host_option} {host} is not an address of this machine ({error.strerror})"
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise SettingsError(f"{host_option} {host} is not an address of this machine") from error
            raise SettingsError(
                f"port {port} on {host} cannot be used ({error.strerror}); choose another with {option}"
            ) from error


def end_leftovers(home: Path, progress: Progress) -> None:
    """End the processes that a `co2 up` of this home left when it was killed.

    Each ends by itself when `co2 up` is gone, unless the process that sees to this was killed too.
    """
    left = started_by(lambda supervisor: not is_alive(supervisor), home)
    if not left:
        return
    progress(f"An earlier `co2 up` was killed. Ending the {len(left)} process(es) that it left.")
    # Each of these ends the server that it started; a second request does nothing.
    end([process for process in left if _is_child(process)], STOP_TIMEOUT_S + KILL_TIMEOUT_S)
    end(left)


def _is_child(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return MODULE in process.cmdline()
    return False


@contextmanager
def single_instance(settings: Settings, progress: Progress) -> Iterator[int]:
    """Lock the home for this `co2 up`, because two daemons would run each schedule twice. Raises UpError.

    Yields the descriptor of the lock, for the processes that are to hold it too.
    """
    end_leftovers(settings.home, progress)
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(exclusive(Home(settings.home).root / "up.lock", timeout_s=0))
        except WarehouseBusy as error:
            raise UpError(
                f"another `co2 up` uses {settings.home} already; stop it, or choose another --home"
            ) from error
        yield lock


def url_of(host: str, port: int) -> str:
    """Return the address at which this machine reaches what listens on ``host``."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- to be reached, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _from_elsewhere(host: str, port: int) -> str:
    """Return the line that says how another device of the same network opens the page, if it can."""
    if host not in ("0.0.0.0", "::"):  # noqa: S104 -- compared, not bound
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: this asks which of the machine's addresses leads out.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        own = probe.getsockname()[0]
    return f"  From a phone   {url_of(own, port)} (in the same network)\n"


def start_everything(
    settings: Settings,
    *,
    host: str,
    page_host: str | None,
    dagster_port: int,
    page_port: int,
    progress: Progress,
    first_run_done: Callable[[bool], None],
) -> None:
    """Start all processes, launch the first run, and watch them until Ctrl-C, SIGTERM or SIGHUP.

    Without ``page_host`` the pages listen on ``host``. ``progress`` gets the lines for the person who started
    it. ``first_run_done`` is called once with whether the first run succeeded. Raises SettingsError for a
    port in use, and UpError if a process fails or another `co2 up` uses the home.
    """
    page_host_option = "--page-host" if page_host else "--host"
    page_host = page_host or host
    if dagster_port == page_port:
        raise SettingsError(f"--dagster-port and --page-port are both {page_port}: they must differ")
    with single_instance(settings, progress) as lock:
        # Not before: what an earlier `co2 up` left uses these ports.
        require_free_port(host, dagster_port, "--dagster-port")
        require_free_port(page_host, page_port, "--page-port", page_host_option)
        started = time.monotonic()
        supervisor = Supervisor(export(settings), Home(settings.home).root / "logs", lock)
        # The handler only sets a flag: an exception during a start could leave a process that nobody ends.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: it shall go on when the terminal is closed
            signal.signal(number, lambda _signal, _frame: supervisor.interrupted.set())
        dagster_url, page_url = url_of(host, dagster_port), url_of(page_host, page_port)
        workspace = ["-w", str(REPOSITORY_ROOT / "workspace.yaml")]
        try:
            progress("Starting Dagster and the forecast page.")
            # This process creates Dagster's tables, so that the processes below do not all try to.
            with dagster_instance(settings) as instance:
                # The lock excludes other daemons on this home. A shared Dagster instance may have one.
                if is_of_home(Path(instance.root_directory), settings) and (
                    ended := end_leftover_runs(instance, launched_anew=[TICK_JOB])
                ):
                    progress(
                        f"{len(ended)} run(s) that were cut off at the last shutdown are recorded as failed."
                    )
            supervisor.start(
                "webserver",
                [sys.executable, "-m", "dagster_webserver", "-h", host, "-p", str(dagster_port), *workspace],
            )
            # The command dagster-daemon may not be on PATH, and its module has no public name.
            supervisor.start("daemon", [sys.executable, "-m", "dagster._daemon", "run", *workspace])
            supervisor.start(
                "pages", [sys.executable, "-m", "co2_dash", "--host", page_host, "--port", str(page_port)]
            )
            wait_until(lambda: answers(f"{page_url}/healthz"), supervisor, "the page")
            wait_until(lambda: answers(f"{dagster_url}/server_info"), supervisor, "the webserver")
            wait_until(lambda: daemons_healthy(dagster_url), supervisor, "the daemon")
            run_id = launch_tick(dagster_url)
            progress(
                f"Ready after {time.monotonic() - started:.0f} s.\n"
                f"  Forecast page  {page_url}\n"
                f"  Dagster        {dagster_url}\n"
                f"  First run      {dagster_url}/runs/{run_id}\n"
                f"{_from_elsewhere(page_host, page_port)}"
                "The first forecast takes a few minutes in a new home. Ctrl-C ends everything."
            )
            status = UNKNOWN
            trainings = Trainings(
                lambda: newest_runs(dagster_url, RETRAIN_JOB), lambda run: f"{dagster_url}/runs/{run}"
            )
            looked = time.monotonic()
            while True:
                supervisor.wait(WATCH_S)
                if time.monotonic() - looked >= WATCH_TRAININGS_S:
                    looked = time.monotonic()
                    for line in trainings.news():
                        progress(line)
                if status not in FINISHED:
                    status = run_status(dagster_url, run_id)
                    if status in FINISHED:
                        first_run_done(status == "SUCCESS")
        except Interrupted:
            with suppress(OSError):  # the terminal was closed
                progress("Stopping.")
        finally:
            supervisor.stop()
