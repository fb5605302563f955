"""Writing rows into tables: by column name, and one row for each key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pandas as pd

from co2_assets.contracts import FETCHED_AT, VINTAGE, Dataset, Table
from co2_assets.warehouse.errors import BadRows
from co2_assets.warehouse.sql import Parameters, query_frame, quoted


@dataclass(frozen=True)
class WriteCount:
    """How many of the given rows were new, changed a stored row, or changed nothing; each counts once."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


class Transaction:
    """Reads and writes of one transaction. It can be used until the block that opened it ends.

    The rows of every write are a DataFrame with all of the table's columns, in any order, and no
    others. Every write raises BadRows, and writes nothing, when a column is missing or unknown, a
    key is null or repeated, a value that must not be null is null, or a value does not fit its type.
    "Values" below are the columns outside the key, without ``fetched_at_utc``: a row that was only
    fetched again is unchanged.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def read(self, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Run one query; it sees what this transaction has written."""
        return query_frame(self._connection, sql, parameters)

    def upsert(self, table: Table, rows: pd.DataFrame, *, overwrite_with_null: bool = True) -> WriteCount:
        """Add the rows whose key is new, and overwrite the stored rows whose values differ.

        A stored row with the same values stays as it is, with its ``fetched_at_utc``. Without
        ``overwrite_with_null`` a stored value is kept where the given one is null.
        """
        given = "given.{0}" if overwrite_with_null else "coalesce(given.{0}, kept.{0})"
        with self._staged(table, rows) as staged:
            changed = self._count(
                f"UPDATE {quoted(table.name)} AS kept SET {_each(_others(table), f'{{0}} = {given}')} "
                f"FROM {staged} AS given WHERE {_each(table.key, 'kept.{0} = given.{0}', ' AND ')} "
                f"AND ({_each(_values(table), f'kept.{{0}} IS DISTINCT FROM {given}', ' OR ')})"
            )
            new = self._insert_absent(table, staged)
        return WriteCount(new, changed, len(rows) - new - changed)

    def insert_missing(self, table: Table, rows: pd.DataFrame) -> WriteCount:
        """Add the rows whose key is new. Stored rows stay as they are, even where the given values differ."""
        with self._staged(table, rows) as staged:
            new = self._insert_absent(table, staged)
        return WriteCount(new, 0, len(rows) - new)

    def append_vintages(self, table: Table, rows: pd.DataFrame) -> WriteCount:
        """Add versions of rows that the service overwrites.

        The key without VINTAGE identifies a row; VINTAGE tells its versions apart. A given version is
        stored only if its values differ from those of the version before it. ``new`` counts first
        versions, ``changed`` revisions. What is stored is never rewritten. ValueError for a table
        that keeps no vintages.
        """
        if not table.keeps_vintages:
            raise ValueError(f"{table.name} keeps no vintages: no {VINTAGE} among {', '.join(table.key)}")
        same = ", ".join(quoted(name) for name in table.key if name != VINTAGE)
        values = _each(_values(table), "{0} := {0}")
        columns = ", ".join(map(quoted, table.column_names))
        name = quoted(table.name)
        with self._staged(table, rows) as staged:
            # Each version is compared with the one just before it, stored or given. If that one is not
            # stored, it equals the version before itself, so the comparison is still right.
            self._connection.execute(
                f"CREATE TEMP TABLE kept_versions AS "
                f"WITH versions AS ("
                f"  SELECT {columns}, true AS is_given "
                f"  FROM {staged} ANTI JOIN {name} USING ({_list(table.key)}) "
                f"  UNION ALL "
                f"  SELECT {columns}, false FROM {name} SEMI JOIN {staged} USING ({same})"
                f"), compared AS ("
                f"  SELECT *, struct_pack({values}) AS present, lag(present) OVER earlier AS previous, "
                f"  row_number() OVER earlier = 1 AS is_first FROM versions "
                f"  WINDOW earlier AS (PARTITION BY {same} ORDER BY {quoted(VINTAGE)})"
                f") SELECT {columns}, is_first FROM compared "
                f"WHERE is_given AND (is_first OR present IS DISTINCT FROM previous)"
            )
            new = self._count("SELECT count(*) FROM kept_versions WHERE is_first")
            kept = self._count(f"INSERT INTO {name} BY NAME SELECT {columns} FROM kept_versions")
            self._connection.execute("DROP TABLE kept_versions")
        return WriteCount(new, kept - new, len(rows) - kept)

    def remove(self, table: Table, condition: str, parameters: Parameters = ()) -> int:
        """Remove the rows for which ``condition``, an SQL expression, is true; return how many."""
        return self._count(f"DELETE FROM {quoted(table.name)} WHERE {condition}", parameters)

    def _insert_absent(self, table: Table, staged: str) -> int:
        return self._count(
            f"INSERT INTO {quoted(table.name)} BY NAME "
            f"SELECT * FROM {staged} ANTI JOIN {quoted(table.name)} USING ({_list(table.key)})"
        )

    def _count(self, sql: str, parameters: Parameters = ()) -> int:
        row = self._connection.execute(sql, parameters).fetchone()
        if row is None:
            raise RuntimeError(f"no count from: {sql}")
        return int(row[0])

    @contextmanager
    def _staged(self, table: Table, rows: pd.DataFrame) -> Iterator[str]:
        """Give the name of a temporary table that holds ``rows``, checked, in the table's types."""
        _check(table, rows)
        names = [quoted(name) for name in table.column_names]
        # Explicit casts: pandas has no type for an all-null column. TRY_CAST, because a failed CAST
        # would end the transaction; what TRY_CAST turns into null shows in the counts.
        casts = ", ".join(
            f"TRY_CAST({quoted(column.name)} AS {column.kind.value}) AS {quoted(column.name)}"
            for column in table.columns
        )
        counts = ", ".join(f"count({name})" for name in names)
        self._connection.register("given_frame", rows)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE given_rows AS SELECT {casts} FROM given_frame"
        )
        given, cast = (
            self._connection.execute(f"SELECT {counts} FROM {source}").fetchall()[0]
            for source in ("given_frame", "given_rows")
        )
        self._connection.unregister("given_frame")
        unfit = [
            f"{before - after} values of {column.name} are not of type {column.kind.value}"
            for column, before, after in zip(table.columns, given, cast, strict=True)
            if before != after
        ]
        if unfit:
            raise BadRows(f"rows for {table.name} cannot be written: {'; '.join(unfit)}")
        yield "given_rows"
        self._connection.execute("DROP TABLE given_rows")


