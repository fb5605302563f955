"""Files and snapshots of version 4, which knew no production of the areas, are read as present ones."""

from pathlib import Path

import duckdb
import pandas as pd

from co2_assets.contracts.forecast_spec import FLOWS
from co2_assets.contracts.tables import AGGREGATED_DATA, ENGINEERED_FEATURES
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.migrations import SCHEMA
from tests.support.warehouse_rows import T0, filled

ROW = {"price_area": "DK1", "hour_utc": T0, "minutes_observed": 60, "co2_g_per_kwh": 90.0}
COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
    "WHERE table_schema = 'main' ORDER BY table_name, ordinal_position"
)


def wind_back(path: Path, version_table: str, version_column: str) -> None:
    """Make what version 4 wrote of a file: no flows and no production of the areas."""
    with duckdb.connect(path) as connection:
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        for (name,) in views:
            connection.execute(f"DROP VIEW {name}")
        for table in ("aggregated_data", "engineered_features"):
            for name in FLOWS:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        connection.execute("DROP TABLE IF EXISTS area_production")
        connection.execute(f"UPDATE {version_table} SET {version_column} = 4")


def test_a_file_of_version_4_ends_in_the_same_tables(warehouse: Warehouse) -> None:
    with warehouse.open_transaction() as transaction:
        transaction.upsert(AGGREGATED_DATA, filled(AGGREGATED_DATA, [ROW]))
    expected = warehouse.read(COLUMNS)
    wind_back(warehouse.path, "schema_version", "version")
    migrated = Warehouse(warehouse.path, "simulator", lock_timeout_s=10)
    pd.testing.assert_frame_equal(migrated.read(COLUMNS), expected)
    assert migrated.read("SELECT max(version) AS v FROM schema_version")["v"].tolist() == [SCHEMA.version]
    row = migrated.read("SELECT * FROM aggregated_data").iloc[0]
    assert row["co2_g_per_kwh"] == 90.0
    assert row[list(FLOWS)].isna().all()


def test_a_snapshot_of_version_4_is_read_with_the_present_columns(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with warehouse.open_transaction() as transaction:
        transaction.upsert(AGGREGATED_DATA, filled(AGGREGATED_DATA, [ROW]))
    snapshot = snapshots.publish(warehouse, tmp_path / "snapshots", as_of_utc=T0, published_at_utc=T0)
    wind_back(snapshot.path, "snapshot_info", "schema_version")
    features = snapshots.query(snapshot, "SELECT * FROM engineered_features")
    assert tuple(features.columns) == ENGINEERED_FEATURES.column_names
    rows = snapshots.query(snapshot, "SELECT * FROM aggregated_data")
    assert tuple(rows.columns) == AGGREGATED_DATA.column_names
    assert rows[list(FLOWS)].isna().all(axis=None)
    assert snapshots.query(snapshot, "SELECT * FROM prediction_outcomes").empty
