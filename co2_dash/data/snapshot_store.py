"""The newest published snapshot, opened once per version and read by every request."""

import logging
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from threading import Lock
from typing import TypeVar, cast

import pandas as pd

from co2_assets.warehouse import snapshots
from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_assets.warehouse.snapshots import Snapshot
from co2_assets.warehouse.sql import query_frame
from co2_dash.settings import Settings

T = TypeVar("T")
_log = logging.getLogger(__name__)
# What is worked out from one version is kept up to these, the longest unused going first: hostile
# parameters can make neither grow. A page's own frames take under a megabyte each.
MOST_REMEMBERED = 512
MOST_REMEMBERED_BYTES = 64 * 2**20
# One that is larger would drive out many that are asked for more often.
LARGEST_REMEMBERED_BYTES = 4 * 2**20
# Of a key and its place, and all that a small value weighs.
_LEAST_WEIGHT = 1024


class View:
    """One snapshot held open, with what was already worked out from it.

    Its DuckDB connection closes when nobody holds the view any more, so a request that began on an
    old version finishes on it even after the file was removed.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        # Held to look up and to keep, never while something is worked out.
        self._lock = Lock()
        self._remembered: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._bytes = 0
        self._underway: dict[Hashable, Future[object]] = {}
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
        """About how much memory takes what is remembered."""
        return self._bytes

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Return the rows of a query; the same query of the same version is asked once."""

        def ask() -> pd.DataFrame:
            with self._asking:
                return query_frame(self._connection, sql, list(parameters))

        return self.remember((sql, tuple(parameters)), ask).copy()

    def remembered(self, key: Hashable) -> object | None:
        """Return what `remember` has kept for ``key``, or None; never waits for a build."""
        with self._lock:
            if key not in self._remembered:
                return None
            self._remembered.move_to_end(key)
            return self._remembered[key][0]

    def remember(
        self, key: Hashable, build: Callable[[], T], most_bytes: int = LARGEST_REMEMBERED_BYTES
    ) -> T:
        """Return what ``build`` gave for ``key`` the first time; it must depend on nothing else.

        Who asks for what another thread is building waits for it; nobody else does. A value of more
        than ``most_bytes`` is not kept, nor one that was not asked for since much else was.
        """
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return cast("T", self._remembered[key][0])
            underway = self._underway.get(key)
            if underway is None:
                ours = self._underway[key] = Future()
        if underway is not None:
            return cast("T", underway.result())
        try:
            value = build()
        except BaseException as error:
            with self._lock:
                del self._underway[key]
            ours.set_exception(error)
            raise
        with self._lock:
            self._keep(key, value, most_bytes)
            del self._underway[key]
        ours.set_result(value)
        return value

    def _keep(self, key: Hashable, value: object, most_bytes: int) -> None:
        weight = _LEAST_WEIGHT + _size(value)
        if weight > most_bytes:
            return
        self._remembered[key] = (value, weight)
        self._bytes += weight
        while self._bytes > MOST_REMEMBERED_BYTES or len(self._remembered) > MOST_REMEMBERED:
            _, (_, freed) = self._remembered.popitem(last=False)
            self._bytes -= freed


def _size(value: object) -> int:
    """Return about how many bytes a value takes; what is neither text nor table is small."""
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(deep=True).sum())
    return len(value) if isinstance(value, bytes) else 0


class SnapshotStore:
    """Gives the view of the newest snapshot; opens a file only when the pointer has moved."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._view: View | None = None

    def view(self) -> View | None:
        """Return the newest snapshot's view, or None while nothing has been published.

        A snapshot that cannot be read leaves the one before in force; SnapshotUnreadable when there
        is none.
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
