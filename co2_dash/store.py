"""The newest published snapshot, opened once per version and read by every request."""

import logging
import weakref
from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from threading import Lock, RLock
from typing import TypeVar, cast

import pandas as pd

from co2_assets.warehouse import snapshots
from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_assets.warehouse.frames import query_frame
from co2_assets.warehouse.snapshots import Snapshot
from co2_dash.settings import Settings

T = TypeVar("T")
_log = logging.getLogger(__name__)
# Answers kept per version; hostile parameters cannot make it grow, it is emptied when full.
MOST_REMEMBERED = 512


class View:
    """One snapshot held open, with what was already worked out from it.

    Its DuckDB connection closes when nobody holds the view any more, so a request that began on an
    old version finishes on it even after the file was removed.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._lock = RLock()
        self._remembered: dict[Hashable, object] = {}
        stack = ExitStack()
        self._connection = stack.enter_context(snapshots.opened(snapshot))
        weakref.finalize(self, stack.close)

    @property
    def version(self) -> str:
        """Name of the snapshot's version, changed by every publication."""
        return str(self.snapshot.version)

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Return the rows of a query; the same query of the same version is asked once."""

        def ask() -> pd.DataFrame:
            return query_frame(self._connection, sql, list(parameters))

        return self.remember((sql, tuple(parameters)), ask).copy()

    def remembered(self, key: Hashable) -> object | None:
        """Return what `remember` has kept for ``key``, or None; never waits."""
        return self._remembered.get(key)

    def remember(self, key: Hashable, build: Callable[[], T]) -> T:
        """Return what ``build`` gave for ``key`` the first time; it must depend on nothing else."""
        with self._lock:
            if key not in self._remembered:
                value = build()
                if len(self._remembered) >= MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = value
            return cast("T", self._remembered[key])


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
