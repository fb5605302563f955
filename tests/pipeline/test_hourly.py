"""The hourly means that are stored follow the measurements that are stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from co2_assets.contracts import POWER_SYSTEM_RIGHT_NOW
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
