"""Start the services of compose.yaml by podman, run them as people would, kill one, and stop them all.

The trial has containers, volumes and a password of its own, uses made data, and reads neither .env nor the
settings of this shell: it cannot touch what runs already, and sends no alert to anybody. It stops at the
first thing that is not as it should be, prints the last lines of the services, and removes what it made.
"""

import argparse
import json
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil

from co2_assets.cli.dagster_client import FINISHED, daemons_healthy, launch_tick, run_status
from co2_assets.cli.supervisor import UpError
from deploy.compose_by_podman import (
    LOOPBACK,
    ContainerError,
    podman,
    ports,
    read_services,
    start_order,
    translate,
)

PROJECT = "co2-try"
WEBSERVER = f"http://{LOOPBACK}:3000"
PAGES = f"http://{LOOPBACK}:8050"
POLL_S = 1.0
HEALTH_TIMEOUT_S = 300
RUN_TIMEOUT_S = 1200
# The schedule that deepens the history is due every ten minutes.
SCHEDULE_TIMEOUT_S = 700
# Ended by SIGTERM, in good order or by its default.
CLEAN_ENDS = (0, 143)


def say(text: str) -> None:
    print(text, flush=True)


def wait(what: str, timeout_s: float, ready: Callable[[], bool]) -> float:
    """Wait until ``ready``; return the seconds that it took."""
    begun = time.monotonic()
    while not ready():
        if time.monotonic() - begun > timeout_s:
            raise ContainerError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(POLL_S)
    return time.monotonic() - begun


class Trial:
    """The services, one container each."""

    def __init__(self, days: int) -> None:
        self.services = read_services()
        self.order = start_order(self.services)
        self.variables = {
            "POSTGRES_PASSWORD": secrets.token_hex(24),
            "CO2_SOURCE": "simulator",
            "CO2_HISTORY_DAYS": str(days),
        }

    def name(self, service: str) -> str:
        return f"{PROJECT}-{service}"

    def state(self, service: str) -> dict[str, object]:
        (found,) = json.loads(podman("container", "inspect", self.name(service)).stdout)
        return {**found["State"], "RestartCount": found["RestartCount"]}

    def is_healthy(self, service: str) -> bool:
        """Ask the service's own health check."""
        return podman("healthcheck", "run", self.name(service), check=False).returncode == 0

    def wait_for_health(self, service: str) -> float:
        return wait(f"{service} is healthy", HEALTH_TIMEOUT_S, lambda: self.is_healthy(service))

    def start(self) -> None:
        """Start each service when those that it depends on are healthy, as compose does."""
        for service in self.order:
            container = translate(service, self.services, self.variables, PROJECT)
            podman(*container.arguments, environment=container.environment)
            say(f"{service}: healthy after {self.wait_for_health(service):.0f} s")

    def query(self, sql: str) -> list[list[str]]:
        """Return the rows of a query in the container of PostgreSQL."""
        words = (
            "psql",
            "--username=dagster",
            "--dbname=dagster",
            "--no-align",
            "--tuples-only",
            f"--command={sql}",
        )
        answer = podman("exec", self.name("postgres"), *words).stdout
        return [line.split("|") for line in answer.splitlines()]

    def processes(self, service: str) -> list[psutil.Process]:
        """Return the processes of a service, its main one first and without the init of the container."""
        first = psutil.Process(int(str(self.state(service)["Pid"])))
        children = first.children(recursive=True)
        return children if self.services[service].get("init") else [first, *children]

    def memory_mb(self, service: str) -> float:
        """Return the memory of all processes of a service; what they share is counted once."""
        total = 0
        for process in self.processes(service):
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total / 2**20

    def run(self) -> None:
        """Launch the six-hour job through Dagster's webserver, and see what came of it."""
        begun = time.monotonic()
        run_id = launch_tick(WEBSERVER)
        most = 0.0
        while (status := run_status(WEBSERVER, run_id)) not in FINISHED:
            if time.monotonic() - begun > RUN_TIMEOUT_S:
                raise ContainerError(f"the run is {status} after {RUN_TIMEOUT_S} s")
            most = max(most, self.memory_mb("code"))
            time.sleep(POLL_S)
        took = time.monotonic() - begun
        say(f"run: {status} after {took:.0f} s, the code location had {most:.0f} MB at most")
        recorded = self.query(f"SELECT status FROM runs WHERE run_id = '{run_id}'")
        if recorded != [["SUCCESS"]]:
            raise ContainerError(f"PostgreSQL has the run as {recorded}")
        events = self.query(
            "SELECT dagster_event_type, count(*) FROM event_logs "
            f"WHERE run_id = '{run_id}' AND dagster_event_type LIKE 'ASSET_%' GROUP BY 1 ORDER BY 1"
        )
        found = ", ".join(" ".join(row) for row in events)
        say(f"PostgreSQL: SUCCESS; {found}")

    def look_at_pages(self) -> None:
        """See the forecast of the run in the API."""
        health = httpx.get(f"{PAGES}/healthz", timeout=30, trust_env=False).raise_for_status()
        answer = httpx.get(f"{PAGES}/api/v1/carbon-intensity/forecast", timeout=30, trust_env=False)
        forecast = answer.raise_for_status().json()
        if not forecast["hours"] or forecast["origin"]["source"] != "simulator":
            raise ContainerError(f"the pages show another forecast than that of the run: {forecast}")
        say(f"pages: /healthz {health.status_code}, a forecast of {len(forecast['hours'])} hours")

    def ticks(self, kind: str) -> dict[str, int]:
        rows = self.query(
            f"SELECT status, count(*) FROM job_ticks WHERE type = '{kind}' GROUP BY 1 ORDER BY 1"
        )
        return {status: int(count) for status, count in rows}

    def look_at_daemon(self, *, schedule: bool) -> None:
        """See that the daemon evaluates the sensors and, if asked to wait for it, a schedule."""
        wait("every daemon is healthy", HEALTH_TIMEOUT_S, lambda: daemons_healthy(WEBSERVER))
        self.look_at_ticks("SENSOR", HEALTH_TIMEOUT_S)
        if schedule:
            self.look_at_ticks("SCHEDULE", SCHEDULE_TIMEOUT_S)

    def look_at_ticks(self, kind: str, timeout_s: float) -> None:
        def evaluated() -> bool:
            return bool(self.ticks(kind).keys() & {"SKIPPED", "SUCCESS"})

        wait(f"{kind.lower()}s are evaluated", timeout_s, evaluated)
        ticks = self.ticks(kind)
        if "FAILURE" in ticks:
            raise ContainerError(f"evaluations of {kind.lower()}s failed: {ticks}")
        say(f"daemon: {kind.lower()}s evaluated, {ticks}")

    def kill(self, service: str) -> None:
        """Kill the process of a service (SIGKILL); the restart policy must bring it back."""
        self.processes(service)[0].kill()
        wait(f"{service} is restarted", HEALTH_TIMEOUT_S, lambda: self.state(service)["RestartCount"] == 1)
        say(f"{service}: killed, restarted by podman, healthy {self.wait_for_health(service):.0f} s later")

    def stop(self) -> None:
        """Stop all services by their own signal, the last started first."""
        for service in reversed(self.order):
            begun = time.monotonic()
            podman("stop", self.name(service))
            code = self.state(service)["ExitCode"]
            say(f"{service}: stopped in {time.monotonic() - begun:.0f} s with exit code {code}")
            if code not in CLEAN_ENDS:
                raise ContainerError(f"{service} did not end in good order: exit code {code}")

    def print_logs(self) -> None:
        for service in self.order:
            logs = podman("logs", "--tail=25", self.name(service), check=False)
            say(f"--- the last lines of {service}\n{logs.stdout}{logs.stderr}")

    def remove(self) -> None:
        """Remove the containers and volumes of the trial."""
        podman("rm", "--force", "--ignore", "--volumes", *map(self.name, reversed(self.order)))
        for volume in podman("volume", "ls", "--quiet", f"--filter=name=^{PROJECT}-").stdout.split():
            podman("volume", "rm", volume)


