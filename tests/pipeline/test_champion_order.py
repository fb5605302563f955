"""Which of two promoted models is the champion when a replay's clock stands still."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from co2_assets.contracts.tables import MODEL_TABLE
from co2_assets.warehouse.database import Warehouse

NOW = datetime(2024, 6, 1)


def promoted(version: str, compared_with: str | None) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(MODEL_TABLE.column_names)
    return row | {
        "model_version": version,
        "price_area": "DK",
        "trained_at_utc": NOW,
        "data_from_utc": NOW,
        "data_to_utc": NOW,
        "decision": "promoted",
        "compared_with": compared_with,
    }


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_of_two_promoted_at_the_same_instant_the_later_is_champion(
    first: str, second: str, tmp_path: Path
) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", "simulator")
    with warehouse.open_transaction() as transaction:
        rows = pd.DataFrame([promoted(first, None), promoted(second, compared_with=first)])
        transaction.insert_missing(MODEL_TABLE, rows)
    assert list(warehouse.read("SELECT model_version FROM champions")["model_version"]) == [second]