def _check(table: Table, rows: pd.DataFrame) -> None:
    """Raise BadRows, which names every fault of ``rows``."""
    given = list(rows.columns)
    faults = []
    if missing := [name for name in table.column_names if name not in given]:
        faults.append(f"missing columns: {', '.join(missing)}")
    if unknown := [str(name) for name in given if name not in table.column_names]:
        faults.append(f"unknown columns: {', '.join(unknown)}")
    if not rows.columns.is_unique:
        faults.append("two columns have the same name")
    if not faults:
        required = [c.name for c in table.columns if not c.nullable or c.name in table.key]
        faults += [f"{name} is null in {n} rows" for name in required if (n := int(rows[name].isna().sum()))]
        if repeated := int(rows.duplicated(subset=list(table.key)).sum()):
            faults.append(f"{repeated} rows repeat the key ({', '.join(table.key)}) of another")
        faults += [
            f"{name} has a time zone, and naive UTC is expected"
            for name in given
            if isinstance(rows[name].dtype, pd.DatetimeTZDtype)
        ]
    if faults:
        raise BadRows(f"rows for {table.name} cannot be written: {'; '.join(faults)}")


def _others(table: Table) -> list[str]:
    return [name for name in table.column_names if name not in table.key]


def _values(table: Table) -> list[str]:
    return [name for name in _others(table) if name != FETCHED_AT.name]


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, names))


def _each(names: list[str] | tuple[str, ...], form: str, between: str = ", ") -> str:
    return between.join(form.format(quoted(name)) for name in names)


def store_rows(dataset: Dataset, rows: pd.DataFrame, transaction: Transaction) -> WriteCount:
    """Write rows of a raw table: add vintages where it keeps them, else update the stored rows."""
    if dataset.keeps_vintages:
        return transaction.append_vintages(dataset.table, rows)
    # The service revises values. A null in place of an earlier value is a fault, not a revision.
    return transaction.upsert(dataset.table, rows, overwrite_with_null=False)
