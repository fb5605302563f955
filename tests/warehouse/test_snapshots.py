"""Snapshots: whole, frozen, swapped at once, and never in the way of a writer."""

import os
import threading
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from co2_assets.contracts.tables import PREDICTIONS, TABLES
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_assets.warehouse.migrations import SCHEMA
from co2_assets.warehouse.snapshots import NOT_PUBLISHED, POINTER, Snapshot, current, opened, publish, query
from co2_assets.warehouse.views import VIEWS
from tests.support.warehouse_rows import PRICES, T0, predictions, prices

HOUR = timedelta(hours=1)
PRICE = "SELECT price_eur_per_mwh AS p FROM day_ahead_prices"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # A quote in a path is a trap: DuckDB attaches a file by a text in SQL.
    return tmp_path / "Grete's" / "snapshots"


def set_price(warehouse: Warehouse, price: float) -> None:
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: price}))


def publish_price(warehouse: Warehouse, folder: Path, price: float, keep: int = 3) -> Snapshot:
    set_price(warehouse, price)
    return publish(warehouse, folder, as_of_utc=T0, published_at_utc=T0 + HOUR, keep=keep)


def price_in(snapshot: Snapshot | None) -> float:
    assert snapshot is not None
    return float(query(snapshot, PRICE)["p"].iloc[0])


def test_nothing_is_current_before_the_first_publication(folder: Path) -> None:
    assert current(folder) is None
    folder.mkdir(parents=True)
    assert current(folder) is None


def test_what_is_published_is_current_and_says_what_it_is(warehouse: Warehouse, folder: Path) -> None:
    published = publish_price(warehouse, folder, 1.0)
    assert current(folder) == published
    assert (published.source, published.as_of_utc, published.published_at_utc) == ("simulator", T0, T0 + HOUR)
    assert query(published, "SELECT * FROM snapshot_info").to_dict("records") == [
        {
            "version": published.version,
            "source": "simulator",
            "as_of_utc": T0,
            "published_at_utc": T0 + HOUR,
            "schema_version": SCHEMA.version,
        }
    ]


def test_a_snapshot_holds_everything_but_the_raw_minutes(warehouse: Warehouse, folder: Path) -> None:
    snapshot = publish_price(warehouse, folder, 1.0)
    names = set(query(snapshot, "SELECT table_name FROM information_schema.tables")["table_name"])
    expected = {table.name for table in TABLES} | set(VIEWS) | {"snapshot_info"}
    assert names == expected - {"power_system_right_now", "co2_emission", "area_production"}
    freshness = query(snapshot, "SELECT * FROM dataset_freshness").set_index("dataset")
    assert freshness["row_count"].to_dict() == {
        "power_system_right_now": 0,
        "co2_emission": 0,
        "area_production": 0,
        "forecasts_hour": 0,
        "day_ahead_prices": 1,
        "co2_emission_prognosis": 0,
        "weather_forecast": 0,
    }


def test_the_views_work_in_a_snapshot(warehouse: Warehouse, folder: Path) -> None:
    issued = predictions(
        [{"issue_time_utc": T0, "target_hour_utc": T0, "model_version": "m", "lead_hours": 1}]
    )
    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, issued)
    snapshot = publish(warehouse, folder, as_of_utc=T0, published_at_utc=T0)
    for view in VIEWS:
        query(snapshot, f"SELECT * FROM {view}")
    assert query(snapshot, "SELECT model_version FROM current_forecast")["model_version"].tolist() == ["m"]
    assert query(snapshot, "SELECT ? AS n", [3])["n"].tolist() == [3]


def test_a_later_write_does_not_show_until_it_is_published(warehouse: Warehouse, folder: Path) -> None:
    publish_price(warehouse, folder, 1.0)
    set_price(warehouse, 2.0)
    assert price_in(current(folder)) == 1.0


def test_a_reader_keeps_the_snapshot_it_has_while_others_replace_it(
    warehouse: Warehouse, folder: Path
) -> None:
    first = publish_price(warehouse, folder, 1.0, keep=1)
    with opened(first) as reader:
        second = publish_price(warehouse, folder, 2.0, keep=1)
        assert not first.path.exists()
        assert reader.execute(PRICE).fetchall() == [(1.0,)]
        # The same process sees the new one beside it, and not the old under a new name.
        assert price_in(second) == 2.0
    with pytest.raises(SnapshotUnreadable, match=first.version):
        query(first, PRICE)


