"""A raw table after a bad answer is as it was, the log says why, and the next good answer heals it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pandas as pd
import pytest

from co2_assets.contracts import (
    CO2_EMISSION,
    DATASETS,
    DAY_AHEAD_PRICES,
    FORECASTS_HOUR,
    POWER_SYSTEM_RIGHT_NOW,
    PRICE_DATASETS_SWITCH,
    Dataset,
)
from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.pipeline import ingest
from co2_assets.pipeline.ingest import FetchReport, update
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from tests.support.pipeline_runs import (
    HOUR,
    T0,
    Fault,
    checks,
    dataset_asked,
    differing,
    editing,
    failures,
    refusing,
    run,
    simulated,
    tables,
    warehouse,
)

Inject = Callable[[Fault | None], None]
Records = list[dict[str, Any]]
# From what the service says to the features, without what follows from them.
UP_TO_FEATURES = [*(dataset.name for dataset in DATASETS), "aggregated_data", "engineered_features"]


def fetch(
    settings: Settings, dataset: Dataset = DAY_AHEAD_PRICES, *, deepen: bool = False, limited: bool = False
) -> FetchReport:
    """Update one table; with ``limited``, as if the source limited the rate of requests."""
    with open_run(settings) as pipeline:
        service = replace(pipeline.service, unlimited=not limited)
        return update(replace(pipeline, service=service), dataset, deepen=deepen)


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

    names = ["power_system_right_now", "aggregated_data", "engineered_features"]
    assert run(simulated(home, T0 + 6 * HOUR), assets=names).success
    # Five hours of one value may be true.
    assert count("power_system_right_now", "minute_utc") > 250
    assert count("aggregated_data", "hour_utc") == count("engineered_features", "hour_utc") == 5

    assert run(simulated(home, T0 + 18 * HOUR), assets=names).success
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


def test_an_endpoint_that_is_gone_does_not_cost_the_other_its_part(tmp_path: Path, inject: Inject) -> None:
    settings = simulated(tmp_path / "home", datetime(2025, 10, 20, 12))
    gone_datasets = {"Elspotprices"}

    def gone(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_gone = dataset_asked(request) in gone_datasets
        return httpx.Response(404, request=request) if is_gone else response

    def first_held() -> datetime:
        rows = warehouse(settings).read("SELECT min(time_utc) AS t FROM day_ahead_prices")
        first: datetime = rows["t"].iloc[0].to_pydatetime()
        return first

    inject(gone)
    report = fetch(settings)
    assert "Elspotprices" in report.sentence()
    assert "404" in report.sentence()
    assert report.new > 0
    assert report.remaining == 1
    assert first_held() == PRICE_DATASETS_SWITCH
    log = warehouse(settings).read("SELECT * FROM new_data_log ORDER BY window_from_utc")
    assert log["outcome"].tolist() == ["not_found", "ok"]
    assert log["window_to_utc"].iloc[0] == log["window_from_utc"].iloc[1] == PRICE_DATASETS_SWITCH

    gone_datasets.clear()
    again = fetch(settings)
    assert [window.end for window in again.windows] == [PRICE_DATASETS_SWITCH]
    assert (again.error, again.remaining) == (None, 0)
    assert first_held() == (settings.as_of - timedelta(days=30)).replace(hour=0)


def test_a_window_that_is_too_much_for_the_service_is_made_smaller(tmp_path: Path, inject: Inject) -> None:
    now = datetime(2024, 6, 1)
    home, most = tmp_path / "home", timedelta(days=30)
    asked: list[timedelta] = []

    def too_much(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        start, end = (datetime.fromisoformat(request.url.params[name]) for name in ("start", "end"))
        if not asked or asked[-1] != end - start:  # the client tries three times
            asked.append(end - start)
        return httpx.Response(504, request=request) if end - start > most else response

    inject(too_much)
    days = 120
    first = fetch(simulated(home, now, history_days=days), limited=True)
    assert first.error is None
    # The first run has something to forecast from.
    assert asked == [timedelta(days=63), timedelta(days=6)]
    for _ in range(20):
        now += timedelta(minutes=10)
        report = fetch(simulated(home, now, history_days=days), deepen=True, limited=True)
        if not report.windows:
            break
    assert report.remaining <= 1
    held = warehouse(simulated(home)).read(
        "SELECT min(time_utc) AS a, max(time_utc) AS b FROM day_ahead_prices"
    )
    assert held["a"].iloc[0] == (now - timedelta(days=days)).replace(hour=0, minute=0)
    failures = [size for size in asked if size > most]
    assert failures == [timedelta(days=63), timedelta(days=31, hours=12)]


def without(area: str, first: datetime, last: datetime) -> Fault:
    """Leave out the rows of an area (none: of all) from ``first`` to before ``last``."""

    def change(records: Records) -> Records:
        return [
            row
            for row in records
            if row.get("PriceArea", "") != area
            or not first <= datetime.fromisoformat(row.get("Minutes5UTC") or row["Minutes1UTC"]) < last
        ]

    return editing(change)


def count_between(settings: Settings, dataset: Dataset, first: datetime, last: datetime) -> dict[str, int]:
    rows = warehouse(settings).read(
        f"SELECT price_area, count(*) AS n FROM {dataset.name} "
        f"WHERE {dataset.time_column} >= ? AND {dataset.time_column} < ? GROUP BY ALL",
        [first, last],
    )
    return dict(zip(rows["price_area"], rows["n"], strict=True))


@pytest.mark.parametrize("limited", [True, False])
def test_an_area_that_was_missing_for_two_days_arrives_when_it_comes(
    tmp_path: Path, inject: Inject, limited: bool
) -> None:
    home = tmp_path / "home"
    fetch(simulated(home), CO2_EMISSION)
    last = T0 + 48 * HOUR
    inject(without("DK1", T0, last))
    for hours in range(12, 72, 12):
        report = fetch(simulated(home, T0 + hours * HOUR), CO2_EMISSION, limited=limited)
        assert len(report.windows) == 1
    assert "DK1" not in count_between(simulated(home), CO2_EMISSION, T0, last)
    inject(None)
    report = fetch(simulated(home, T0 + 72 * HOUR), CO2_EMISSION, limited=limited)
    held = count_between(simulated(home), CO2_EMISSION, T0, last)
    assert held["DK1"] == held["DK2"] >= 570
    assert report.new >= 570
    # Nothing is asked for again, and the same instant asks nothing.
    assert fetch(simulated(home, T0 + 72 * HOUR), CO2_EMISSION, limited=limited).windows == []
    (window,) = fetch(simulated(home, T0 + 78 * HOUR), CO2_EMISSION, limited=limited).windows
    assert window.start == T0 + 48 * HOUR


def test_a_hole_in_the_middle_that_is_filled_after_a_day_arrives(tmp_path: Path, inject: Inject) -> None:
    home = tmp_path / "home"
    fetch(simulated(home), POWER_SYSTEM_RIGHT_NOW)
    first, last = T0 + 3 * HOUR, T0 + 7 * HOUR
    inject(without("", first, last))
    for hours in (6, 12, 18, 24, 30):
        fetch(simulated(home, T0 + hours * HOUR), POWER_SYSTEM_RIGHT_NOW)
    assert count_between(simulated(home), POWER_SYSTEM_RIGHT_NOW, first, last) == {}
    inject(None)
    fetch(simulated(home, T0 + 36 * HOUR), POWER_SYSTEM_RIGHT_NOW)
    assert count_between(simulated(home), POWER_SYSTEM_RIGHT_NOW, first, last) == {"DK": 240}


def test_a_hole_that_stays_is_not_asked_for_without_end(tmp_path: Path, inject: Inject) -> None:
    home = tmp_path / "home"
    fetch(simulated(home), POWER_SYSTEM_RIGHT_NOW)
    inject(without("", T0, T0 + 6 * HOUR))
    starts = []
    for days in range(1, 10):
        now = T0 + timedelta(days=days)
        (window,) = fetch(simulated(home, now), POWER_SYSTEM_RIGHT_NOW).windows
        (later,) = fetch(simulated(home, now + 6 * HOUR), POWER_SYSTEM_RIGHT_NOW).windows
        assert window.start <= now - timedelta(days=7) or days == 1
        starts.append(later.start)
    assert starts[:6] == [T0] * 6
    assert min(starts[7:]) > T0 + 6 * HOUR


def test_a_value_that_is_revised_after_two_days_is_seen(tmp_path: Path, inject: Inject) -> None:
    home = tmp_path / "home"
    fetch(simulated(home), POWER_SYSTEM_RIGHT_NOW)
    minute = T0 + HOUR

    def revised(records: Records) -> Records:
        text = f"{minute:%Y-%m-%dT%H:%M:%S}"
        return [{**row, "CO2Emission": 111.0} if row["Minutes1UTC"] == text else row for row in records]

    def value() -> float:
        rows = warehouse(simulated(home)).read(
            "SELECT co2_g_per_kwh AS v FROM power_system_right_now WHERE minute_utc = ?", [minute]
        )
        return float(rows["v"].iloc[0])

    requests = 0
    for hours in range(6, 78, 6):
        if hours == 54:
            assert value() != 111.0
            inject(editing(revised))
        requests += len(fetch(simulated(home, T0 + hours * HOUR), POWER_SYSTEM_RIGHT_NOW).windows)
    assert value() == 111.0
    assert requests == 12
    rows = warehouse(simulated(home)).read(
        "SELECT rows_received AS n FROM new_data_log WHERE dataset = 'power_system_right_now' "
        "AND fetched_at_utc > ?",
        [T0],
    )
    # Seven days are read again once a day only.
    assert (rows["n"] > 5 * 1440).sum() == 3


def foreign(records: Records) -> Records:
    """Add what nobody asked for: an area, the country's own name, and an hour of long ago."""
    if "Minutes5UTC" not in records[0]:
        return records
    own = [row for row in records if row["PriceArea"] == "DK1"]
    long_ago = [{**row, "Minutes5UTC": "1900-01-01" + row["Minutes5UTC"][10:]} for row in own[:288]]
    return [
        *records,
        *({**row, "PriceArea": "DK3"} for row in own),
        *({**row, "PriceArea": "DK", "CO2Emission": 5.0} for row in own),
        *{row["Minutes5UTC"]: row for row in long_ago}.values(),
    ]


