"""The DuckDB file that runs write. It is open only as long as a transaction lasts."""

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
    WarehouseBusy,
    WarehouseCorrupt,
    WarehouseGone,
)
from co2_assets.warehouse.files import unfinished_path
from co2_assets.warehouse.lock import POLL_INTERVAL_S, exclusive
from co2_assets.warehouse.migrations import SCHEMA, Schema
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.sql import Parameters, text_literal
from co2_assets.warehouse.transaction import Transaction

_HELD_ELSEWHERE = re.compile(r"Could not set lock on file.*?(?:\(PID (\d+)\)|$)", re.DOTALL)


class Warehouse:
    """One DuckDB file of one kind of source (``live``, ``archive`` or ``simulator``).

    In a folder that never held data the first use creates the file with empty tables, even a read.
    A file that existed and is gone is not created again: only `recovery.restore_if_damaged` replaces
    it, for an empty file would be published in place of the issued forecasts. A lock file beside it
    admits one use at a time, of all threads and processes; each waits at most ``lock_timeout_s``
    seconds. Every use may raise WarehouseBusy, WrongSource, NewerSchema, WarehouseCorrupt or
    WarehouseGone.
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
        """Yield a transaction. It is committed when the block ends and rolled back when it raises."""
        with self.session() as connection:
            connection.execute("BEGIN")
            # If the block raises, the session closes without a COMMIT, which rolls back.
            yield Transaction(connection)
            connection.execute("COMMIT")

    def read(self, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Run one query on a connection of its own; the frame is that of `sql.query_frame`."""
        with self.open_reading() as reading:
            return reading.read(sql, parameters)

    @contextmanager
    def open_reading(self) -> Iterator[Transaction]:
        """Yield a transaction that cannot write: its queries see one state, and the file is opened once."""
        with self.session() as connection:
            connection.execute("BEGIN TRANSACTION READ ONLY")
            yield Transaction(connection)

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield the one connection to the file, which is created or migrated where needed."""
        with self.locked(), self.opened() as connection:
            yield connection

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the file: for callers that use `opened` or replace the file."""
        with exclusive(self.path.with_name(self.path.name + ".lock"), self.lock_timeout_s):
            yield

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield the connection of `session`, for callers that hold the lock."""
        try:
            if not self.path.exists():
                if self._was_there or SourceFolder(self.path.parent, self.source).holds_data:
                    raise WarehouseGone(
                        f"{self.path} is gone: somebody moved or deleted it; the next run "
                        "restores what the newest snapshot holds (`co2 tick`)"
                    )
                self.make_empty()
            with self.attached(self.path) as connection:
                self.schema.check_and_migrate(connection, self.source, self.path)
                self._was_there = True
                yield connection
        except duckdb.Error as error:
            if is_damage(error):
                # Where the note cannot be written (a full disk), the next run meets the damage again.
                with suppress(OSError):
                    damage_note(self.path).write_text(f"{error}\n", encoding="utf-8")
                raise WarehouseCorrupt(
                    f"{self.path} cannot be read ({error}); the next run sets it aside and restores what "
                    "the newest snapshot holds"
                ) from error
            raise

    def make_empty(self) -> None:
        """Create the file with empty tables, for callers that hold the lock and know that nothing is lost."""
        # DuckDB would replay the log of a database that was moved away into the new one.
        log_of(self.path).unlink(missing_ok=True)
        self.build_beside(lambda _empty: None).replace(self.path)

    def build_beside(self, fill: Callable[[duckdb.DuckDBPyConnection], None]) -> Path:
        """Make a warehouse beside the present one, let ``fill`` write into it, and return its path.

        For callers that hold the lock. They rename it into place, so a kill while it is
        written never leaves half a file under the real name.
        """
        unfinished = unfinished_path(self.path)
        for stale in (unfinished, log_of(unfinished)):
            stale.unlink(missing_ok=True)
        with self.attached(unfinished) as connection:
            self.schema.create(connection, self.source)
            fill(connection)
        return unfinished

    @contextmanager
    def attached(self, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection with the file at ``path`` attached as its database; detach it afterwards.

        For callers that hold the lock. The content of the file is neither checked nor
        changed here. The DuckDB instance is kept: making one takes 40 ms, attaching a file 1 ms. After
        a failure it is closed, and what was not committed is lost.
        """
        if self._instance is None:
            # A name in a query is that of a table, never that of a Python variable.
            self._instance = duckdb.connect(":memory:", config={"python_enable_replacements": False})
        instance = self._instance
        try:
            self._attach_when_free(instance, path)
            # The cursor closes before the file is detached: what was not committed is rolled back.
            with instance.cursor() as connection:
                # Times with a zone become naive UTC, not the machine's local time.
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("USE warehouse")
                yield connection
            instance.execute("DETACH warehouse")
        except BaseException:
            # Forget it first: after a fatal error close() may fail too.
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
    """Path of DuckDB's write-ahead log for the database at ``path``."""
    return path.with_name(path.name + ".wal")
