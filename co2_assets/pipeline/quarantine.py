"""Quarantine: values that break their contract are stored apart, and a person can release them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts import BadRow, Dataset, Kind, Table, dataset_named, split_rows
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.contracts.tables import AGGREGATED_DATA, ENGINEERED_FEATURES, QUARANTINED_VALUES
from co2_assets.contracts.time import hour_containing, utc_now
from co2_assets.http_service.errors import storable
from co2_assets.pipeline.run import refuse_older_clock
from co2_assets.pipeline.status import clock
from co2_assets.pipeline.stored_series import is_asked_for
from co2_assets.settings import Settings
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import WarehouseError
from co2_assets.warehouse.paths import Home
from co2_assets.warehouse.snapshots import Snapshot, publish, query
from co2_assets.warehouse.transaction import Transaction, store_rows


class NotInQuarantine(WarehouseError):  # noqa: N818 -- named after the state found
    """There is no row with this key in quarantine, or it cannot be stored."""


def quarantined(snapshot: Snapshot, choice: "Choice") -> pd.DataFrame:
    """Return the quarantined values that are meant, the newest first, columns of `quarantined_values`."""
    return choice.of(
        query(snapshot, "SELECT * FROM quarantined_values ORDER BY quarantined_at_utc DESC, dataset, row_key")
    )


def quarantine_rows(bad: list[BadRow], now: datetime, transaction: Transaction) -> int:
    """Add the values that are new to `quarantined_values`; return how many they were."""
    if not bad:
        return 0
    frame = pd.DataFrame(
        {
            "dataset": [row.dataset for row in bad],
            # Half a character cannot be stored.
            "row_key": [storable(row.row_key) for row in bad],
            "column_name": [row.column for row in bad],
            "value": [storable(row.value) for row in bad],
            "reason": [row.reason for row in bad],
            "quarantined_at_utc": now,
            "row_json": [storable(row.row_json) for row in bad],
            "released_at_utc": pd.NaT,
        }
    ).drop_duplicates(subset=list(QUARANTINED_VALUES.key))
    return transaction.insert_missing(QUARANTINED_VALUES, frame).new


def remove_stuck(dataset: Dataset, stuck: list[BadRow], transaction: Transaction) -> None:
    """Remove stored measurements that turned out to be stuck at one value.

    The hours computed from them are removed too, and the next step computes them again from the other
    measurements. Released measurements are kept.
    """
    keys = pd.DataFrame([json.loads(row.row_json) | {"row_key": row.row_key} for row in stuck])
    if keys.empty:
        return
    released = transaction.read(
        "SELECT row_key FROM quarantined_values WHERE dataset = ? AND released_at_utc IS NOT NULL",
        [dataset.name],
    )
    keys = keys[~keys["row_key"].isin(released["row_key"])]
    for area, rows in keys.groupby("price_area"):
        minutes = [pd.Timestamp(text).tz_localize(None).to_pydatetime() for text in rows["minute_utc"]]
        transaction.remove(
            dataset.table, "price_area = ? AND list_contains(?::TIMESTAMP[], minute_utc)", [area, minutes]
        )
        _remove_hours(transaction, str(area), minutes)


def _remove_hours(transaction: Transaction, area: str, minutes: Sequence[datetime]) -> None:
    """Remove what was computed for the hours of ``minutes``; the next step computes it again."""
    hours = sorted({hour_containing(minute) for minute in minutes})
    for table in (AGGREGATED_DATA, ENGINEERED_FEATURES):
        transaction.remove(table, "price_area = ? AND list_contains(?::TIMESTAMP[], hour_utc)", [area, hours])


def requarantine_stored(warehouse: Warehouse, dataset: Dataset, *, now: datetime) -> int:
    """Move stored rows that break their contract to quarantine, and those not asked for; return how many.

    A fetch never stores such rows. They were written by another program or an earlier version, or when the
    bounds were wider. Hours that were computed from rows not asked for are removed.
    """
    suspect = f"({_rules(dataset.table)} OR NOT {is_asked_for(dataset)})"
    broken = f"({suspect} AND {_not_released(dataset.table)})"
    with warehouse.open_transaction() as transaction:
        columns = ", ".join(name for name in dataset.table.column_names if name != "fetched_at_utc")
        # The few suspects first: else a text of the key is made of every stored row.
        rows = transaction.read(
            f"WITH suspects AS MATERIALIZED (SELECT {columns} FROM {dataset.name} WHERE {suspect}) "
            f"SELECT * FROM suspects WHERE {_not_released(dataset.table)}"
        )
        if rows.empty:
            return 0
        _, bad = split_rows(dataset, rows)
        quarantine_rows(bad, now, transaction)
        if dataset in MEASUREMENTS:
            foreign = transaction.read(
                f"SELECT price_area, minute_utc FROM {dataset.name} WHERE {is_foreign(dataset)}"
            )
            for area, minutes in foreign.groupby("price_area")["minute_utc"]:
                _remove_hours(transaction, str(area), list(minutes.dt.to_pydatetime()))
        return transaction.remove(dataset.table, broken)


def is_foreign(dataset: Dataset) -> str:
    """Return the SQL condition for rows that were not asked for and that nobody released."""
    return f"(NOT {is_asked_for(dataset)} AND {_not_released(dataset.table)})"


def breaks_contract(table: Table) -> str:
    """Return the SQL condition for rows that break the table's declared keys, steps and ranges.

    Rows that were released from quarantine do not meet the condition.
    """
    return f"({_rules(table)} AND {_not_released(table)})"


def _rules(table: Table) -> str:
    """Return the SQL condition for rows that break the table's declared keys, steps and ranges."""
    dataset = dataset_named(table.name)
    rules = [f"{name} IS NULL" for name in table.key]
    for endpoint in dataset.endpoints:
        own = [
            f"{dataset.time_column} {sign} TIMESTAMP '{bound}'"
            for sign, bound in ((">=", endpoint.first), ("<", endpoint.end))
            if bound is not None
        ]
        step = dataset.step_of(endpoint) // timedelta(microseconds=1)
        rules.append(f"({' AND '.join([*own, f'epoch_us({dataset.time_column}) % {step} <> 0'])})")
    for column in table.columns:
        if column.kind is not Kind.DOUBLE:
            continue
        if column.minimum is not None:
            rules.append(f"{column.name} < {column.minimum}")
        if column.maximum is not None:
            # For DuckDB no number is greater than NaN, which is no fault beside other values.
            rules.append(f"({column.name} > {column.maximum} AND NOT isnan({column.name}))")
    return f"({' OR '.join(rules)})"