def test_rows_that_nobody_asked_for_are_set_apart_and_stop_nothing(
    home: Path, second_home: Path, inject: Inject
) -> None:
    inject(editing(foreign))
    settings = simulated(home, T0 + 6 * HOUR)
    result = run(settings, assets=[*UP_TO_FEATURES, "predictions"])
    assert result.success, failures(result)
    assert all(evaluation.passed for evaluation in checks(result).values() if evaluation.blocking)
    content, clean = tables(settings), tables(simulated(second_home))
    for name in ("co2_emission", "area_production", "aggregated_data", "engineered_features"):
        assert content[name].equals(clean[name]), name
    reasons = set(content["quarantined_values"]["reason"])
    assert reasons == {
        "not asked for: price_area is none of DK1, DK2",
        "before the first row, 2014-12-31",
        "before the first row, 2016-12-31",
    }


def test_rows_that_nobody_asked_for_are_moved_away_where_they_are_stored(
    home: Path, second_home: Path
) -> None:
    with warehouse(simulated(home)).session() as connection:
        for area, minute, value in (
            ("DK3", "minute_utc", "co2_g_per_kwh"),
            ("DK", "minute_utc", "5"),
            ("DK1", "minute_utc - INTERVAL 45000 DAY", "co2_g_per_kwh"),
        ):
            connection.execute(
                f"INSERT INTO co2_emission SELECT * REPLACE ('{area}' AS price_area, {minute} AS minute_utc, "
                f"{value} AS co2_g_per_kwh) FROM co2_emission WHERE price_area = 'DK2' "
                f"AND minute_utc >= TIMESTAMP '{T0 - 24 * HOUR}'"
            )
        # What the earlier version made of them.
        connection.execute(
            "INSERT INTO aggregated_data BY NAME SELECT price_area, "
            "date_trunc('hour', minute_utc) AS hour_utc, 60 AS minutes_observed, "
            "avg(co2_g_per_kwh) AS co2_g_per_kwh FROM co2_emission "
            "WHERE price_area = 'DK3' OR minute_utc < TIMESTAMP '2000-01-01' GROUP BY ALL"
        )
        connection.execute(
            "UPDATE aggregated_data SET co2_g_per_kwh = 5, solar_mw = NULL "
            f"WHERE price_area = 'DK' AND hour_utc >= TIMESTAMP '{T0 - 24 * HOUR}'"
        )
    settings = simulated(home, T0 + 6 * HOUR)
    result = run(settings, assets=UP_TO_FEATURES)
    assert result.success, failures(result)
    assert all(evaluation.passed for evaluation in checks(result).values() if evaluation.blocking)
    content, clean = tables(settings), tables(simulated(second_home))
    assert content["co2_emission"].equals(clean["co2_emission"])
    for name in ("aggregated_data", "engineered_features"):
        pd.testing.assert_frame_equal(content[name], clean[name], rtol=1e-12)
    kept_apart = content["quarantined_values"]
    assert set(kept_apart["value"].str[:4]) == {"DK3", "DK", "1901"}
    stored = clean["co2_emission"]
    last_day = (stored["price_area"] == "DK2") & stored["minute_utc"].between(
        T0 - 24 * HOUR, T0, inclusive="left"
    )
    assert len(kept_apart) == 3 * last_day.sum()


