"""Snapshots: read-only copies of the warehouse, which the pages and the API read.

A snapshot is a file that never changes, under a name that is never used again. ``current.json``
points to the newest and is replaced in one step, so readers never wait, and a crash at any point
leaves the previous snapshot current.
"""

import json
import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock

import duckdb
import pandas as pd

from co2_assets.contracts.areas import AVERAGED
from co2_assets.warehouse.corruption import is_fault_of_file, read_everything
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_assets.warehouse.files import UNFINISHED, put_in_place, unfinished_path
from co2_assets.warehouse.history import history_files
from co2_assets.warehouse.migrations import READ_AS, SCHEMA, Schema, table_ddl
from co2_assets.warehouse.month_files import MonthFiles, as_pattern
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.sql import Parameters, query_frame, quoted, text_literal
from co2_assets.warehouse.views import FRESHNESS_VIEW, SNAPSHOT_VIEWS

POINTER = "current.json"
_VERSION = re.compile(r"\d{8}-[0-9a-f]{8}")
# Large tables by the minute. Readers need only their freshness and their hourly means.
NOT_PUBLISHED = frozenset(dataset.name for dataset in AVERAGED)

_log = logging.getLogger(__name__)
# Readers that ask for a new file at the same time wait until one of them has checked it.
_check_lock = Lock()


@dataclass(frozen=True)
class Snapshot:
    """A published file. ``version`` is unique and sorts by publication; times are naive UTC."""

    version: str
    path: Path
    source: str
    as_of_utc: datetime
    published_at_utc: datetime


def publish(
    warehouse: Warehouse, folder: Path, *, as_of_utc: datetime, published_at_utc: datetime, keep: int = 3
) -> Snapshot:
    """Copy what readers need of ``warehouse`` to a new file in ``folder`` and make it current.

    The copy has every table but the raw minutes and, of the other raw tables, the months that have a file
    (`history`), every view (``current_forecast`` without forecasts
    issued after ``as_of_utc``), the freshness of each dataset as the table ``dataset_freshness``, and
    ``snapshot_info``, one row (``version``, ``source``, ``as_of_utc``, ``published_at_utc``,
    ``schema_version``). The newest ``keep`` snapshots stay; a reader that has an older one open can
    go on reading it. ``folder`` must be used by this warehouse only. Times are naive UTC. A time before
    that of the present snapshot is moved up to it, but not beyond ``published_at_utc``. Raises what
    `Warehouse` raises, and ValueError for ``keep`` below 1; after any error the previous snapshot is
    still current and whole.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}, but the current snapshot has to stay")
    # The lock of the warehouse also prevents two publications at the same time.
    with warehouse.session() as connection:
        folder.mkdir(parents=True, exist_ok=True)
        # Files that a crash left behind.
        for leftover in folder.glob(f"*{UNFINISHED}*"):
            leftover.unlink()
        newest = current(folder)
        if newest is not None and newest.as_of_utc > as_of_utc:
            # A long run, such as a training, ends after others have published: its copy has their rows too.
            as_of_utc = min(newest.as_of_utc, max(as_of_utc, published_at_utc))
        version = _next_version(folder)
        snapshot = Snapshot(version, _path(folder, version), warehouse.source, as_of_utc, published_at_utc)
        unfinished = unfinished_path(snapshot.path)
        history = history_files(SourceFolder(warehouse.path.parent, warehouse.source))
        _build(connection, warehouse.schema, snapshot, unfinished, history)
        put_in_place(unfinished, snapshot.path)
        _point_to(snapshot)
        for old in newest_first(folder)[keep:]:
            old.unlink()
    return snapshot


def current(folder: Path) -> Snapshot | None:
    """Return the snapshot to read now; None when none is published.

    Where the pointer is damaged, or points to a missing or damaged file, it is the newest readable
    snapshot; where none is readable, the one pointed to, and `opened` raises what is wrong with it.
    A process reads each file whole once, and again if it changes.
    """
    try:
        pointed_to = _pointed_to(folder)
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("%s cannot be read (%s): taking the newest snapshot", folder / POINTER, error)
    else:
        if _snapshot_at(pointed_to.path) is not None:
            return pointed_to
        if pointed_to.path.exists():
            return _newest_readable(folder) or pointed_to
        _log.warning("%s points to %s, which is not there", folder / POINTER, pointed_to.path.name)
    return _newest_readable(folder)


@contextmanager
def opened(snapshot: Snapshot, *, beside: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that reads ``snapshot`` and cannot access any other file, but those in ``beside``.

    It is for one thread. Raises SnapshotUnreadable when the file is gone or damaged: call `current`
    again.
    """
    with _attached(snapshot.path, beside) as connection:
        _show_as_present(connection)
        yield connection


