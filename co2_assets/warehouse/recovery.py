"""A warehouse that cannot be read is set aside, and another is made from the newest snapshot."""

import logging
from datetime import datetime
from pathlib import Path

import duckdb

from co2_assets.contracts.tables import NEW_DATA_LOG
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.corruption import damage_note, is_of_the_file, read_everything
from co2_assets.warehouse.database import Warehouse, log_of
from co2_assets.warehouse.errors import WarehouseCorrupt
from co2_assets.warehouse.paths import DAMAGED, SourceFolder
from co2_assets.warehouse.snapshots import Snapshot
from co2_assets.warehouse.sql import quoted, text_literal

# What a fetch's outcome becomes when its rows were lost: its window is asked for again.
LOST = "lost"

# A file smaller than this is not worth the writing.
LEAST_COMPACTED_BYTES = 8 * 2**20

_log = logging.getLogger(__name__)


def restore_if_damaged(warehouse: Warehouse, snapshot_folder: Path, *, now: datetime) -> str | None:
    """Read every row of ``warehouse``; where that fails or failed a run, or the file is gone, restore it.

    In a home that never held data an empty one is made. The damaged file is renamed, never deleted,
    and a text beside it says why. All tables but the raw minutes come from the newest snapshot that
    can be read; the minutes count as not fetched. Returns what was done as a sentence with its
    remedy, None where all is well. Raises WarehouseBusy, WrongSource and NewerSchema (of a snapshot
    too); a kill at any point leaves a file to be healed.
    """
    with warehouse.locked():
        if warehouse.path.exists():
            problem = _problem(warehouse)
            return None if problem is None else _restore(warehouse, snapshot_folder, problem, now)
        held_data = SourceFolder(warehouse.path.parent, warehouse.source).set_aside
        if held_data or snapshots.newest_first(snapshot_folder):
            return _restore(warehouse, snapshot_folder, "it is gone", now)
        warehouse.make_empty()
        return None


def compact(warehouse: Warehouse) -> int:
    """Write the file anew where more than half of it is empty; return by how many bytes it shrank.

    DuckDB gives nothing back by itself. A kill at any point leaves the file before or the one after.
    """
    with warehouse.locked():
        with warehouse.opened() as connection:
            row = connection.execute("SELECT block_size * used_blocks FROM pragma_database_size()").fetchone()
            versions = connection.execute("SELECT * FROM schema_version").fetchall()
            made = connection.execute("SELECT * FROM warehouse_info").fetchall()
        before = warehouse.path.stat().st_size
        used = row[0] if row else before
        if before - used <= max(used, LEAST_COMPACTED_BYTES):
            return 0

        def fill(connection: duckdb.DuckDBPyConnection) -> None:
            copy_rows(connection, warehouse, warehouse.path)
            for table, rows in (("schema_version", versions), ("warehouse_info", made)):
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

    ``leave_out`` names tables not to copy. A column that ``origin`` does not have is null.
    """
    connection.execute(f"ATTACH {text_literal(origin)} AS origin (READ_ONLY)")
    connection.execute("BEGIN")
    for table in warehouse.schema.tables:
        if table.name in leave_out:
            continue
        there = connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'origin' AND table_name = ?",
            [table.name],
        ).fetchall()
        columns = ", ".join(quoted(name) for (name,) in there if name in table.column_names)
        if columns:
            name = quoted(table.name)
            connection.execute(f"INSERT INTO {name} BY NAME SELECT {columns} FROM origin.main.{name}")
    connection.execute("COMMIT")
    connection.execute("DETACH origin")


def _problem(warehouse: Warehouse) -> str | None:
    """Say in a line what is wrong with the file that is there, or return None.

    Nothing is written, not even a migration, so that whatever fails is the fault of the file.
    """
    note = damage_note(warehouse.path)
    if note.exists():
        return _first_line(note.read_text(encoding="utf-8"))
    try:
        with warehouse.attached(warehouse.path) as connection:
            # Before what it says of itself: a damaged file may name a source or a version that it is not of.
            read_everything(connection)
            warehouse.schema.check(connection, warehouse.source, warehouse.path)
    except WarehouseCorrupt as error:
        return _first_line(error)
    except duckdb.Error as error:
        if not is_of_the_file(error):
            raise
        return _first_line(error)
    return None


def _first_line(text: object) -> str:
    return next(iter(str(text).strip().splitlines()), "it does not say why")


def _restore(warehouse: Warehouse, snapshot_folder: Path, problem: str, now: datetime) -> str:
    origin, unfinished = _made_from_newest(warehouse, snapshot_folder)
    text = f"{warehouse.path} could not be read ({problem})."
    aside = None
    if warehouse.path.exists():
        aside = _free_name(warehouse.path, now)
        text += f" It was set aside as {aside.name}: delete that file once nothing more is wanted of it."
    text += (
        f" All tables but the raw minutes were restored from snapshot {origin.version} of "
        f"{origin.as_of_utc:%Y-%m-%d %H:%M} UTC; the minutes are fetched again."
        if origin
        else " No snapshot could be read either, so an empty one takes its place and is filled again."
    )
    if aside is not None:
        aside.with_name(aside.name + ".txt").write_text(text + "\n", encoding="utf-8")
        warehouse.path.rename(aside)
    damage_note(warehouse.path).unlink(missing_ok=True)
    if log_of(warehouse.path).exists():
        log_of(warehouse.path).rename(log_of(aside or _free_name(warehouse.path, now)))
    unfinished.replace(warehouse.path)
    _log.error("%s", text)
    return text


def _made_from_newest(warehouse: Warehouse, folder: Path) -> tuple[Snapshot | None, Path]:
    """Make a warehouse from the newest snapshot that can be read whole; empty when none can.

    Raises NewerSchema where that one has columns that would be lost.
    """
    for snapshot in snapshots.readable(folder):

        def fill(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot = snapshot) -> None:
            copy_rows(connection, warehouse, snapshot.path, leave_out=snapshots.NOT_PUBLISHED)
            connection.execute(
                f"UPDATE {NEW_DATA_LOG.name} SET outcome = ? "
                "WHERE list_contains(?, dataset) AND outcome = 'ok'",
                [LOST, sorted(snapshots.NOT_PUBLISHED)],
            )

        if snapshot.source != warehouse.source:
            continue
        warehouse.schema.refuse_newer(snapshots.schema_version(snapshot), snapshot.path)
        try:
            return snapshot, warehouse.build_beside(fill)
        except duckdb.Error as error:
            # On a full disk an older snapshot, or none at all, would fit and lose what this one holds.
            if not is_of_the_file(error):
                raise
            _log.warning("passing over %s: %s", snapshot.path.name, error)
    return None, warehouse.build_beside(lambda _empty: None)


def _free_name(path: Path, now: datetime) -> Path:
    """Return a name that says when, and that nothing has."""
    stem = f"{path.name}{DAMAGED}{now:%Y%m%dT%H%M%SZ}"
    number = 1
    while (aside := path.with_name(stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return aside
