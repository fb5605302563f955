"""Issued forecasts of past months as Parquet files by time of issue: ``HOME/SOURCE/issues/YYYY-MM.parquet``.

All that was issued is kept. Once a month is over, its live forecasts of every cadence are written to its
file. From the warehouse, and so from the snapshots and the pages, they go after a time, and only if the file
is seen to hold them. Hindcasts and backfills stay in the warehouse. This reads all, in
any program with DuckDB::

    SELECT * FROM read_parquet('HOME/SOURCE/issues/*.parquet', union_by_name = true)

and `query_all` reads them together with those that the snapshot has.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pandas as pd

from co2_assets.contracts.forecast_spec import Cadence, ForecastKind
from co2_assets.contracts.tables import PREDICTIONS
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.month_files import MonthFiles, as_pattern
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.snapshots import Snapshot, opened
from co2_assets.warehouse.sql import Parameters, interval, query_frame, quoted, text_literal
from co2_assets.warehouse.views import outcomes_of

# How long the warehouse, and with it the pages, keeps the live forecasts of each cadence at least: of the
# six-hour ones the year that the page of past forecasts offers. The others are many.
KEPT_FOR: Final = {
    Cadence.SIX_HOUR: timedelta(days=400),
    Cadence.HOURLY: timedelta(days=45),
    Cadence.UPDATE: timedelta(days=45),
}
ALL_PREDICTIONS: Final = "all_predictions"
ALL_OUTCOMES: Final = "all_outcomes"
_KEY = ", ".join(map(quoted, PREDICTIONS.key))
_KEPT_FOR = " ".join(f"WHEN '{cadence}' THEN {interval(span)}" for cadence, span in KEPT_FOR.items())
# Whole months, so that a file is compared with the table once a month. Each area has a clock of its own: a
# run under a clock that is years ahead, or an area that is no longer forecast, loses nothing that is shown.
_OUTDATED = f"""
    p.kind = '{ForecastKind.LIVE}' AND c.price_area = p.price_area
    AND date_trunc('month', p.issued_at_utc) + INTERVAL 1 MONTH
        <= c.clock_utc - CASE p.cadence {_KEPT_FOR} END
"""


def issue_files(folder: SourceFolder) -> MonthFiles:
    """Return the files of the issued forecasts of one source."""
    return MonthFiles(
        folder.issues,
        PREDICTIONS,
        "issued_at_utc",
        ("price_area", "issued_at_utc", "target_hour_utc", "model_version", "issue_time_utc"),
        f"kind = '{ForecastKind.LIVE}'",
    )


def archive_issues(warehouse: Warehouse, *, now: datetime) -> tuple[int, int]:
    """Write the months that are over, and remove what has been in its file for long enough.

    Returns how many months were written and how many rows left the warehouse; with nothing to do, it only
    compares each month with the note in its file. A kill at any point loses nothing.
    """
    files = issue_files(SourceFolder(warehouse.path.parent, warehouse.source))
    with warehouse.session() as connection:
        written = files.write(connection, over_by=now, now=now)
        removed = _remove_outdated(connection, files, now)
        if removed:
            # The files now cover less: without this they would be compared with the table at each run.
            files.write(connection, over_by=now, now=now)
    return written, removed


def query_all(
    folder: SourceFolder, snapshot: Snapshot, sql: str, parameters: Parameters = ()
) -> pd.DataFrame:
    """Run one query on ``snapshot``, where ``all_predictions`` has every forecast that was ever issued.

    Each row is there once, from the snapshot or from a file. ``all_outcomes`` has them with what came true,
    with the columns of ``prediction_outcomes``. Besides the snapshot, only the folder of the files can be
    accessed.
    """
    files = issue_files(folder)
    columns = ", ".join(map(quoted, PREDICTIONS.column_names))
    everything = f"SELECT {columns} FROM predictions"
    if files.files():
        everything += (
            f" UNION ALL BY NAME (SELECT * FROM {files.source()} ANTI JOIN predictions USING ({_KEY}))"
        )
    with opened(snapshot, beside=folder.issues) as connection:
        connection.execute(f"CREATE TEMP VIEW {ALL_PREDICTIONS} AS {everything}")
        connection.execute(f"CREATE TEMP VIEW {ALL_OUTCOMES} AS {outcomes_of(ALL_PREDICTIONS)}")
        return query_frame(connection, sql, parameters)


def oldest_issue(folder: SourceFolder, snapshot: Snapshot, area_name: str) -> datetime | None:
    """Return when the oldest live forecast that is kept was issued; None where there is none."""
    oldest = query_all(
        folder,
        snapshot,
        f"SELECT min(issued_at_utc) AS oldest_utc FROM {ALL_PREDICTIONS} "
        f"WHERE price_area = ? AND kind = '{ForecastKind.LIVE}'",
        [area_name],
    )["oldest_utc"].iloc[0]
    return None if pd.isna(oldest) else pd.Timestamp(oldest).to_pydatetime()


def _remove_outdated(connection: duckdb.DuckDBPyConnection, files: MonthFiles, now: datetime) -> int:
    """Remove the outdated rows that their month's file holds, value for value; return how many."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE area_clocks AS
        SELECT price_area, least(CAST(? AS TIMESTAMP), max(issued_at_utc), (
            SELECT max(hour_utc) FROM aggregated_data a WHERE a.price_area = p.price_area
        )) AS clock_utc
        FROM predictions p WHERE kind = '{ForecastKind.LIVE}' GROUP BY price_area
        """,
        [now],
    )
    months = connection.execute(
        "SELECT DISTINCT date_trunc('month', p.issued_at_utc) AS month "
        f"FROM predictions p, area_clocks c WHERE {_OUTDATED} ORDER BY month"
    ).fetchall()
    removed = 0
    for (month,) in months:
        path = files.path(month)
        if path.exists() and files.check(connection, path, now):
            removed += _remove_held(connection, path)
    connection.execute("DROP TABLE area_clocks")
    return removed


def _remove_held(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    same = " AND ".join(
        f"p.{quoted(name)} IS NOT DISTINCT FROM f.{quoted(name)}"
        if name not in PREDICTIONS.key
        else f"p.{quoted(name)} = f.{quoted(name)}"
        for name in PREDICTIONS.column_names
    )
    row = connection.execute(
        f"DELETE FROM predictions AS p USING area_clocks AS c, "
        f"read_parquet({text_literal(as_pattern(path))}) AS f WHERE {_OUTDATED} AND {same}"
    ).fetchone()
    return int(row[0]) if row else 0
