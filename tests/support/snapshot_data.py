"""Snapshots to show: real measurements of the archive, and forecasts made up from them by formula.

The forecasts mix the truth with persistence, so that pages have something plausible to draw. They say
nothing about how good any model is.
"""

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from co2_assets.contracts import DAY_AHEAD_PRICES, POWER_COLUMNS, POWER_SYSTEM_RIGHT_NOW, Kind, Table, tables
from co2_assets.contracts.forecast_spec import NEAR_HOURS
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home
from co2_assets.warehouse.snapshots import Snapshot
from co2_assets.warehouse.transaction import Transaction

HOUR = timedelta(hours=1)
NOW = datetime(2024, 6, 1, 13, 20)
HISTORY = timedelta(days=75)
LIVE_DAYS, HINDCAST_DAYS = 45, 30
# The recording has the whole country alone: an area is so much dirtier, and has this many days of forecasts.
OTHER_AREAS = {"DK1": 1.1, "DK2": 0.85}
OTHER_DAYS = 8
CHAMPION, REJECTED = "DK-20240415T0000-1-aaaa", "DK-20240520T0600-1-bbbb"
_Z = (-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645)


@cache
def recorded(archive_dir: Path) -> pd.DataFrame:
    """Return the archive's hours under the warehouse's names."""
    names = {column.service_name: column.name for column in POWER_SYSTEM_RIGHT_NOW.table.columns}
    rows = pd.read_parquet(archive_dir / "PowerSystemRightNow_hourly.parquet")
    return rows.rename(columns={**names, "HourUTC": "hour_utc"}).assign(price_area="DK", minutes_observed=60)


def forecast(
    hours: pd.Series, issue: datetime, version: str, kind: str, causes: str = "[]", reach: int = NEAR_HOURS
) -> pd.DataFrame:
    """Return ``reach`` forecast rows for ``issue``; ``hours`` is the recorded intensity by hour."""
    targets = pd.date_range(issue, periods=reach, freq="h")
    before = hours[hours.index < issue]
    persistence = before.iloc[-1]
    truth = hours.reindex(targets).ffill().fillna(persistence).to_numpy()
    leads = np.arange(1, reach + 1)
    wobble = np.random.default_rng(int(issue.timestamp()) % 2**32).normal(size=reach).cumsum() * 1.5
    weight = 0.5 + 0.4 / leads
    median = np.maximum(8, (1 - weight) * truth + weight * persistence * 0.6 + 0.4 * weight * truth + wobble)
    spread = 4 + 1.8 * np.sqrt(leads) * (2 if causes != "[]" else 1)
    return pd.DataFrame(
        {
            "price_area": "DK",
            "issue_time_utc": issue,
            "target_hour_utc": targets,
            "model_version": version,
            "lead_hours": leads,
            "kind": kind,
            **{
                name: np.maximum(1, median + z * spread)
                for name, z in zip(tables.QUANTILE_COLUMNS, _Z, strict=True)
            },
            "persistence_g_per_kwh": persistence,
            "same_hour_yesterday_g_per_kwh": hours.reindex(targets - timedelta(hours=24)).to_numpy(),
            "energinet_prognosis_g_per_kwh": truth * 0.8 + 30 + 2 * wobble,
            "degraded_causes": causes,
            "issued_at_utc": issue,
            "cadence": "six_hour",
        }
    )


