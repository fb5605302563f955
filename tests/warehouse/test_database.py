"""The file: who may open it, what it must be, and how it is brought up to date."""

from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from co2_assets.contracts import Column, Kind, Table
from co2_assets.contracts.tables import TABLES
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import NewerSchema, WarehouseCorrupt, WarehouseGone, WrongSource
from co2_assets.warehouse.migrations import SCHEMA, Schema
from co2_assets.warehouse.recovery import restore_if_damaged
from co2_assets.warehouse.transaction import WriteCount
from co2_assets.warehouse.views import VIEWS
from tests.support.warehouse_rows import PRICES, T0, prices

READINGS = Table(
    "readings",
    "Readings.",
    (Column("place", Kind.TEXT, "Where."), Column("power_kw", Kind.DOUBLE, "")),
    ("place",),
)
READINGS_IN_MW = Table(
    "readings",
    "Readings.",
    (
        Column("place", Kind.TEXT, "Where."),
        Column("power_mw", Kind.DOUBLE, ""),
        Column("note", Kind.TEXT, ""),
    ),
    ("place",),
)
FIRST = Schema((READINGS,), {"all_readings": "SELECT * FROM readings"}, {})
THIRD = Schema(
    (READINGS_IN_MW,),
    {"all_readings": "SELECT * FROM readings"},
    {
        2: "ALTER TABLE readings RENAME power_kw TO power_mw; UPDATE readings SET power_mw = power_mw / 1000",
        3: "ALTER TABLE readings ADD COLUMN note VARCHAR",
    },
)


def test_reading_makes_the_file_with_every_table_and_view(unmade: Warehouse) -> None:
    names = unmade.read("SELECT table_name FROM information_schema.tables")["table_name"]
    expected = {table.name for table in TABLES} | set(VIEWS) | {"schema_version", "warehouse_info"}
    assert set(names) == expected
    assert unmade.read("SELECT version FROM schema_version")["version"].tolist() == [SCHEMA.version]
    assert unmade.read("SELECT source FROM warehouse_info")["source"].tolist() == ["simulator"]


def test_the_file_explains_itself(warehouse: Warehouse) -> None:
    comments = warehouse.read(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'power_system_right_now' "
        "AND column_name = 'solar_mw'"
    )
    assert comments["comment"].tolist() == ["Solar production. [MW]"]


def test_a_read_cannot_write(warehouse: Warehouse) -> None:
    with pytest.raises(duckdb.TransactionException, match="read-only"):
        warehouse.read("DELETE FROM day_ahead_prices")


def test_a_query_never_sees_the_variables_of_the_program(warehouse: Warehouse) -> None:
    secret = pd.DataFrame({"a": [1]})
    with pytest.raises(duckdb.CatalogException):
        warehouse.read("SELECT * FROM secret")
    assert len(secret) == 1


def test_parameters_are_bound(warehouse: Warehouse) -> None:
    found = warehouse.read("SELECT $area AS area, $at AS at", {"area": "DK", "at": datetime(2024, 6, 1)})
    assert found.to_dict("records") == [{"area": "DK", "at": pd.Timestamp(2024, 6, 1)}]


def test_a_file_of_another_source_is_refused(warehouse: Warehouse) -> None:
    warehouse.read("SELECT 1")
    with pytest.raises(WrongSource, match=r"simulator.*live.*--home"):
        Warehouse(warehouse.path, "live").read("SELECT 1")


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="live, archive, simulator"):
        Warehouse(tmp_path / "w.duckdb", "invented")


def test_a_file_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    Warehouse(path, "live", schema=THIRD).read("SELECT 1")
    content = path.read_bytes()
    with pytest.raises(NewerSchema, match=r"schema version 3.*up to 1"):
        Warehouse(path, "live", schema=FIRST).read("SELECT 1")
    assert path.read_bytes() == content


def test_an_older_file_is_brought_forward_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with Warehouse(path, "live", schema=FIRST).open_transaction() as transaction:
        transaction.upsert(READINGS, pd.DataFrame({"place": ["a", "b"], "power_kw": [1000.0, 2000.0]}))

    newer = Warehouse(path, "live", schema=THIRD)
    migrated = newer.read("SELECT * FROM all_readings ORDER BY place")

    assert list(migrated.columns) == list(READINGS_IN_MW.column_names)
    assert migrated["power_mw"].tolist() == [1.0, 2.0]
    assert newer.read("SELECT version FROM schema_version ORDER BY 1")["version"].tolist() == [1, 2, 3]
    # The key is still a key, and new rows fit.
    rows = pd.DataFrame({"place": ["b", "c"], "power_mw": [2.0, 3.0], "note": None})
    with newer.open_transaction() as transaction:
        assert transaction.upsert(READINGS_IN_MW, rows) == WriteCount(new=1, unchanged=1)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    old = Warehouse(path, "live", schema=FIRST)
    with old.open_transaction() as transaction:
        transaction.upsert(READINGS, pd.DataFrame({"place": ["a"], "power_kw": [1000.0]}))
    broken = Schema(
        (READINGS_IN_MW,), {}, {**THIRD.migrations, 3: "ALTER TABLE nowhere ADD COLUMN x INTEGER"}
    )
    with pytest.raises(duckdb.CatalogException, match="nowhere"):
        Warehouse(path, "live", schema=broken).read("SELECT 1")
    assert old.read("SELECT * FROM all_readings")["power_kw"].tolist() == [1000.0]
    assert old.read("SELECT max(version) AS v FROM schema_version")["v"].tolist() == [1]