def test_readers_do_not_wait_for_a_writer(warehouse: Warehouse, folder: Path) -> None:
    publish_price(warehouse, folder, 1.0)
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: 2.0}))
        assert price_in(current(folder)) == 1.0


def test_several_threads_read_at_the_same_time(warehouse: Warehouse, folder: Path) -> None:
    snapshot = publish_price(warehouse, folder, 1.0)
    seen: list[float] = []
    threads = [threading.Thread(target=lambda: seen.append(price_in(snapshot))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == [1.0] * 4


def test_versions_grow_and_only_the_newest_stay(warehouse: Warehouse, folder: Path) -> None:
    published = [publish_price(warehouse, folder, float(i), keep=2) for i in range(4)]
    versions = [snapshot.version for snapshot in published]
    assert versions == sorted(set(versions))
    files = sorted(path.name for path in folder.iterdir())
    assert files == [*(f"{version}.duckdb" for version in versions[2:]), POINTER]


def test_publishing_twice_gives_the_same_content(warehouse: Warehouse, folder: Path) -> None:
    one = publish_price(warehouse, folder, 1.0)
    two = publish_price(warehouse, folder, 1.0)
    with opened(one) as before, opened(two) as after:
        for table in TABLES:
            if table.name not in NOT_PUBLISHED:
                sql = f"SELECT * FROM {table.name}"
                assert before.execute(sql).fetchall() == after.execute(sql).fetchall()


def test_at_least_the_current_snapshot_is_kept(warehouse: Warehouse, folder: Path) -> None:
    with pytest.raises(ValueError, match="keep is 0"):
        publish(warehouse, folder, as_of_utc=T0, published_at_utc=T0, keep=0)


@pytest.mark.parametrize("replacement", [1, 2], ids=["naming the file", "swapping the pointer"])
def test_a_crash_leaves_the_snapshot_before_current_and_whole(
    warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch, replacement: int
) -> None:
    before = publish_price(warehouse, folder, 1.0)
    replace, calls = os.replace, []

    def crash(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == replacement:
            raise OSError("the disk is gone")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        with pytest.raises(OSError, match="the disk is gone"):
            publish_price(warehouse, folder, 2.0)
    assert current(folder) == before
    assert price_in(before) == 1.0

    # The next run publishes as ever and clears away what the crash left.
    after = publish_price(warehouse, folder, 3.0)
    assert current(folder) == after
    assert price_in(after) == 3.0
    assert not list(folder.glob("*unfinished*"))


def test_a_crash_while_the_copy_is_made_leaves_the_snapshot_before(
    warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish_price(warehouse, folder, 1.0)

    def crash(table: object) -> str:
        raise MemoryError(f"{table}")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "table_ddl", crash)
        with pytest.raises(MemoryError):
            publish_price(warehouse, folder, 2.0)
    assert current(folder) == before
    assert price_in(publish_price(warehouse, folder, 3.0)) == 3.0


def test_with_a_broken_pointer_the_newest_readable_file_is_current(
    warehouse: Warehouse, folder: Path
) -> None:
    publish_price(warehouse, folder, 1.0)
    whole = publish_price(warehouse, folder, 2.0)
    damaged = publish_price(warehouse, folder, 3.0)
    damaged.path.write_bytes(b"no database")
    for content in ("", "{", "[]", "{}", '{"version": 7}', '{"version": "../../etc/passwd"}'):
        (folder / POINTER).write_text(content)
        assert current(folder) == whole, content
    (folder / POINTER).unlink()
    assert current(folder) == whole
    assert price_in(whole) == 2.0


def test_a_pointer_to_a_file_that_is_gone_falls_back(warehouse: Warehouse, folder: Path) -> None:
    before = publish_price(warehouse, folder, 1.0)
    publish_price(warehouse, folder, 2.0).path.unlink()
    assert current(folder) == before
    before.path.unlink()
    assert current(folder) is None


def noise(path: Path) -> None:
    """Overwrite what lies behind the headers: the file opens as before."""
    with path.open("r+b") as file:
        file.seek(4096 * 3 + 1000)
        file.write(b"noise" * 100_000)


def test_a_damaged_file_is_passed_over_for_the_one_before(
    warehouse: Warehouse, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = publish_price(warehouse, folder, 1.0)
    damaged = publish_price(warehouse, folder, 2.0)
    assert current(folder) == damaged
    noise(damaged.path)
    assert [current(folder) for _ in range(3)] == [before] * 3
    assert price_in(before) == 1.0
    # Told once, however often it is asked for.
    assert [damaged.path.name in record.getMessage() for record in caplog.records] == [True]
    after = publish_price(warehouse, folder, 3.0)
    assert current(folder) == after


def test_where_all_files_are_damaged_the_reader_is_told_by_the_one_pointed_to(
    warehouse: Warehouse, folder: Path
) -> None:
    publish_price(warehouse, folder, 1.0).path.write_bytes(b"no database")
    newest = publish_price(warehouse, folder, 2.0)
    newest.path.write_bytes(b"no database")
    # A reader that holds an older one open stays on it when this one cannot be opened.
    assert current(folder) == newest
    with pytest.raises(SnapshotUnreadable, match=newest.version):
        query(newest, PRICE)


def test_each_file_is_read_whole_once(
    warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[duckdb.DuckDBPyConnection] = []
    monkeypatch.setattr(snapshots, "read_everything", looks.append)
    publish_price(warehouse, folder, 1.0)
    threads = [threading.Thread(target=current, args=(folder,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(looks) == 1
    publish_price(warehouse, folder, 2.0)
    for _ in range(3):
        current(folder)
    assert len(looks) == 2


def test_a_shortage_of_the_machine_is_not_held_against_a_file(
    warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: duckdb.DuckDBPyConnection) -> None:
        raise duckdb.IOException('Cannot open file "x": Too many open files')

    published = publish_price(warehouse, folder, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "read_everything", fail)
        assert list(snapshots.readable(folder)) == []
    assert list(snapshots.readable(folder)) == [published]


def test_what_a_clock_that_ran_ahead_issued_hides_nothing_issued_since(
    warehouse: Warehouse, folder: Path
) -> None:
    def issued(hours: int) -> dict[str, object]:
        time = T0 + hours * HOUR
        return {"issue_time_utc": time, "target_hour_utc": time, "model_version": "m", "lead_hours": 1}

    def shown(hours: float) -> list[datetime]:
        now = T0 + hours * HOUR
        snapshot = publish(warehouse, folder, as_of_utc=now, published_at_utc=now)
        assert len(query(snapshot, "SELECT * FROM predictions")) == 3
        return list(query(snapshot, "SELECT issue_time_utc AS t FROM current_forecast")["t"])

    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, predictions([issued(0), issued(6), issued(240)]))
    assert shown(5.9) == [T0]
    assert shown(6) == [T0 + 6 * HOUR]
    assert shown(12) == [T0 + 6 * HOUR]
    # Its time comes: it is what was issued last, and says so itself by `as_of_utc`.
    assert shown(240) == [T0 + 240 * HOUR]
    # Before anything was issued there is no forecast.
    assert shown(-1) == []


def test_a_run_that_began_before_others_published_hides_nothing_of_theirs(
    warehouse: Warehouse, folder: Path
) -> None:
    later, ended = T0 + HOUR, T0 + 2 * HOUR
    row = {"issue_time_utc": later, "target_hour_utc": later, "model_version": "m", "lead_hours": 1}
    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, predictions([row]))
    publish(warehouse, folder, as_of_utc=later, published_at_utc=later)
    shown = publish(warehouse, folder, as_of_utc=T0, published_at_utc=ended)
    assert shown.as_of_utc == later
    assert len(query(shown, "SELECT * FROM current_forecast")) == 1
    # After the clock was set back, the time of a snapshot is not ahead of it.
    assert publish(warehouse, folder, as_of_utc=T0, published_at_utc=T0).as_of_utc == T0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO day_ahead_prices SELECT * FROM day_ahead_prices",
        "COPY day_ahead_prices TO 'stolen.csv'",
        "SELECT * FROM read_text('/etc/hostname')",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
    ],
)
def test_a_reader_can_touch_nothing_else(warehouse: Warehouse, folder: Path, statement: str) -> None:
    snapshot = publish_price(warehouse, folder, 1.0)
    with (
        opened(snapshot) as connection,
        pytest.raises(duckdb.Error, match=r"read-only|disabled|configuration"),
    ):
        connection.execute(statement)


def test_a_snapshot_explains_itself_too(warehouse: Warehouse, folder: Path) -> None:
    snapshot = publish_price(warehouse, folder, 1.0)
    comment = query(
        snapshot,
        "SELECT comment FROM duckdb_columns() "
        "WHERE table_name = 'predictions' AND column_name = 'q50_g_per_kwh'",
    )
    assert comment["comment"].tolist() == ["Forecast quantile 0.5. [g/kWh]"]
