"""What is kept apart can be released: a row by its key, or all rows of a dataset, a column and a span."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from co2_assets.contracts import CO2_EMISSION, FORECASTS_HOUR, POWER_SYSTEM_RIGHT_NOW, Dataset, split_rows
from co2_assets.pipeline.hourly import store_hours
from co2_assets.pipeline.quarantine import (
    Choice,
    NotInQuarantine,
    Released,
    quarantine_rows,
    release,
    release_span,
    requarantine_stored,
)
from co2_assets.pipeline.run import Run, open_run
from co2_assets.warehouse.transaction import store_rows
from tests.support.pipeline_runs import HOUR, T0, simulated

POWER = POWER_SYSTEM_RIGHT_NOW
NOW = T0 + 12 * HOUR


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Run]:
    """A run on an empty warehouse."""
    with open_run(simulated(tmp_path, NOW)) as opened:
        yield opened


def minutes(hours: float, value: float = 0.0) -> pd.DataFrame:
    times = pd.date_range(T0, periods=round(60 * hours), freq="min", unit="us")
    rows = pd.DataFrame({"price_area": "DK", "minute_utc": times, "co2_g_per_kwh": value})
    return rows.reindex(columns=[n for n in POWER.table.column_names if n != "fetched_at_utc"]).astype(
        {column.name: "float64" for column in POWER.table.columns if column.maximum is not None}
    )


def received(pipeline: Run, rows: pd.DataFrame, dataset: Dataset = POWER) -> int:
    """Part rows as a fetch does; return how many values went to quarantine."""
    good, bad = split_rows(dataset, rows, now=NOW)
    with pipeline.warehouse.open_transaction() as transaction:
        store_rows(dataset, good.assign(fetched_at_utc=NOW), transaction)
        return quarantine_rows(bad, NOW, transaction)


def count(pipeline: Run, sql: str) -> int:
    return int(pipeline.warehouse.read(f"SELECT count(*) AS n FROM {sql}")["n"].iloc[0])


ZEROS = Choice(dataset=POWER.name, column="co2_g_per_kwh", start=T0, end=T0 + 9 * HOUR)


def test_nine_hours_at_zero_are_released_at_once(pipeline: Run) -> None:
    assert received(pipeline, minutes(9)) == 540
    assert release_span(pipeline.warehouse, ZEROS, now=NOW) == Released(stored=540)
    assert count(pipeline, "power_system_right_now WHERE co2_g_per_kwh = 0") == 540
    assert count(pipeline, "quarantined_values WHERE released_at_utc IS NULL") == 0
    store_hours(pipeline)
    assert count(pipeline, "aggregated_data WHERE co2_g_per_kwh = 0") == 9
    # A later fetch of the same finds them released.
    assert received(pipeline, minutes(9)) == 0
    assert requarantine_stored(pipeline.warehouse, POWER, now=NOW) == 0
    with pytest.raises(NotInQuarantine, match="not yet released"):
        release_span(pipeline.warehouse, ZEROS, now=NOW)


@pytest.mark.parametrize(
    ("choice", "rows"),
    [
        (replace(ZEROS, start=T0 + HOUR, end=T0 + 2 * HOUR), 60),
        (replace(ZEROS, start=None, end=T0 + timedelta(minutes=1)), 1),
        (replace(ZEROS, start=T0 + 8 * HOUR, end=None), 60),
        (Choice(dataset=POWER.name), 540),
    ],
)
def test_only_what_is_meant_is_released(pipeline: Run, choice: Choice, rows: int) -> None:
    received(pipeline, minutes(9))
    assert release_span(pipeline.warehouse, choice, now=NOW).stored == rows
    assert count(pipeline, "power_system_right_now") == rows
    assert count(pipeline, "quarantined_values WHERE released_at_utc IS NULL") == 540 - rows


@pytest.mark.parametrize(
    "choice",
    [
        replace(ZEROS, dataset=CO2_EMISSION.name),
        replace(ZEROS, column="solar_mw"),
        replace(ZEROS, start=T0 + 9 * HOUR, end=None),
    ],
)
def test_what_is_not_there_is_named(pipeline: Run, choice: Choice) -> None:
    received(pipeline, minutes(9))
    with pytest.raises(NotInQuarantine, match="`co2 quarantine` with the same options"):
        release_span(pipeline.warehouse, choice, now=NOW)


def test_a_good_row_that_came_later_is_not_replaced(pipeline: Run) -> None:
    received(pipeline, minutes(9))
    received(pipeline, minutes(1, 80.0))
    assert release_span(pipeline.warehouse, ZEROS, now=NOW) == Released(stored=480, left=60)
    assert count(pipeline, "power_system_right_now WHERE co2_g_per_kwh = 80") == 60
    # One by one, by its key, a person may still say so.
    key = "price_area=DK, minute_utc=2024-06-01 00:00:00"
    assert release(pipeline.warehouse, key, now=NOW) == 1
    assert count(pipeline, "power_system_right_now WHERE co2_g_per_kwh = 80") == 59


def test_a_row_with_another_bad_value_is_not_released_with_its_column(pipeline: Run) -> None:
    rows = minutes(9)
    rows.loc[100, "solar_mw"] = -1e6
    rows.loc[100, "co2_g_per_kwh"] = 700.0
    received(pipeline, rows)
    above = replace(ZEROS, start=T0 + timedelta(minutes=100), end=T0 + timedelta(minutes=101))
    with pytest.raises(NotInQuarantine, match=r"solar_mw of .*leave out --column"):
        release_span(pipeline.warehouse, above, now=NOW)
    assert count(pipeline, "quarantined_values WHERE released_at_utc IS NOT NULL") == 0
    assert release_span(pipeline.warehouse, replace(above, column=None), now=NOW).stored == 1


def test_rows_without_a_key_cannot_be_released(pipeline: Run) -> None:
    received(pipeline, minutes(1).assign(price_area=None))
    with pytest.raises(NotInQuarantine, match="has no key in power_system_right_now"):
        release_span(pipeline.warehouse, Choice(dataset=POWER.name), now=NOW)


def test_stored_rows_between_two_steps_are_moved_to_quarantine(pipeline: Run) -> None:
    times = [datetime(2024, 6, 1, 3), datetime(2024, 6, 1, 3, 15), datetime(2024, 6, 1, 3, 7)]
    rows = pd.DataFrame(
        {
            "price_area": "DK1",
            "forecast_type": "Solar",
            "hour_utc": pd.Series(times, dtype="datetime64[us]"),
            "published_at_utc": pd.Timestamp(2024, 5, 31, 16),
            **{column.name: 10.0 for column in FORECASTS_HOUR.table.columns if column.maximum is not None},
            "fetched_at_utc": NOW,
        }
    )
    with pipeline.warehouse.open_transaction() as transaction:
        store_rows(FORECASTS_HOUR, rows, transaction)
    assert requarantine_stored(pipeline.warehouse, FORECASTS_HOUR, now=NOW) == 2
    assert pipeline.warehouse.read("SELECT hour_utc AS t FROM forecasts_hour")["t"].tolist() == times[:1]
    reasons = pipeline.warehouse.read("SELECT DISTINCT reason AS r FROM quarantined_values")["r"].tolist()
    assert reasons == ["between two rows of this dataset, which come every 60 min from midnight UTC"]
    assert release_span(pipeline.warehouse, Choice(dataset=FORECASTS_HOUR.name), now=NOW).stored == 2
    assert requarantine_stored(pipeline.warehouse, FORECASTS_HOUR, now=NOW) == 0