def test_neither_half_a_character_nor_an_exception_of_one_dataset_stops_the_forecast(
    home: Path, inject: Inject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(records: Records) -> Records:
        return [
            {**row, "ForecastType": "Solar\ud800"} if number == 0 and "ForecastType" in row else row
            for number, row in enumerate(records)
        ]

    split = ingest.split_rows

    def breaking(dataset: Dataset, *arguments: Any, **options: Any) -> Any:
        if dataset is DAY_AHEAD_PRICES:
            raise ZeroDivisionError("half \ud800 a character")
        return split(dataset, *arguments, **options)

    inject(editing(broken))
    monkeypatch.setattr(ingest, "split_rows", breaking)
    settings = simulated(home, T0 + 6 * HOUR)
    names = [FORECASTS_HOUR.name, DAY_AHEAD_PRICES.name, "engineered_features", "predictions"]
    result = run(settings, assets=names)
    assert result.success, failures(result)
    fetched = checks(result)["day_ahead_prices_fetched"]
    assert not fetched.passed
    assert "ZeroDivisionError: half \\ud800 a character" in (fetched.description or "")
    content = tables(settings)
    (row,) = content["new_data_log"].query("outcome == 'failed'").to_dict("records")
    assert row["dataset"] == "day_ahead_prices"
    assert "the next run asks again" in row["message"]
    issued = content["predictions"].query("issue_time_utc == @settings.as_of")
    assert len(issued) == len(AREAS) * HORIZON_HOURS

    monkeypatch.setattr(ingest, "split_rows", split)
    assert fetch(settings).error is None


def test_what_is_wrong_with_the_warehouse_itself_is_not_taken_for_bad_rows(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(ingest, "store_rows", full)
    with pytest.raises(duckdb.IOException, match="No space left"):
        fetch(simulated(home, T0 + 6 * HOUR))
