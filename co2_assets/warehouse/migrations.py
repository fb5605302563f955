"""The tables as DuckDB has them, and how an older file is brought up to date."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from co2_assets.contracts import Table
from co2_assets.contracts.sources import SOURCE_LABELS
from co2_assets.contracts.tables import TABLES
from co2_assets.warehouse.errors import NewerSchema, WarehouseCorrupt, WrongSource
from co2_assets.warehouse.sql import quoted, text_literal
from co2_assets.warehouse.views import VIEWS

# For each version after the first, the SQL that brings a file of the version before to it. A file
# that is new is made from `tables.TABLES` as they stand, so both ways must end in the same tables.
MIGRATIONS: Mapping[int, str] = {
    # Forecasts of backfills were once called hindcasts, as those of a champion's first week are.
    2: """
        UPDATE predictions SET kind = 'backfill' WHERE kind = 'hindcast'
            AND model_version IN (SELECT model_version FROM model_table WHERE trigger = 'backfill');
        UPDATE model_evaluations SET kind = 'backfill' WHERE kind = 'hindcast'
            AND model_version IN (SELECT model_version FROM model_table WHERE trigger = 'backfill');
    """,
}

# One schema a day for 27 years does not come this far.
_NO_VERSION = 10_000


@dataclass(frozen=True)
class Schema:
    """Tables, views (in the order they are made) and the way from older versions to them."""

    tables: tuple[Table, ...] = TABLES
    views: Mapping[str, str] = field(default_factory=lambda: VIEWS)
    migrations: Mapping[int, str] = field(default_factory=lambda: MIGRATIONS)

    @property
    def version(self) -> int:
        """The version of the tables as they stand; the first is 1."""
        return max(self.migrations, default=1)

    def create(self, connection: duckdb.DuckDBPyConnection, source: str) -> None:
        """Make every table and view in an empty database, in one transaction."""
        now = datetime.now(UTC).replace(tzinfo=None)
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE schema_version (version INTEGER, applied_at_utc TIMESTAMP)")
        connection.execute("INSERT INTO schema_version VALUES (?, ?)", [self.version, now])
        connection.execute("CREATE TABLE warehouse_info (source VARCHAR, created_at_utc TIMESTAMP)")
        connection.execute("INSERT INTO warehouse_info VALUES (?, ?)", [source, now])
        for table in self.tables:
            connection.execute(table_ddl(table))
        for name, sql in self.views.items():
            connection.execute(f"CREATE VIEW {quoted(name)} AS {sql}")
        connection.execute("COMMIT")

    def check_and_migrate(self, connection: duckdb.DuckDBPyConnection, source: str, path: Path) -> None:
        """Make sure that the open file is ours, of ``source`` and up to date, migrating it if not.

        Raises WarehouseCorrupt, WrongSource or NewerSchema; the file is then as it was.
        """
        version = self.check(connection, source, path)
        if version < self.version:
            self._migrate(connection, version)

    def check(self, connection: duckdb.DuckDBPyConnection, source: str, path: Path) -> int:
        """Make sure that the open file is ours, of ``source`` and no newer; return its version.

        Raises WarehouseCorrupt, WrongSource or NewerSchema.
        """
        made_for, version = _identity(connection, path)
        if made_for != source:
            raise WrongSource(
                f"{path} holds data of the source {made_for!r}, not {source!r}; choose --source "
                f"{made_for}, or another --home, for the two are never mixed"
            )
        self.refuse_newer(version, path)
        return version

    def refuse_newer(self, version: int, path: Path) -> None:
        """Raise NewerSchema where ``version``, that of the file at ``path``, is not known here yet."""
        if version > self.version:
            raise NewerSchema(
                f"{path} has schema version {version}, and this program knows up to {self.version}; "
                "install the newer program again, or choose another --home"
            )

    def _migrate(self, connection: duckdb.DuckDBPyConnection, version: int) -> None:
        connection.execute("BEGIN")
        # A view remembers the columns it was made with.
        rows = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        for (name,) in rows:
            connection.execute(f"DROP VIEW {quoted(name)}")
        for step in range(version + 1, self.version + 1):
            connection.execute(self.migrations[step])
            now = datetime.now(UTC).replace(tzinfo=None)
            connection.execute("INSERT INTO schema_version VALUES (?, ?)", [step, now])
        for name, sql in self.views.items():
            connection.execute(f"CREATE VIEW {quoted(name)} AS {sql}")
        connection.execute("COMMIT")


SCHEMA = Schema()


def table_ddl(table: Table) -> str:
    """SQL that makes ``table``, its meaning and units as comments.

    Its key is held by `Transaction` and looked at by the contract checks, not by an index: DuckDB
    reads an index only when a row is written, so damage to one would pass every look at the rows and
    fail every run.
    """
    return ";\n".join(_statements(table))


def _statements(table: Table) -> Iterator[str]:
    lines = [
        f"{quoted(column.name)} {column.kind.value}{'' if column.nullable else ' NOT NULL'}"
        for column in table.columns
    ]
    yield f"CREATE TABLE {quoted(table.name)} ({', '.join(lines)})"
    yield f"COMMENT ON TABLE {quoted(table.name)} IS {text_literal(table.description)}"
    for column in table.columns:
        comment = f"{column.description} [{column.unit}]" if column.unit else column.description
        yield f"COMMENT ON COLUMN {quoted(table.name)}.{quoted(column.name)} IS {text_literal(comment)}"


def _identity(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, int]:
    try:
        row = connection.execute(
            "SELECT (SELECT source FROM warehouse_info), (SELECT max(version) FROM schema_version)"
        ).fetchone()
    except duckdb.CatalogException as error:
        raise WarehouseCorrupt(f"{path} is a database, but not a warehouse; move it away") from error
    # A block in the wrong place may say anything; a newer program's word is believed.
    if row is None or row[0] not in SOURCE_LABELS or row[1] not in range(1, _NO_VERSION):
        raise WarehouseCorrupt(f"{path} does not say what it holds; move it away")
    return row[0], row[1]
