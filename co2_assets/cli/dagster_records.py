"""The SQLite files in which Dagster keeps its records of a home: are they damaged, and who holds them?"""

import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import psutil

from co2_assets.warehouse.errors import WarehouseBusy
from co2_assets.warehouse.files import aside_path
from co2_assets.warehouse.lock import exclusive

# How long to wait for another program, or for another start that looks through the files.
TIMEOUT_S = 30.0
# Files that SQLite keeps beside a database.
COMPANIONS = ("-wal", "-shm", "-journal")
# The low byte is the class of the error; the bytes above it tell its kinds apart.
ERROR_CLASS = 0xFF


def set_damaged_aside(dagster_home: Path, now: datetime) -> list[Path]:
    """Rename the files that SQLite calls damaged, so that Dagster makes new ones; return their new paths.

    Raises WarehouseBusy if another start looks through them for too long.
    """
    dagster_home.mkdir(parents=True, exist_ok=True)
    renamed = []
    with exclusive(dagster_home / "records.lock", TIMEOUT_S):
        for path in _files(dagster_home):
            if not _is_damaged(path):
                continue
            aside = aside_path(path, now)
            path.replace(aside)
            for companion in COMPANIONS:
                with suppress(FileNotFoundError):
                    path.with_name(path.name + companion).replace(aside.with_name(aside.name + companion))
            renamed.append(aside)
    return renamed


def wait_until_free(dagster_home: Path, timeout_s: float = TIMEOUT_S) -> None:
    """Wait until the files that each run writes can be written.

    Raises WarehouseBusy if another program holds one of them for longer than ``timeout_s`` seconds.
    """
    history = dagster_home / "history"
    for path in (history / "runs.db", history / "runs" / "index.db"):
        if not path.exists():
            continue
        try:
            with closing(sqlite3.connect(path, timeout=timeout_s, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if not is_held(error):
                raise
            raise WarehouseBusy(
                f"{path} is held by {_holders(path)} and was not free within {timeout_s:g} s; "
                "close that program and try again"
            ) from error


def is_held(error: BaseException) -> bool:
    """Return whether the error, or one that it came from, says that another program holds a file."""
    cause: BaseException | None = error
    while cause is not None:
        if _class_of(cause) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _class_of(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & ERROR_CLASS if isinstance(error, sqlite3.Error) and isinstance(code, int) else None


def _files(dagster_home: Path) -> list[Path]:
    return sorted([*dagster_home.glob("history/**/*.db"), *dagster_home.glob("schedules/*.db")])


def _is_damaged(path: Path) -> bool:
    """Return whether SQLite says that the file is damaged; no other error counts."""
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.DatabaseError as error:
        return _class_of(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def own_process() -> int:
    """Return the number of this process."""
    return os.getpid()


def _holders(path: Path) -> str:
    """Return the numbers of the other processes that have the file open, as far as we may see them."""
    own = own_process()
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != own and any(Path(file.path) == path for file in process.open_files()):
                found.append(str(process.pid))
    return f"process {', '.join(found)}" if found else "another process"
