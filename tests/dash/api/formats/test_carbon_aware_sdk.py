"""The Carbon Aware SDK's WebAPI: forecasts now and as they were, emissions, averages, locations."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.issue_archive import archive_issues, query_all
from co2_assets.warehouse.paths import Home
from co2_dash.data import issued
from co2_dash.data.snapshot_store import View
from tests.dash.api.test_api import V1, Client
from tests.support import snapshot_data
from tests.support.snapshot_data import NOW

PREFIX = "/api/carbon-aware-sdk"
CURRENT = f"{PREFIX}/emissions/forecasts/current"
BATCH = f"{PREFIX}/emissions/forecasts/batch"
AVERAGE = f"{PREFIX}/emissions/average-carbon-intensity"
BY = f"{PREFIX}/emissions/bylocation"


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def failed(answer: httpx.Response, status: int, parameter: str | None = None) -> str:
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert set(document) == {"title", "status", "detail", "errors"}
    assert document["status"] == status
    if parameter is not None:
        assert list(document["errors"]) == [parameter]
        assert all(isinstance(words, list) for words in document["errors"].values())
    return str(document["detail"])


def test_the_current_forecast_of_each_location(shared: httpx.Client) -> None:
    answer = ok(shared.get(f"{CURRENT}?location=DK1&location=dk-dk2"))
    assert [forecast["location"] for forecast in answer] == ["DK1", "dk-dk2"]
    for forecast, area in zip(answer, ("DK1", "DK2"), strict=True):
        own = ok(shared.get(f"{V1}/forecast?hours=72&area={area}"))
        assert forecast["generatedAt"] == own["issued_at"]
        assert forecast["requestedAt"] == "2024-06-01T13:23:00Z"
        assert forecast["windowSize"] == 0
        points = [(point["timestamp"], point["value"]) for point in forecast["forecastData"]]
        assert points == [(hour["hour"], hour["q50_g_per_kwh"]) for hour in own["hours"]]
        assert {point["duration"] for point in forecast["forecastData"]} == {60}
        assert (forecast["dataStartAt"], forecast["dataEndAt"]) == (points[0][0], points[-1][0])
        least = min(value for _, value in points)
        assert [point["value"] for point in forecast["optimalDataPoints"]] == [least]


def test_the_best_window_is_that_of_our_own_advice(shared: httpx.Client) -> None:
    params = {"location": "DK", "windowSize": "180", "dataStartAt": "2024-06-01T13:23:00Z"}
    (forecast,) = ok(shared.get(CURRENT, params=params))
    assert forecast["windowSize"] == 180
    assert forecast["forecastData"][0]["timestamp"] == "2024-06-01T13:23:00Z"
    own = ok(shared.get(f"{V1}/cleanest-window?duration=3"))
    # The SDK's windows lie an hour apart; ours may begin between two of them.
    assert forecast["optimalDataPoints"][0]["value"] >= own["best"]["median_g_per_kwh"] - 1e-3


@pytest.mark.parametrize(
    ("params", "parameter", "words"),
    [
        ({"location": "eastus"}, "location", "there are DK, DK1, DK2"),
        ({}, "location", ""),
        (
            {"location": "DK", "dataStartAt": "2024-05-01T00:00:00Z"},
            "dataStartAt",
            "must lie in the forecast",
        ),
        ({"location": "DK", "dataEndAt": "2024-06-09T00:00:00Z"}, "dataEndAt", "must lie in the forecast"),
        ({"location": "DK", "windowSize": "-5"}, "windowSize", "0"),
        ({"locations": "DK", "location": "DK"}, "locations", "no such parameter"),
    ],
)
def test_what_cannot_be_answered_is_a_400_by_parameter(
    shared: httpx.Client, params: dict[str, str], parameter: str, words: str
) -> None:
    answer = shared.get(CURRENT, params=params)
    document = answer.json()
    assert answer.status_code == 400
    assert words in failed(answer, 400)
    assert any(name == parameter for name in document["errors"]) or parameter in document["detail"]


def asked_at(requested_at: str, location: str = "DK", **more: Any) -> dict[str, Any]:
    return {"requestedAt": requested_at, "location": location, **more}


def test_a_batch_has_each_forecast_as_it_was(shared: httpx.Client) -> None:
    body = [
        asked_at("2024-05-20T08:30:00Z", "DK"),
        asked_at("2024-06-01T13:23:00Z", "DK2", windowSize=120),
        asked_at("2024-05-20T05:59:59+00:00"),
    ]
    past, present, before = ok(shared.post(BATCH, json=body))
    assert past["generatedAt"] == "2024-05-20T06:00:00Z"
    assert past["requestedAt"] == "2024-05-20T08:30:00Z"
    # Nobody can begin in an hour that was over.
    assert past["forecastData"][0]["timestamp"] == "2024-05-20T08:00:00Z"
    assert before["generatedAt"] == "2024-05-20T00:00:00Z"
    (now,) = ok(shared.get(f"{CURRENT}?location=DK2&windowSize=120"))
    assert present["forecastData"] == now["forecastData"]
    assert present["optimalDataPoints"] == now["optimalDataPoints"]


def test_a_batch_says_what_it_does_not_have(shared: httpx.Client) -> None:
    words = failed(shared.post(BATCH, json=[asked_at("2023-01-01T00:00:00Z")]), 404)
    assert "No forecast of DK covered 2023-01-01T00:00:00Z" in words
    assert "the oldest that is kept is of 2024-04-" in words
    failed(shared.post(BATCH, json=[asked_at("2024-06-02T00:00:00Z")]), 400, "requestedAt")
    failed(shared.post(BATCH, json=[asked_at("2024-05-20T08:30:00Z", dataStartAt="2024-05-01T00:00Z")]), 400)
    failed(shared.post(BATCH, json=[asked_at("2024-05-20T08:30:00Z", windowsize=60)]), 400, "windowsize")
    failed(shared.post(BATCH, json=[{"location": "DK"}]), 400, "requestedAt")
    failed(shared.post(BATCH, json=[asked_at("2024-05-20T08:30:00Z")] * 101), 400)
    failed(shared.post(BATCH, content=b"no json"), 400)
    assert ok(shared.post(BATCH, json=[])) == []


def test_a_batch_takes_no_room_from_what_the_pages_use(published: Home, view: View) -> None:
    before = view.remembered_bytes
    asked = [datetime(2024, 5, 20, 8, 30), datetime(2023, 1, 1), datetime(2024, 5, 20, 5, 59, 59, 999_999)]
    found = issued.known_at(published.source("live"), view, "DK", [*asked, asked[0]])
    assert {at: set(rows["issued_at_utc"]) for at, rows in found.items()} == {
        asked[0]: {datetime(2024, 5, 20, 6)},
        asked[2]: {datetime(2024, 5, 20)},
    }
    assert issued.known_at(published.source("live"), view, "DK", []) == {}
    assert view.remembered_bytes == before


def test_a_batch_is_read_at_once(published: Home, asked: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[object] = []

    def counted(*given: Any) -> pd.DataFrame:
        queries.append(given)
        return query_all(*given)

    monkeypatch.setattr(issued, "query_all", counted)
    times = [f"2024-05-{day:02}T08:30:00Z" for day in range(26, 32)]
    body = [asked_at(time, area) for time in times for area in ("DK", "DK1")]
    answer = ok(asked(published).post(BATCH, json=body))
    assert [one["requestedAt"] for one in answer] == [one["requestedAt"] for one in body]
    assert len(queries) == 2, "one for each area"


def test_a_batch_reads_the_archive_of_past_months(
    asked: Client, shared: httpx.Client, tmp_path: Path, archive_dir: Path
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)
    folder = home.source("live")
    warehouse = Warehouse(folder.database, "live")
    assert archive_issues(warehouse, now=NOW)[0] > 0
    with warehouse.session() as connection:
        connection.execute("DELETE FROM predictions WHERE issued_at_utc < '2024-05-15'")
    snapshots.publish(warehouse, folder.snapshots, as_of_utc=NOW, published_at_utc=NOW)
    body = [asked_at("2024-04-28T09:00:00Z", windowSize=120)]
    assert ok(asked(home).post(BATCH, json=body)) == ok(shared.post(BATCH, json=body))


def test_emissions_by_location(shared: httpx.Client) -> None:
    times = {"time": "2024-05-20T00:30:00Z", "toTime": "2024-05-20T03:00:00Z"}
    found = ok(shared.get(BY, params={"location": "DK1", **times}))
    own = ok(
        shared.get(
            f"{V1}/history",
            params={"area": "DK1", "start": "2024-05-20T00:00:00Z", "end": "2024-05-20T03:00:00Z"},
        )
    )["hours"]
    assert found == [
        {"location": "DK1", "time": hour["hour"], "rating": hour["co2_g_per_kwh"], "duration": "01:00:00"}
        for hour in own
    ]
    many = [("location", "DK1"), ("location", "DK2"), *times.items()]
    both = ok(shared.get(f"{BY}s", params=many))
    assert [hour["location"] for hour in both] == ["DK1"] * 3 + ["DK2"] * 3
    least = min(hour["rating"] for hour in both)
    assert ok(shared.get(f"{BY}s/best", params=many)) == [hour for hour in both if hour["rating"] == least]


def test_emissions_of_now_and_of_no_known_time(shared: httpx.Client) -> None:
    (now,) = ok(shared.get(f"{BY}?location=DK"))
    assert now["time"] == "2024-06-01T13:00:00Z"
    assert now["rating"] == ok(shared.get(f"{V1}/latest"))["this_hour"]["q50_g_per_kwh"]
    empty = shared.get(BY, params={"location": "DK", "time": "2020-01-01T00:00:00Z"})
    assert (empty.status_code, empty.content) == (204, b"")
    assert "etag" not in empty.headers
    assert shared.get(BY, params={"location": "DK", "time": "2024-06-02T00:00:00Z"}).status_code == 204
    failed(shared.get(BY, params={"location": "DK", "toTime": "2024-06-01T00:00:00Z"}), 400, "toTime")


def test_an_average_is_of_measurements_and_by_time(shared: httpx.Client) -> None:
    own = ok(
        shared.get(f"{V1}/history", params={"start": "2024-05-20T00:00:00Z", "end": "2024-05-20T02:00:00Z"})
    )["hours"]
    values = [hour["co2_g_per_kwh"] for hour in own]
    times = {"startTime": "2024-05-20T00:30:00Z", "endTime": "2024-05-20T02:00:00Z"}
    found = ok(shared.get(AVERAGE, params={"location": "DK", **times}))
    assert found == {
        "location": "DK",
        **times,
        "carbonIntensity": pytest.approx((values[0] / 2 + values[1]) / 1.5, abs=1e-3),
    }
    assert ok(shared.post(f"{AVERAGE}/batch", json=[{"location": "DK", **times}])) == [found]
    # The hour of now is not measured yet.
    late = {"startTime": "2024-06-01T11:00:00Z", "endTime": "2024-06-01T13:10:00Z"}
    words = failed(shared.get(AVERAGE, params={"location": "DK", **late}), 400, "endTime")
    assert "measured until 2024-06-01T13:00:00Z" in words
    swapped = {"startTime": times["endTime"], "endTime": times["startTime"]}
    failed(shared.get(AVERAGE, params={"location": "DK", **swapped}), 400, "startTime")


def test_averages_of_a_batch_are_together_no_longer_than_one_may_be(shared: httpx.Client) -> None:
    half = {"location": "DK", "startTime": "2023-01-01T00:00:00Z", "endTime": "2023-07-10T00:00:00Z"}
    words = failed(shared.post(f"{AVERAGE}/batch", json=[half, half]), 400, "endTime")
    assert "366 days can be asked for at once" in words
    assert "not all of that time was measured" in failed(shared.post(f"{AVERAGE}/batch", json=[half]), 400)


def test_the_locations_are_the_areas(shared: httpx.Client) -> None:
    found = ok(shared.get(f"{PREFIX}/locations"))
    assert list(found) == ["DK", "DK1", "DK2"]
    assert found["DK1"]["name"] == "DK1"
    for place in found.values():
        assert 54 < place["latitude"] < 58
        assert 8 < place["longitude"] < 13


def test_keys_and_other_methods_are_refused_in_the_form_of_the_sdk(asked: Client) -> None:
    client = asked(api_keys=frozenset({"right"}))
    failed(client.post(BATCH, json=[]), 401)
    key = {"X-API-Key": "right"}
    assert client.post(BATCH, json=[], headers=key).status_code == 200
    failed(client.delete(BATCH, headers=key), 405)
    failed(client.get(f"{PREFIX}/emissions/unknown", headers=key), 404)


def test_before_anything_was_published_it_says_so(asked: Client, tmp_path: Path) -> None:
    client = asked(Home(tmp_path))
    for answer in (client.post(BATCH, json=[]), client.get(f"{CURRENT}?location=DK")):
        assert "Nothing has been published" in failed(answer, 503)


def test_a_forecast_that_has_run_out_is_no_forecast(asked: Client, published: Home) -> None:
    late = asked(published, lambda: datetime(2024, 6, 1, 13) + timedelta(days=5))
    assert "run out" in failed(late.get(f"{CURRENT}?location=DK"), 503)
