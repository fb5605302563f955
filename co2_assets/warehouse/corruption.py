"""What a damaged file looks like, held apart from a machine that lacks room, memory or leave."""

import re
from pathlib import Path

import duckdb

from co2_assets.warehouse.sql import quoted

# How DuckDB 2.0 words what only a damaged file gives; it has no error class of its own for it.
_DAMAGE = re.compile(
    r"Corrupt|not a valid DuckDB database|Could not read enough bytes|Failed to deserialize|"
    r"replaying WAL",
    re.IGNORECASE,
)
# How it words what a whole file gives where the machine is at its end; the second line is the system's.
_MACHINE = re.compile(
    r"Could not (?:write|truncate|sync|fsync|remove|move)|Cannot open|Could not set lock|Out of Memory|"
    r"No space left|File too large|quota exceeded|Read-only file system|Permission denied|"
    r"Too many open files|Cannot allocate memory|No such file",
    re.IGNORECASE,
)


def read_everything(connection: duckdb.DuckDBPyConnection) -> None:
    """Read all rows of the current database, so that DuckDB holds every block against its checksum.

    0.1 s for 300,000 rows. Raises what DuckDB raises; see `is_of_the_file`.
    """
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
    ).fetchall()
    for (name,) in tables:
        connection.execute(f"SELECT bit_xor(hash(t)) FROM {quoted(name)} t").fetchall()


def is_of_the_file(error: Exception) -> bool:
    """Whether what came of only reading a file, no more, is the file's fault and not the machine's.

    Whole blocks in the wrong place have good checksums, and DuckDB takes them for whatever they look
    like: the error may then be of any class, and say anything.
    """
    return not _MACHINE.search(str(error))


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error of any statement, which may be at fault itself, is that of a damaged file.

    A fatal or an internal error is never that of a statement, nor is a failed checkpoint.
    """
    if _DAMAGE.search(str(error)):
        return True
    is_deep = isinstance(error, duckdb.FatalException | duckdb.InternalException)
    return (is_deep or "Checkpoint failed" in str(error)) and is_of_the_file(error)


def damage_note(path: Path) -> Path:
    """Where a use that met damage leaves word of it, for the run that mends it.

    Not all damage shows when the rows are read: some blocks are looked at by writes only.
    """
    return path.with_name(path.name + ".damage")
