"""Rows go in by name and by key, once, and come out as they went in."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import POWER_SYSTEM_RIGHT_NOW, Table
from co2_assets.contracts.tables import AGGREGATED_DATA, TABLES
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import BadRows
from co2_assets.warehouse.transaction import WriteCount
from tests.support.warehouse_rows import PRICES, PROGNOSIS, T0, filled, prices, prognosis

HOUR = timedelta(hours=1)
LATER = T0 + 6 * HOUR
ALL_PRICES = "SELECT * FROM day_ahead_prices ORDER BY price_area, time_utc"
ALL_VINTAGES = "SELECT published_at_utc, co2_g_per_kwh FROM co2_emission_prognosis ORDER BY ALL"


def upsert(warehouse: Warehouse, rows: pd.DataFrame) -> WriteCount:
    with warehouse.open_transaction() as transaction:
        return transaction.upsert(PRICES, rows)


def append(warehouse: Warehouse, rows: pd.DataFrame) -> WriteCount:
    with warehouse.open_transaction() as transaction:
        return transaction.append_vintages(PROGNOSIS, rows)


def test_upsert_counts_what_is_new_changed_and_unchanged(warehouse: Warehouse) -> None:
    assert upsert(warehouse, prices({T0: 10.0, T0 + HOUR: 20.0})) == WriteCount(new=2)

    second = prices({T0: 10.0, T0 + HOUR: 21.0, T0 + 2 * HOUR: 30.0}, fetched=LATER)
    assert upsert(warehouse, second) == WriteCount(new=1, changed=1, unchanged=1)

    stored = warehouse.read(ALL_PRICES)
    assert stored["price_eur_per_mwh"].tolist() == [10.0, 21.0, 30.0]
    # What did not change keeps the time at which it was first fetched.
    assert stored["fetched_at_utc"].tolist() == [T0, LATER, LATER]


def test_repeating_an_upsert_changes_nothing_even_when_fetched_again(warehouse: Warehouse) -> None:
    upsert(warehouse, prices({T0: 10.0, T0 + HOUR: None}))
    before = warehouse.read(ALL_PRICES)

    again = upsert(warehouse, prices({T0: 10.0, T0 + HOUR: None}, fetched=LATER))

    assert again == WriteCount(unchanged=2)
    pd.testing.assert_frame_equal(warehouse.read(ALL_PRICES), before)


@pytest.mark.parametrize(("first", "second"), [(None, 10.0), (10.0, None)])
def test_a_value_that_comes_or_goes_is_a_change(
    warehouse: Warehouse, first: float | None, second: float | None
) -> None:
    upsert(warehouse, prices({T0: first}))
    assert upsert(warehouse, prices({T0: second})) == WriteCount(changed=1)
    stored = warehouse.read(ALL_PRICES)["price_eur_per_mwh"]
    assert stored.isna().tolist() == [second is None]


def test_columns_go_in_by_name_whatever_their_order(warehouse: Warehouse) -> None:
    rows = prices({T0: 10.0})
    upsert(warehouse, rows[rows.columns[::-1]])
    pd.testing.assert_frame_equal(
        warehouse.read(ALL_PRICES), rows.astype({"fetched_at_utc": "datetime64[us]"})
    )


def test_the_index_of_the_frame_means_nothing(warehouse: Warehouse) -> None:
    rows = pd.concat([prices({T0: 10.0}), prices({T0 + HOUR: 11.0})])
    assert upsert(warehouse, rows) == WriteCount(new=2)


def test_an_empty_frame_writes_nothing_and_empties_nothing(warehouse: Warehouse) -> None:
    upsert(warehouse, prices({T0: 10.0}))
    nothing = prices({}).iloc[:0]
    with warehouse.open_transaction() as transaction:
        assert transaction.upsert(PRICES, nothing) == WriteCount()
        assert transaction.insert_missing(PRICES, nothing) == WriteCount()
        assert transaction.append_vintages(PROGNOSIS, prognosis({}, published=T0)) == WriteCount()
    assert len(warehouse.read(ALL_PRICES)) == 1


def test_both_clock_changes_keep_every_hour_apart(warehouse: Warehouse) -> None:
    # Danish clocks read 02:00-03:00 twice on 2024-10-27 and never on 2024-03-31; UTC knows neither.
    autumn = datetime(2024, 10, 26, 22)
    spring = datetime(2024, 3, 30, 23)
    rows = prices({start + h * HOUR: float(h) for start, n in ((autumn, 25), (spring, 23)) for h in range(n)})
    assert upsert(warehouse, rows) == WriteCount(new=48)
    days = warehouse.read(
        "SELECT count(*) AS hours FROM (SELECT timezone('Europe/Copenhagen', timezone('UTC', time_utc)) AS t "
        "FROM day_ahead_prices) GROUP BY t::DATE ORDER BY t::DATE"
    )
    assert days["hours"].tolist() == [23, 25]


def test_insert_missing_leaves_what_is_there(warehouse: Warehouse) -> None:
    upsert(warehouse, prices({T0: 10.0}))
    with warehouse.open_transaction() as transaction:
        count = transaction.insert_missing(PRICES, prices({T0: 99.0, T0 + HOUR: 11.0}, fetched=LATER))
    assert count == WriteCount(new=1, unchanged=1)
    stored = warehouse.read(ALL_PRICES)
    assert stored["price_eur_per_mwh"].tolist() == [10.0, 11.0]
    assert stored["fetched_at_utc"].tolist() == [T0, LATER]


def test_a_vintage_is_kept_only_where_it_says_something_new(warehouse: Warehouse) -> None:
    first = prognosis({T0: 100.0, T0 + HOUR: None}, published=T0 - 9 * HOUR)
    assert append(warehouse, first) == WriteCount(new=2)
    same = prognosis({T0: 100.0, T0 + HOUR: None}, published=T0 - 8 * HOUR)
    assert append(warehouse, same) == WriteCount(unchanged=2)
    revised = prognosis({T0: 90.0, T0 + HOUR: None, T0 + 2 * HOUR: 1.0}, published=T0 - 7 * HOUR)
    assert append(warehouse, revised) == WriteCount(new=1, changed=1, unchanged=1)
    # Back at the first value is a revision too: it is held against the newest, not against all.
    back = prognosis({T0: 100.0}, published=T0 - 6 * HOUR)
    assert append(warehouse, back) == WriteCount(changed=1)

    vintages = warehouse.read(ALL_VINTAGES + " LIMIT 10")
    assert len(vintages) == 5


def test_vintages_given_together_are_held_against_one_another(warehouse: Warehouse) -> None:
    values = [100.0, 100.0, 90.0, 90.0, 100.0]
    rows = pd.concat(prognosis({T0: v}, published=T0 - (9 - i) * HOUR) for i, v in enumerate(values))
    shuffled = rows.iloc[[3, 0, 4, 1, 2]]
    assert append(warehouse, shuffled) == WriteCount(new=1, changed=2, unchanged=2)
    stored = warehouse.read(ALL_VINTAGES)
    assert stored["co2_g_per_kwh"].tolist() == [100.0, 90.0, 100.0]
    assert stored["published_at_utc"].tolist() == [T0 - 9 * HOUR, T0 - 7 * HOUR, T0 - 5 * HOUR]
    assert append(warehouse, shuffled) == WriteCount(unchanged=5)


def test_a_stored_vintage_is_never_rewritten(warehouse: Warehouse) -> None:
    append(warehouse, prognosis({T0: 100.0}, published=T0 - HOUR))
    assert append(warehouse, prognosis({T0: 50.0}, published=T0 - HOUR)) == WriteCount(unchanged=1)
    assert warehouse.read(ALL_VINTAGES)["co2_g_per_kwh"].tolist() == [100.0]


def test_an_older_vintage_that_comes_late_is_held_against_those_before_it(warehouse: Warehouse) -> None:
    append(warehouse, prognosis({T0: 100.0}, published=T0 - 2 * HOUR))
    assert append(warehouse, prognosis({T0: 100.0}, published=T0 - 3 * HOUR)) == WriteCount(new=1)
    assert append(warehouse, prognosis({T0: 100.0}, published=T0 - HOUR)) == WriteCount(unchanged=1)


def test_vintages_are_for_tables_that_have_them(warehouse: Warehouse) -> None:
    with warehouse.open_transaction() as transaction, pytest.raises(ValueError, match="time_utc"):
        transaction.append_vintages(PRICES, prices({T0: 1.0}))


@pytest.mark.parametrize("write", ["upsert", "insert_missing"])
@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (
            prices({T0: 1.0}).drop(columns=["price_eur_per_mwh", "time_utc"]),
            "missing columns: time_utc, price",
        ),
        (prices({T0: 1.0}).assign(wind=3), "unknown columns: wind"),
        (pd.concat([prices({T0: 1.0})] * 2), "1 rows repeat the key"),
        (prices({T0: 1.0}).assign(price_area=None), "price_area is null in 1 rows"),
        (prices({T0: 1.0}).assign(fetched_at_utc=None), "fetched_at_utc is null in 1 rows"),
        (
            prices({T0: 1.0}).assign(price_eur_per_mwh="dear"),
            "1 values of price_eur_per_mwh are not of type DOUBLE",
        ),
        (prices({T0: 1.0}).assign(time_utc=pd.Timestamp(T0, tz="UTC")), "time_utc has a time zone"),
        (pd.concat([prices({T0: 1.0}), prices({T0: 1.0})], axis=1), "two columns have the same name"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(
    warehouse: Warehouse, write: str, rows: pd.DataFrame, fault: str
) -> None:
    upsert(warehouse, prices({T0: 7.0}))
    with warehouse.open_transaction() as transaction, pytest.raises(BadRows, match=fault):
        getattr(transaction, write)(PRICES, rows)
    assert warehouse.read(ALL_PRICES)["price_eur_per_mwh"].tolist() == [7.0]


def test_after_an_exception_nothing_of_the_transaction_stays(warehouse: Warehouse) -> None:
    upsert(warehouse, prices({T0: 7.0}))

    def fail() -> None:
        with warehouse.open_transaction() as transaction:
            transaction.upsert(PRICES, prices({T0: 8.0, T0 + HOUR: 9.0}))
            transaction.append_vintages(PROGNOSIS, prognosis({T0: 1.0}, published=T0))
            assert len(transaction.read(ALL_PRICES)) == 2
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert warehouse.read(ALL_PRICES)["price_eur_per_mwh"].tolist() == [7.0]
    assert warehouse.read(ALL_VINTAGES).empty


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_takes_rows_of_nothing_but_nulls_and_repeats_them(
    warehouse: Warehouse, table: Table
) -> None:
    # An all-null column has no type of its own in pandas.
    rows = filled(table, [{}])
    with warehouse.open_transaction() as transaction:
        assert transaction.upsert(table, rows) == WriteCount(new=1)
        assert transaction.upsert(table, rows) == WriteCount(unchanged=1)


def test_frames_have_the_same_types_with_and_without_rows(warehouse: Warehouse) -> None:
    sql = "SELECT price_area, hour_utc, minutes_observed, solar_mw FROM aggregated_data"
    rows = filled(AGGREGATED_DATA, [{"price_area": "DK", "hour_utc": T0, "minutes_observed": 60}])
    empty = warehouse.read(sql)
    with warehouse.open_transaction() as transaction:
        transaction.upsert(AGGREGATED_DATA, rows)
    stored = warehouse.read(sql)
    expected = ["str", "datetime64[us]", "int32", "float64"]
    assert [str(kind) for kind in empty.dtypes] == expected
    assert [str(kind) for kind in stored.dtypes] == expected
    assert np.isnan(stored["solar_mw"].iloc[0])


def test_a_year_of_minutes_is_written_in_bulk(warehouse: Warehouse) -> None:
    table = POWER_SYSTEM_RIGHT_NOW.table
    n = 100_000
    rows = pd.DataFrame({name: np.arange(n, dtype=float) for name in table.column_names})
    rows["price_area"] = "DK"
    rows["minute_utc"] = pd.date_range(T0, periods=n, freq="min")
    rows["fetched_at_utc"] = T0
    revised = rows.assign(solar_mw=rows["solar_mw"].where(rows.index % 10 != 0, -1.0))
    with warehouse.open_transaction() as transaction:
        assert transaction.upsert(table, rows) == WriteCount(new=n)
        assert transaction.upsert(table, revised) == WriteCount(changed=n // 10, unchanged=n - n // 10)
