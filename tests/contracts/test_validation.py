"""The declarations of the raw datasets, and the parting of good rows from bad."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import (
    CO2_EMISSION_PROGNOSIS,
    DATASETS,
    DAY_AHEAD_PRICES,
    FORECASTS_HOUR,
    POWER_SYSTEM_RIGHT_NOW,
    Dataset,
    dataset_named,
    split_rows,
)

MINUTE = datetime(2024, 5, 1, 12)


def power_rows(*changes: dict[str, Any]) -> pd.DataFrame:
    plain = {name: 100.0 for name in POWER_SYSTEM_RIGHT_NOW.table.column_names if name.endswith("_mw")}
    base = {"price_area": "DK", "minute_utc": MINUTE, "co2_g_per_kwh": 80.0} | plain
    frame = pd.DataFrame([base | change for change in changes])
    return frame.astype({"minute_utc": "datetime64[us]"})


def broken(dataset: Dataset, rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    return [(bad.column, bad.value, bad.reason) for bad in split_rows(dataset, rows)[1]]


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_every_declared_column_has_one_place(dataset: Dataset) -> None:
    names = dataset.table.column_names
    assert len(set(names)) == len(names)
    assert set(dataset.table.key) <= set(names)
    assert dataset.time_column in names
    for endpoint in dataset.endpoints:
        assert set(endpoint.fields.values()) <= set(names)
        assert endpoint.fields[endpoint.time_field] == dataset.time_column
    ends = [endpoint.end for endpoint in dataset.endpoints]
    assert ends == [*(endpoint.first for endpoint in dataset.endpoints[1:]), None]


def test_a_dataset_is_found_by_its_tables_name() -> None:
    assert dataset_named("forecasts_hour") is FORECASTS_HOUR
    with pytest.raises(KeyError, match="power_system_right_now"):
        dataset_named("nonsense")


def test_good_rows_come_in_key_order_with_a_new_index() -> None:
    later = {"minute_utc": datetime(2024, 5, 1, 13)}
    rows = power_rows(later, {})
    rows.index = pd.Index([7, 7])
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, rows)
    assert good["minute_utc"].tolist() == [MINUTE, later["minute_utc"]]
    assert good.index.tolist() == [0, 1]
    assert bad == []


def test_of_equal_keys_the_last_row_stays() -> None:
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, power_rows({"solar_mw": 1.0}, {}, {"solar_mw": 3.0}))
    assert good["solar_mw"].tolist() == [3.0]
    assert bad == []


def test_a_null_beside_other_values_is_a_gap_and_no_fault() -> None:
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, power_rows({"solar_mw": np.nan, "co2_g_per_kwh": np.nan}))
    assert len(good) == 1
    assert bad == []


def test_a_row_of_nothing_but_nulls_is_bad() -> None:
    values = [name for name in power_rows({}) if name.endswith(("_mw", "_kwh"))]
    rows = power_rows(dict.fromkeys(values, np.nan), {"minute_utc": datetime(2024, 5, 1, 13)})
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, rows)
    assert len(good) == 1
    assert [(b.column, b.reason) for b in bad] == [("co2_g_per_kwh", "every value is null")]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        # As they were recorded.
        ("co2_g_per_kwh", 1329.0, "above 600 g/kWh"),
        ("co2_g_per_kwh", -921.0, "below 0 g/kWh"),
        ("production_lt_100_mw", 5417.0, "above 3000 MW"),
        ("net_exchange_mw", -12000.5, "below -12000 MW"),
        ("solar_mw", float("inf"), "above 12000 MW"),
    ],
)
def test_an_absurd_value_is_named(column: str, value: float, reason: str) -> None:
    rows = power_rows({column: value}, {"minute_utc": datetime(2024, 5, 1, 13)})
    good, (bad,) = split_rows(POWER_SYSTEM_RIGHT_NOW, rows)
    assert len(good) == 1
    assert (bad.dataset, bad.column, bad.value, bad.reason) == (
        "power_system_right_now",
        column,
        str(value),
        reason,
    )
    assert bad.row_key == "price_area=DK, minute_utc=2024-05-01 12:00:00"


@pytest.mark.parametrize("value", [-14.0, -200.0, 0.0, 3000.0])
def test_bounds_belong_to_what_is_allowed(value: float) -> None:
    assert broken(POWER_SYSTEM_RIGHT_NOW, power_rows({"production_lt_100_mw": value})) == []


def test_every_broken_value_of_a_row_is_named() -> None:
    rows = power_rows({"solar_mw": -1e6, "co2_g_per_kwh": 700.0})
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, rows)
    assert good.empty
    assert sorted(b.column for b in bad) == ["co2_g_per_kwh", "solar_mw"]


def test_a_bad_row_does_not_displace_a_good_one_of_its_key() -> None:
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, power_rows({"solar_mw": 5.0}, {"solar_mw": 99999.0}))
    assert good["solar_mw"].tolist() == [5.0]
    assert len(bad) == 1


@pytest.mark.parametrize("column", ["price_area", "minute_utc"])
def test_a_missing_key_is_bad(column: str) -> None:
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, power_rows({column: None}))
    assert good.empty
    assert [(b.column, b.reason) for b in bad] == [(column, "the key is missing")]


def test_two_vintages_of_a_forecast_are_two_rows() -> None:
    rows = pd.DataFrame(
        {
            "price_area": "DK1",
            "minute_utc": pd.Series([MINUTE] * 2, dtype="datetime64[us]"),
            "published_at_utc": pd.Series(
                [datetime(2024, 4, 30, 15), datetime(2024, 5, 1, 9)], dtype="datetime64[us]"
            ),
            "co2_g_per_kwh": [90.0, 95.0],
        }
    )
    good, bad = split_rows(CO2_EMISSION_PROGNOSIS, rows)
    assert len(good) == 2
    assert bad == []


def test_no_rows_part_into_none() -> None:
    rows = pd.DataFrame(
        {
            "price_area": pd.Series(dtype="str"),
            "time_utc": pd.Series(dtype="datetime64[us]"),
            "price_eur_per_mwh": pd.Series(dtype="float64"),
        }
    )
    good, bad = split_rows(DAY_AHEAD_PRICES, rows)
    assert good.empty
    assert bad == []
