"""The tables in DuckDB, and the migration of files that an older version wrote."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from co2_assets.contracts import Table
from co2_assets.contracts.sources import SOURCE_LABELS
from co2_assets.contracts.tables import TABLES
from co2_assets.contracts.time import utc_now
from co2_assets.warehouse.errors import NewerSchema, WarehouseCorrupt, WarehouseError, WrongSource
from co2_assets.warehouse.sql import quoted, text_literal
from co2_assets.warehouse.views import VIEWS

# What version 5 added, whatever later versions have: a migration never changes.
_TABLES_WITH_FLOWS = ("aggregated_data", "engineered_features")
_FLOWS_OF_VERSION_5 = tuple(
    f"exchange_{border}_mw"
    for border in ("great_belt", "germany", "netherlands", "great_britain", "norway", "sweden")
)

# For each version after the first, the SQL that migrates a file of the version before. A new file is
# created from `tables.TABLES` directly, so both ways must end in the same tables.
MIGRATIONS: Mapping[int, str] = {
    # Version 1 gave backfilled forecasts the kind of hindcasts.
    2: """
        UPDATE predictions SET kind = 'backfill' WHERE kind = 'hindcast'
            AND model_version IN (SELECT model_version FROM model_table WHERE trigger = 'backfill');
        UPDATE model_evaluations SET kind = 'backfill' WHERE kind = 'hindcast'
            AND model_version IN (SELECT model_version FROM model_table WHERE trigger = 'backfill');
    """,
    # Until version 2 only the six-hour job issued forecasts, and an hour had one by each model.
    3: """
        ALTER TABLE IF EXISTS predictions RENAME as_of_utc TO issued_at_utc;
        ALTER TABLE IF EXISTS predictions ADD COLUMN cadence VARCHAR DEFAULT 'six_hour';
        ALTER TABLE IF EXISTS predictions ALTER cadence SET NOT NULL;
        ALTER TABLE IF EXISTS predictions ALTER cadence DROP DEFAULT;
        ALTER TABLE IF EXISTS model_evaluations ADD COLUMN cadence VARCHAR DEFAULT 'six_hour';
        ALTER TABLE IF EXISTS model_evaluations ALTER cadence SET NOT NULL;
        ALTER TABLE IF EXISTS model_evaluations ALTER cadence DROP DEFAULT;
    """,
    # Until version 3 there was no weather forecast.
    4: """
        CREATE TABLE IF NOT EXISTS weather_forecast (
            point VARCHAR NOT NULL, hour_utc TIMESTAMP NOT NULL, published_at_utc TIMESTAMP NOT NULL,
            wind_speed_10m_m_per_s DOUBLE, wind_speed_100m_m_per_s DOUBLE,
            shortwave_radiation_w_per_m2 DOUBLE, temperature_2m_degc DOUBLE, cloud_cover_percent DOUBLE,
            fetched_at_utc TIMESTAMP NOT NULL
        );
    """,
    # Until version 4 the areas had no production of their own, and no flows were stored.
    5: """
        CREATE TABLE IF NOT EXISTS area_production (
            price_area VARCHAR NOT NULL, minute_utc TIMESTAMP NOT NULL,
            production_ge_100_mw DOUBLE, production_lt_100_mw DOUBLE, offshore_wind_mw DOUBLE,
            onshore_wind_mw DOUBLE, solar_mw DOUBLE, exchange_great_belt_mw DOUBLE,
            exchange_germany_mw DOUBLE, exchange_netherlands_mw DOUBLE, exchange_great_britain_mw DOUBLE,
            exchange_norway_mw DOUBLE, exchange_sweden_mw DOUBLE, exchange_bornholm_mw DOUBLE,
            fetched_at_utc TIMESTAMP NOT NULL
        );
    """
    + "".join(
        f"ALTER TABLE IF EXISTS {table} ADD COLUMN {flow} DOUBLE;"
        for table in _TABLES_WITH_FLOWS
        for flow in _FLOWS_OF_VERSION_5
    ),
}

# For a version, how a reader sees those tables of an older file that are different now: until the first run
# after an upgrade, the snapshot is one that the version before published, and a snapshot is never changed.
READ_AS: Mapping[int, Mapping[str, str]] = {
    3: {
        "predictions": """
            SELECT * EXCLUDE (as_of_utc), as_of_utc AS issued_at_utc, 'six_hour' AS cadence
            FROM snapshot.main.predictions
        """,
        "model_evaluations": "SELECT *, 'six_hour' AS cadence FROM snapshot.main.model_evaluations",
    },
    4: {
        "weather_forecast": """
            SELECT NULL::VARCHAR AS point, NULL::TIMESTAMP AS hour_utc, NULL::TIMESTAMP AS published_at_utc,
                NULL::DOUBLE AS wind_speed_10m_m_per_s, NULL::DOUBLE AS wind_speed_100m_m_per_s,
                NULL::DOUBLE AS shortwave_radiation_w_per_m2, NULL::DOUBLE AS temperature_2m_degc,
                NULL::DOUBLE AS cloud_cover_percent, NULL::TIMESTAMP AS fetched_at_utc
            WHERE false
        """,
    },
    # The rows of `area_production` are not published.
    5: {
        table: f"SELECT *, {', '.join(f'NULL::DOUBLE AS {flow}' for flow in _FLOWS_OF_VERSION_5)} "
        f"FROM snapshot.main.{table}"
        for table in _TABLES_WITH_FLOWS
    },
}

# No file has a version as high as this: a higher number is damage.
_VERSION_LIMIT = 10_000


@dataclass(frozen=True)
class Schema:
    """Tables, views (in the order in which they are created) and migrations from older versions."""

    tables: tuple[Table, ...] = TABLES
    views: Mapping[str, str] = field(default_factory=lambda: VIEWS)
    migrations: Mapping[int, str] = field(default_factory=lambda: MIGRATIONS)

    @property
    def version(self) -> int:
        """The version of the present tables; the first was 1."""
        return max(self.migrations, default=1)

    def create(self, connection: duckdb.DuckDBPyConnection, source: str) -> None:
        """Create every table and view in an empty database, in one transaction."""
        now = utc_now()
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
        """Check that the open file is a warehouse of ``source``, and migrate it where it is older.

        Raises WarehouseCorrupt, WrongSource or NewerSchema; the file is then unchanged.
        """
        version = self.check(connection, source, path)
        if version < self.version:
            self._migrate(connection, version)

    def check(self, connection: duckdb.DuckDBPyConnection, source: str, path: Path) -> int:
        """Check that the open file is a warehouse of ``source`` and not newer; return its version.

        Raises WarehouseCorrupt, WrongSource or NewerSchema.
        """
        found, version = _identity(connection, path)
        if found != source:
            raise WrongSource(
                f"{path} holds data of the source {found!r}, not {source!r}; choose --source {found} or "
                "another --home: the data of two sources are never mixed"
            )
        self.refuse_newer(version, path)
        return version

    def refuse_newer(self, version: int, path: Path) -> None:
        """Raise NewerSchema where ``version``, that of the file at ``path``, is newer than this program's."""
        if version > self.version:
            raise NewerSchema(
                f"{path} has schema version {version}, and this program knows up to {self.version}; "
                "install the newer program again, or choose another --home"
            )

    def missing(self, connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[Table], list[str]]:
        """Return the tables and the views that are not in the open file, which has this version.

        Raises WarehouseError where something that cannot be made again is gone.
        """
        rows = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_catalog = current_database() AND table_schema = 'main'"
        ).fetchall()
        columns: dict[str, set[str]] = {}
        for relation, column in rows:
            columns.setdefault(relation, set()).add(column)
        views = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = current_database() "
            "AND schema_name = 'main' AND NOT internal"
        ).fetchall()
        held_views = {name for (name,) in views}
        faults = [
            f"the table {table.name} lacks {', '.join(lacking)}"
            for table in self.tables
            if table.name in columns and (lacking := sorted(set(table.column_names) - columns[table.name]))
        ]
        faults += [
            f"{table.name} is a view, not a table" for table in self.tables if table.name in held_views
        ]
        faults += [
            f"{name} is a table, not a view" for name in self.views if name in set(columns) - held_views
        ]
        if faults:
            raise WarehouseError(
                f"{path} was changed by another program: {'; '.join(faults)}. Undo that, or move the file "
                "away: the next run restores what the newest snapshot holds"
            )
        return (
            [table for table in self.tables if table.name not in columns],
            [name for name in self.views if name not in held_views],
        )

    def has_additions(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Return whether the open file has tables in other schemas, or columns that our tables lack."""
        rows = connection.execute(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns "
            "WHERE table_catalog = current_database()"
        ).fetchall()
        ours = {table.name: set(table.column_names) for table in self.tables}
        return any(
            schema != "main" or (relation in ours and column not in ours[relation])
            for schema, relation, column in rows
        )

    def make_again(
        self, connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], views: Collection[str]
    ) -> None:
        """Create these tables and views; the caller has begun a transaction."""
        for table in tables:
            connection.execute(table_ddl(table))
        for name, sql in self.views.items():
            if name in views:
                connection.execute(f"CREATE VIEW {quoted(name)} AS {sql}")

    def _migrate(self, connection: duckdb.DuckDBPyConnection, version: int) -> None:
        connection.execute("BEGIN")
        self.migrate_tables(connection, version)
        for step in range(version + 1, self.version + 1):
            connection.execute("INSERT INTO schema_version VALUES (?, ?)", [step, utc_now()])
        for name, sql in self.views.items():
            connection.execute(f"CREATE VIEW {quoted(name)} AS {sql}")
        connection.execute("COMMIT")

    def migrate_tables(self, connection: duckdb.DuckDBPyConnection, version: int) -> None:
        """Drop the views of the current database, which has this version, and migrate its tables."""
        # A view keeps the columns that its tables had when it was created.
        rows = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()"
        ).fetchall()
        for (name,) in rows:
            connection.execute(f"DROP VIEW {quoted(name)}")
        for step in range(version + 1, self.version + 1):
            connection.execute(self.migrations[step])


SCHEMA = Schema()


def table_ddl(table: Table) -> str:
    """SQL that creates ``table``, with descriptions and units as comments.

    `Transaction` keeps the key unique and the contract checks verify it. There is no index: DuckDB
    reads an index only when it writes a row, so a damaged one would not be noticed by reading all
    rows, and would fail every run.
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
        raise WarehouseCorrupt(f"{path} is a DuckDB database, but not a warehouse; move it away") from error
    # Damage may put any value here. A version newer than ours is possible and no damage.
    if row is None or row[0] not in SOURCE_LABELS or row[1] not in range(1, _VERSION_LIMIT):
        raise WarehouseCorrupt(f"{path} does not name its source and version; move it away")
    return row[0], row[1]
