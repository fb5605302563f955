"""Issued forecasts of past months: written to files, removed only where a file holds them, read together."""

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from co2_assets.contracts.tables import AGGREGATED_DATA, PREDICTIONS
from co2_assets.warehouse import issue_archive, month_files
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.issue_archive import archive_issues, issue_files, query_all
from co2_assets.warehouse.paths import SourceFolder
from co2_assets.warehouse.snapshots import Snapshot, opened, publish
from tests.support.warehouse_rows import filled, predictions

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FIRST = datetime(2023, 1, 31, 22)
NOW = datetime(2024, 6, 10, 3)
STATE = """
    SELECT cadence, kind, count(*) AS n, min(issued_at_utc) AS first_utc, max(issued_at_utc) AS last_utc
    FROM {} GROUP BY ALL ORDER BY ALL
"""


def issue(at: datetime, cadence: str, *, area: str = "DK", kind: str = "live") -> list[dict[str, object]]:
    return [
        {
            "price_area": area,
            "issue_time_utc": at.replace(minute=0),
            "target_hour_utc": at.replace(minute=0) + lead * HOUR,
            "issued_at_utc": at,
            "lead_hours": lead + 1,
            "cadence": cadence,
            "kind": kind,
            "q50_g_per_kwh": 100.0 + lead,
            "model_version": "m",
        }
        for lead in range(2)
    ]


def add(warehouse: Warehouse, rows: list[dict[str, object]]) -> None:
    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, predictions(rows))


def folder(warehouse: Warehouse) -> SourceFolder:
    return SourceFolder(warehouse.path.parent, warehouse.source)


def published(warehouse: Warehouse) -> Snapshot:
    return publish(warehouse, folder(warehouse).snapshots, as_of_utc=NOW, published_at_utc=NOW)


def stored(warehouse: Warehouse) -> pd.DataFrame:
    return warehouse.read("SELECT * FROM predictions ORDER BY ALL")


def files(warehouse: Warehouse) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in issue_files(folder(warehouse)).files()}


@pytest.fixture
def filled_warehouse(warehouse: Warehouse) -> Warehouse:
    """Sixteen months of issues, a few a month, of all cadences and kinds."""
    rows = []
    for days in range(0, (NOW - FIRST).days + 1, 6):
        at = FIRST + days * DAY
        rows += issue(at.replace(hour=18), "six_hour") + issue(at.replace(hour=19, minute=5), "hourly")
        rows += issue(at.replace(hour=19, minute=20), "update")
    rows += issue(NOW, "hourly") + issue(FIRST, "six_hour", kind="hindcast")
    # Long no longer forecast, so that all of it is still shown.
    rows += issue(FIRST, "hourly", area="DK1")
    hours = pd.date_range(FIRST, NOW, freq="6h").to_pydatetime()
    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, predictions(rows))
        transaction.upsert(
            AGGREGATED_DATA,
            filled(
                AGGREGATED_DATA,
                [{"price_area": "DK", "hour_utc": h, "co2_g_per_kwh": 90.0} for h in hours],
            ),
        )
    return warehouse


def test_past_months_are_written_and_what_no_page_shows_leaves_the_warehouse(
    filled_warehouse: Warehouse,
) -> None:
    before = stored(filled_warehouse)
    written, removed = archive_issues(filled_warehouse, now=NOW)
    after = stored(filled_warehouse)
    assert (written, removed) == (17, len(before) - len(after))
    by_cadence = after[(after["kind"] == "live") & (after["price_area"] == "DK")].groupby("cadence")
    oldest = by_cadence["issued_at_utc"].min()
    # Whole months that ended more than 45 and 400 days ago are gone.
    assert oldest["hourly"] >= datetime(2024, 4, 1)
    assert oldest["hourly"] < datetime(2024, 4, 26)
    assert oldest["update"] >= datetime(2024, 4, 1)
    assert datetime(2023, 5, 1) <= oldest["six_hour"] < datetime(2023, 5, 8)
    assert after["issued_at_utc"].max() == NOW
    assert len(after[after["kind"] == "hindcast"]) == len(after[after["price_area"] == "DK1"]) == 2


