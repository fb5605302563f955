"""The newest published snapshot, opened once per version and read by every request."""

import logging
import weakref
from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from threading import Condition, Lock
from typing import TypeVar, cast

import pandas as pd
from cachetools import LRUCache

from co2_assets.warehouse import snapshots
from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_assets.warehouse.snapshots import Snapshot
from co2_assets.warehouse.sql import query_frame
from co2_dash.settings import Settings

T = TypeVar("T")
_log = logging.getLogger(__name__)
# What is worked out from one version is kept up to these limits; the value that was not used for the
# longest time goes first. A page's own frames take under a megabyte each.
MOST_REMEMBERED = 512
MOST_REMEMBERED_BYTES = 64 * 2**20
# One that is larger would drive out many that are asked for more often.
LARGEST_REMEMBERED_BYTES = 4 * 2**20


class View:
    """One snapshot held open, with what was already worked out from it.

    Its DuckDB connection closes when nobody holds the view any more, so a request that began on an
    old version finishes on it even after the file was removed.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        # Held to look up and to keep a value, never while one is built.
        self._changed = Condition()
        self._kept: LRUCache[Hashable, object] = LRUCache(MOST_REMEMBERED_BYTES, getsizeof=_weight)
        self._underway: set[Hashable] = set()
        # The connection serves one thread at a time.
        self._asking = Lock()
        stack = ExitStack()
        self._connection = stack.enter_context(snapshots.opened(snapshot))
        weakref.finalize(self, stack.close)

    @property
    def version(self) -> str:
        """Name of the snapshot's version, changed by every publication."""
        return str(self.snapshot.version)

    @property
    def remembered_bytes(self) -> int:
        """How many bytes the remembered values count for."""
        return int(self._kept.currsize)

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Return the rows of a query; the same query of the same version is asked once."""

        def ask() -> pd.DataFrame:
            with self._asking:
                return query_frame(self._connection, sql, list(parameters))

        return self.remember((sql, tuple(parameters)), ask).copy()

    def remembered(self, key: Hashable) -> object | None:
        """Return what `remember` has kept for ``key``, or None; never waits for a build."""
        with self._changed:
            return self._kept.get(key)

    def remember(
        self, key: Hashable, build: Callable[[], T], most_bytes: int = LARGEST_REMEMBERED_BYTES
    ) -> T:
        """Return what ``build`` gave for ``key`` the first time; it must depend on nothing else.

        A thread that asks for what another thread is building waits for it; no other thread waits. A value
        of more than ``most_bytes`` is not kept, so the next thread builds it again.
        """
        # `cachetools.cachedmethod` does the same, but knows no limit for a single value.
        with self._changed:
            while key in self._underway:
                self._changed.wait()
            if key in self._kept:
                return cast("T", self._kept[key])
            self._underway.add(key)
        try:
            value = build()
            with self._changed:
                if _size(value) <= most_bytes:
                    self._kept[key] = value
            return value
        finally:
            with self._changed:
                self._underway.remove(key)
                self._changed.notify_all()


def _size(value: object) -> int:
    """Return about how many bytes a value takes; what is neither bytes nor a table is small."""
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(deep=True).sum())
    return len(value) if isinstance(value, bytes) else 0


def _weight(value: object) -> int:
    """Return what a value counts for: its size, and at least an even share of the limit.

    So the one limit of bytes also limits the number of values to `MOST_REMEMBERED`.
    """
    return max(_size(value), MOST_REMEMBERED_BYTES // MOST_REMEMBERED)


class SnapshotStore:
    """Gives the view of the newest snapshot; opens a file only when the pointer has moved."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._view: View | None = None

    def view(self) -> View | None:
        """Return the newest snapshot's view, or None while nothing has been published.

        If the newest snapshot cannot be read, the view of the previous one stays in use. Raises
        SnapshotUnreadable when there is none.
        """
        folder = self._settings.snapshot_folder()
        snapshot = None if folder is None else snapshots.current(folder)
        with self._lock:
            if snapshot is None:
                self._view = None
            elif self._view is None or self._view.snapshot != snapshot:
                self._view = self._opened(snapshot)
            return self._view

    def _opened(self, snapshot: Snapshot) -> View:
        try:
            return View(snapshot)
        except SnapshotUnreadable:
            if self._view is None:
                raise
            _log.exception("staying on snapshot %s", self._view.version)
            return self._view