def _not_released(table: Table) -> str:
    return f"""
        NOT EXISTS (
            SELECT 1 FROM {QUARANTINED_VALUES.name} q
            WHERE q.dataset = '{table.name}' AND q.released_at_utc IS NOT NULL
                AND q.row_key = {row_key_of(table)}
        )
    """


def row_key_of(table: Table) -> str:
    """Return the SQL expression for a row's key as `quarantined_values` has it."""
    key = ", ".join(f"'{name}=' || {name}::VARCHAR" for name in table.key)
    return f"concat_ws(', ', {key})"


@dataclass(frozen=True)
class Choice:
    """Which quarantined values are meant; None stands for any.

    ``key`` is the whole key of a row, as `co2 quarantine` prints it. Rows are for times from ``start`` to
    before ``end``, naive UTC.
    """

    key: str | None = None
    dataset: str | None = None
    column: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def of(self, values: pd.DataFrame) -> pd.DataFrame:
        """Return those of ``values`` (columns of `quarantined_values`) that are meant."""
        for name, wanted in (("row_key", self.key), ("dataset", self.dataset), ("column_name", self.column)):
            if wanted is not None:
                values = values[values[name] == wanted]
        if self.start is None and self.end is None:
            return values
        rows = zip(values["dataset"], values["row_json"], strict=True)
        times = pd.Series([_time_of(name, text) for name, text in rows], values.index, "datetime64[us]")
        chosen = times.notna()
        if self.start is not None:
            chosen &= times >= self.start
        if self.end is not None:
            chosen &= times < self.end
        return values[chosen]


def _time_of(dataset: str, row_json: str) -> pd.Timestamp:
    """Return the time that a quarantined row is for, naive UTC; NaT where it has none."""
    time = pd.Timestamp(json.loads(row_json).get(dataset_named(dataset).time_column))
    return time if pd.isna(time) else time.tz_localize(None)


@dataclass(frozen=True)
class Released:
    """How many rows a release stored, and how many it left because rows with their keys are stored by now."""

    stored: int
    left: int = 0