def look_for_free_ports(numbers: list[int]) -> None:
    """Raise if another process has one of the ports, which the containers share with the machine."""
    for number in numbers:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, number)) == 0:
                raise ContainerError(f"port {number} is in use on this machine: stop what listens there")


@contextmanager
def removed_at_the_end(trial: Trial, *, keep: bool) -> Iterator[None]:
    """Remove what the trial made, however it ends; print the logs if it fails."""
    trial.remove()
    try:
        yield
    except BaseException:
        trial.print_logs()
        raise
    finally:
        if not keep:
            trial.remove()


def main() -> int:
    """Run the trial; return the exit code."""
    parser = argparse.ArgumentParser(prog="deploy/containers.sh try-compose", description=__doc__)
    parser.add_argument("--days", type=int, default=30, help="days of made history (default: 30)")
    parser.add_argument("--kill", default="code", help="service to kill (default: code)")
    parser.add_argument("--schedule", action="store_true", help="wait for a schedule, at most ten minutes")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the containers and their volumes; after a failure they still run",
    )
    options = parser.parse_args()
    trial = Trial(options.days)
    if options.kill not in trial.services:
        parser.error(f"there is no service {options.kill!r}: {', '.join(trial.services)}")
    try:
        look_for_free_ports(ports(trial.services))
        with removed_at_the_end(trial, keep=options.keep):
            trial.start()
            trial.run()
            trial.look_at_pages()
            trial.look_at_daemon(schedule=options.schedule)
            trial.kill(options.kill)
            trial.run()
            trial.stop()
    except (ContainerError, UpError, httpx.HTTPError, psutil.Error) as error:
        print(f"The trial failed: {error}", file=sys.stderr)
        return 1
    say("The trial succeeded.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
