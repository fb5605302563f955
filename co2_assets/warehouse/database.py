"""The DuckDB file that runs write: opened for as long as a transaction lasts and no longer."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pandas as pd

from co2_assets.contracts.sources import SOURCE_LABELS
from co2_assets.warehouse.corruption import damage_note, is_damage
from co2_assets.warehouse.errors import (
    BadRows,
    NewerSchema,
    WarehouseBusy,
    WarehouseCorrupt,
    WarehouseError,
    WarehouseGone,
    WrongSource,
)
from co2_assets.warehouse.lock import POLL_INTERVAL_S, exclusive
from co2_assets.warehouse.migrations import SCHEMA, Schema
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.sql import Parameters, query_frame, text_literal
from co2_assets.warehouse.transaction import Transaction, WriteCount

__all__ = [
    "BadRows",
    "NewerSchema",
    "Transaction",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseCorrupt",
    "WarehouseError",
    "WarehouseGone",
    "WriteCount",
    "WrongSource",
]

_HELD_ELSEWHERE = re.compile(r"Could not set lock on file.*?(?:\(PID (\d+)\)|$)", re.DOTALL)


class Warehouse:
    """One DuckDB file of one kind of source (``live``, ``archive`` or ``simulator``).

    In a folder that never held data the file is made, empty tables and all, by whatever uses it
    first, a read included. One that was there and is gone is not: only `recovery.restore_if_damaged` may put
    another in its place, for an empty one would be published over what was issued. Every use takes
    its turn, over processes and threads, by a lock file beside it, and waits at most
    ``lock_timeout_s`` seconds for it. Every use may raise WarehouseBusy, WrongSource, NewerSchema,
    WarehouseCorrupt or WarehouseGone.
    """

    def __init__(
        self, path: Path, source: str, *, lock_timeout_s: float = 120, schema: Schema = SCHEMA
    ) -> None:
        if source not in SOURCE_LABELS:
            raise ValueError(f"no source {source!r}; there are {', '.join(SOURCE_LABELS)}")
        self.path = path
        self.source = str(source)
        self.lock_timeout_s = lock_timeout_s
        self.schema = schema
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._was_there = False

    @contextmanager
    def open_transaction(self) -> Iterator[Transaction]:
        """Give a transaction: committed when the block ends, rolled back when it raises."""
        with self.session() as connection:
            connection.execute("BEGIN")
            # Should the block raise, the session closes without a COMMIT, which rolls back.
            yield Transaction(connection)
            connection.execute("COMMIT")

    def read(self, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Run one query on a connection of its own; frames as `frames.query_frame` gives them."""
        with self.session() as connection:
            connection.execute("BEGIN TRANSACTION READ ONLY")
            return query_frame(connection, sql, parameters)

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the one connection to the file, made and migrated as needed; closed afterwards."""
        with self.locked(), self.opened() as connection:
            yield connection

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file's lock: for those who use `opened` or put another file in its place."""
        with exclusive(self.path.with_name(self.path.name + ".lock"), self.lock_timeout_s):
            yield

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the connection of `session` to who already has the `locked`."""
        try:
            if not self.path.exists():
                if self._was_there or SourceFolder(self.path.parent, self.source).holds_data:
                    raise WarehouseGone(
                        f"{self.path} is gone: somebody moved or deleted it; the next run restores what the "
                        "last snapshot holds (`co2 tick`)"
                    )
                self.make_empty()
            with self.attached(self.path) as connection:
                self.schema.check_and_migrate(connection, self.source, self.path)
                self._was_there = True
                yield connection
        except duckdb.Error as error:
            if is_damage(error):
                # Where the disk has no room for the note, the next run meets the damage again.
                with suppress(OSError):
                    damage_note(self.path).write_text(f"{error}\n", encoding="utf-8")
                raise WarehouseCorrupt(
                    f"{self.path} cannot be read ({error}); the next run sets it aside and restores what "
                    "the last snapshot holds"
                ) from error
            raise

    def make_empty(self) -> None:
        """Make the file, with empty tables: for who has the `locked` and knows that nothing is lost."""
        # A log left by a database that was taken away would be replayed into the new one.
        log_of(self.path).unlink(missing_ok=True)
        self.build_beside(lambda _empty: None).replace(self.path)

    def build_beside(self, fill: Callable[[duckdb.DuckDBPyConnection], None]) -> Path:
        """Make a warehouse beside the present one, let ``fill`` write into it, and return its path.

        For who has the `locked`, and renames it into place: under another name until it is whole, so
        that a kill while it is made leaves no half a file.
        """
        unfinished = self.path.with_name(self.path.name + ".unfinished")
        for stale in (unfinished, log_of(unfinished)):
            stale.unlink(missing_ok=True)
        with self.attached(unfinished) as connection:
            self.schema.create(connection, self.source)
            fill(connection)
        return unfinished

    @contextmanager
    def attached(self, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the connection with the file at ``path`` as its database, let go of afterwards.

        For who has the `locked`; whatever the file is, nothing of it is looked at or changed here.
        The instance of DuckDB stays, for making one takes 40 ms and attaching a file one; it goes
        where anything failed, and with it what was not committed.
        """
        if self._instance is None:
            # A query is about tables, never about what Python variables happen to be called.
            self._instance = duckdb.connect(":memory:", config={"python_enable_replacements": False})
        instance = self._instance
        try:
            self._attach_when_free(instance, path)
            # Closed before the file is let go of: what was not committed by then is rolled back.
            with instance.cursor() as connection:
                # Whatever carries a zone is turned into naive UTC, not into the machine's time.
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("USE warehouse")
                yield connection
            instance.execute("DETACH warehouse")
        except BaseException:
            # Let go of it first: after a fatal error closing it may fail too.
            self._instance = None
            instance.close()
            raise

    def _attach_when_free(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Attach the file; a program that knows nothing of our lock (the DuckDB shell) may have it open."""
        deadline = time.monotonic() + self.lock_timeout_s
        while True:
            try:
                connection.execute(f"ATTACH {text_literal(path)} AS warehouse")
            except duckdb.IOException as error:
                held = _HELD_ELSEWHERE.search(str(error))
                if not held:
                    raise
                if time.monotonic() >= deadline:
                    raise WarehouseBusy(
                        f"{path} is open in process {held[1] or '(unknown)'} and was not free within "
                        f"{self.lock_timeout_s:g} s; close that program and try again"
                    ) from error
                time.sleep(POLL_INTERVAL_S)
            else:
                return


def log_of(path: Path) -> Path:
    """DuckDB's write-ahead log of the database at ``path``."""
    return path.with_name(path.name + ".wal")
