"""One holder at a time, over processes and threads: an advisory lock on a file of its own.

The kernel drops the lock when its holder ends, however it ends, so a killed run leaves none.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from co2_assets.warehouse.errors import WarehouseBusy

FIRST_WAIT_S = 0.002
LONGEST_WAIT_S = 0.1

_holders: dict[Path, int] = {}


@contextmanager
def exclusive(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock file ``path`` (made when missing), waiting at most ``timeout_s`` seconds.

    The file holds the holder's process id while it is held. Raises WarehouseBusy on time-out, and
    RuntimeError when this very thread holds it, which no waiting would end.
    """
    path = path.resolve()
    if _holders.get(path) == threading.get_ident():
        raise RuntimeError(
            f"this thread already holds {path}: read and write through the transaction that is open"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # A description of its own for each holder: flock then keeps threads apart as well.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait(descriptor, path, timeout_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        _holders[path] = threading.get_ident()
        try:
            yield
        finally:
            del _holders[path]
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def waits(timeout_s: float) -> Iterator[None]:
    """Sleep a little longer at each step; end once ``timeout_s`` seconds have gone by."""
    deadline = time.monotonic() + timeout_s
    wait_s = FIRST_WAIT_S
    while (left_s := deadline - time.monotonic()) > 0:
        time.sleep(min(wait_s, left_s))
        wait_s = min(wait_s * 1.5, LONGEST_WAIT_S)
        yield


def _wait(descriptor: int, path: Path, timeout_s: float) -> None:
    if _taken(descriptor):
        return
    for _ in waits(timeout_s):
        if _taken(descriptor):
            return
    holder = os.pread(descriptor, 32, 0).decode(errors="replace")
    raise WarehouseBusy(
        f"{path.with_suffix('')} is in use by {f'process {holder}' if holder else 'another process'} "
        f"and was not free within {timeout_s:g} s; wait for that run to end, or stop it, and try again"
    )


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
