"""How rows of raw tables are written, wherever they come from."""

import pandas as pd

from co2_assets.contracts import Dataset
from co2_assets.warehouse.database import Transaction, WriteCount

VINTAGE = "published_at_utc"


def store_rows(dataset: Dataset, rows: pd.DataFrame, transaction: Transaction) -> WriteCount:
    """Write rows of a raw table as its habits ask for: vintages are added, other rows brought up to date."""
    if VINTAGE in dataset.table.key:
        return transaction.append_vintages(dataset.table, rows)
    # The service revises values; a null for one it gave before is a fault, not a revision.
    return transaction.upsert(dataset.table, rows, null_is_news=False)
