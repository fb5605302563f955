"""The declarations of the raw datasets, and the parting of good rows from bad."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import (
    CO2_EMISSION,
    CO2_EMISSION_PROGNOSIS,
    DATASETS,
    DAY_AHEAD_PRICES,
    FORECASTS_HOUR,
    POWER_SYSTEM_RIGHT_NOW,
    VINTAGE,
    Dataset,
    dataset_named,
    split_rows,
)
from co2_assets.contracts.series import series_values

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


# Values that stay the same


def area_rows(
    west: list[float], east: list[float] | None, start: datetime = datetime(2024, 10, 1)
) -> pd.DataFrame:
    """Five-minute values of the price areas, after and before ones that differ."""
    frames = [
        pd.DataFrame(
            {
                "price_area": area,
                "minute_utc": pd.date_range(start, periods=len(values), freq="5min", unit="us"),
                "co2_g_per_kwh": values,
            }
        )
        for area, values in (("DK1", west), ("DK2", east))
        if values is not None
    ]
    return pd.concat(frames, ignore_index=True)


def moving(hours: float) -> list[float]:
    return [60.0 + number % 7 for number in range(round(12 * hours))]


def still(value: float, hours: float) -> list[float]:
    return [value] * round(12 * hours)


AREA_DATASETS = pytest.mark.parametrize(
    "dataset", [CO2_EMISSION, CO2_EMISSION_PROGNOSIS], ids=lambda d: d.name
)


def kept_apart(dataset: Dataset, rows: pd.DataFrame) -> dict[tuple[str, str], int]:
    """How many values are bad, by area and reason."""
    if dataset is CO2_EMISSION_PROGNOSIS:
        rows = rows.assign(published_at_utc=pd.Timestamp(2024, 9, 30))
    _, bad = split_rows(dataset, rows)
    assert all(row.is_stuck for row in bad)
    counts: dict[tuple[str, str], int] = {}
    for row in bad:
        place = (row.row_key[len("price_area=") :][:3], row.reason)
        counts[place] = counts.get(place, 0) + 1
    return counts


@AREA_DATASETS
@pytest.mark.parametrize("hours", [7.0, 7.1, 9.0, 11.9])
def test_whole_grams_that_stay_the_same_in_one_area_are_real(dataset: Dataset, hours: float) -> None:
    # DK2 at 14 g for seven hours, while DK1 moves; the recorded ones lasted up to nine.
    assert kept_apart(dataset, area_rows(moving(24), [*still(14.0, hours), *moving(24 - hours)])) == {}


@AREA_DATASETS
def test_one_area_that_stands_still_for_half_a_day_is_stuck(dataset: Dataset) -> None:
    found = kept_apart(dataset, area_rows(moving(24), [*moving(6), *still(14.0, 12), *moving(6)]))
    assert found == {("DK2", "the same for 12:00:00 or longer: stuck"): 144}
    assert kept_apart(dataset, area_rows(moving(12), still(14.0, 12))) == found


@AREA_DATASETS
@pytest.mark.parametrize(("hours", "is_stuck"), [(6.0, False), (7.9, False), (8.0, True), (9.0, True)])
@pytest.mark.parametrize(("west", "east"), [(0.0, 0.0), (40.0, 14.0)])
def test_areas_that_stand_still_together_are_stuck_sooner(
    dataset: Dataset, hours: float, is_stuck: bool, west: float, east: float
) -> None:
    rest = moving(24 - hours)
    found = kept_apart(dataset, area_rows([*still(west, hours), *rest], [*still(east, hours), *rest]))
    reason = "the same for 8:00:00 or longer in all areas at once: stuck"
    assert found == ({(area, reason): round(12 * hours) for area in ("DK1", "DK2")} if is_stuck else {})


@AREA_DATASETS
def test_only_what_stands_still_at_the_same_time_is_together(dataset: Dataset) -> None:
    west = [*still(40.0, 9), *moving(15)]
    east = [*moving(2), *still(14.0, 9), *moving(13)]
    assert kept_apart(dataset, area_rows(west, east)) == {}
    without_one = area_rows(still(40.0, 9), still(14.0, 9)).drop(index=50)
    assert kept_apart(dataset, without_one) == {}
    assert kept_apart(dataset, area_rows(still(40.0, 9), None)) == {}


@AREA_DATASETS
def test_one_national_value_for_both_areas_is_one_witness(dataset: Dataset) -> None:
    values = [*still(19.0, 10), *moving(14)]
    assert kept_apart(dataset, area_rows(values, values, datetime(2023, 2, 20))) == {}


@pytest.mark.parametrize(("value", "hours"), [(711.0, 16.92), (756.0, 23.92), (1304.0, 14.0), (1329.0, 6.92)])
def test_the_recorded_faults_are_kept_apart(value: float, hours: float) -> None:
    values = [*moving(2), *still(value, hours), *moving(2)]
    rows = area_rows(values, values, datetime(2023, 1, 24)).assign(published_at_utc=pd.Timestamp(2023, 1, 23))
    assert len(split_rows(CO2_EMISSION_PROGNOSIS, rows)[1]) == 2 * len(still(value, hours))
    # And if their values were plausible, those of half a day would be all the same.
    plausible = rows.assign(co2_g_per_kwh=rows["co2_g_per_kwh"].replace(value, 71.1))
    expected = 2 * len(still(value, hours)) if hours >= 12 else 0
    assert len(split_rows(CO2_EMISSION_PROGNOSIS, plausible)[1]) == expected


@pytest.mark.parametrize("value", [0.0, 80.0])
def test_the_national_series_has_decimals_and_never_stands_still(value: float) -> None:
    minutes = pd.date_range(MINUTE, periods=9 * 60, freq="min", unit="us")
    rows = pd.DataFrame({"price_area": "DK", "minute_utc": minutes, "co2_g_per_kwh": value})
    good, bad = split_rows(POWER_SYSTEM_RIGHT_NOW, rows)
    assert good.empty
    assert {row.reason for row in bad} == {"the same for 6:00:00 or longer: stuck"}


# Times


def timed_rows(dataset: Dataset, *times: datetime) -> pd.DataFrame:
    values = {c.name: float(n) for n, c in enumerate(dataset.table.columns, 20) if c.maximum is not None}
    texts = {name: values[0] for name, values in series_values(dataset).items()}
    rows = pd.DataFrame([{**texts, **values, dataset.time_column: time} for time in times])
    if VINTAGE in dataset.table.key:
        rows[VINTAGE] = pd.Timestamp(2024, 5, 1, 0, 0, 23)
    return rows.astype({dataset.time_column: "datetime64[us]"})


@pytest.mark.parametrize(
    ("dataset", "time", "minutes"),
    [
        (FORECASTS_HOUR, datetime(2024, 5, 1, 12, 15), 60),
        (FORECASTS_HOUR, datetime(2024, 5, 1, 12, 0, 7), 60),
        (DAY_AHEAD_PRICES, datetime(2024, 5, 1, 12, 15), 60),
        (DAY_AHEAD_PRICES, datetime(2025, 11, 1, 12, 7), 15),
        (CO2_EMISSION, datetime(2024, 5, 1, 12, 7), 5),
        (CO2_EMISSION_PROGNOSIS, datetime(2024, 5, 1, 12, 7), 5),
        (POWER_SYSTEM_RIGHT_NOW, datetime(2024, 5, 1, 12, 7, 30), 1),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_time_between_two_rows_is_bad(dataset: Dataset, time: datetime, minutes: int) -> None:
    whole = datetime(time.year, time.month, time.day, 12)
    good, (bad,) = split_rows(dataset, timed_rows(dataset, whole, time))
    assert good[dataset.time_column].tolist() == [whole]
    assert (bad.column, bad.value) == (dataset.time_column, str(pd.Timestamp(time)))
    assert bad.reason == f"between two rows of this dataset, which come every {minutes} min from midnight UTC"
    assert not bad.is_stuck


def test_quarters_of_an_hour_are_times_of_prices_since_the_market_has_them() -> None:
    quarters = [datetime(2025, 11, 1, 12, minute) for minute in (0, 15, 30, 45)]
    assert split_rows(DAY_AHEAD_PRICES, timed_rows(DAY_AHEAD_PRICES, *quarters))[1] == []