def filled(table: Table, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return rows with every column of the table, null where a row says nothing."""
    frame = pd.DataFrame(rows, columns=list(table.column_names))
    for column in table.columns:
        if column.kind is Kind.TIMESTAMP:
            frame[column.name] = frame[column.name].astype("datetime64[us]")
    return frame


def _models(now: datetime) -> list[dict[str, object]]:
    curve = [
        [[0.9 * 0.82**epoch + 0.1 + 0.01 * n, 0.8 * 0.85**epoch + 0.16 + 0.01 * n] for epoch in range(14)]
        for n in range(3)
    ]
    common: dict[str, object] = {
        "price_area": "DK",
        "architecture": "attention LSTM, 64 units, 24 h in, 24 h out, ensemble of 3",
        "parameters": 84_231,
        "seed": 1,
        "feature_list": json.dumps(["co2_g_per_kwh", "solar_mw"]),
        "validation_mae_g_per_kwh": 15.9,
        "test_mae_g_per_kwh": 15.6,
        "test_persistence_mae_g_per_kwh": 24.5,
        "training_seconds": 118.0,
        "training_curve": json.dumps(curve),
        "weights_file": "weights.safetensors",
        "weights_sha256": "0" * 64,
    }
    return [
        {
            **common,
            "model_version": CHAMPION,
            "trained_at_utc": now - timedelta(days=47),
            "data_from_utc": now - timedelta(days=700),
            "data_to_utc": now - timedelta(days=47),
            "decision": "promoted",
            "reason": "There was no champion before it.",
            "trigger": "first run",
        },
        {
            **common,
            "model_version": REJECTED,
            "trained_at_utc": now - timedelta(days=12),
            "data_from_utc": now - timedelta(days=700),
            "data_to_utc": now - timedelta(days=12),
            "decision": "rejected",
            "reason": "Its error of 17.1 g/kWh on the same 168 hours is above the champion's 16.0.",
            "compared_with": CHAMPION,
            "compared_from_utc": now - timedelta(days=19),
            "compared_to_utc": now - timedelta(days=12),
            "challenger_mae_g_per_kwh": 17.1,
            "champion_mae_g_per_kwh": 16.0,
            "trigger": "accuracy 63.9 % over 26 scored hours",
        },
    ]


def _evaluations(now: datetime) -> list[dict[str, object]]:
    return [
        {
            "evaluation_id": f"DK-{CHAMPION}-{kind}-{now:%Y%m%d}",
            "cadence": "six_hour",
            "price_area": "DK",
            "model_version": CHAMPION,
            "kind": kind,
            "lead_from_hours": first,
            "lead_to_hours": last,
            "window_from_utc": now - timedelta(days=7),
            "window_to_utc": now,
            "evaluated_at_utc": now,
            "n_hours": 168,
            "n_forecasts": 168 * (last - first + 1),
            "mae_g_per_kwh": 9.0 + last,
            "rmse_g_per_kwh": 12.0 + last,
            "mse": (12.0 + last) ** 2,
            "mape_percent": 14.0 + last,
            "r2": 0.8,
            "accuracy_percent": 86.0 - last,
            "persistence_mae_g_per_kwh": 11.0 + 3 * last,
            "persistence_accuracy_percent": 82.0 - 3 * last,
            "skill_persistence": 1 - (9.0 + last) / (11.0 + 3 * last),
            "n_prognosis": 160,
            "prognosis_mae_g_per_kwh": 29.3,
            "skill_prognosis": 1 - (9.0 + last) / 29.3,
            "pinball_loss_g_per_kwh": 4.0,
            "coverage_50_percent": 49.0,
            "coverage_80_percent": 79.5,
            "coverage_90_percent": 89.0,
        }
        for kind in ("live", "test")
        for first, last in ((1, 6), *((lead, lead) for lead in range(1, 7)))
    ]


def _log(now: datetime) -> list[dict[str, object]]:
    return [
        {
            "dataset": dataset.name,
            "fetched_at_utc": now - timedelta(hours=6 * back),
            "window_from_utc": now - timedelta(hours=6 * back + 12),
            "window_to_utc": now - timedelta(hours=6 * back),
            "purpose": "recent",
            "outcome": "ok",
            "rows_received": 720,
            "rows_new": 360,
            "rows_changed": 0,
            "rows_quarantined": 1 if back == 2 else 0,
            "duration_s": 1.2,
        }
        for dataset in (POWER_SYSTEM_RIGHT_NOW, DAY_AHEAD_PRICES)
        for back in range(20)
    ]


@cache
def issued(archive_dir: Path, issue: datetime, causes: str, reach: int) -> pd.DataFrame:
    """Return all forecasts of the whole country up to ``issue``: live ones, and before them hindcasts."""
    intensity = recorded(archive_dir).set_index("hour_utc")["co2_g_per_kwh"]
    live = [
        forecast(
            intensity, issue - timedelta(hours=6 * i), CHAMPION, "live", causes if i == 0 else "[]", reach
        )
        for i in range(LIVE_DAYS * 4)
    ]
    start = issue - timedelta(days=LIVE_DAYS)
    hindcast = [
        forecast(intensity, start - timedelta(hours=6 * i + 6), CHAMPION, "hindcast", reach=reach)
        for i in range((HINDCAST_DAYS - 5) * 4)
    ]
    return pd.concat([*live, *hindcast])


@cache
def issued_elsewhere(archive_dir: Path, issue: datetime, area: str, reach: int) -> pd.DataFrame:
    """Return the live forecasts of another area up to ``issue``."""
    intensity = OTHER_AREAS[area] * recorded(archive_dir).set_index("hour_utc")["co2_g_per_kwh"]
    issues = [issue - timedelta(hours=6 * i) for i in range(OTHER_DAYS * 4)]
    rows = [forecast(intensity, at, CHAMPION, "live", reach=reach) for at in issues]
    return pd.concat(rows).assign(price_area=area)


def write(
    transaction: Transaction, archive_dir: Path, now: datetime, causes: str = "[]", reach: int = NEAR_HOURS
) -> None:
    """Write a whole warehouse as it could stand at ``now``, with forecasts of ``reach`` hours."""
    measured = recorded(archive_dir)
    hour = now.replace(minute=0, second=0)
    known = measured[(measured["hour_utc"] < hour) & (measured["hour_utc"] >= hour - HISTORY)]
    transaction.upsert(
        tables.AGGREGATED_DATA, known.reindex(columns=list(tables.AGGREGATED_DATA.column_names))
    )
    issue = hour.replace(hour=hour.hour // 6 * 6)
    transaction.insert_missing(tables.PREDICTIONS, issued(archive_dir, issue, causes, reach))
    for area, factor in OTHER_AREAS.items():
        own = known.assign(price_area=area, co2_g_per_kwh=factor * known["co2_g_per_kwh"])
        own[[column.name for column in POWER_COLUMNS]] = np.nan
        transaction.upsert(
            tables.AGGREGATED_DATA, own.reindex(columns=list(tables.AGGREGATED_DATA.column_names))
        )
        rows = issued_elsewhere(archive_dir, issue, area, reach)
        transaction.insert_missing(tables.PREDICTIONS, rows)
        champion = {**_models(hour)[0], "price_area": area}
        transaction.upsert(tables.MODEL_TABLE, filled(tables.MODEL_TABLE, [champion]))
        scores = [
            {**row, "price_area": area, "evaluation_id": f"{area}-{row['evaluation_id']}"}
            for row in _evaluations(hour)
        ]
        transaction.upsert(tables.MODEL_EVALUATIONS, filled(tables.MODEL_EVALUATIONS, scores))
    transaction.upsert(tables.MODEL_TABLE, filled(tables.MODEL_TABLE, _models(hour)))
    transaction.upsert(tables.MODEL_EVALUATIONS, filled(tables.MODEL_EVALUATIONS, _evaluations(hour)))
    transaction.upsert(tables.NEW_DATA_LOG, filled(tables.NEW_DATA_LOG, _log(hour)))
    transaction.upsert(
        tables.MODEL_TRAINING_SETS,
        filled(
            tables.MODEL_TRAINING_SETS,
            [
                {
                    "price_area": "DK",
                    "model_version": CHAMPION,
                    "split": split,
                    "from_utc": now - timedelta(days=first),
                    "to_utc": now - timedelta(days=last),
                    "windows": (first - last) * 24,
                }
                for split, first, last in (("train", 700, 200), ("validation", 198, 120), ("test", 118, 48))
            ],
        ),
    )
    transaction.upsert(
        tables.QUARANTINED_VALUES,
        filled(
            tables.QUARANTINED_VALUES,
            [
                {
                    "dataset": POWER_SYSTEM_RIGHT_NOW.name,
                    "row_key": "price_area=DK, minute_utc=2024-04-30 10:00:00",
                    "column_name": "production_lt_100_mw",
                    "value": "5417.0",
                    "reason": "above 3000 MW",
                    "quarantined_at_utc": now - timedelta(days=30),
                }
            ],
        ),
    )
    power = known.tail(200).rename(columns={"hour_utc": "minute_utc"}).assign(fetched_at_utc=now)
    transaction.upsert(POWER_SYSTEM_RIGHT_NOW.table, power[list(POWER_SYSTEM_RIGHT_NOW.table.column_names)])


def publish(
    home: Home,
    archive_dir: Path,
    *,
    source: str = "live",
    now: datetime = NOW,
    published_at: datetime | None = None,
    causes: str = "[]",
    reach: int = NEAR_HOURS,
) -> Snapshot:
    """Write a warehouse of ``source`` as of ``now`` and publish it; at ``now`` unless told otherwise."""
    folder = home.source(source)
    folder.root.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse(folder.database, source)
    with warehouse.open_transaction() as transaction:
        write(transaction, archive_dir, now, causes, reach)
    return snapshots.publish(warehouse, folder.snapshots, as_of_utc=now, published_at_utc=published_at or now)


def publish_empty(home: Home, source: str = "live", now: datetime = NOW) -> Snapshot:
    """Publish a warehouse that holds nothing yet."""
    folder = home.source(source)
    folder.root.mkdir(parents=True, exist_ok=True)
    return snapshots.publish(
        Warehouse(folder.database, source), folder.snapshots, as_of_utc=now, published_at_utc=now
    )
