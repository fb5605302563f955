"""A record that cannot be read is quarantined with its reason; the rest of its answer is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from co2_assets.contracts import DAY_AHEAD_PRICES, UNREADABLE
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.quarantine import NotInQuarantine, release
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from tests.support.pipeline_runs import HOUR, T0, Fault, editing, simulated, warehouse

Inject = Callable[[Fault | None], None]
Records = list[dict[str, Any]]

# Prices of the next day are out at noon.
NOON = T0 + 12 * HOUR
BAD_HOUR = T0 + 22 * HOUR


def with_bad_record(records: Records, change: dict[str, Any]) -> Records:
    hour = f"{BAD_HOUR:%Y-%m-%dT%H:%M:%S}"
    return [
        {name: value for name, value in {**row, **change}.items() if value != "absent"}
        if (row["HourUTC"], row["PriceArea"]) == (hour, "DK2")
        else row
        for row in records
    ]


def fetch(settings: Settings) -> int:
    with open_run(settings) as run:
        report = update(run, DAY_AHEAD_PRICES)
    assert report.error is None, report.sentence()
    assert report.new > 0
    return report.quarantined


CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({"SpotPriceEUR": ""}, "price_eur_per_mwh", "cannot be read: not a number"),
    "a decimal comma": ({"SpotPriceEUR": "93,5"}, "price_eur_per_mwh", "cannot be read: not a number"),
    "no price": ({"SpotPriceEUR": "absent"}, "price_eur_per_mwh", "cannot be read: missing"),
    "half a pair": ({"PriceArea": "DK\ud800"}, "price_area", "cannot be read: not valid text"),
    "another zone": ({"HourUTC": "2024-06-01T22:00:00+02:00"}, "time_utc", "cannot be read: not a UTC time"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_bad_record_costs_its_own_row(home: Path, inject: Inject, name: str) -> None:
    change, column, reason = CHANGES[name]
    inject(editing(lambda records: with_bad_record(records, change)))
    settings = simulated(home, NOON)
    assert fetch(settings) == 1
    (bad,) = warehouse(settings).read("SELECT * FROM quarantined_values").to_dict("records")
    assert (bad["dataset"], bad["column_name"], bad["reason"]) == (DAY_AHEAD_PRICES.name, column, reason)
    assert UNREADABLE not in bad["row_json"]
    # The other areas of the same hour and the other hours of the area are there.
    at_the_hour = warehouse(settings).read(
        "SELECT price_area FROM day_ahead_prices WHERE time_utc = ?", [BAD_HOUR]
    )
    assert "DK2" not in set(at_the_hour["price_area"])
    assert "DK1" in set(at_the_hour["price_area"])

    if column in DAY_AHEAD_PRICES.table.key:
        with pytest.raises(NotInQuarantine, match="has no key"):
            release(warehouse(settings), bad["row_key"], now=NOON)
    else:
        assert release(warehouse(settings), bad["row_key"], now=NOON) == 1
        row = warehouse(settings).read(
            "SELECT * FROM day_ahead_prices WHERE time_utc = ? AND price_area = 'DK2'", [BAD_HOUR]
        )
        assert row["price_eur_per_mwh"].isna().tolist() == [True]
