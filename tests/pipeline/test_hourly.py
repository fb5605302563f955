"""The hourly means that are stored follow the measurements that are stored."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from co2_assets.contracts import AREA_PRODUCTION, CO2_EMISSION, POWER_SYSTEM_RIGHT_NOW
from co2_assets.contracts.areas import AVERAGED
from co2_assets.contracts.forecast_spec import FLOWS, POWERS
from co2_assets.pipeline.hourly import store_hours
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from co2_assets.warehouse.transaction import WriteCount
from tests.support.pipeline_runs import HOUR, T0, Fault, editing, simulated, warehouse


def averaged(settings: Settings) -> dict[str, Any]:
    with open_run(settings) as pipeline:
        update(pipeline, POWER_SYSTEM_RIGHT_NOW)
        store_hours(pipeline)
        assert store_hours(pipeline) == WriteCount(new=0, changed=0)
    (row,) = (
        warehouse(settings)
        .read("SELECT * FROM aggregated_data WHERE price_area = 'DK' AND hour_utc = ?", [T0])
        .to_dict("records")
    )
    return row


def test_production_of_a_few_minutes_is_no_mean_until_the_others_come(
    home: Path, inject: Callable[[Fault | None], None]
) -> None:
    there = [f"{T0:%Y-%m-%dT%H}:{minute:02}" for minute in range(3)]
    inject(
        editing(
            lambda records: [
                row if row["Minutes1UTC"][:16] in there else {**row, "SolarPower": None} for row in records
            ]
        )
    )
    few = averaged(simulated(home, T0 + 2 * HOUR))
    assert few["minutes_observed"] == 60
    assert few["offshore_wind_mw"] > 0
    assert few["solar_mw"] != few["solar_mw"], "three minutes are not the hour"
    inject(None)
    whole = averaged(simulated(home, T0 + 3 * HOUR))
    assert whole["solar_mw"] >= 0


# The two halves

Rows = tuple[pd.DataFrame, pd.DataFrame]
Change = Callable[[dict[str, Any]], dict[str, Any]]


def edited(home: Path, inject: Callable[[Fault | None], None], change: Change | None, now: datetime) -> Rows:
    """Average an hour after the areas' production was fetched, each record changed by ``change``."""
    inject(None if change is None else editing(lambda records: [change(row) for row in records]))
    with open_run(simulated(home, now)) as pipeline:
        for dataset in AVERAGED:
            assert update(pipeline, dataset).error is None
        store_hours(pipeline)
        assert store_hours(pipeline) == WriteCount(new=0, changed=0)
        rows = pipeline.warehouse.read("SELECT * FROM aggregated_data WHERE hour_utc = ?", [T0])
        raw = pipeline.warehouse.read(
            "SELECT * FROM area_production WHERE date_trunc('hour', minute_utc) = ?", [T0]
        )
    return rows.set_index("price_area"), raw.drop(columns="minute_utc").groupby("price_area").mean()


def is_of_areas(row: Mapping[str, Any]) -> bool:
    return "ExchangeGreatBelt" in row


def in_first_hour(row: Mapping[str, Any]) -> bool:
    return is_of_areas(row) and row["Minutes5UTC"].startswith(f"{T0:%Y-%m-%dT%H}")


def test_the_halves_have_their_own_production_and_the_country_the_flows_of_both(
    home: Path, inject: Callable[[Fault | None], None]
) -> None:
    hours, raw = edited(home, inject, None, T0 + 2 * HOUR)
    for area in ("DK1", "DK2"):
        for name in set(POWERS) - {"net_exchange_mw"}:
            assert hours.loc[area, name] == pytest.approx(raw.loc[area, name], abs=1e-6), (area, name)
        assert hours.loc[area, "net_exchange_mw"] == pytest.approx(
            hours.loc[area, list(FLOWS)].sum(), abs=1e-6
        )
    sweden = raw["exchange_sweden_mw"] + raw["exchange_bornholm_mw"].fillna(0)
    assert hours["exchange_sweden_mw"].to_numpy() == pytest.approx([sweden.sum(), *sweden], abs=1e-6)
    assert hours["exchange_norway_mw"].to_numpy() == pytest.approx(
        [raw.loc["DK1", "exchange_norway_mw"], raw.loc["DK1", "exchange_norway_mw"], 0], abs=1e-6
    )
    assert hours.loc["DK1", "exchange_great_belt_mw"] == -hours.loc["DK2", "exchange_great_belt_mw"] != 0
    assert hours.loc["DK", "exchange_great_belt_mw"] == 0
    assert hours.loc["DK", "net_exchange_mw"] == pytest.approx(hours.loc["DK", list(FLOWS)].sum(), abs=10)


