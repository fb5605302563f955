"""A damaged database is set aside and restored; nothing that was published is lost."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pandas as pd
import pytest

from co2_assets.cli.output import status_table
from co2_assets.contracts import POWER_SYSTEM_RIGHT_NOW
from co2_assets.contracts.tables import TABLES
from co2_assets.pipeline.run import open_run
from co2_assets.pipeline.status import read_status
from co2_assets.settings import Settings
from co2_assets.warehouse import recovery, snapshots
from co2_assets.warehouse.corruption import damage_note, read_everything
from co2_assets.warehouse.errors import NewerSchema, WarehouseCorrupt, WarehouseError, WarehouseGone
from co2_assets.warehouse.migrations import SCHEMA
from co2_assets.warehouse.recovery import LEAST_COMPACTED_BYTES, LOST, compact, restore_if_damaged
from co2_assets.warehouse.views import VIEWS
from tests.support.resilience_runs import HOUR, T0, at, everything, fetch, folder, rows, warehouse

POWER = POWER_SYSTEM_RIGHT_NOW.name
NOW = T0 + 6 * HOUR

BLOCK, HEAD = 262_144, 12_288
NO_ROOM = duckdb.IOException("IO Error: Could not write file: No space left on device")

Damage = Callable[[Path, random.Random], None]


def truncated(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))


def overwritten(path: Path, chance: random.Random) -> None:
    # Long enough to meet rows, wherever they lie.
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(chance.randrange(size // 4))
        file.write(chance.randbytes(size // 2))


def with_another_head(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.write(chance.randbytes(12_288))


def emptied(path: Path, _chance: random.Random) -> None:
    path.write_bytes(b"")


def with_swapped_blocks(path: Path, chance: random.Random) -> None:
    """Whole blocks in the wrong places: every checksum is right, and the content anything."""
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 2, 4))):
        one, other = (
            slice(HEAD + n * BLOCK, HEAD + (n + 1) * BLOCK)
            for n in chance.sample(range((len(content) - HEAD) // BLOCK), 2)
        )
        content[one], content[other] = content[other], content[one]
    path.write_bytes(content)


def gone(path: Path, _chance: random.Random) -> None:
    path.unlink()


DAMAGES: dict[str, tuple[Damage, int]] = {
    "truncated": (truncated, 1),
    "overwritten with noise": (overwritten, 1),
    "overwritten at its head": (with_another_head, 2),
    "emptied": (emptied, 0),
    "gone": (gone, 0),
}


@pytest.fixture(scope="module")
def whole(first: Settings) -> dict[str, pd.DataFrame]:
    """Every table before anything was damaged."""
    return everything(first)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_database_is_set_aside_and_restored_from_the_snapshot(
    home: Settings, whole: dict[str, pd.DataFrame], name: str
) -> None:
    before = whole
    path = folder(home).database
    damage, seed = DAMAGES[name]
    damage(path, random.Random(seed))
    damaged = path.read_bytes() if path.exists() else None

    with open_run(at(home, NOW)) as pipeline:
        notice = pipeline.notice
    assert notice is not None
    assert "restored from snapshot" in notice
    after = everything(home)
    log = after.pop("new_data_log")
    assert after.pop(POWER).empty
    for table, content in after.items():
        pd.testing.assert_frame_equal(content, before[table])
    # The minutes count as never fetched, and what was fetched is still told.
    assert len(log) == len(before["new_data_log"])
    assert set(log[log["dataset"] == POWER]["outcome"]) == {LOST}

    set_aside = folder(home).set_aside
    if damaged is None:
        assert set_aside == []
    else:
        assert [file.read_bytes() for file in set_aside] == [damaged]
        snapshot = snapshots.current(folder(home).snapshots)
        assert snapshot is not None
        state = read_status(snapshot, home)
        assert state.set_aside == (notice,)
        assert set_aside[0].name in notice
        status_table(state)

    # Said once, and healed: the next run finds nothing amiss and gets the minutes again.
    with open_run(at(home, NOW)) as pipeline:
        assert pipeline.notice is None
    fetch(at(home, NOW), POWER_SYSTEM_RIGHT_NOW)
    again = rows(home, POWER)
    pd.testing.assert_frame_equal(again[again["minute_utc"] < T0].reset_index(drop=True), before[POWER])


def with_noise_somewhere(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.seek(chance.randrange(path.stat().st_size))
        file.write(chance.randbytes(20_000))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("damage", [with_noise_somewhere, with_swapped_blocks])
def test_what_passes_the_look_at_all_rows_can_be_written(home: Settings, damage: Damage, seed: int) -> None:
    damage(folder(home).database, random.Random(seed))
    restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW) is None
    with warehouse(home).open_transaction() as transaction:
        for table in TABLES:
            stored = transaction.read(f"SELECT * FROM {table.name}")
            assert transaction.upsert(table, stored).unchanged == len(stored)


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException("Corrupt database file: computed checksum 1 does not match 2"),
        duckdb.FatalException("FATAL Error: found mode 114, and checksum 1"),
        duckdb.InternalException("INTERNAL Error: Attempted to read checksum 1 past the end"),
        duckdb.IOException("Checkpoint failed for database: Original error: checksum 1 of a pointer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_damage_met_by_a_run_is_mended_by_the_next_though_all_rows_can_be_read(
    home: Settings, error: duckdb.Error
) -> None:
    with pytest.raises(WarehouseCorrupt), warehouse(home).session():
        raise error
    notice = restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert notice is not None
    assert "checksum 1" in notice
    assert not damage_note(folder(home).database).exists()
    assert restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW) is None


@pytest.mark.parametrize("error", [duckdb.FatalException, duckdb.InternalException, duckdb.BinderException])
def test_whatever_keeps_the_rows_from_being_read_is_damage(
    home: Settings, monkeypatch: pytest.MonkeyPatch, error: type[duckdb.Error]
) -> None:
    def fail(_connection: duckdb.DuckDBPyConnection) -> None:
        raise error("This block was written with a mode that is not recognized")

    # The same Warehouse goes on: what a fatal error has made unusable is let go of.
    held = warehouse(home)
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "read_everything", fail)
        notice = restore_if_damaged(held, folder(home).snapshots, now=NOW)
    assert notice is not None
    assert "a mode that is not recognized" in notice
    assert len(held.read("SELECT * FROM predictions"))
    assert restore_if_damaged(held, folder(home).snapshots, now=NOW) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE warehouse_info SET source = 'DK:hindcast'",
        "UPDATE schema_version SET version = 1852402531",
        "UPDATE schema_version SET version = -1",
    ],
)
def test_a_file_that_says_nonsense_of_itself_is_damaged(home: Settings, statement: str) -> None:
    with duckdb.connect(folder(home).database) as connection:
        connection.execute(statement)
    notice = restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert notice is not None
    assert "restored from snapshot" in notice
    assert len(rows(home, "predictions"))


def test_a_full_disk_is_no_damage(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise NO_ROOM

    path = folder(home).database
    content = path.read_bytes()
    with pytest.raises(duckdb.IOException, match="No space left"), warehouse(home).session():
        fail()
    assert not damage_note(path).exists()
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "read_everything", fail)
        with pytest.raises(duckdb.IOException, match="No space left"):
            restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert path.read_bytes() == content
    assert restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW) is None


def test_a_disk_too_full_to_restore_is_not_taken_for_damaged_snapshots(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise NO_ROOM

    emptied(folder(home).database, random.Random(0))
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "copy_rows", fail)
        with pytest.raises(duckdb.IOException, match="No space left"):
            restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert len(rows(home, "predictions"))


def test_a_database_gone_in_the_middle_of_a_run_is_restored_by_the_next(home: Settings) -> None:
    before = rows(home, "predictions")
    shown = snapshots.current(folder(home).snapshots)
    with open_run(at(home, NOW)) as pipeline:
        pipeline.warehouse.read("SELECT 1")
        folder(home).database.unlink()
        # Nothing empty is published over what was issued, by this run or by another program.
        with pytest.raises(WarehouseGone, match="the next run restores"):
            pipeline.publish()
        with pytest.raises(WarehouseGone), pipeline.warehouse.open_transaction():
            pass
        with pytest.raises(WarehouseGone):
            warehouse(home).read("SELECT 1")
    assert snapshots.current(folder(home).snapshots) == shown
    with open_run(at(home, NOW)) as pipeline:
        assert pipeline.notice is not None
        assert "restored from snapshot" in pipeline.notice
    assert rows(home, "predictions").equals(before)


def test_blocks_swapped_in_the_newest_snapshot_leave_readers_the_one_before_it(home: Settings) -> None:
    with open_run(home) as pipeline:
        older = pipeline.publish()
        newest = pipeline.publish()
    for seed in range(6):
        with_swapped_blocks(newest.path, random.Random(seed))
        assert snapshots.current(folder(home).snapshots) == older
    assert len(snapshots.query(older, "SELECT * FROM predictions"))


def test_noise_in_the_newest_snapshot_leaves_the_one_before_it(home: Settings) -> None:
    with open_run(home) as pipeline:
        older = pipeline.publish()
        newest = pipeline.publish()
    overwritten(newest.path, random.Random(1))
    truncated(folder(home).database, random.Random(1))
    notice = restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert notice is not None
    assert older.version in notice
    assert len(rows(home, "predictions"))


def test_without_any_readable_snapshot_an_empty_one_takes_its_place(home: Settings) -> None:
    for path in snapshots.newest_first(folder(home).snapshots):
        emptied(path, random.Random(0))
    emptied(folder(home).database, random.Random(0))
    notice = restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert notice is not None
    assert "No snapshot could be read either" in notice
    assert rows(home, "predictions").empty
    assert len(folder(home).set_aside) == 1


def test_damage_twice_at_one_instant_keeps_both_files(home: Settings) -> None:
    for _ in range(2):
        emptied(folder(home).database, random.Random(0))
        assert restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert len(folder(home).set_aside) == 2


def test_a_kill_between_setting_aside_and_restoring_loses_nothing(home: Settings) -> None:
    before = rows(home, "predictions")
    path = folder(home).database
    truncated(path, random.Random(1))
    path.rename(path.with_name(f"{path.name}.damaged-20241005T060000Z"))
    path.with_name(f"{path.name}.unfinished").write_bytes(b"half a file")
    assert restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert rows(home, "predictions").equals(before)


def test_a_damaged_log_of_a_killed_writer_is_set_aside_with_its_database(home: Settings) -> None:
    before = rows(home, "predictions")
    path = folder(home).database
    copy = path.with_name("copy.duckdb")
    copy.write_bytes(path.read_bytes())
    # What a kill leaves: the file and a log not yet written into it.
    connection = duckdb.connect(copy)
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
    connection.execute("DELETE FROM model_evaluations")
    connection.close()
    log = copy.with_name("copy.duckdb.wal").read_bytes()
    path.with_name(f"{path.name}.wal").write_bytes(log[:10] + bytes(len(log) - 10))
    notice = restore_if_damaged(warehouse(home), folder(home).snapshots, now=NOW)
    assert rows(home, "predictions").equals(before)
    assert notice is None or len(folder(home).set_aside) == 1


def test_a_newer_programs_database_is_left_alone(home: Settings) -> None:
    path = folder(home).database
    connection = duckdb.connect(path)
    connection.execute("INSERT INTO schema_version VALUES (99, now()::TIMESTAMP)")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(NewerSchema, match="install the newer program"), open_run(home):
        pass
    assert path.read_bytes() == content
    assert folder(home).set_aside == []


@pytest.mark.parametrize("damage", [gone, emptied])
def test_a_newer_programs_snapshot_is_not_restored_without_its_columns(
    home: Settings, damage: Damage
) -> None:
    path = folder(home).database
    snapshot = snapshots.current(folder(home).snapshots)
    assert snapshot is not None
    with duckdb.connect(snapshot.path) as connection:
        connection.execute("ALTER TABLE predictions ADD COLUMN newer INTEGER DEFAULT 1")
        connection.execute("UPDATE snapshot_info SET schema_version = 99")
    damage(path, random.Random(0))
    for _ in range(2):
        with pytest.raises(NewerSchema, match=r"snapshots.*install the newer program"), open_run(home):
            pass
    assert path.exists() == (damage is emptied)
    assert folder(home).set_aside == []


def test_damage_met_in_the_middle_of_a_run_is_named(home: Settings) -> None:
    overwritten(folder(home).database, random.Random(1))
    with pytest.raises(WarehouseCorrupt, match="the next run sets it aside"):
        everything(home)


def test_a_file_mostly_empty_is_written_anew_with_every_row(home: Settings) -> None:
    path = folder(home).database
    with warehouse(home).session() as connection:
        # Something has to lie behind the hole: an empty end is cut off by itself.
        for name, count in (("ballast", 6_000_000), ("last", 100_000)):
            connection.execute(f"CREATE TABLE {name} AS SELECT random() AS x FROM range({count})")
            connection.execute("CHECKPOINT")
        connection.execute("DROP TABLE ballast")
        connection.execute("CHECKPOINT")
    before, size = everything(home), path.stat().st_size
    assert compact(warehouse(home)) > LEAST_COMPACTED_BYTES
    assert path.stat().st_size < size - LEAST_COMPACTED_BYTES
    after = everything(home)
    assert all(after[name].equals(before[name]) for name in before)
    # Views and the file's own papers came along.
    with warehouse(home).open_transaction() as transaction:
        transaction.read("SELECT * FROM champions")
        assert transaction.read("SELECT * FROM schema_version")["version"].tolist() == [SCHEMA.version]
    assert compact(warehouse(home)) == 0


def test_an_outage_at_the_first_look_does_not_turn_live_data_into_the_simulators(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from co2_assets.pipeline import run as pipeline

    monkeypatch.setattr(pipeline, "obstacle_to_live", lambda *_, **__: "no network")
    unresolved = replace(home, source="auto", as_of=None)
    assert pipeline.resolve_source(unresolved) == "simulator"
    live = folder(home).root.parent / "live"
    (live / "snapshots").mkdir(parents=True)
    # The database is gone, but there was one.
    assert pipeline.resolve_source(unresolved) == "live"


def test_what_somebody_keeps_in_a_schema_of_their_own_is_no_damage(home: Settings) -> None:
    path = folder(home).database
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute("CREATE TABLE mine.t AS SELECT 1 AS a")
    with open_run(at(home, NOW)) as pipeline:
        assert pipeline.notice is None
        pipeline.publish()
    assert folder(home).set_aside == []
    assert len(rows(home, POWER))
    assert warehouse(home).read("SELECT a FROM mine.t")["a"].tolist() == [1]


def test_a_foreign_table_that_cannot_be_read_is_no_damage_unless_duckdb_says_so() -> None:
    class Fake:
        def __init__(self, error: duckdb.Error) -> None:
            self.error = error

        def execute(self, sql: str) -> Any:
            if "duckdb_tables" in sql:
                return SimpleNamespace(fetchall=lambda: [("mine", "t")])
            raise self.error

    def read(error: duckdb.Error) -> None:
        read_everything(cast("duckdb.DuckDBPyConnection", Fake(error)))

    read(duckdb.CatalogException("an extension is missing"))
    with pytest.raises(duckdb.IOException, match="Corrupt"):
        read(duckdb.IOException("Corrupt database file"))


def test_columns_that_somebody_added_do_not_stop_a_publication(home: Settings) -> None:
    before = len(rows(home, "predictions"))
    with duckdb.connect(folder(home).database) as connection:
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table.name} ADD COLUMN note VARCHAR")
    with open_run(at(home, NOW)) as pipeline:
        assert pipeline.notice is None
        snapshot = pipeline.publish()
    published = snapshots.query(snapshot, "SELECT * FROM predictions")
    assert len(published) == before
    assert "note" not in published
    with warehouse(home).open_transaction() as transaction:
        for table in TABLES:
            columns = ", ".join(table.column_names)
            stored = transaction.read(f"SELECT {columns} FROM {table.name}")
            assert transaction.upsert(table, stored).unchanged == len(stored)


def test_dropped_views_are_made_again(home: Settings) -> None:
    with duckdb.connect(folder(home).database) as connection:
        for name in VIEWS:
            connection.execute(f"DROP VIEW {name}")
    with open_run(at(home, NOW)) as pipeline:
        assert pipeline.notice is None
        pipeline.publish()
    for name in VIEWS:
        warehouse(home).read(f"SELECT * FROM {name}")


def test_a_dropped_table_is_made_again_with_what_was_published(home: Settings) -> None:
    before, log = rows(home, "predictions"), rows(home, "new_data_log")
    with duckdb.connect(folder(home).database) as connection:
        connection.execute("DROP TABLE predictions")
        connection.execute(f"DROP TABLE {POWER}")
    with open_run(at(home, NOW)) as pipeline:
        notice = pipeline.notice
    assert notice is not None
    assert "predictions" in notice
    assert POWER in notice
    assert rows(home, "predictions").equals(before)
    assert rows(home, POWER).empty
    after = rows(home, "new_data_log")
    assert set(after[after["dataset"] == POWER]["outcome"]) == {LOST}
    assert len(after) == len(log)
    with open_run(at(home, NOW)) as pipeline:
        assert pipeline.notice is None


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE predictions DROP COLUMN q50_g_per_kwh",
        "DROP VIEW champions; CREATE TABLE champions (a INTEGER)",
        "ALTER TABLE predictions RENAME TO kept; CREATE VIEW predictions AS SELECT * FROM kept",
    ],
)
def test_what_cannot_be_made_again_is_named_with_a_remedy(home: Settings, statement: str) -> None:
    with duckdb.connect(folder(home).database) as connection:
        connection.execute(statement)
    with pytest.raises(WarehouseError, match="move the file away"), open_run(at(home, NOW)):
        pass
    assert folder(home).set_aside == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE SCHEMA mine; CREATE TABLE mine.t AS SELECT 1 AS a",
        "ALTER TABLE predictions ADD COLUMN note VARCHAR",
    ],
)
def test_compacting_keeps_what_somebody_added(
    home: Settings, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    # So low that any file counts as mostly empty.
    monkeypatch.setattr(recovery, "max", lambda *_sizes: -(10**12), raising=False)
    with warehouse(home).session() as connection:
        connection.execute(statement)
    content = folder(home).database.read_bytes()
    assert compact(warehouse(home)) == 0
    assert folder(home).database.read_bytes() == content