def test_a_new_file_starts_at_the_newest_version(tmp_path: Path) -> None:
    new = Warehouse(tmp_path / "warehouse.duckdb", "live", schema=THIRD)
    assert list(new.read("SELECT * FROM all_readings").columns) == list(READINGS_IN_MW.column_names)
    assert new.read("SELECT version FROM schema_version")["version"].tolist() == [3]


@pytest.mark.parametrize("damage", ["emptied", "overwritten", "cut short", "bits turned"])
def test_a_damaged_file_is_named(warehouse: Warehouse, damage: str) -> None:
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: 1.0}))
    whole = warehouse.path.read_bytes()
    warehouse.path.write_bytes(
        {
            "emptied": b"",
            "overwritten": b"<html>" * 1000,
            "cut short": whole[:100],
            "bits turned": bytes(~b & 0xFF for b in whole),
        }[damage]
    )
    with pytest.raises(WarehouseCorrupt, match=r"warehouse\.duckdb"):
        warehouse.read("SELECT * FROM day_ahead_prices")
    # Whole again, the lock is free and the rows are there.
    warehouse.path.write_bytes(whole)
    assert len(warehouse.read("SELECT * FROM day_ahead_prices")) == 1


def test_a_database_that_is_no_warehouse_is_refused(unmade: Warehouse) -> None:
    unmade.path.parent.mkdir()
    with duckdb.connect(unmade.path) as connection:
        connection.execute("CREATE TABLE holiday_photos (name VARCHAR)")
    with pytest.raises(WarehouseCorrupt, match="not a warehouse"):
        unmade.read("SELECT 1")


def test_a_file_half_made_is_made_anew(unmade: Warehouse) -> None:
    unmade.path.parent.mkdir()
    # What a kill leaves while the very first use makes the file.
    unmade.path.with_name("warehouse.duckdb.unfinished").write_bytes(b"half")
    unmade.path.with_name("warehouse.duckdb.unfinished.wal").write_bytes(b"half")
    assert unmade.read("SELECT count(*) AS n FROM day_ahead_prices")["n"].tolist() == [0]
    assert sorted(p.name for p in unmade.path.parent.iterdir()) == [
        "warehouse.duckdb",
        "warehouse.duckdb.lock",
    ]


def test_a_file_that_was_there_is_not_made_anew_by_its_next_use(warehouse: Warehouse) -> None:
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: 1.0}))
    warehouse.path.unlink()
    for _ in range(2):
        with pytest.raises(WarehouseGone, match=r"warehouse\.duckdb is gone.*the next run restores"):
            warehouse.read("SELECT 1")
    assert not warehouse.path.exists()


@pytest.mark.parametrize("trace", ["snapshots", "warehouse.duckdb.damaged-20240601T000000Z"])
def test_where_data_were_held_only_a_runs_first_look_makes_the_file(unmade: Warehouse, trace: str) -> None:
    folder = unmade.path.parent
    folder.mkdir()
    (folder / trace).mkdir()
    with pytest.raises(WarehouseGone):
        unmade.read("SELECT 1")
    restore_if_damaged(unmade, folder / "snapshots", now=T0)
    assert unmade.read("SELECT * FROM day_ahead_prices").empty


def test_the_first_look_at_a_new_home_makes_the_file_and_has_nothing_to_say(unmade: Warehouse) -> None:
    assert restore_if_damaged(unmade, unmade.path.parent / "snapshots", now=T0) is None
    assert unmade.path.exists()
    assert restore_if_damaged(unmade, unmade.path.parent / "snapshots", now=T0) is None


def test_no_connection_stays_open(warehouse: Warehouse) -> None:
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: 1.0}))
    with pytest.raises(duckdb.ConnectionException):
        transaction.read("SELECT 1")
    # Another mode in the same process is refused by DuckDB as long as the file is attached.
    with duckdb.connect(warehouse.path, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM day_ahead_prices").fetchall() == [(1,)]
