"""Rows for the tables under test: what a test does not name is filled in."""

from datetime import datetime

import pandas as pd

from co2_assets.contracts import CO2_EMISSION_PROGNOSIS, DAY_AHEAD_PRICES, Kind, Table
from co2_assets.contracts.tables import MODEL_TABLE, PREDICTIONS

PRICES = DAY_AHEAD_PRICES.table
PROGNOSIS = CO2_EMISSION_PROGNOSIS.table
T0 = datetime(2024, 6, 1)


def prices(
    values: dict[datetime, float | None], *, area: str = "DK1", fetched: datetime = T0
) -> pd.DataFrame:
    """Day-ahead prices by the time of their delivery."""
    return pd.DataFrame(
        {
            "price_area": area,
            "time_utc": pd.Series(list(values), dtype="datetime64[us]"),
            "price_eur_per_mwh": list(values.values()),
            "fetched_at_utc": fetched,
        }
    )


def prognosis(values: dict[datetime, float | None], *, published: datetime) -> pd.DataFrame:
    """Prognosis values by the minute they are for, all of one vintage."""
    return pd.DataFrame(
        {
            "price_area": "DK1",
            "minute_utc": pd.Series(list(values), dtype="datetime64[us]"),
            "published_at_utc": published,
            "co2_g_per_kwh": list(values.values()),
            "fetched_at_utc": published,
        }
    )


def filled(table: Table, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows of ``table``; columns not given are null, or some value where null is not allowed."""
    some = {Kind.TEXT: "-", Kind.TIMESTAMP: T0, Kind.INTEGER: 1}
    blank = {
        column.name: None if column.nullable and column.name not in table.key else some[column.kind]
        for column in table.columns
    }
    return pd.DataFrame([{**blank, **row} for row in rows], columns=list(table.column_names))


def predictions(rows: list[dict[str, object]]) -> pd.DataFrame:
    usual = {"price_area": "DK", "kind": "live", "cadence": "six_hour"}
    return filled(PREDICTIONS, [{**usual, "issued_at_utc": row["issue_time_utc"], **row} for row in rows])


def models(rows: list[dict[str, object]]) -> pd.DataFrame:
    return filled(MODEL_TABLE, [{"price_area": "DK", "decision": "promoted", **row} for row in rows])
