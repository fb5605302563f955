"""Replacing a damaged or missing warehouse by a new one made from the newest snapshot."""

import logging
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from co2_assets.contracts import Table
from co2_assets.contracts.tables import FETCH_OK, NEW_DATA_LOG
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.corruption import damage_note, is_fault_of_file, read_everything
from co2_assets.warehouse.database import Warehouse, log_of
from co2_assets.warehouse.errors import WarehouseCorrupt
from co2_assets.warehouse.files import aside_path
from co2_assets.warehouse.history import restore_history
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.snapshots import Snapshot
from co2_assets.warehouse.sql import quoted, text_literal

# The outcome of a fetch whose rows were lost with the warehouse: its window is fetched again.
LOST = "lost"

# A file in which less than this is empty is not rewritten.
LEAST_COMPACTED_BYTES = 8 * 2**20

_log = logging.getLogger(__name__)


def restore_if_damaged(warehouse: Warehouse, snapshot_folder: Path, *, now: datetime) -> str | None:
    """Read every row of ``warehouse``; restore it where that fails, where an earlier run noted damage,
    or where the file is gone.

    In a home that never held data an empty warehouse is created. A damaged file is renamed, never
    deleted, and a text file beside it gives the reason. All tables but the raw minutes come from the
    newest readable snapshot; the minutes count as not fetched. In a file that can be read, only the
    tables and views that somebody dropped are made again. Returns a sentence with what was done
    and what remains to do, None where nothing was wrong. Raises WarehouseBusy, WrongSource and
    NewerSchema (of a snapshot too). After a kill at any point the next call finishes the work.
    """
    with warehouse.locked():
        if warehouse.path.exists():
            problem = _problem(warehouse)
            if problem is None:
                return _mend_missing(warehouse, snapshot_folder)
            return _restore(warehouse, snapshot_folder, problem, now)
        folder = SourceFolder(warehouse.path.parent, warehouse.source)
        if folder.set_aside or folder.history.exists() or snapshots.newest_first(snapshot_folder):
            return _restore(warehouse, snapshot_folder, "it is gone", now)
        warehouse.make_empty()
        return None


def compact(warehouse: Warehouse) -> int:
    """Rewrite the file where more than half of it is empty; return by how many bytes it shrank.

    DuckDB itself never shrinks a file. A kill at any point leaves the old file or the new one, whole.
    A file with schemas or columns that somebody added stays as it is, for the new one would lack them.
    """
    with warehouse.locked():
        with warehouse.opened() as connection:
            row = connection.execute("SELECT block_size * used_blocks FROM pragma_database_size()").fetchone()
            versions = connection.execute("SELECT * FROM schema_version").fetchall()
            info = connection.execute("SELECT * FROM warehouse_info").fetchall()
            has_additions = warehouse.schema.has_additions(connection)
        before = warehouse.path.stat().st_size
        used = row[0] if row else before
        if has_additions or before - used <= max(used, LEAST_COMPACTED_BYTES):
            return 0

        def fill(connection: duckdb.DuckDBPyConnection) -> None:
            copy_rows(connection, warehouse, warehouse.path)
            for table, rows in (("schema_version", versions), ("warehouse_info", info)):
                connection.execute(f"DELETE FROM {table}")
                connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)

        warehouse.build_beside(fill).replace(warehouse.path)
        return before - warehouse.path.stat().st_size


def copy_rows(
    connection: duckdb.DuckDBPyConnection,
    warehouse: Warehouse,
    origin: Path,
    *,
    leave_out: frozenset[str] = frozenset(),
) -> None:
    """Copy the rows of the database ``origin`` into the empty warehouse of ``connection``.

    The tables ``leave_out`` are not copied. ``origin`` has the present version.
    """
    connection.execute(f"ATTACH {text_literal(origin)} AS origin (READ_ONLY)")
    connection.execute("BEGIN")
    _insert_from_origin(connection, [t for t in warehouse.schema.tables if t.name not in leave_out])
    connection.execute("COMMIT")
    connection.execute("DETACH origin")


@contextmanager
def _migrated(warehouse: Warehouse, snapshot: Snapshot) -> Iterator[Path]:
    """Yield a file with the snapshot's tables in their present version: a migrated copy if it is older.

    Raises NewerSchema for a snapshot that a newer version wrote: its new columns would be lost.
    """
    version = snapshots.schema_version(snapshot)
    warehouse.schema.refuse_newer(version, snapshot.path)
    if version == warehouse.schema.version:
        yield snapshot.path
        return
    with TemporaryDirectory(dir=warehouse.path.parent, prefix=f"{warehouse.path.name}.migrated-") as folder:
        copy = Path(folder) / snapshot.path.name
        shutil.copyfile(snapshot.path, copy)
        with duckdb.connect(copy) as connection:
            connection.execute("BEGIN")
            warehouse.schema.migrate_tables(connection, version)
            connection.execute("COMMIT")
        yield copy


