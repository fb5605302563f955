"""Thinning of versions: six-hour forecasts and the engineered features see the same, bit for bit."""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import CO2_EMISSION_PROGNOSIS, DATASETS, dataset_named
from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.tables import AGGREGATED_DATA
from co2_assets.contracts.time import hour_of
from co2_assets.forecasting.inputs.features import features_of
from co2_assets.forecasting.inputs.windows import build_windows
from co2_assets.pipeline.forecast_inputs import read_known_data
from co2_assets.pipeline.run import Run
from co2_assets.pipeline.thinning import thin_versions
from co2_assets.warehouse.database import Warehouse
from tests.support.warehouse_rows import filled

HOUR = timedelta(hours=1)
START = datetime(2024, 3, 1)
HOURS = 72
NOW = START + HOURS * HOUR + timedelta(days=9)
WIND_SOLAR = dataset_named("forecasts_hour")


def at(warehouse: Warehouse, now: datetime = NOW) -> Run:
    return cast("Run", SimpleNamespace(warehouse=warehouse, now=now))


def versions(random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hourly fetches of both tables, at odd minutes and on the hour, with gaps, zeros and late rows."""
    prognosis, forecasts = [], []
    for number in range(HOURS):
        hour = START + number * HOUR
        for zone in ("DK1", "DK2"):
            ahead = range(int(random.integers(9, 20)), -3, -1)
            stamps = [
                hour - back * HOUR + timedelta(minutes=int(random.choice([0, 5, 20])), microseconds=300_000)
                for back in ahead
                if random.random() < 0.8
            ]
            for stamp in stamps:
                for minute in range(0, 60, 5):
                    value = random.choice([0.0, np.nan, 120.0 + random.integers(50)], p=[0.05, 0.05, 0.9])
                    prognosis.append((zone, hour + timedelta(minutes=minute), stamp, value, NOW))
                for kind in ("Offshore Wind", "Onshore Wind", "Solar"):
                    to_go = (hour - stamp) / HOUR
                    columns = [float(random.integers(1, 900)) for _ in range(5)]
                    # The products come one after the other, some of them late, and sometimes not at all.
                    out = (99, 12, 5 - int(random.integers(3)), 1 - int(random.integers(2)), 99)
                    values = [
                        value if to_go <= limit and random.random() < 0.9 else None
                        for value, limit in zip(columns, out, strict=True)
                    ]
                    if random.random() < 0.02:
                        values[0] = 0.0
                    forecasts.append((zone, kind, hour, stamp, *values, NOW))
    return (
        pd.DataFrame(prognosis, columns=list(CO2_EMISSION_PROGNOSIS.table.column_names)),
        pd.DataFrame(forecasts, columns=list(WIND_SOLAR.table.column_names)),
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "warehouse.duckdb", "simulator")
    random = np.random.default_rng(7)
    prognosis, forecasts = versions(random)
    hours = [START + number * HOUR for number in range(HOURS)]
    measured = [
        {"price_area": name, "hour_utc": hour, "minutes_observed": 60, "co2_g_per_kwh": 90.0 + number}
        for name in AREAS
        for number, hour in enumerate(hours)
    ]
    with made.open_transaction() as transaction:
        transaction.append_vintages(CO2_EMISSION_PROGNOSIS.table, prognosis)
        transaction.append_vintages(WIND_SOLAR.table, forecasts)
        transaction.upsert(AGGREGATED_DATA, filled(AGGREGATED_DATA, measured))
    return made


def thin(warehouse: Warehouse, now: datetime = NOW) -> dict[str, int]:
    return {d.name: thin_versions(at(warehouse, now), d) for d in DATASETS if d.keeps_vintages}


def inputs(warehouse: Warehouse, until: datetime) -> list[np.ndarray | pd.DataFrame]:
    """What training, hindcasts and the engineered features are given, with what is known at ``until``."""
    parts: list[np.ndarray | pd.DataFrame] = []
    for area in AREAS.values():
        data = read_known_data(warehouse, since=START, until=until, area=area)
        marks = np.arange(hour_of(START) + 24, hour_of(START) + HOURS + 1, 6)
        windows = build_windows(data, marks)
        parts += [windows.past, windows.future, windows.target, features_of(data)]
    return parts


def test_inputs_at_six_hour_marks_are_the_same_to_the_bit(warehouse: Warehouse) -> None:
    instants = [NOW, START + 48 * HOUR, START + 54 * HOUR]
    before = [part for until in instants for part in inputs(warehouse, until)]
    count = {name: _count(warehouse, name) for name in ("co2_emission_prognosis", "forecasts_hour")}
    removed = thin(warehouse)
    for name, rows in count.items():
        assert removed[name] > rows / 4
        assert _count(warehouse, name) == rows - removed[name]
    after = [part for until in instants for part in inputs(warehouse, until)]
    for one, other in zip(before, after, strict=True):
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(cast("pd.DataFrame", other), one, check_exact=True)
        else:
            np.testing.assert_array_equal(other, one)
    assert set(thin(warehouse).values()) == {0}


def test_versions_of_young_rows_stay(warehouse: Warehouse) -> None:
    assert set(thin(warehouse, START + timedelta(days=8)).values()) == {0}


def _count(warehouse: Warehouse, name: str) -> int:
    return int(warehouse.read(f"SELECT count(*) AS n FROM {name}")["n"].iloc[0])
