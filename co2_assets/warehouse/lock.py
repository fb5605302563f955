"""A lock file that one thread of one process holds at a time.

The lock is the kernel's (`filelock.FileLock`): it ends when its holder ends, so a killed run leaves none.
"""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from co2_assets.warehouse.errors import NoLocks, WarehouseBusy

# How often a waiter tries again.
POLL_INTERVAL_S = 0.02
# What a file system without locks answers.
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
# What each thread learns from filelock when it takes a lock.
_acquired = threading.local()


@contextmanager
def exclusive(path: Path, timeout_s: float) -> Iterator[int]:
    """Hold the lock file ``path`` (made when missing), waiting at most ``timeout_s`` seconds.

    Yields the descriptor of the file. A process that inherits it holds the lock too, until both have ended
    or the block ends.

    The file keeps the process id of its last holder. Raises WarehouseBusy on time-out, and
    RuntimeError when this thread already holds the lock: it would wait for itself. Where the file
    system has no kernel locks, NoLocks: a lock that outlives a killed run would stop every later run.
    """
    path = path.resolve()
    # A process has one lock object for a path, and each of its threads holds it or not. Without the
    # check filelock would let the thread that holds the lock take it a second time.
    lock = FileLock(
        path,
        is_singleton=True,
        poll_interval=POLL_INTERVAL_S,
        fallback_to_soft=False,
        preserve_lock_file=True,
        on_acquired=_note_acquired,
    )
    if lock.is_locked:
        raise RuntimeError(
            f"this thread already holds {path}: read and write through the transaction that is open"
        )
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout as error:
        holder = path.read_text(encoding="utf-8", errors="replace")
        raise WarehouseBusy(
            f"{path.with_suffix('')} is in use by {f'process {holder}' if holder else 'another process'} "
            f"and was not free within {timeout_s:g} s; wait for that run to end, or stop it, and try again"
        ) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise NoLocks(
            f"the file system of {path.parent} cannot lock files ({error.strerror}), so two runs could write "
            "at once; choose a --home on a local disk"
        ) from error
    try:
        yield _acquired.descriptor
    finally:
        lock.release()


def _note_acquired(descriptor: int) -> None:
    _acquired.descriptor = descriptor
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