def test_production_that_comes_late_or_is_revised_changes_its_hour(
    home: Path, inject: Callable[[Fault | None], None]
) -> None:
    def few_solar(row: dict[str, Any]) -> dict[str, Any]:
        is_late = in_first_hour(row) and int(row["Minutes5UTC"][14:16]) >= 40
        return {**row, "SolarPower": None} if is_late else row

    def revised(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "ProductionGe100MW": 777.0} if in_first_hour(row) else row

    few, _ = edited(home, inject, few_solar, T0 + 2 * HOUR)
    assert few["solar_mw"].isna().to_dict() == {"DK": False, "DK1": True, "DK2": True}
    assert few["onshore_wind_mw"].notna().all()
    then, _ = edited(home, inject, revised, T0 + 3 * HOUR)
    assert list(then.loc[["DK1", "DK2"], "production_ge_100_mw"]) == [777.0, 777.0]
    assert then["solar_mw"].notna().all()
    assert then["co2_g_per_kwh"].equals(few["co2_g_per_kwh"])


def test_a_half_that_is_not_known_leaves_no_flow_of_the_country(
    home: Path, inject: Callable[[Fault | None], None]
) -> None:
    settings = simulated(home, T0 + 2 * HOUR)
    hours, _ = edited(home, inject, None, T0 + 2 * HOUR)
    assert hours[list(FLOWS)].notna().all(axis=None)
    with open_run(settings) as pipeline:
        with pipeline.warehouse.open_transaction() as transaction:
            transaction.remove(
                AREA_PRODUCTION.table,
                "price_area = 'DK2' AND minute_utc >= ? AND minute_utc < ?",
                [T0, T0 + HOUR / 2],
            )
        store_hours(pipeline)
        left = pipeline.warehouse.read("SELECT * FROM aggregated_data WHERE hour_utc = ?", [T0])
        left = left.set_index("price_area")
        assert left.loc[["DK", "DK2"], "exchange_germany_mw"].isna().all()
        assert left.loc["DK1", list(FLOWS)].equals(hours.loc["DK1", list(FLOWS)])
        assert left.loc["DK2", "exchange_norway_mw"] == 0, "there is no such border"

        # What is not held any more, such as old minutes, leaves the hour as it is, even if that is averaged
        # again for another reason.
        with pipeline.warehouse.open_transaction() as transaction:
            transaction.remove(AREA_PRODUCTION.table, "true")
            transaction.remove(CO2_EMISSION.table, "minute_utc >= ? AND minute_utc < ?", [T0, T0 + HOUR / 12])
        assert store_hours(pipeline).changed == 2
        kept = pipeline.warehouse.read("SELECT * FROM aggregated_data WHERE hour_utc = ?", [T0])
    kept = kept.set_index("price_area")
    assert list(kept.loc[["DK1", "DK2"], "minutes_observed"]) == [55, 55]
    columns = [*POWERS, *FLOWS]
    pd.testing.assert_frame_equal(kept[columns], left[columns])


def test_before_a_cable_there_is_no_flow_over_it(
    tmp_path: Path, inject: Callable[[Fault | None], None]
) -> None:
    def without_britain(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "ExchangeGreatBritain": None} if is_of_areas(row) else row

    inject(editing(lambda records: [without_britain(row) for row in records]))
    opened = datetime(2023, 12, 29)
    with open_run(simulated(tmp_path, opened + 6 * HOUR)) as pipeline:
        for dataset in AVERAGED:
            update(pipeline, dataset)
        store_hours(pipeline)
        rows = pipeline.warehouse.read(
            "SELECT * FROM aggregated_data WHERE price_area = 'DK1' AND hour_utc >= ?", [opened - 6 * HOUR]
        )
    before = rows["hour_utc"] < opened
    assert (rows.loc[before, "exchange_great_britain_mw"] == 0).all()
    assert rows.loc[before, "net_exchange_mw"].notna().all()
    assert rows.loc[~before, ["exchange_great_britain_mw", "net_exchange_mw"]].isna().all(axis=None)
