"""Whatever the tables allow, the API has an answer."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pandas as pd

from co2_assets.contracts import tables
from co2_assets.contracts.forecast_spec import QUANTILE_COLUMNS
from co2_assets.contracts.schema import Kind
from co2_assets.warehouse.database import Transaction
from co2_assets.warehouse.paths import Home
from tests.dash.api.test_api import DATA_ENDPOINTS, V1, body, published_again
from tests.support import snapshot_data

Client = Callable[..., httpx.Client]


def variants(table: tables.Table, row: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the row once for each column that may be missing, and once for each that may be infinite."""
    spoilt = []
    for column in table.columns:
        if column.nullable and column.name not in table.key:
            spoilt.append(row.assign(**{column.name: None}))
            if column.kind is Kind.DOUBLE:
                spoilt += [row.assign(**{column.name: value}) for value in (float("inf"), float("-inf"))]
    return spoilt


def test_any_evaluation_and_any_model_is_answered(asked: Client, tmp_path: Path, archive_dir: Path) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)
    added = 0

    def add(transaction: Transaction) -> None:
        nonlocal added
        row = transaction.read("SELECT * FROM model_evaluations WHERE price_area = 'DK' LIMIT 1")
        for number, spoilt in enumerate(variants(tables.MODEL_EVALUATIONS, row)):
            name = f"spoilt-{number}"
            transaction.upsert(
                tables.MODEL_EVALUATIONS, spoilt.assign(evaluation_id=name, model_version=name, kind="live")
            )
            added += 1
        unknown = row.assign(evaluation_id="new", kind="a kind of a later version")
        transaction.upsert(tables.MODEL_EVALUATIONS, unknown)
        champion = transaction.read("SELECT * FROM champions WHERE price_area = 'DK'")
        for column in tables.MODEL_TABLE.columns:
            if column.nullable and column.kind is not Kind.TIMESTAMP:
                champion[column.name] = None
        transaction.upsert(tables.MODEL_TABLE, champion)

    published_again(home, add)
    client = asked(home)
    leads = body(client.get("/api/v1/accuracy"))["leads"]
    assert sum(lead["model_version"].startswith("spoilt") for lead in leads) == added
    assert {lead["kind"] for lead in leads} <= {"live", "hindcast", "backfill", "test"}
    assert body(client.get("/api/best-model"))["parameters"] is None


def test_an_hour_without_all_its_quantiles_has_no_forecast(
    asked: Client, tmp_path: Path, archive_dir: Path
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)

    def add(transaction: Transaction) -> None:
        rows = transaction.read("SELECT * FROM predictions WHERE price_area = 'DK'")
        newest = rows[rows["issue_time_utc"] == rows["issue_time_utc"].max()].sort_values("lead_hours")
        for number, column in enumerate(("lead_hours", *QUANTILE_COLUMNS)):
            row = newest.iloc[[-1 - number]]
            value = None if number % 2 else float("nan")
            transaction.upsert(tables.PREDICTIONS, row.assign(**{column: value}))
        rest = newest.iloc[: 23 - len(QUANTILE_COLUMNS)]
        for column in ("persistence_g_per_kwh", "energinet_prognosis_g_per_kwh", "degraded_causes"):
            transaction.upsert(tables.PREDICTIONS, rest.assign(**{column: None}))
        every = rows[rows["issue_time_utc"] != rows["issue_time_utc"].max()]
        transaction.upsert(tables.PREDICTIONS, every.assign(q95_g_per_kwh=float("inf")))

    published_again(home, add)
    client = asked(home)
    hours = body(client.get(f"{V1}/forecast"))["hours"]
    assert [hour["lead_hours"] for hour in hours] == list(range(1, 24 - len(QUANTILE_COLUMNS)))
    for endpoint in DATA_ENDPOINTS:
        body(client.get(endpoint))
