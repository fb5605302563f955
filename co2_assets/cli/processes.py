"""Processes: telling one from all others, finding those that a `co2 up` started, and ending them."""

import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import psutil

# The environment variable with the identity of the `co2 up` that started a process, directly or not.
SUPERVISOR = "CO2_SUPERVISOR"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Two readings of a start time may differ by this much, because the clock may be set in between. No process
# identifier is given to another process in so short a time.
SAME_START_S = 2.0
# How long processes have to end after SIGTERM, before they are killed.
STOP_TIMEOUT_S = 15.0
# How long the system may take to remove a process that was killed.
KILL_TIMEOUT_S = 5.0
POLL_S = 0.05


def process_identity(pid: int) -> str:
    """Return an identity that no other process has: its number, the boot of the machine, and its start time.

    The number alone is used again for other processes, in a container after each start. The start time is
    in seconds since the boot, so that setting the clock does not change it. Raises psutil.NoSuchProcess.
    """
    started = psutil.Process(pid).create_time() - psutil.boot_time()
    return f"{pid} {_boot()} {started:.2f}"


def _boot() -> str:
    """Return the identifier of the machine's last boot; ``-`` if the system has none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip() or "-"
    except OSError:
        return "-"


def is_alive(identity: str) -> bool:
    """Return whether the process of a `process_identity` still runs; True if that cannot be found out.

    Earlier versions stored only the number of the process.
    """
    try:
        number, *start = identity.split()
        # A killed process stays in the process table until its parent asks for its exit code.
        if psutil.Process(int(number)).status() == psutil.STATUS_ZOMBIE:
            return False
        _, boot, started = process_identity(int(number)).split()
        return len(start) != 2 or (boot == start[0] and abs(float(started) - float(start[1])) < SAME_START_S)
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, ValueError):
        return True  # we may not read the process, or another program wrote the identity


def started_by(is_meant: Callable[[str], bool], home: Path) -> list[psutil.Process]:
    """Return the running processes of this home whose supervisor, given by its identity, ``is_meant``.

    Processes that were started by those are among them, whatever group or session they are in. Processes
    of other users cannot be read and are left out.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environment = process.environ()
            supervisor = environment.get(SUPERVISOR)
            if (
                supervisor
                and process.pid != os.getpid()
                and environment.get("CO2_HOME") == str(home.resolve())
                and is_meant(supervisor)
            ):
                found.append(process)
    return found


def family() -> list[psutil.Process]:
    """Return all descendants of this process, and the members of its process group, without itself."""
    own = psutil.Process()
    found = {process.pid: process for process in own.children(recursive=True)}
    for process in psutil.process_iter():
        # Processes may end meanwhile.
        with suppress(OSError):
            if os.getpgid(process.pid) == os.getpgrp():
                found.setdefault(process.pid, process)
    found.pop(own.pid, None)
    return list(found.values())


def end(processes: Collection[psutil.Process], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End the processes: by SIGTERM, and those that still run after ``timeout_s`` seconds by SIGKILL."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    alive = _wait(processes, timeout_s)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _wait(alive, KILL_TIMEOUT_S)


def _wait(processes: Collection[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until all processes have ended; return those that still run when the time is over."""
    deadline = time.monotonic() + timeout_s
    while (alive := [process for process in processes if runs(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return alive


def runs(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that has ended, with its exit code not asked for, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