def _insert_from_origin(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Fill these tables from the attached database ``origin``, where it has them."""
    for table in tables:
        in_origin = connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'origin' AND table_name = ?",
            [table.name],
        ).fetchall()
        columns = ", ".join(quoted(name) for (name,) in in_origin if name in table.column_names)
        if columns:
            name = quoted(table.name)
            connection.execute(f"INSERT INTO {name} BY NAME SELECT {columns} FROM origin.main.{name}")


def _problem(warehouse: Warehouse) -> str | None:
    """Return in one line what is wrong with the present file, or None.

    Nothing is written, not even a migration, so any failure is the fault of the file.
    """
    note = damage_note(warehouse.path)
    if note.exists():
        return _first_line(note.read_text(encoding="utf-8"))
    try:
        with warehouse.attached(warehouse.path) as connection:
            # First: a damaged file may also name a wrong source or version.
            read_everything(connection)
            warehouse.schema.check(connection, warehouse.source, warehouse.path)
    except WarehouseCorrupt as error:
        return _first_line(error)
    except duckdb.Error as error:
        if not is_fault_of_file(error):
            raise
        return _first_line(error)
    return None


def _mend_missing(warehouse: Warehouse, snapshot_folder: Path) -> str | None:
    """Make dropped tables and views again, the tables with the rows of the newest readable snapshot.

    Returns a sentence that names the dropped tables, None where none was dropped. Raises WarehouseError
    where a column of a table, or the name of a table or view, was taken away.
    """
    with warehouse.opened() as connection:
        missing, stale_views = warehouse.schema.missing(connection, warehouse.path)
        if not missing and not stale_views:
            return None
        lost = [table.name for table in missing]
        snapshot = next(
            (s for s in snapshots.readable(snapshot_folder) if s.source == warehouse.source and lost), None
        )
        with ExitStack() as stack:
            if snapshot:
                origin = stack.enter_context(_migrated(warehouse, snapshot))
                connection.execute(f"ATTACH {text_literal(origin)} AS origin (READ_ONLY)")
            connection.execute("BEGIN")
            warehouse.schema.make_again(connection, missing, stale_views)
            if snapshot:
                _insert_from_origin(connection, [t for t in missing if t.name not in snapshots.NOT_PUBLISHED])
            if lost:
                folder = SourceFolder(warehouse.path.parent, warehouse.source)
                restore_history(connection, folder, frozenset(lost))
                _count_as_not_fetched(connection, lost)
            connection.execute("COMMIT")
            if snapshot:
                connection.execute("DETACH origin")
    if not lost:
        _log.warning("Views were missing from %s and were made again: %s", warehouse.path, stale_views)
        return None
    text = f"Tables were missing from {warehouse.path} and were made again: {', '.join(lost)}."
    text += (
        f" All but the raw minutes have the rows of snapshot {snapshot.version} of "
        f"{snapshot.as_of_utc:%Y-%m-%d %H:%M} UTC; what came from the service is fetched again."
        if snapshot
        else " They are empty, for no snapshot could be read; what came from the service is fetched again."
    )
    _log.error("%s", text)
    return text


def _add_history(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    """Add the past months of the raw tables; a table with a damaged month counts as not fetched."""
    folder = SourceFolder(warehouse.path.parent, warehouse.source)
    tables = frozenset(table.name for table in warehouse.schema.tables)
    _count_as_not_fetched(connection, restore_history(connection, folder, tables))


def _count_as_not_fetched(connection: duckdb.DuckDBPyConnection, tables: Collection[str]) -> None:
    """Let the rows of these raw tables count as lost, so that they are fetched again."""
    connection.execute(
        f"UPDATE {NEW_DATA_LOG.name} SET outcome = ? WHERE list_contains(?, dataset) AND outcome = ?",
        [LOST, sorted(tables), FETCH_OK],
    )


def _first_line(text: object) -> str:
    return next(iter(str(text).strip().splitlines()), "no reason was given")


def _restore(warehouse: Warehouse, snapshot_folder: Path, problem: str, now: datetime) -> str:
    origin, unfinished = _build_from_newest(warehouse, snapshot_folder)
    text = f"{warehouse.path} could not be read ({problem})."
    aside = None
    if warehouse.path.exists():
        aside = aside_path(warehouse.path, now)
        text += f" It was set aside as {aside.name}: delete that file when you no longer need it."
    text += (
        f" All tables but the raw minutes were restored from snapshot {origin.version} of "
        f"{origin.as_of_utc:%Y-%m-%d %H:%M} UTC; the minutes are fetched again."
        if origin
        else " No snapshot could be read either: the new warehouse has the past months of history/, if there "
        "are any, and the rest is fetched again."
    )
    if aside is not None:
        aside.with_name(aside.name + ".txt").write_text(text + "\n", encoding="utf-8")
        warehouse.path.rename(aside)
    damage_note(warehouse.path).unlink(missing_ok=True)
    if log_of(warehouse.path).exists():
        log_of(warehouse.path).rename(log_of(aside or aside_path(warehouse.path, now)))
    unfinished.replace(warehouse.path)
    _log.error("%s", text)
    return text


def _build_from_newest(warehouse: Warehouse, folder: Path) -> tuple[Snapshot | None, Path]:
    """Make a warehouse from the newest snapshot that can be read whole; an empty one where none can.

    Raises NewerSchema where that snapshot was written by a newer version: its new columns would be lost.
    """
    for snapshot in snapshots.readable(folder):

        def fill(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot = snapshot) -> None:
            with _migrated(warehouse, snapshot) as origin:
                copy_rows(connection, warehouse, origin, leave_out=snapshots.NOT_PUBLISHED)
            _count_as_not_fetched(connection, snapshots.NOT_PUBLISHED)
            _add_history(connection, warehouse)

        if snapshot.source != warehouse.source:
            continue
        warehouse.schema.refuse_newer(snapshots.schema_version(snapshot), snapshot.path)
        try:
            return snapshot, warehouse.build_beside(fill)
        except duckdb.Error as error:
            # A full disk is no reason to pass over it: an older snapshot may fit, but would lose newer rows.
            if not is_fault_of_file(error):
                raise
            _log.warning("passing over %s: %s", snapshot.path.name, error)
    return None, warehouse.build_beside(lambda empty: _add_history(empty, warehouse))
