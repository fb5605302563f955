"""Start processes, watch them, keep their logs small, and end them all together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from co2_assets.cli.child import MODULE, NO_LOCK
from co2_assets.cli.processes import (
    KILL_TIMEOUT_S,
    STOP_TIMEOUT_S,
    SUPERVISOR,
    end,
    process_identity,
    started_by,
)

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 90.0
POLL_S = 0.25
# The output of some weeks; the output before that is kept in a second file.
LARGEST_LOG_BYTES = 2_000_000


@dataclass(frozen=True)
class Service:
    """One supervised process; ``process`` is that of `child`, which leads the group of all that it starts."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class UpError(RuntimeError):
    """A process did not start or ended too early; the message names it and its log."""


class Interrupted(Exception):  # noqa: N818 -- a request to stop, not an error
    """Ctrl-C, SIGTERM or SIGHUP was received."""


class Supervisor:
    """Starts processes, watches them, and ends all of them; they also end when this process is gone.

    ``lock`` is the descriptor of a lock that the processes hold too, so that it is free only after them.
    """

    def __init__(self, environment: dict[str, str], logs: Path, lock: int | None = None) -> None:
        self.identity = process_identity(os.getpid())
        self.environment = {**os.environ, **environment, SUPERVISOR: self.identity}
        self.logs = logs
        self.lock = lock
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
                [sys.executable, "-m", MODULE, NO_LOCK if self.lock is None else str(self.lock), *command],
                env=self.environment,
                cwd=REPOSITORY_ROOT,
                # Nothing is written to it. The system closes it when this process ends, however it ends.
                stdin=subprocess.PIPE,
                pass_fds=() if self.lock is None else (self.lock,),
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
        for service in self.services:
            service.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S + KILL_TIMEOUT_S
        for service in self.services:
            with suppress(subprocess.TimeoutExpired):
                service.process.wait(max(deadline - time.monotonic(), 0))
        # A `child` that was killed leaves the processes that it started.
        if home := self.environment.get("CO2_HOME"):
            end(started_by(lambda identity: identity == self.identity, Path(home)))
        for service in self.services:
            with suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group that has ended
                os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait()
            if service.process.stdin is not None:
                service.process.stdin.close()


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
