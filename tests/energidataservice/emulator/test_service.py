"""The emulated service against the service's recorded answers and its written rules."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from co2_assets.energidataservice.emulator.catalog import KNOWN_AT, SERVED, Grid
from co2_assets.energidataservice.emulator.recording import RecordedGrid
from co2_assets.energidataservice.emulator.service import EmulatedService
from co2_assets.energidataservice.emulator.simulator import SimulatedGrid

SUMMER_2024 = datetime(2024, 6, 1)


def get(grid: Grid, dataset: str, now: datetime = SUMMER_2024, **params: str) -> httpx.Response:
    with httpx.Client(transport=EmulatedService(grid, lambda: now), base_url="http://emulated") as client:
        return client.get(f"/dataset/{dataset}", params=params)


def records(grid: Grid, dataset: str, now: datetime = SUMMER_2024, **params: str) -> list[dict[str, Any]]:
    response = get(grid, dataset, now, **params)
    assert response.status_code == 200, response.text
    return response.json()["records"]


class OneHourEach:
    """A grid whose every hour from 2024-01-01 on is known at once, for questions of form."""

    datasets = frozenset(SERVED)

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:  # noqa: ARG002
        field = SERVED[dataset].time_field
        times = pd.date_range("2024-01-01", "2024-12-31", freq="h", unit="us")
        frame = pd.DataFrame({field: times, KNOWN_AT: datetime(2020, 1, 1)})
        if "PriceArea" in SERVED[dataset].columns:
            frame = frame.merge(pd.DataFrame({"PriceArea": ["DK2", "DK1"]}), how="cross")
        return frame[(frame[field] >= start) & (frame[field] < end)]


@pytest.fixture(scope="module")
def archive(archive_dir: Path) -> RecordedGrid:
    return RecordedGrid(archive_dir)


GRIDS = ["archive", "simulator"]


@pytest.fixture(params=GRIDS)
def grid(request: pytest.FixtureRequest) -> Grid:
    if request.param == "simulator":
        return SimulatedGrid()
    recorded: Grid = request.getfixturevalue("archive")
    return recorded


# Recorded answers


def recorded_answer(folder: Path, dataset: str) -> tuple[str, dict[str, Any]]:
    text = (folder / "api_responses" / f"{dataset}.json").read_text(encoding="utf-8")
    return text, json.loads(text)


@pytest.mark.parametrize("dataset", ["PowerSystemRightNow", "Forecasts_Hour", "CO2EmisProg"])
def test_rows_have_the_keys_order_and_types_of_the_recorded_answer(
    grid: Grid, archive_dir: Path, dataset: str
) -> None:
    _, recorded = recorded_answer(archive_dir, dataset)
    ours = get(grid, dataset, limit="3").json()
    assert list(ours["records"][0]) == list(recorded["records"][0])
    kept = [key for key in ours if key in recorded]
    assert kept == list(recorded), "the envelope's keys, in order"
    for name, value in recorded["records"][0].items():
        mine = ours["records"][0][name]
        assert mine is None or type(mine) is type(value), name
        if isinstance(value, str) and name.endswith(("UTC", "DK")):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", mine)


def test_the_production_of_the_areas_is_printed_as_it_was_recorded(archive_dir: Path) -> None:
    dataset = "ElectricityProdex5MinRealtime"
    _, recorded = recorded_answer(archive_dir, dataset)
    ours = get(SimulatedGrid(), dataset, limit="100").json()
    assert list(ours) == list(recorded), "the envelope's keys, in order"
    assert [row["PriceArea"] for row in ours["records"][:2]] == ["DK1", "DK2"]
    for mine, theirs in zip(ours["records"], recorded["records"], strict=True):
        assert list(mine) == list(theirs)
        assert {name: type(value) for name, value in mine.items()} == {
            name: type(value) for name, value in theirs.items()
        }, "nulls where an area has no such border"


def test_the_recorded_rows_come_newest_first_then_by_area(archive_dir: Path) -> None:
    _, recorded = recorded_answer(archive_dir, "CO2EmisProg")
    shape = [(row["Minutes5UTC"], row["PriceArea"]) for row in recorded["records"]]
    assert shape == sorted(sorted(shape, key=lambda row: row[1]), key=lambda row: row[0], reverse=True)
    ours = [(r["Minutes5UTC"], r["PriceArea"]) for r in records(SimulatedGrid(), "CO2EmisProg", limit="6")]
    assert ours == sorted(sorted(ours, key=lambda row: row[1]), key=lambda row: row[0], reverse=True)


@pytest.mark.parametrize("dataset", ["ElectricityProdex5MinRealtime", "Forecasts_5Min"])
def test_an_untouched_answer_shows_how_the_service_prints(archive_dir: Path, dataset: str) -> None:
    text, recorded = recorded_answer(archive_dir, dataset)
    assert re.search(r'":-?\d+\.\d{6}[,}]', text), "six decimals"
    assert not re.search(r'":-?\d+\.\d{1,5}[,}]', text)
    ours = get(SimulatedGrid(), "Forecasts_Hour", start="2024-05-01", end="2024-05-02").text
    assert re.search(r'":-?\d+\.\d{6}[,}]', ours)
    assert not re.search(r'":-?\d+\.\d{1,5}[,}]', ours)
    assert ": " not in ours, "no blanks"
    assert next(iter(recorded)) == "total"
    assert list(recorded)[-2:] == ["dataset", "records"]


def test_a_filtered_sorted_answer_has_the_recorded_envelope(archive_dir: Path) -> None:
    _, recorded = recorded_answer(archive_dir, "Forecasts_5Min")
    ours = get(
        OneHourEach(),
        "Forecasts_Hour",
        start="2024-05-01",
        filter='{"PriceArea":["DK1"]}',
        sort="HourUTC DESC",
    ).json()
    assert list(ours) == list(recorded)
    assert ours["filters"] == recorded["filters"]


def test_numbers_carry_the_noise_of_32_bits(archive: RecordedGrid) -> None:
    text = get(archive, "PowerSystemRightNow", start="2024-05-01T00:00", end="2024-05-01T00:02").text
    noisy = re.findall(r'"OnshoreWindPower":(\d+\.\d{6})', text)
    assert noisy
    assert any(round(float(number), 2) != float(number) for number in noisy)


# Parameters


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        # The Danish hour 02:00 is skipped: one hour of UTC between 01:00 and 03:00.
        ("2024-03-31", "2024-03-31T00:00:00", "2024-03-31T01:00:00"),
        # The Danish hour 02:00 comes twice: 00:00 and 01:00 UTC.
        ("2024-10-27", "2024-10-27T00:00:00", "2024-10-27T01:00:00"),
    ],
)
def test_times_are_danish_unless_told_otherwise(change: str, before: str, after: str) -> None:
    rows = records(
        OneHourEach(), "PowerSystemRightNow", datetime(2025, 1, 1), start=change, end=f"{change}T12:00"
    )
    danish = [row["Minutes1DK"] for row in reversed(rows)]
    assert danish[0] == f"{change}T00:00:00"
    assert danish[-1] == f"{change}T11:00:00"
    assert len(rows) == (11 if change == "2024-03-31" else 13)
    twice = danish.count(f"{change}T02:00:00")
    assert twice == (0 if change == "2024-03-31" else 2)
    utc = records(
        OneHourEach(),
        "PowerSystemRightNow",
        datetime(2025, 1, 1),
        start=before[:16],
        end=after[:16],
        timezone="UTC",
    )
    assert [row["Minutes1UTC"] for row in utc] == [before]


def test_start_is_inclusive_and_end_exclusive() -> None:
    rows = records(
        OneHourEach(),
        "PowerSystemRightNow",
        start="2024-05-01T00:00",
        end="2024-05-01T03:00",
        timezone="UTC",
        sort="Minutes1UTC",
    )
    assert [row["Minutes1UTC"][11:13] for row in rows] == ["00", "01", "02"]


def test_paging_gives_every_row_once() -> None:
    window = {
        "start": "2024-05-01",
        "end": "2024-05-08",
        "timezone": "UTC",
        "sort": "HourUTC ASC, PriceArea ASC",
    }
    whole = get(OneHourEach(), "Elspotprices", **window).json()
    pages = [
        get(OneHourEach(), "Elspotprices", **window, limit="50", offset=str(offset)).json()
        for offset in range(0, 400, 50)
    ]
    assert [row for page in pages for row in page["records"]] == whole["records"]
    assert {page["total"] for page in pages} == {whole["total"]} == {2 * 24 * 7}
    assert pages[0]["limit"] == 50


def test_a_hundred_rows_only_without_start_and_limit() -> None:
    assert len(records(OneHourEach(), "PowerSystemRightNow")) == 100
    assert get(OneHourEach(), "PowerSystemRightNow").json()["limit"] == 100
    everything = get(OneHourEach(), "PowerSystemRightNow", limit="0").json()
    assert len(everything["records"]) == everything["total"] > 8000
    assert len(records(OneHourEach(), "PowerSystemRightNow", start="2024-02-01", end="2024-03-01")) == 29 * 24


def test_only_the_columns_asked_for_are_served() -> None:
    rows = records(OneHourEach(), "CO2EmisProg", columns="PriceArea,Minutes5DK", limit="1")
    assert list(rows[0]) == ["PriceArea", "Minutes5DK"]


def test_the_vintage_of_a_prognosis_is_served_only_when_asked_for() -> None:
    assert "FirstSeenUTC" not in records(SimulatedGrid(), "CO2EmisProg", limit="1")[0]
    asked = records(SimulatedGrid(), "CO2EmisProg", limit="1", columns="Minutes5UTC,FirstSeenUTC")
    assert asked[0]["FirstSeenUTC"] < asked[0]["Minutes5UTC"]


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"start": "yesterday"}, "start"),
        ({"end": "2024-13-01"}, "end"),
        ({"start": "2024-05-01T00:00:00+02:00"}, "start"),
        ({"timezone": "CET"}, "timezone"),
        ({"columns": "HourUTC,Nonsense"}, "Nonsense"),
        ({"filter": "PriceArea=DK1"}, "filter"),
        ({"filter": '{"Area":["DK1"]}'}, "Area"),
        ({"sort": "HourUTC UP"}, "sort"),
        ({"sort": "Nonsense"}, "Nonsense"),
        ({"limit": "-1"}, "limit"),
        ({"offset": "a"}, "offset"),
        ({"filters": "{}"}, "filters"),
    ],
)
def test_what_the_service_cannot_read_is_a_bad_request(params: dict[str, str], word: str) -> None:
    response = get(OneHourEach(), "Elspotprices", **params)
    assert response.status_code == 400
    assert word in response.json()["message"]


def test_an_unknown_dataset_is_not_found() -> None:
    assert get(OneHourEach(), "Nonsense").status_code == 404


@pytest.mark.parametrize("start", ["0001", "9999-12-31"])
def test_windows_at_the_ends_of_time_are_answered(start: str) -> None:
    assert get(SimulatedGrid(), "Elspotprices", start=start, limit="1").status_code == 200


# Sources


def test_a_recorded_hour_comes_back_from_its_minutes(archive: RecordedGrid, archive_dir: Path) -> None:
    rows = pd.DataFrame(
        records(archive, "PowerSystemRightNow", start="2024-05-01", end="2024-05-03", timezone="UTC")
    )
    hourly = rows.groupby(rows["Minutes1UTC"].str[:13])["CO2Emission"].agg(["mean", "size"])
    recorded = pd.read_parquet(archive_dir / "PowerSystemRightNow_hourly.parquet")
    recorded = recorded[recorded["HourUTC"].between("2024-05-01", "2024-05-02 23:00")]
    assert (hourly["size"] == 60).all()
    assert hourly["mean"].round(2).tolist() == recorded["CO2Emission"].tolist()


def test_recorded_gaps_and_spikes_stay(archive: RecordedGrid) -> None:
    rows = records(
        archive,
        "PowerSystemRightNow",
        start="2024-04-30T09:00",
        end="2024-04-30T12:00",
        timezone="UTC",
        sort="Minutes1UTC",
    )
    assert max(row["ProductionLt100MW"] for row in rows) > 5000
    outage = {"start": "2023-10-02T13:00", "end": "2023-10-02T17:00", "timezone": "UTC", "limit": "0"}
    hours = [row["Minutes1UTC"][11:13] for row in records(archive, "PowerSystemRightNow", **outage)]
    assert sorted(set(hours)) == ["13", "16"]


AS_OF = [datetime(2024, 3, 31, 0, 30), datetime(2024, 5, 14, 10, 50), datetime(2024, 5, 14, 11, 0)]


@pytest.mark.parametrize("now", AS_OF)
@pytest.mark.parametrize("dataset", sorted(SERVED))
def test_a_later_clock_only_adds_rows_whose_time_had_come(grid: Grid, dataset: str, now: datetime) -> None:
    if dataset not in grid.datasets:
        assert get(grid, dataset, now).status_code == 404
        return
    # What stands in for CO2Emis in the recording ends in November 2023.
    earlier = timedelta(days=200) if (dataset, type(grid)) == ("CO2Emis", RecordedGrid) else timedelta(0)
    now, summer = now - earlier, SUMMER_2024 - earlier
    start = datetime(2024, 3, 29) - earlier
    window = {"start": f"{start:%Y-%m-%d}", "end": f"{summer:%Y-%m-%d}", "timezone": "UTC", "limit": "0"}
    field = SERVED[dataset].time_field
    key = [field, *SERVED[dataset].order]
    columns = ",".join([*SERVED[dataset].columns, *SERVED[dataset].on_request])
    then = pd.DataFrame(records(grid, dataset, now, columns=columns, **window))
    later = pd.DataFrame(records(grid, dataset, summer, columns=columns, **window))
    if dataset == "DayAheadPrices":
        assert then.empty, "before the switch prices are Elspotprices"
        return
    latest = pd.Timestamp(then[field].max())
    bounds = {
        # A minute, or five, are over when they are published.
        "CO2Emis": now - timedelta(minutes=5),
        "ElectricityProdex5MinRealtime": now - timedelta(minutes=5),
        "PowerSystemRightNow": now - timedelta(minutes=1),
        # The Danish day of tomorrow ends at most 34 hours after it was published at noon or later.
        "Elspotprices": now + timedelta(hours=36),
        "Forecasts_Hour": now + timedelta(hours=36),
        "CO2EmisProg": now + timedelta(hours=36),
    }
    assert latest <= bounds[dataset]
    for stamp in ("TimestampUTC", "FirstSeenUTC"):
        if stamp in then:
            assert pd.to_datetime(then[stamp]).max() <= now
    both = then.merge(later, on=key, how="left", indicator=True)
    assert (both["_merge"] == "both").all(), "nothing is taken back"


@pytest.mark.parametrize(
    ("now", "last_delivery"),
    [
        # 13:00 in Denmark is 12:00 UTC in winter and 11:00 in summer.
        (datetime(2024, 1, 10, 11, 59), "2024-01-10T22:00:00"),
        (datetime(2024, 1, 10, 12, 0), "2024-01-11T22:00:00"),
        (datetime(2024, 5, 10, 10, 59), "2024-05-10T21:00:00"),
        (datetime(2024, 5, 10, 11, 0), "2024-05-11T21:00:00"),
        # The days before and of the clock change.
        (datetime(2024, 3, 30, 12, 0), "2024-03-31T21:00:00"),
        (datetime(2024, 10, 26, 11, 0), "2024-10-27T22:00:00"),
    ],
)
def test_tomorrows_prices_are_out_at_one_in_denmark(grid: Grid, now: datetime, last_delivery: str) -> None:
    rows = records(grid, "Elspotprices", now, limit="1")
    assert rows[0]["HourUTC"] == last_delivery


def test_a_recorded_minute_tells_nothing_before_its_hour_is_over(archive: RecordedGrid) -> None:
    rows = records(archive, "PowerSystemRightNow", datetime(2024, 5, 14, 10, 50), limit="1")
    assert rows[0]["Minutes1UTC"] == "2024-05-14T09:59:00"


def test_the_fault_hook_sees_the_request_and_replaces_the_answer() -> None:
    seen: list[str] = []

    def fault(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(503, headers={"X-Rows": str(response.json()["total"])})

    transport = EmulatedService(OneHourEach(), lambda: SUMMER_2024, fault)
    with httpx.Client(transport=transport, base_url="http://emulated") as client:
        response = client.get("/dataset/Elspotprices", params={"limit": "1"})
    assert response.status_code == 503
    assert int(response.headers["X-Rows"]) > 0
    assert seen == ["/dataset/Elspotprices"]
