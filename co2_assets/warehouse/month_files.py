"""Whole months of a table as Parquet files beside the database: ``FOLDER/YYYY-MM.parquet``.

A file gets each row of its month that the table ever had at the time of writing, and never loses one: rows
that come later are merged into it. It notes which rows of the table it covers, so that a run that has
nothing to write reads only these notes.
"""

import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from co2_assets.contracts import Table
from co2_assets.warehouse.corruption import is_fault_of_file
from co2_assets.warehouse.files import UNFINISHED, aside_path, put_in_place, unfinished_path
from co2_assets.warehouse.paths import DAMAGED
from co2_assets.warehouse.sql import quoted, text_literal

SUFFIX = ".parquet"
_MONTH = re.compile(r"\d{4}-\d{2}")
# The key of the note in the metadata of a file.
_COVERS = "covers"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MonthFiles:
    """The files in ``folder`` of those rows of ``table`` for which the SQL condition ``chosen`` holds.

    The column ``time`` says which month a row belongs to; ``order`` is that of the rows in a file.
    """

    folder: Path
    table: Table
    time: str
    order: tuple[str, ...]
    chosen: str = "true"

    def path(self, month: datetime) -> Path:
        """Return where the file of a month lies; it need not be there."""
        return self.folder / f"{month:%Y-%m}{SUFFIX}"

    def files(self) -> list[Path]:
        """Return the files, oldest month first."""
        paths = self.folder.glob(f"*{SUFFIX}")
        return sorted(path for path in paths if _MONTH.fullmatch(path.stem))

    def set_aside(self) -> list[Path]:
        """Return the damaged files that were set aside, oldest month first."""
        return sorted(path for path in self.folder.glob(f"*{DAMAGED}*") if path.suffix != ".txt")

    def source(self) -> str:
        """Return SQL that names all files as one table. A column that a file lacks is null in its rows.

        Two migrations never gave one name to different things, so a file of any version can be read.
        """
        return f"read_parquet([{', '.join(map(_literal, self.files()))}], union_by_name = true)"

    def uncovered(self, connection: duckdb.DuckDBPyConnection) -> list[datetime]:
        """Return the months of which the table has rows that are not in their file as they are."""
        notes = self._notes(connection)
        return [month for month, present in self._present(connection) if notes.get(month) != present]

    def write(self, connection: duckdb.DuckDBPyConnection, *, over_by: datetime, now: datetime) -> int:
        """Write the uncovered months that ended by ``over_by``; return how many.

        A row of the table takes the place of one with the same key in the file. A file that cannot be read
        is set aside with a note. A kill at any point leaves each file as it was or as it is to be. The
        caller holds the lock of the warehouse.
        """
        due = [month for month in self.uncovered(connection) if _end(month) <= over_by]
        for month in due:
            self._write_month(connection, month, now)
        return len(due)

    def check(self, connection: duckdb.DuckDBPyConnection, path: Path, now: datetime) -> bool:
        """Read a whole file; where it is damaged set it aside, with a note, and return False."""
        try:
            connection.execute(f"SELECT bit_xor(hash(f)) FROM read_parquet({_literal(path)}) f").fetchall()
        except duckdb.Error as error:
            if not is_fault_of_file(error):
                raise
            self._put_aside(path, error, now)
            return False
        return True

    def _write_month(self, connection: duckdb.DuckDBPyConnection, month: datetime, now: datetime) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(f"*{UNFINISHED}"):
            leftover.unlink()
        path = self.path(month)
        unfinished = unfinished_path(path)
        name, columns = quoted(self.table.name), _list(self.table.column_names)
        rows = f"SELECT {columns} FROM {name} WHERE {self.rows_of(month)}"
        merged = "SELECT * FROM own"
        if path.exists() and self.check(connection, path, now):
            merged += (
                f" UNION ALL BY NAME (SELECT * FROM read_parquet({_literal(path)}) "
                f"ANTI JOIN own USING ({_list(self.table.key)}))"
            )
        note = dict(self._present(connection, self.rows_of(month)))[month]
        connection.execute(
            f"COPY (WITH own AS MATERIALIZED ({rows}) {merged} ORDER BY {_list(self.order)}) "
            f"TO {text_literal(unfinished)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, "
            f"KV_METADATA {{{_COVERS}: {text_literal(json.dumps(note))}}})"
        )
        put_in_place(unfinished, path)

    def rows_of(self, month: datetime) -> str:
        """Return the SQL condition for the rows of a month."""
        name = quoted(self.time)
        return f"{self.chosen} AND {name} >= TIMESTAMP '{month}' AND {name} < TIMESTAMP '{_end(month)}'"

    def _present(
        self, connection: duckdb.DuckDBPyConnection, condition: str | None = None
    ) -> list[tuple[datetime, list[int]]]:
        """Return for each month of the table the number of its rows and a checksum of their values."""
        time = quoted(self.time)
        # DuckDB groups by small integers in half the time that it takes for dates.
        rows = connection.execute(
            f"SELECT 12 * year({time}) + month({time}) - 1 AS month, count(*), "
            f"bit_xor(hash({_list(self.table.column_names)})) "
            f"FROM {quoted(self.table.name)} WHERE {condition or self.chosen} GROUP BY month ORDER BY month"
        ).fetchall()
        return [
            (datetime(month // 12, month % 12 + 1, 1), [count, checksum]) for month, count, checksum in rows
        ]

    def _notes(self, connection: duckdb.DuckDBPyConnection) -> dict[datetime, list[int]]:
        """Return what each file covers; nothing for a file that cannot be read, which `write` mends."""
        paths = self.files()
        if not paths:
            return {}
        try:
            return _notes_in(connection, paths)
        except duckdb.Error as error:
            if not is_fault_of_file(error):
                raise
        notes: dict[datetime, list[int]] = {}
        for path in paths:
            try:
                notes |= _notes_in(connection, [path])
            except duckdb.Error as error:
                if not is_fault_of_file(error):
                    raise
                _log.warning("%s cannot be read: %s", path, error)
        return notes

    def _put_aside(self, path: Path, error: Exception, now: datetime) -> None:
        aside = aside_path(path, now)
        text = (
            f"{path} could not be read ({next(iter(str(error).splitlines()), '')}). It was set aside as "
            f"{aside.name}, and a new file has the rows of its month that the warehouse still holds. Put a "
            f"copy from a backup in its place, if you have one, and delete {aside.name}."
        )
        # The note first: a kill between the two leaves a file that is found damaged again.
        aside.with_name(aside.name + ".txt").write_text(text + "\n", encoding="utf-8")
        path.rename(aside)
        _log.error("%s", text)


def _notes_in(connection: duckdb.DuckDBPyConnection, paths: list[Path]) -> dict[datetime, list[int]]:
    rows = connection.execute(
        f"SELECT file_name, decode(value) FROM parquet_kv_metadata([{', '.join(map(_literal, paths))}]) "
        f"WHERE decode(key) = '{_COVERS}'"
    ).fetchall()
    return {_month_of(Path(name)): json.loads(note) for name, note in rows}


def _month_of(path: Path) -> datetime:
    year, month = path.stem.split("-")
    return datetime(int(year), int(month), 1)


def _end(month: datetime) -> datetime:
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1)


def as_pattern(path: Path) -> str:
    """Return a path in the form that `read_parquet`, which takes patterns, reads as this very path."""
    return re.sub(r"([*\[])", r"[\1]", str(path))


def _literal(path: Path) -> str:
    return text_literal(as_pattern(path))


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, names))