def release_and_publish(settings: Settings, snapshot: Snapshot, choice: Choice) -> Released:
    """Release rows in the warehouse of ``snapshot`` and publish; the source is not opened.

    With a key this is `release`, without one `release_span`. Raises SettingsError for a time before what is
    published.
    """
    refuse_older_clock(settings)
    folder = Home(settings.home).source(snapshot.source)
    warehouse = Warehouse(folder.database, snapshot.source)
    now = clock(snapshot, settings)
    if choice.key is not None:
        released = Released(release(warehouse, choice.key, now=now))
    else:
        released = release_span(warehouse, choice, now=now)
    publish(warehouse, folder.snapshots, as_of_utc=now, published_at_utc=utc_now())
    return released


def release(warehouse: Warehouse, row_key: str, *, now: datetime) -> int:
    """Store the quarantined rows with this key as they were received; return how many.

    Released rows are exempt from their contract. A second release changes nothing. Raises NotInQuarantine
    if no row has this key or the row cannot be stored.
    """
    with warehouse.open_transaction() as transaction:
        held = transaction.read("SELECT * FROM quarantined_values WHERE row_key = ?", [row_key])
        if held.empty:
            raise NotInQuarantine(
                f"no quarantined row has the key {row_key!r}: `co2 quarantine` lists the keys"
            )
        return sum(
            _store(dataset_named(str(name)), values, now, transaction)
            for name, values in held.groupby("dataset")
        )


def release_span(warehouse: Warehouse, choice: Choice, *, now: datetime) -> Released:
    """Store all quarantined rows that ``choice`` means as they were received, as `release` stores one.

    Rows that were released before are passed over, and so are those whose place has been taken: a later
    answer of the service was good. Raises NotInQuarantine, and stores none, if no value is meant, if a row
    cannot be stored, or if one has a bad value in another column than the one chosen.
    """
    stored = left = 0
    with warehouse.open_transaction() as transaction:
        held = transaction.read("SELECT * FROM quarantined_values WHERE released_at_utc IS NULL")
        chosen = choice.of(held)
        if chosen.empty:
            raise NotInQuarantine(
                "no value in quarantine is in the dataset, column and span given and not yet released: "
                "`co2 quarantine` with the same options lists what is"
            )
        rows = held.merge(chosen[["dataset", "row_key"]].drop_duplicates(), on=["dataset", "row_key"])
        others = rows[rows["column_name"] != (choice.column or rows["column_name"])]
        if not others.empty:
            raise NotInQuarantine(
                f"{len(others)} other values of these rows are bad too, the first in "
                f"{others['column_name'].iloc[0]} of {others['row_key'].iloc[0]!r}: leave out --column to "
                "release whole rows, or choose a shorter span"
            )
        for name, values in rows.groupby("dataset"):
            dataset = dataset_named(str(name))
            taken = transaction.read(f"SELECT {row_key_of(dataset.table)} AS row_key FROM {dataset.name}")
            free = values[~values["row_key"].isin(taken["row_key"])]
            left += values["row_key"].nunique() - free["row_key"].nunique()
            if not free.empty:
                stored += _store(dataset, free, now, transaction)
    return Released(stored, left)


def _store(dataset: Dataset, values: pd.DataFrame, now: datetime, transaction: Transaction) -> int:
    """Store the rows of quarantined ``values``, mark them as released, and return how many rows they are."""
    rows = values.drop_duplicates("row_key", keep="last")
    store_rows(dataset, _as_received(dataset, rows).assign(fetched_at_utc=now), transaction)
    transaction.upsert(QUARANTINED_VALUES, values.assign(released_at_utc=now))
    return len(rows)


def _as_received(dataset: Dataset, values: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of quarantined values, with the columns of the dataset's table but fetched_at_utc."""
    received = [json.loads(text) for text in values["row_json"]]
    for row, row_key in zip(received, values["row_key"], strict=True):
        if any(row.get(key) is None for key in dataset.table.key):
            raise NotInQuarantine(f"{row_key!r} has no key in {dataset.name}, so it cannot be stored")
    columns = [column for column in dataset.table.columns if column.name != "fetched_at_utc"]
    frame = pd.DataFrame({column.name: [row.get(column.name) for row in received] for column in columns})
    for column in columns:
        if column.kind is Kind.TIMESTAMP:
            frame[column.name] = pd.to_datetime(frame[column.name]).dt.tz_localize(None)
        elif column.kind is Kind.DOUBLE:
            frame[column.name] = frame[column.name].astype("float64")
    return frame
