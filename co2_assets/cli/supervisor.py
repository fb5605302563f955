"""Start processes, watch them, keep their logs small, and end them all together."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from co2_assets.cli.dagster_client import UpError
from co2_assets.cli.dagster_runs import REPOSITORY_ROOT

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.25
# The output of some weeks; the output before that is kept in a second file.
LARGEST_LOG_BYTES = 2_000_000


@dataclass(frozen=True)
class Service:
    """One supervised process, which leads its own process group."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Interrupted(Exception):  # noqa: N818 -- a request to stop, not an error
    """Ctrl-C or SIGTERM was received."""


class Supervisor:
    """Starts processes, watches them, and ends all of them."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self.environment = environment
        self.logs = logs
        self.services: list[Service] = []
        self.interrupted = threading.Event()

    def start(self, name: str, command: list[str]) -> None:
        """Start a process that writes to ``name``.log; earlier output is moved to ``name``.log.1."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        if log.exists():
            rotate(log)
        # Opened to append, so that the file can be emptied while the process writes to it.
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
        """Wait; raises Interrupted if a stop was requested and UpError if a process has ended."""
        if self.interrupted.wait(seconds):
            raise Interrupted
        for service in self.services:
            if (code := service.process.poll()) is not None:
                tail = service.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:]
                raise UpError(
                    f"{service.name} ended with exit code {code}; its log is {service.log}:\n"
                    + "\n".join(tail)
                )
            # A person may have removed the file.
            if service.log.exists() and service.log.stat().st_size > LARGEST_LOG_BYTES:
                rotate(service.log)

    def stop(self) -> None:
        """End all started processes and their children: by SIGTERM, and after a while by SIGKILL."""
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
            # Processes that were started during the shutdown are still in the group.
            with suppress(ProcessLookupError):
                os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait()


def rotate(log: Path) -> None:
    """Copy the end of ``log`` over the file ``log``.1 and empty ``log``.

    The process continues to write to the same file. The lines that it writes during the copy are lost.
    """
    # On a full disk the copy fails, and emptying the file makes room.
    with suppress(OSError), log.open("rb") as written:
        written.seek(max(log.stat().st_size - LARGEST_LOG_BYTES, 0))
        log.with_name(f"{log.name}.1").write_bytes(written.read(LARGEST_LOG_BYTES))
    with suppress(FileNotFoundError):  # a person may have removed it
        os.truncate(log, 0)


def wait_until(ready: Callable[[], bool], supervisor: Supervisor, what: str) -> None:
    """Poll until ``ready`` is true; raises UpError if a process ends or the time is over.

    ``what`` is the name in the error message.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        supervisor.wait(POLL_S)
        with suppress(httpx.HTTPError):  # not listening yet
            if ready():
                return
    raise UpError(f"{what} did not start within {START_TIMEOUT_S:.0f} s; logs are in {supervisor.logs}")
