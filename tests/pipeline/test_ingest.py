"""A raw table after a bad answer is as it was, the log says why, and the next good answer heals it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from co2_assets.contracts import DAY_AHEAD_PRICES, FORECASTS_HOUR, POWER_SYSTEM_RIGHT_NOW, Dataset
from co2_assets.pipeline.ingest import FetchReport, update
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from tests.support.pipeline_runs import (
    HOUR,
    T0,
    Fault,
    dataset_asked,
    differing,
    editing,
    refusing,
    run,
    simulated,
    tables,
    warehouse,
)

Inject = Callable[[Fault | None], None]
Records = list[dict[str, Any]]


def fetch(settings: Settings, dataset: Dataset = DAY_AHEAD_PRICES, *, deepen: bool = False) -> FetchReport:
    with open_run(settings) as pipeline:
        return update(pipeline, dataset, deepen=deepen)


def without_price(records: Records) -> Records:
    return [{name: value for name, value in row.items() if "Price" not in name} for row in records]


def as_text(records: Records) -> Records:
    return [{**row, "SpotPriceEUR": "dear"} for row in records]


def html(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, text="<html>Log in</html>", request=request)


def broken_off(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
    raise httpx.ReadError("the connection was reset", request=request)


BAD_ANSWERS: dict[str, tuple[Fault, str]] = {
    "refused": (refusing(), "wait an hour"),
    "empty": (editing(lambda _: []), "wait for it to publish"),
    "schema_changed": (editing(without_price), "contracts/datasets.py"),
    "schema_changed: of another type": (editing(as_text), "contracts/datasets.py"),
    "bad_answer": (html, "open the address in a browser"),
    "unreachable": (broken_off, "the next run asks again"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_leaves_the_table_and_the_next_good_one_heals_it(
    home: Path, inject: Inject, name: str
) -> None:
    # Noon: tomorrow's prices are just out.
    noon = simulated(home, T0 + 12 * HOUR)
    fault, remedy = BAD_ANSWERS[name]
    outcome = name.partition(":")[0]
    before = tables(noon)
    inject(fault)
    report = fetch(noon)
    assert report.error is not None
    assert remedy in report.sentence()
    after = tables(noon)
    assert differing(before, after) == {"new_data_log"}
    logged = after["new_data_log"].merge(before["new_data_log"], how="left", indicator=True)
    (row,) = logged[logged["_merge"] == "left_only"].to_dict("records")
    assert (row["dataset"], row["outcome"], row["rows_received"]) == ("day_ahead_prices", outcome, 0)
    assert row["fetched_at_utc"] == noon.as_of
    assert remedy in row["message"]

    inject(None)
    report = fetch(noon)
    assert report.error is None
    assert report.new > 0
    assert fetch(noon).windows == []
    newest = warehouse(noon).read("SELECT max(time_utc) AS t FROM day_ahead_prices")["t"].iloc[0]
    assert newest >= T0 + 36 * HOUR


def test_update_again_changes_nothing(next_tick: Settings) -> None:
    fetch(next_tick)
    before = tables(next_tick)
    report = fetch(next_tick)
    assert (report.windows, report.received, report.remaining) == ([], 0, 0)
    assert report.sentence() == "up to date; nothing was requested"
    assert differing(before, tables(next_tick)) == set()


def test_what_the_overlap_reads_again_is_neither_new_nor_changed(next_tick: Settings) -> None:
    report = fetch(next_tick, FORECASTS_HOUR)
    assert report.received > report.new + report.changed


def test_a_revised_value_is_counted_and_kept(next_tick: Settings, inject: Inject) -> None:
    hour = f"{T0 - 3 * HOUR:%Y-%m-%dT%H:%M:%S}"

    def revised(records: Records) -> Records:
        return [
            {**row, "SpotPriceEUR": 77.0} if (row["HourUTC"], row["PriceArea"]) == (hour, "DK1") else row
            for row in records
        ]

    inject(editing(revised))
    assert fetch(next_tick).changed == 1
    value = warehouse(next_tick).read(
        "SELECT price_eur_per_mwh AS v FROM day_ahead_prices WHERE price_area = 'DK1' AND time_utc = ?",
        [T0 - 3 * HOUR],
    )
    assert value["v"].tolist() == [77.0]


def test_an_absurd_value_is_quarantined_once_with_its_reason(home: Path, inject: Inject) -> None:
    absurd_hour = T0 + 22 * HOUR
    hour = f"{absurd_hour:%Y-%m-%dT%H:%M:%S}"

    def absurd(records: Records) -> Records:
        return [
            {**row, "SpotPriceEUR": 99999.0} if (row["HourUTC"], row["PriceArea"]) == (hour, "DK2") else row
            for row in records
        ]

    stored = f"SELECT * FROM day_ahead_prices WHERE price_area = 'DK2' AND time_utc = '{absurd_hour}'"
    inject(editing(absurd))
    # Prices of the next day are out at 13:00 Danish time.
    settings = simulated(home, T0 + 12 * HOUR)
    assert fetch(settings).quarantined == 1
    assert warehouse(settings).read(stored).empty
    (row,) = warehouse(settings).read("SELECT * FROM quarantined_values").to_dict("records")
    assert (row["dataset"], row["column_name"], row["value"]) == (
        "day_ahead_prices",
        "price_eur_per_mwh",
        "99999.0",
    )
    assert row["reason"] == "above 5000 EUR/MWh"
    assert row["quarantined_at_utc"] == settings.as_of

    # The overlap reads it again six hours later: the first sighting stays, and there is no second.
    later = simulated(home, T0 + 18 * HOUR)
    assert fetch(later).quarantined == 0
    assert warehouse(later).read("SELECT quarantined_at_utc AS t FROM quarantined_values")["t"].tolist() == [
        settings.as_of
    ]
    inject(None)
    fetch(simulated(home, T0 + 19 * HOUR))
    assert len(warehouse(settings).read(stored)) == 1


def test_a_failure_amid_several_windows_keeps_what_came_before_it(home: Path, inject: Inject) -> None:
    dataset = replace(POWER_SYSTEM_RIGHT_NOW, live_chunk=timedelta(days=1))
    settings = simulated(home, T0 + timedelta(days=5))
    asked = []

    def third_fails(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        asked.append(dataset_asked(request))
        return httpx.Response(404, request=request) if len(asked) == 3 else response

    inject(third_fails)
    report = fetch(settings, dataset)
    assert report.error is not None
    assert len(report.windows) == 3
    assert report.new > 2000
    assert report.remaining > 0
    inject(None)
    again = fetch(settings, dataset)
    assert again.windows[0] == report.windows[2]
    assert (again.error, again.remaining) == (None, 0)
    days = warehouse(settings).read("SELECT DISTINCT minute_utc::DATE AS day FROM power_system_right_now")
    assert len(days) == 30 + 5


def test_deepening_reads_older_history_and_leaves_the_newest_alone(home: Path) -> None:
    deeper = simulated(home, T0, history_days=75)
    shallow = fetch(deeper)
    # The newest sixty days, of which thirty were held.
    assert [window.purpose for window in shallow.windows] == ["recent"]
    report = fetch(deeper, deepen=True)
    assert {window.purpose for window in report.windows} == {"history"}
    assert report.remaining == 0
    assert fetch(deeper, deepen=True).windows == []
    first = warehouse(deeper).read("SELECT min(time_utc) AS t FROM day_ahead_prices")["t"].iloc[0]
    assert first == (T0 - timedelta(days=75)).replace(hour=0)


def test_values_stored_before_they_were_known_to_be_stuck_are_taken_back(home: Path, inject: Inject) -> None:
    first, last = T0 + HOUR, T0 + 13 * HOUR

    def stuck(records: Records) -> Records:
        return [
            {**row, "CO2Emission": 123.0}
            if f"{first:%Y-%m-%dT%H:%M:%S}" <= row.get("Minutes1UTC", "") < f"{last:%Y-%m-%dT%H:%M:%S}"
            else row
            for row in records
        ]

    inject(editing(stuck))
    during = "SELECT count(*) AS n FROM {} WHERE price_area = 'DK' AND {} >= ? AND {} < ?"

    def count(table: str, time: str) -> int:
        held = warehouse(simulated(home)).read(during.format(table, time, time), [first, last])
        return int(held["n"].iloc[0])

    assert run(simulated(home, T0 + 6 * HOUR)).success
    # Five hours of one value may be true.
    assert count("power_system_right_now", "minute_utc") > 250
    assert count("aggregated_data", "hour_utc") == count("engineered_features", "hour_utc") == 5

    assert run(simulated(home, T0 + 18 * HOUR)).success
    assert count("power_system_right_now", "minute_utc") == 0
    assert count("aggregated_data", "hour_utc") == count("engineered_features", "hour_utc") == 0
    kept_apart = warehouse(simulated(home)).read("SELECT * FROM quarantined_values")
    assert set(kept_apart["reason"]) == {"the same for 6:00:00 or longer: stuck"}
    assert len(kept_apart) > 700
    later = warehouse(simulated(home)).read("SELECT max(hour_utc) AS t FROM aggregated_data")["t"].iloc[0]
    assert later == T0 + 17 * HOUR


def test_what_was_quarantined_is_read_again_for_a_week(home: Path, inject: Inject) -> None:
    """Days away, and the first answer after them is absurd for an hour long past the usual overlap."""
    hour = T0 + 6 * HOUR
    absurd_hour = f"{hour:%Y-%m-%dT%H}"

    def absurd(records: Records) -> Records:
        return [
            {**row, "CO2Emission": 1329.0} if row["Minutes1UTC"].startswith(absurd_hour) else row
            for row in records
        ]

    inject(editing(absurd))
    assert fetch(simulated(home, T0 + timedelta(days=3)), POWER_SYSTEM_RIGHT_NOW).quarantined == 60
    held = f"SELECT count(*) AS n FROM power_system_right_now WHERE date_trunc('hour', minute_utc) = '{hour}'"
    assert warehouse(simulated(home)).read(held)["n"].tolist() == [0]
    inject(None)
    again = fetch(simulated(home, T0 + timedelta(days=3, hours=6)), POWER_SYSTEM_RIGHT_NOW)
    assert again.quarantined == 0
    assert warehouse(simulated(home)).read(held)["n"].tolist() == [60]
    later = fetch(simulated(home, T0 + timedelta(days=3, hours=12)), POWER_SYSTEM_RIGHT_NOW)
    assert later.received < 2 * 24 * 60
