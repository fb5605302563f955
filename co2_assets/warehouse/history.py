"""Past months of the raw tables as Parquet files: ``HOME/SOURCE/history/TABLE/YYYY-MM.parquet``.

The warehouse keeps these rows, for trainings. Readers of a snapshot do not need them, but a warehouse that is
restored does, and the service keeps no earlier versions. A snapshot therefore leaves out the months that
a file covers, and a restored warehouse gets the rows of the snapshot and those of the files.
"""

import logging
from datetime import datetime, timedelta

import duckdb

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AVERAGED
from co2_assets.contracts.time import utc_now
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.month_files import MonthFiles
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.sql import quoted

# Rows may be revised for a week after their time, and versions are thinned out on the eighth day.
SETTLED_AFTER = timedelta(days=9)

_log = logging.getLogger(__name__)


def history_files(folder: SourceFolder) -> dict[str, MonthFiles]:
    """Return the files by raw table. The measured minutes have none: they can be fetched again."""
    return {
        dataset.name: MonthFiles(
            folder.history / dataset.name, dataset.table, dataset.time_column, dataset.table.key
        )
        for dataset in DATASETS
        if dataset not in AVERAGED
    }


def write_history(warehouse: Warehouse, *, now: datetime) -> int:
    """Write the past months that are not covered by their files; return how many."""
    folder = SourceFolder(warehouse.path.parent, warehouse.source)
    with warehouse.session() as connection:
        return sum(
            files.write(connection, over_by=now - SETTLED_AFTER, now=now)
            for files in history_files(folder).values()
        )


def restore_history(
    connection: duckdb.DuckDBPyConnection, folder: SourceFolder, tables: frozenset[str]
) -> set[str]:
    """Add the rows that the files have and these tables lack; return the tables with a damaged file.

    ``connection`` has a warehouse of the present version. A damaged file is set aside, with a note.
    """
    damaged = set()
    for name, files in history_files(folder).items():
        if name not in tables or not files.files():
            continue
        readable = [files.check(connection, path, utc_now()) for path in files.files()]
        if not all(readable):
            damaged.add(name)
        if not files.files():
            continue
        held = connection.execute(f"DESCRIBE SELECT * FROM {files.source()}").fetchall()
        columns = ", ".join(quoted(column) for column, *_ in held if column in files.table.column_names)
        key = ", ".join(map(quoted, files.table.key))
        connection.execute(
            f"INSERT INTO {quoted(name)} BY NAME SELECT {columns} FROM {files.source()} "
            f"ANTI JOIN {quoted(name)} USING ({key})"
        )
    return damaged