def test_all_are_read_once_with_their_outcomes(filled_warehouse: Warehouse) -> None:
    before = stored(filled_warehouse)
    outcomes = filled_warehouse.read("SELECT * FROM prediction_outcomes ORDER BY ALL")
    archive_issues(filled_warehouse, now=NOW)
    snapshot = published(filled_warehouse)
    everything = query_all(folder(filled_warehouse), snapshot, "SELECT * FROM all_predictions ORDER BY ALL")
    pd.testing.assert_frame_equal(everything, before)
    joined = query_all(folder(filled_warehouse), snapshot, "SELECT * FROM all_outcomes ORDER BY ALL")
    pd.testing.assert_frame_equal(joined, outcomes)
    # The query that the documents give, in a program of its own.
    pattern = folder(filled_warehouse).issues / "*.parquet"
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT count(*) FROM read_parquet('{pattern}', union_by_name = true)"
        ).fetchone()
    over = before[(before["kind"] == "live") & (before["issued_at_utc"] < datetime(2024, 6, 1))]
    assert rows == (len(over),)


def test_without_files_all_are_those_of_the_snapshot(filled_warehouse: Warehouse) -> None:
    snapshot = published(filled_warehouse)
    rows = query_all(folder(filled_warehouse), snapshot, "SELECT * FROM all_predictions ORDER BY ALL")
    pd.testing.assert_frame_equal(rows, stored(filled_warehouse))


def test_a_second_call_changes_nothing(filled_warehouse: Warehouse) -> None:
    archive_issues(filled_warehouse, now=NOW)
    rows, written = stored(filled_warehouse), files(filled_warehouse)
    assert archive_issues(filled_warehouse, now=NOW) == (0, 0)
    assert files(filled_warehouse) == written
    pd.testing.assert_frame_equal(stored(filled_warehouse), rows)


def test_rows_that_come_later_are_merged(filled_warehouse: Warehouse) -> None:
    archive_issues(filled_warehouse, now=NOW)
    before = query_all(folder(filled_warehouse), published(filled_warehouse), STATE.format("all_predictions"))
    # As after the loss of a warehouse: of a month that is long over, one issue is there again, one is new.
    old = datetime(2023, 3, 2, 18, 5)
    known = (FIRST + 30 * DAY).replace(hour=18)
    add(filled_warehouse, issue(known, "six_hour") + issue(old, "hourly"))
    assert archive_issues(filled_warehouse, now=NOW) == (1, 4)
    after = query_all(folder(filled_warehouse), published(filled_warehouse), STATE.format("all_predictions"))
    counts = (before.set_index(["cadence", "kind"])["n"], after.set_index(["cadence", "kind"])["n"])
    more = counts[1] - counts[0]
    assert more["hourly", "live"] == 2
    assert more["six_hour", "live"] == 0
    assert archive_issues(filled_warehouse, now=NOW) == (0, 0)


def test_a_missing_file_is_written_again(filled_warehouse: Warehouse) -> None:
    archive_issues(filled_warehouse, now=NOW)
    before = files(filled_warehouse)
    path = folder(filled_warehouse).issues / "2024-05.parquet"
    path.unlink()
    assert archive_issues(filled_warehouse, now=NOW) == (1, 0)
    with duckdb.connect() as connection:
        again = connection.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchone()
    assert files(filled_warehouse).keys() == before.keys()
    assert again is not None
    assert again[0] > 0


@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_a_damaged_file_is_set_aside_with_a_note(filled_warehouse: Warehouse, damage: str) -> None:
    archive_issues(filled_warehouse, now=NOW)
    path = folder(filled_warehouse).issues / "2024-05.parquet"
    whole = path.read_bytes()
    damaged = {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"not a table" * 9}[damage]
    path.write_bytes(damaged)
    assert archive_issues(filled_warehouse, now=NOW) == (1, 0)
    (aside,) = issue_files(folder(filled_warehouse)).set_aside()
    assert aside.read_bytes() == damaged
    note = aside.with_name(aside.name + ".txt").read_text(encoding="utf-8")
    assert "backup" in note
    assert archive_issues(filled_warehouse, now=NOW) == (0, 0)
    pattern = folder(filled_warehouse).issues / "*.parquet"
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT count(*) > 0 FROM read_parquet('{pattern}')").fetchone() == (True,)