def query(snapshot: Snapshot, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
    """Run one query on ``snapshot``; the frame is that of `sql.query_frame`."""
    with opened(snapshot) as connection:
        return query_frame(connection, sql, parameters)


@contextmanager
def _attached(path: Path, beside: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    # duckdb.connect(path) gives a process the file that it opened first, even after another file took
    # that path. An in-memory instance that attaches the path does not remember the old file.
    connection = duckdb.connect(":memory:", config={"threads": 1, "python_enable_replacements": False})
    try:
        try:
            connection.execute(f"ATTACH {text_literal(path)} AS snapshot (READ_ONLY)")
        except duckdb.Error as error:
            raise SnapshotUnreadable(
                f"{path} cannot be read ({error}); the next run publishes another"
            ) from error
        connection.execute("USE snapshot")
        connection.execute("SET TimeZone = 'UTC'")
        if beside is not None:
            # Both ways of writing it: DuckDB compares the pattern that is asked for, then each file.
            folders = ", ".join(text_literal(f"{text}/") for text in {str(beside), as_pattern(beside)})
            connection.execute(f"SET allowed_directories = [{folders}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def _show_as_present(connection: duckdb.DuckDBPyConnection) -> None:
    """Let tables and views of a snapshot of an older version be read by their present names and columns."""
    row = connection.execute("SELECT schema_version FROM snapshot_info").fetchone()
    version = SCHEMA.version if row is None else row[0]
    if version >= SCHEMA.version:
        return
    for step in range(version + 1, SCHEMA.version + 1):
        for name, sql in READ_AS.get(step, {}).items():
            connection.execute(f"CREATE TEMP VIEW {quoted(name)} AS {sql}")
    for name, sql in SCHEMA.views.items():
        if name != FRESHNESS_VIEW:
            connection.execute(f"CREATE TEMP VIEW {quoted(name)} AS {SNAPSHOT_VIEWS.get(name, sql)}")


def _build(
    connection: duckdb.DuckDBPyConnection,
    schema: Schema,
    snapshot: Snapshot,
    path: Path,
    history: Mapping[str, MonthFiles],
) -> None:
    """Write the file, with its rows in the order of the key."""
    conditions = {name: _not_in_files(connection, files) for name, files in history.items()}
    warehouse = connection.execute("SELECT current_database()").fetchone()
    if warehouse is None:
        raise RuntimeError("DuckDB does not name the current database")
    origin = quoted(warehouse[0])
    connection.execute(f"ATTACH {text_literal(path)} AS snapshot")
    connection.execute("USE snapshot")
    connection.execute("BEGIN")
    for table in schema.tables:
        if table.name in NOT_PUBLISHED:
            continue
        connection.execute(table_ddl(table))
        order = ", ".join(map(quoted, table.key))
        name = quoted(table.name)
        # By name: somebody may have added columns of their own.
        columns = ", ".join(map(quoted, table.column_names))
        connection.execute(
            f"INSERT INTO {name} BY NAME SELECT {columns} FROM {origin}.main.{name} "
            f"WHERE {conditions.get(table.name, 'true')} ORDER BY {order}"
        )
    connection.execute(
        f"CREATE TABLE {FRESHNESS_VIEW} AS SELECT * FROM {origin}.main.{FRESHNESS_VIEW} ORDER BY dataset"
    )
    connection.execute(
        "CREATE TABLE snapshot_info (version VARCHAR, source VARCHAR, as_of_utc TIMESTAMP, "
        "published_at_utc TIMESTAMP, schema_version INTEGER)"
    )
    connection.execute(
        "INSERT INTO snapshot_info VALUES (?, ?, ?, ?, ?)",
        [snapshot.version, snapshot.source, snapshot.as_of_utc, snapshot.published_at_utc, schema.version],
    )
    for name, sql in schema.views.items():
        if name != FRESHNESS_VIEW:
            connection.execute(f"CREATE VIEW {quoted(name)} AS {SNAPSHOT_VIEWS.get(name, sql)}")
    connection.execute("COMMIT")
    connection.execute(f"USE {origin}")
    connection.execute("CHECKPOINT snapshot")
    connection.execute("DETACH snapshot")


def _not_in_files(connection: duckdb.DuckDBPyConnection, files: MonthFiles) -> str:
    """Return the SQL condition for the rows of the months that their files do not cover."""
    if not files.files():
        return "true"
    return " OR ".join(f"({files.rows_of(month)})" for month in files.uncovered(connection)) or "false"


def _pointed_to(folder: Path) -> Snapshot:
    """Read the pointer; FileNotFoundError, ValueError, KeyError or TypeError where it cannot be read."""
    content = json.loads((folder / POINTER).read_text(encoding="utf-8"))
    version = content["version"]
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is not a version")
    return Snapshot(
        version,
        _path(folder, version),
        content["source"],
        datetime.fromisoformat(content["as_of_utc"]),
        datetime.fromisoformat(content["published_at_utc"]),
    )


def _point_to(snapshot: Snapshot) -> None:
    content = {
        "version": snapshot.version,
        "source": snapshot.source,
        "as_of_utc": snapshot.as_of_utc.isoformat(),
        "published_at_utc": snapshot.published_at_utc.isoformat(),
    }
    pointer = snapshot.path.with_name(POINTER)
    unfinished = unfinished_path(pointer)
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    put_in_place(unfinished, pointer)


def _path(folder: Path, version: str) -> Path:
    return folder / f"{version}.duckdb"


def newest_first(folder: Path) -> list[Path]:
    """Return the files of published snapshots, the newest first."""
    files = [path for path in folder.glob("*.duckdb") if _VERSION.fullmatch(path.stem)]
    return sorted(files, reverse=True)


def _next_version(folder: Path) -> str:
    files = newest_first(folder)
    number = int(files[0].stem.split("-")[0]) + 1 if files else 1
    # The number starts again when the folder is emptied; the random part keeps the name unique.
    return f"{number:08d}-{secrets.token_hex(4)}"


def _newest_readable(folder: Path) -> Snapshot | None:
    return next(readable(folder), None)


def readable(folder: Path) -> Iterator[Snapshot]:
    """Yield the snapshots that can be read whole, the newest first."""
    for path in newest_first(folder):
        if (snapshot := _snapshot_at(path)) is not None:
            yield snapshot


def schema_version(snapshot: Snapshot) -> int:
    """Return the version of the tables that ``snapshot`` was published with."""
    return int(query(snapshot, "SELECT schema_version FROM snapshot_info")["schema_version"].iloc[0])


def _snapshot_at(path: Path) -> Snapshot | None:
    """Return the snapshot in the file at ``path``; None, with a warning, where it cannot be read whole."""
    try:
        state = path.stat()
        with _check_lock:
            return _read_whole(path, (state.st_ino, state.st_size, state.st_mtime_ns))
    except FileNotFoundError:
        return None
    except (SnapshotUnreadable, duckdb.Error) as error:
        _log.warning("%s cannot be read now: %s", path, error)
        return None


# Some thirty snapshots are published a day: this keeps those of two days, each under a kilobyte.
@lru_cache(maxsize=64)
def _read_whole(path: Path, _identity: tuple[int, int, int]) -> Snapshot | None:
    """`_snapshot_at`, cached for as long as the file does not change.

    An error that is the fault of the machine is raised, so that it is not cached.
    """
    try:
        with _attached(path) as connection:
            read_everything(connection)
            row = connection.execute(
                "SELECT source, as_of_utc, published_at_utc FROM snapshot_info"
            ).fetchone()
    except (SnapshotUnreadable, duckdb.Error) as error:
        if not is_fault_of_file(error):
            raise
        _log.warning("passing over %s, which is damaged: %s", path.name, error)
        return None
    return None if row is None else Snapshot(path.stem, path, *row)
