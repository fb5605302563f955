"""Past months of the raw tables: in files, not in snapshots, and in a restored warehouse again."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.history import history_files, write_history
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.recovery import restore_if_damaged
from co2_assets.warehouse.snapshots import Snapshot, publish
from tests.support.warehouse_rows import PRICES, PROGNOSIS, prices, prognosis

HOUR = timedelta(hours=1)
NOW = datetime(2024, 6, 20)
QUERIES = {
    name: f"SELECT * FROM {name} ORDER BY ALL" for name in ("day_ahead_prices", "co2_emission_prognosis")
}


def folder(warehouse: Warehouse) -> SourceFolder:
    return SourceFolder(warehouse.path.parent, warehouse.source)


def published(warehouse: Warehouse) -> Snapshot:
    return publish(warehouse, folder(warehouse).snapshots, as_of_utc=NOW, published_at_utc=NOW)


def stored(warehouse: Warehouse) -> dict[str, pd.DataFrame]:
    return {name: warehouse.read(sql) for name, sql in QUERIES.items()}


def assert_same(warehouse: Warehouse, before: dict[str, pd.DataFrame]) -> None:
    for name, rows in stored(warehouse).items():
        pd.testing.assert_frame_equal(rows, before[name])


@pytest.fixture
def old(warehouse: Warehouse) -> Warehouse:
    """Three months of prices and of two versions of the prognosis."""
    times = pd.date_range("2024-04-01", NOW, freq="12h").to_pydatetime()
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({time: float(time.day) for time in times}))
        for version in (1, 2):
            rows = [
                prognosis({time: 100.0 + version}, published=time - 9 * HOUR + version * HOUR)
                for time in times
            ]
            transaction.append_vintages(PROGNOSIS, pd.concat(rows, ignore_index=True))
    return warehouse


def test_a_snapshot_leaves_out_what_the_files_cover(old: Warehouse) -> None:
    before = stored(old)
    assert write_history(old, now=NOW) == 4
    assert_same(old, before)
    snapshot = published(old)
    for name, sql in QUERIES.items():
        time = history_files(folder(old))[name].time
        young = before[name][before[name][time] >= datetime(2024, 6, 1)].reset_index(drop=True)
        pd.testing.assert_frame_equal(snapshots.query(snapshot, sql), young)
    assert write_history(old, now=NOW) == 0


def test_a_month_is_written_when_its_rows_have_settled(old: Warehouse) -> None:
    assert write_history(old, now=datetime(2024, 6, 9, 23)) == 2
    assert write_history(old, now=datetime(2024, 6, 10)) == 2


def test_a_month_with_a_revised_row_is_published_until_its_file_has_it(old: Warehouse) -> None:
    write_history(old, now=NOW)
    with old.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({datetime(2024, 4, 1): -5.0}, fetched=NOW))
    query = "SELECT count(*) AS n FROM day_ahead_prices WHERE time_utc < '2024-05-01'"
    assert snapshots.query(published(old), query)["n"].iloc[0] == 60
    assert write_history(old, now=NOW) == 1
    assert snapshots.query(published(old), query)["n"].iloc[0] == 0


@pytest.mark.parametrize("loss", ["damaged", "gone", "table"])
def test_a_restored_warehouse_has_every_version_again(old: Warehouse, loss: str) -> None:
    write_history(old, now=NOW)
    published(old)
    before = stored(old)
    if loss == "damaged":
        old.path.write_bytes(b"\0" * 9000)
    elif loss == "gone":
        old.path.unlink()
    else:
        with old.session() as connection:
            connection.execute("DROP TABLE co2_emission_prognosis")
    assert restore_if_damaged(old, folder(old).snapshots, now=NOW)
    assert_same(old, before)


def test_without_a_snapshot_the_files_are_not_lost(old: Warehouse) -> None:
    write_history(old, now=NOW)
    published(old)
    before = stored(old)
    old.path.write_bytes(b"\0" * 9000)
    for path in folder(old).snapshots.glob("*.duckdb"):
        path.write_bytes(b"\0" * 9000)
    assert restore_if_damaged(old, folder(old).snapshots, now=NOW)
    rows = old.read(QUERIES["co2_emission_prognosis"])
    past = before["co2_emission_prognosis"]
    past = past[past["minute_utc"] < datetime(2024, 6, 1)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, past)


def test_a_damaged_month_is_set_aside_and_its_table_counts_as_not_fetched(old: Warehouse) -> None:
    with old.session() as connection:
        connection.execute(
            "INSERT INTO new_data_log BY NAME SELECT "
            "unnest(['co2_emission_prognosis', 'day_ahead_prices']) AS dataset, "
            "TIMESTAMP '2024-06-01' AS fetched_at_utc, fetched_at_utc AS window_from_utc, "
            "fetched_at_utc AS window_to_utc, 'recent' AS purpose, 'ok' AS outcome"
        )
    write_history(old, now=NOW)
    published(old)
    files = history_files(folder(old))["co2_emission_prognosis"]
    files.path(datetime(2024, 4, 1)).write_bytes(b"damaged")
    old.path.write_bytes(b"\0" * 9000)
    restore_if_damaged(old, folder(old).snapshots, now=NOW)
    outcomes = old.read("SELECT dataset, outcome FROM new_data_log").set_index("dataset")["outcome"]
    assert outcomes.to_dict() == {"co2_emission_prognosis": "lost", "day_ahead_prices": "ok"}
    assert len(files.set_aside()) == 1
    months = old.read("SELECT DISTINCT month(minute_utc) AS m FROM co2_emission_prognosis ORDER BY m")["m"]
    assert months.tolist() == [5, 6]


def test_a_damaged_month_is_written_again_while_the_warehouse_has_it(old: Warehouse) -> None:
    write_history(old, now=NOW)
    files = history_files(folder(old))["day_ahead_prices"]
    files.path(datetime(2024, 4, 1)).write_bytes(b"damaged")
    query = "SELECT count(*) AS n FROM day_ahead_prices WHERE time_utc < '2024-05-01'"
    assert snapshots.query(published(old), query)["n"].iloc[0] == 60
    assert write_history(old, now=NOW) == 1
    assert len(files.set_aside()) == 1
    assert write_history(old, now=NOW) == 0
