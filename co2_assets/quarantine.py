"""What was kept apart because it broke its contract, and how a person lets it in after all."""

import json
from datetime import datetime

import pandas as pd

from co2_assets.contracts import Kind, dataset_named
from co2_assets.ingest import store_rows
from co2_assets.settings import Settings, utc_now
from co2_assets.status import clock
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import WarehouseError
from co2_assets.warehouse.home import Home
from co2_assets.warehouse.snapshots import Snapshot, publish, query
from co2_assets.warehouse.tables import QUARANTINED_VALUES


class NotInQuarantine(WarehouseError):  # noqa: N818 -- named after the state found
    """No row of that key is in quarantine, or it cannot be stored."""


def quarantined(snapshot: Snapshot) -> pd.DataFrame:
    """Return the quarantined values, the newest first, columns of `quarantined_values`."""
    return query(
        snapshot, "SELECT * FROM quarantined_values ORDER BY quarantined_at_utc DESC, dataset, row_key"
    )


def release_and_publish(settings: Settings, snapshot: Snapshot, row_key: str) -> int:
    """`release` in the warehouse that ``snapshot`` is of, without its source; pages show what came of it."""
    folder = Home(settings.home).source(snapshot.source)
    warehouse = Warehouse(folder.database, snapshot.source)
    now = clock(snapshot, settings)
    count = release(warehouse, row_key, now=now)
    publish(warehouse, folder.snapshots, as_of_utc=now, published_at_utc=utc_now())
    return count


def release(warehouse: Warehouse, row_key: str, *, now: datetime) -> int:
    """Store the quarantined rows of ``row_key`` as they were received; return how many.

    What is released is exempt from its contract from then on. Done twice it changes nothing.
    Raises NotInQuarantine.
    """
    released = 0
    with warehouse.open_transaction() as transaction:
        held = transaction.read("SELECT * FROM quarantined_values WHERE row_key = ?", [row_key])
        if held.empty:
            raise NotInQuarantine(f"nothing is quarantined as {row_key!r}: `co2 quarantine` lists the keys")
        for name, values in held.groupby("dataset"):
            dataset = dataset_named(str(name))
            row = json.loads(values["row_json"].iloc[-1])
            columns = [column for column in dataset.table.columns if column.name != "fetched_at_utc"]
            if any(row.get(key) is None for key in dataset.table.key):
                raise NotInQuarantine(f"{row_key!r} has no key in {name}, so it cannot be stored")
            frame = pd.DataFrame({column.name: [row.get(column.name)] for column in columns})
            for column in columns:
                if column.kind is Kind.TIMESTAMP:
                    frame[column.name] = pd.to_datetime(frame[column.name]).dt.tz_localize(None)
                elif column.kind is Kind.DOUBLE:
                    frame[column.name] = frame[column.name].astype("float64")
            store_rows(dataset, frame.assign(fetched_at_utc=now), transaction)
            transaction.upsert(QUARANTINED_VALUES, values.assign(released_at_utc=now))
            released += 1
    return released