@pytest.mark.parametrize("step", ["put_in_place", "_remove_outdated", "_remove_held"])
def test_a_kill_loses_nothing(
    filled_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = stored(filled_warehouse)

    class Killed(BaseException):
        pass

    calls = iter(range(100))
    module = "month_files" if step == "put_in_place" else "issue_archive"
    target = f"co2_assets.warehouse.{module}.{step}"
    original = getattr(issue_archive if module == "issue_archive" else month_files, step)

    def killed_at_the_third(*arguments: object) -> object:
        if next(calls) == 2 or step == "_remove_outdated":
            raise Killed
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(target, killed_at_the_third)
        with pytest.raises(Killed):
            archive_issues(filled_warehouse, now=NOW)
    query = "SELECT * FROM all_predictions ORDER BY ALL"
    now = query_all(folder(filled_warehouse), published(filled_warehouse), query)
    pd.testing.assert_frame_equal(now, before)
    archive_issues(filled_warehouse, now=NOW)
    now = query_all(folder(filled_warehouse), published(filled_warehouse), query)
    pd.testing.assert_frame_equal(now, before)
    assert not list(folder(filled_warehouse).issues.glob("*.unfinished"))


def test_rows_that_differ_from_the_file_stay(
    filled_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(filled_warehouse)
    with filled_warehouse.session() as connection:
        issue_files(folder(filled_warehouse)).write(connection, over_by=NOW, now=NOW)
    with filled_warehouse.open_transaction() as transaction:
        transaction.upsert(PREDICTIONS, before.iloc[[0]].assign(q50_g_per_kwh=1.0))
    # As if the files had not been brought up to date first.
    monkeypatch.setattr("co2_assets.warehouse.month_files.MonthFiles.write", lambda *_, **__: 0)
    archive_issues(filled_warehouse, now=NOW)
    kept = stored(filled_warehouse)
    assert (kept["q50_g_per_kwh"] == 1.0).sum() == 1
    assert len(kept) < len(before)


def test_under_a_clock_that_is_years_ahead_everything_stays(filled_warehouse: Warehouse) -> None:
    archive_issues(filled_warehouse, now=NOW)
    rows = stored(filled_warehouse)
    _, removed = archive_issues(filled_warehouse, now=NOW + 2000 * DAY)
    assert removed == 0
    pd.testing.assert_frame_equal(stored(filled_warehouse), rows)


def test_a_month_of_older_tables_is_read_and_merged(filled_warehouse: Warehouse) -> None:
    archive_issues(filled_warehouse, now=NOW)
    path = folder(filled_warehouse).issues / "2023-02.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE old AS SELECT * EXCLUDE (cadence, degraded_causes) FROM read_parquet('{path}')"
        )
        (count,) = connection.execute("SELECT count(*) FROM old").fetchone() or (0,)
        connection.execute(f"COPY old TO '{path}' (FORMAT parquet)")
    snapshot = published(filled_warehouse)
    query = "SELECT cadence FROM all_predictions WHERE date_trunc('month', issued_at_utc) = '2023-02-01'"
    assert query_all(folder(filled_warehouse), snapshot, query)["cadence"].isna().sum() == count
    add(filled_warehouse, issue(datetime(2023, 2, 3, 4, 5), "hourly"))
    archive_issues(filled_warehouse, now=NOW)
    merged = query_all(folder(filled_warehouse), published(filled_warehouse), query)["cadence"]
    assert (merged.isna().sum(), (merged == "hourly").sum()) == (count, 2)


def test_only_the_folder_of_the_files_can_be_read(filled_warehouse: Warehouse, tmp_path: Path) -> None:
    archive_issues(filled_warehouse, now=NOW)
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    snapshot = published(filled_warehouse)
    for sql in (f"FROM read_csv('{other}')", f"FROM '{filled_warehouse.path.parent}/*.csv'"):
        with pytest.raises(duckdb.PermissionException):
            query_all(folder(filled_warehouse), snapshot, sql)
    path = folder(filled_warehouse).issues / "2023-02.parquet"
    with opened(snapshot) as connection, pytest.raises(duckdb.PermissionException):
        connection.execute(f"FROM read_parquet('{path}')")


def test_a_home_with_signs_of_a_pattern_in_its_path_works(tmp_path: Path, empty_file: Path) -> None:
    root = tmp_path / "a[1]*b"
    root.mkdir()
    (root / "warehouse.duckdb").write_bytes(empty_file.read_bytes())
    warehouse = Warehouse(root / "warehouse.duckdb", "simulator", lock_timeout_s=10)
    add(warehouse, issue(FIRST, "hourly") + issue(NOW, "hourly"))
    before = stored(warehouse)
    assert archive_issues(warehouse, now=NOW) == (1, 2)
    assert archive_issues(warehouse, now=NOW) == (0, 0)
    rows = query_all(folder(warehouse), published(warehouse), "SELECT * FROM all_predictions ORDER BY ALL")
    pd.testing.assert_frame_equal(rows, before)
