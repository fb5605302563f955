"""Open-Meteo over a real socket: what is asked, what becomes of the answer, and every fault by its name."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from co2_assets.contracts import UNREADABLE, WEATHER_FORECAST, split_rows
from co2_assets.contracts.sources import WeatherAccess
from co2_assets.contracts.weather import WEATHER_POINTS, WEATHER_VARIABLES
from co2_assets.http_service import client as client_module
from co2_assets.http_service.errors import (
    BadRequest,
    BadResponse,
    EmptyResponse,
    Incomplete,
    NotFound,
    RateLimited,
    Refused,
    SchemaChanged,
    ServerFault,
    ServiceError,
    TimedOut,
    TruncatedResponse,
    Unreachable,
)
from tests.support.open_meteo import (
    KEY,
    NOW,
    Fault,
    Places,
    Server,
    body,
    broken_off,
    client_of,
    edited,
    served,
    status,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START, END = NOW - 2 * DAY, NOW + WEATHER_FORECAST.reach
POINTS = [point.name for point in WEATHER_POINTS]
VARIABLES = [column.name for column in WEATHER_VARIABLES]

Servers = tuple[Server, Server]


@pytest.fixture(scope="module")
def running() -> Iterator[Servers]:
    with served() as servers:
        yield servers


@pytest.fixture
def servers(running: Servers) -> Iterator[Servers]:
    yield running
    for server in running:
        server.fault = None
        server.requests.clear()


def fetch(servers: Servers, start: datetime = START, end: datetime = END, **options: Any) -> pd.DataFrame:
    with client_of(*servers, **options) as client:
        return client.fetch(WEATHER_FORECAST, start, end)


def test_coming_hours_come_from_the_forecast_and_past_ones_from_the_previous_runs(servers: Servers) -> None:
    frame = fetch(servers)
    good, bad = split_rows(WEATHER_FORECAST, frame, now=NOW, window=(START, END))
    assert bad == []
    assert list(good) == ["point", "hour_utc", "published_at_utc", *VARIABLES]
    coming = good[good["hour_utc"] >= NOW]
    assert set(coming["published_at_utc"]) == {NOW}
    assert sorted(coming["hour_utc"].unique()) == list(
        pd.date_range("2024-06-01 07:00", "2024-06-04 06:00", freq="h")
    )
    past = good[good["hour_utc"] < NOW]
    assert past["hour_utc"].min() == datetime(2024, 5, 30, 7)
    assert past["hour_utc"].max() == datetime(2024, 6, 1, 6)
    before = past["hour_utc"] - past["published_at_utc"]
    assert (past.groupby(["point", "hour_utc"]).size() == 3).all()
    assert set(before) == {DAY, 2 * DAY, 3 * DAY}
    assert set(good["point"]) == set(POINTS)
    assert good[VARIABLES].notna().all(axis=None)


def test_one_request_asks_each_address_for_all_points(servers: Servers) -> None:
    fetch(servers)
    for server in servers:
        (request,) = server.requests
        params = request.url.params
        assert request.url.path == "/v1/forecast"
        assert len(params["latitude"].split(",")) == len(params["longitude"].split(",")) == len(POINTS)
        assert (params["wind_speed_unit"], params["timezone"], params["apikey"]) == ("ms", "GMT", KEY)
    coming, past = (server.requests[0].url.params for server in servers)
    assert (coming["start_date"], coming["end_date"]) == ("2024-06-01", "2024-06-04")
    assert (past["start_date"], past["end_date"]) == ("2024-05-30", "2024-06-01")
    assert coming["hourly"].split(",")[:2] == ["wind_speed_10m", "wind_speed_100m"]
    assert len(past["hourly"].split(",")) == 15
    assert "wind_speed_100m_previous_day3" in past["hourly"]


@pytest.mark.parametrize(
    ("start", "end", "counts"),
    [(NOW - DAY, NOW, (0, 1)), (NOW, END, (1, 0)), (NOW - 20 * DAY, NOW - 10 * DAY, (0, 1))],
)
def test_a_window_on_one_side_asks_that_one_alone(
    servers: Servers, start: datetime, end: datetime, counts: tuple[int, int]
) -> None:
    fetch(servers, start, end)
    assert tuple(len(server.requests) for server in servers) == counts


def test_on_the_hour_that_hour_is_a_coming_one(servers: Servers) -> None:
    now = NOW.replace(minute=0)
    frame = fetch(servers, now - HOUR, now + 2 * HOUR, now=lambda: now)
    assert set(frame.loc[frame["published_at_utc"] == now, "hour_utc"]) == {now, now + HOUR}


def test_an_empty_window_is_a_mistake_of_the_caller(servers: Servers) -> None:
    with pytest.raises(ValueError, match="empty"):
        fetch(servers, NOW, NOW)
    with pytest.raises(EmptyResponse, match="no hour begins"):
        fetch(servers, NOW, NOW + timedelta(minutes=5))


# Faults


def each(**changes: Any) -> Fault:
    return edited(lambda places: [place | changes for place in places])


def hourly(change: Any) -> Fault:
    """Change the hourly values of the second place."""

    def changed(places: Places) -> Places:
        change(places[1]["hourly"])
        return places

    return edited(changed)


def without(name: str) -> Fault:
    return hourly(lambda values: values.pop(name))


def in_other_units(places: Places) -> Places:
    return [place | {"hourly_units": place["hourly_units"] | {"wind_speed_10m": "km/h"}} for place in places]


def all_null(values: dict[str, list[Any]]) -> None:
    for name in set(values) - {"time"}:
        values[name] = [None] * len(values[name])


FAULTS: dict[str, tuple[Fault, type[ServiceError], str]] = {
    "400": (
        status(400, "Parameter 'start_date' is out of allowed range"),
        BadRequest,
        "out of allowed range",
    ),
    "401": (status(401, "API key required."), Refused, "CO2_WEATHER_KEY"),
    "403": (status(403), Refused, "CO2_WEATHER=off"),
    "404": (status(404), NotFound, "CO2_WEATHER_URL"),
    "429": (
        status(429, "Daily API request limit exceeded. Please try again tomorrow."),
        RateLimited,
        "10,000",
    ),
    "500": (status(500, "Something went wrong."), ServerFault, "Something went wrong"),
    "502 of a proxy": (
        lambda q, _: httpx.Response(502, text="<html>", request=q),
        ServerFault,
        "service failed",
    ),
    "an error with status 200": (body(b'{"error": true, "reason": "busy"}'), BadResponse, "busy"),
    "a login page": (body(b"<html>Log in</html>"), BadResponse, "browser"),
    "no list": (body(b'"weather"'), BadResponse, "no list of places"),
    "half the JSON": (body(b'[{"latitude": 56.2, "long'), TruncatedResponse, "breaks off"),
    "the line breaks": (broken_off, Unreachable, "broke off"),
    "a place too many": (edited(lambda places: [*places, places[0]]), BadResponse, "13 of 12 places"),
    "other places": (edited(lambda places: places[::-1]), BadResponse, "latitude"),
    "no coordinates": (each(latitude=None), BadResponse, "None, not"),
    "no values": (each(hourly=None), SchemaChanged, "no hourly values"),
    "another zone": (each(utc_offset_seconds=7200), SchemaChanged, "not UTC"),
    "other units": (edited(in_other_units), SchemaChanged, "km/h.*not m/s"),
}
# Each with the places that are left.
FAULTS_OF_PLACES: dict[str, tuple[Fault, type[ServiceError], str]] = {
    "half the places": (edited(lambda places: places[:6]), BadResponse, "6 of 12 places"),
    "one place alone": (edited(lambda places: places[0]), BadResponse, "1 of 12 places"),
    "a variable missing": (without("cloud_cover"), SchemaChanged, "missing .*cloud_cover"),
    "no times": (without("time"), BadResponse, "not the hours"),
    "an hour missing": (hourly(lambda values: values["time"].pop(5)), BadResponse, "not the hours"),
    "odd times": (
        hourly(lambda v: v.update(time=[t.replace(":00", ":30") for t in v["time"]])),
        BadResponse,
        "not the hours",
    ),
    "a value missing": (hourly(lambda v: v["cloud_cover"].pop()), BadResponse, "95 values for 96 hours"),
    "a place without values": (hourly(all_null), EmptyResponse, "no value for Malmo"),
    "texts for numbers": (
        hourly(lambda v: v.update(cloud_cover=["much"] * len(v["time"]))),
        SchemaChanged,
        "cloud_cover holds str",
    ),
    "other units at one place": (
        edited(lambda places: [places[0], *in_other_units(places[1:2]), *places[2:]]),
        SchemaChanged,
        "km/h.*not m/s",
    ),
    "elsewhere": (
        edited(lambda places: [places[0], places[1] | {"latitude": 12.5}, *places[2:]]),
        BadResponse,
        "latitude 12.5, not 55.571",
    ),
    "a place that is null": (
        edited(lambda places: [places[0], None, *places[2:]]),
        BadResponse,
        "no place for Malmo",
    ),
    "a place left out": (
        edited(lambda places: [places[0], *places[2:]]),
        BadResponse,
        "11 of 12 places.*no place for Malmo",
    ),
    "a place without hours": (
        edited(lambda places: [places[0], places[1] | {"hourly": None}, *places[2:]]),
        SchemaChanged,
        "no hourly values",
    ),
    "words that are no JSON": (
        hourly(lambda v: v.update(cloud_cover=[float("nan")] * len(v["time"]))),
        TruncatedResponse,
        "NaN is no number",
    ),
}
LEFT = {"half the places": POINTS[:6], "one place alone": POINTS[:1]}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_a_name_and_a_remedy_and_no_key(servers: Servers, name: str) -> None:
    fault, kind, words = FAULTS[name]
    servers[0].fault = fault
    with pytest.raises(kind, match=words) as caught:
        fetch(servers)
    assert type(caught.value) is kind
    assert str(caught.value).startswith("Open-Meteo forecast 2024-06-01T07:00Z")
    assert str(caught.value).endswith(caught.value.remedy)
    assert "energidataservice" not in str(caught.value)
    assert servers[1].requests == [], "what is needed most is asked for first"
    assert caught.value.rows is None


@pytest.mark.parametrize("name", FAULTS_OF_PLACES)
def test_a_fault_of_some_places_costs_those_alone_and_is_named(servers: Servers, name: str) -> None:
    fault, kind, words = FAULTS_OF_PLACES[name]
    servers[0].fault = fault
    with pytest.raises(Incomplete, match=words) as caught:
        fetch(servers)
    error = caught.value
    assert type(error.__cause__) is kind
    assert str(error).startswith("Open-Meteo forecast 2024-06-01T07:00Z")
    assert str(error).endswith(error.__cause__.remedy)
    assert "energidataservice" not in str(error)
    left = LEFT.get(name, [point for point in POINTS if point != "Malmo"])
    assert all((f"{point} is lost" in str(error)) is (point not in left) for point in POINTS)
    good, bad = split_rows(WEATHER_FORECAST, error.rows, now=NOW, window=(START, END))
    assert bad == []
    coming = good[good["hour_utc"] >= NOW]
    assert coming.groupby("point").size().to_dict() == dict.fromkeys(left, 72)
    assert set(good.loc[good["hour_utc"] < NOW, "point"]) == set(POINTS), "the past is asked for as ever"
    assert len(servers[0].requests) == 1


def test_a_place_that_the_past_lacks_is_lost_there_alone(servers: Servers) -> None:
    servers[1].fault = without("cloud_cover_previous_day2")
    with pytest.raises(Incomplete, match=r"^Open-Meteo previous runs.*Malmo is lost") as caught:
        fetch(servers)
    rows = caught.value.rows
    assert set(rows.loc[rows["hour_utc"] >= NOW, "point"]) == set(POINTS)
    assert set(rows.loc[rows["hour_utc"] < NOW, "point"]) == set(POINTS) - {"Malmo"}


def test_a_place_may_be_a_quarter_of_a_degree_away(servers: Servers) -> None:
    servers[0].fault = edited(
        lambda places: [place | {"longitude": place["longitude"] + 0.24} for place in places]
    )
    assert len(fetch(servers, NOW, END)) == 12 * 72


def test_single_nulls_are_gaps_and_odd_values_cost_their_row(servers: Servers) -> None:
    def spoil(values: dict[str, list[Any]]) -> None:
        values["cloud_cover"][10] = None
        values["temperature_2m"][11] = "warm"
        for name in set(values) - {"time"}:
            values[name][12] = None

    servers[0].fault = hourly(spoil)
    frame = fetch(servers, NOW, END)
    assert UNREADABLE in frame
    good, bad = split_rows(WEATHER_FORECAST, frame, now=NOW, window=(NOW, END))
    malmo = good[good["point"] == "Malmo"].set_index("hour_utc")
    assert pd.isna(malmo.loc["2024-06-01 10:00", "cloud_cover_percent"])
    assert datetime(2024, 6, 1, 11) not in malmo.index
    assert datetime(2024, 6, 1, 12) not in malmo.index, "null in all is no forecast"
    assert [(row.column, row.value) for row in bad] == [("temperature_2m_degc", "warm")]


def test_a_number_as_large_as_there_is_costs_its_row(servers: Servers) -> None:
    def spoil(values: dict[str, list[Any]]) -> None:
        values["wind_speed_10m"][10] = 1e308

    servers[0].fault = hourly(spoil)
    good, bad = split_rows(WEATHER_FORECAST, fetch(servers, NOW, END), now=NOW, window=(NOW, END))
    assert [(row.column, row.reason) for row in bad] == [("wind_speed_10m_m_per_s", "above 60 m/s")]
    assert good["wind_speed_10m_m_per_s"].max() < 60


def test_if_the_previous_runs_fail_the_coming_hours_are_with_the_error(servers: Servers) -> None:
    servers[1].fault = status(503)
    with pytest.raises(ServerFault, match="Open-Meteo previous runs") as caught:
        fetch(servers)
    rows = caught.value.rows
    assert rows is not None
    assert set(rows["published_at_utc"]) == {NOW}
    assert len(rows) == 12 * 72


def test_what_was_not_kept_of_the_past_is_no_fault(servers: Servers) -> None:
    def forget(places: Places) -> Places:
        for place in places:
            for name in place["hourly"]:
                if name.endswith("day3"):
                    place["hourly"][name] = [None] * len(place["hourly"]["time"])
        return places

    servers[1].fault = edited(forget)
    frame = fetch(servers, START, NOW)
    assert set(frame["hour_utc"] - frame["published_at_utc"]) == {DAY, 2 * DAY}
    servers[1].fault = edited(lambda places: [all_null(p["hourly"]) or p for p in places])  # type: ignore[func-returns-value]
    with pytest.raises(EmptyResponse, match="no values"):
        fetch(servers, START, NOW)


def test_a_server_that_hangs_costs_the_time_allowed(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(now=lambda: NOW) as others:
        released = threading.Event()

        def hang(_: httpx.Request, response: httpx.Response) -> httpx.Response:
            released.wait(20)
            return response

        others[0].fault = hang
        monkeypatch.setattr(client_module, "LONGEST_RESPONSE", timedelta(seconds=0.2))
        monkeypatch.setattr(client_module, "MOST_ATTEMPTS", 1)
        try:
            with pytest.raises(TimedOut, match="not complete"):
                fetch(others)
        finally:
            released.set()
    assert servers


def test_nobody_there_is_named() -> None:
    with served() as gone:
        pass
    with pytest.raises(Unreachable, match="no connection"):
        fetch(gone)


def test_a_fault_that_passes_is_outlived(servers: Servers) -> None:
    answers = iter([status(500), None])

    def first_fails(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        fault = next(answers)
        return response if fault is None else fault(request, response)

    servers[0].fault = first_fails
    assert len(fetch(servers, NOW, END)) == 12 * 72


@pytest.mark.parametrize(
    ("reason", "slept"),
    [
        ("Minutely API request limit exceeded. Please try again in one minute.", [60.0]),
        ("Too many concurrent requests", [2.0]),
    ],
)
def test_a_short_wait_is_waited_for(servers: Servers, reason: str, slept: list[float]) -> None:
    answers = iter([status(429, reason), None])

    def limited(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        fault = next(answers)
        return response if fault is None else fault(request, response)

    servers[0].fault = limited
    waits: list[float] = []
    fetch(servers, NOW, END, sleep=waits.append, jitter=lambda: 0.5)
    assert waits == slept


@pytest.mark.parametrize(
    ("reason", "minutes"),
    [
        ("Hourly API request limit exceeded. Please try again in the next hour.", 41),
        ("Daily API request limit exceeded. Please try again tomorrow.", 17 * 60 + 41),
    ],
)
def test_a_long_wait_binds_the_next_runs(servers: Servers, tmp_path: Path, reason: str, minutes: int) -> None:
    servers[0].fault = status(429, reason)
    options: dict[str, Any] = {
        "rate_limit_file": tmp_path / "requests.json",
        "wall": lambda: NOW,
        "min_interval": timedelta(seconds=1),
    }
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            fetch(servers, NOW, END, **options)
        assert caught.value.retry_after == timedelta(minutes=minutes)
    assert len(servers[0].requests) == 1
    assert KEY not in (tmp_path / "requests.json").read_text(encoding="utf-8")


# The key


def test_the_key_is_in_no_log_and_no_error(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        fetch(servers)
        for fault in (
            status(400, f"The supplied API key {KEY} is invalid."),
            body(f"<html>{KEY}</html>".encode()),
            broken_off,
        ):
            servers[0].fault = fault
            with pytest.raises(ServiceError) as caught:
                fetch(servers)
            assert KEY not in str(caught.value)
            assert KEY not in repr(caught.value)
    assert all(server.requests[0].url.params["apikey"] == KEY for server in servers)
    lines = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert any("apikey=..." in line for line in lines)
    assert KEY not in caplog.text
    assert KEY not in repr(WeatherAccess(key=KEY))


def test_the_password_of_an_address_is_in_no_log_and_no_error(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    coming, past = (server.url.replace("//", "//somebody:pass-word@") for server in servers)
    with caplog.at_level(logging.DEBUG):
        fetch(servers, access=WeatherAccess(url=coming, history_url=past))
        servers[0].fault = status(401)
        with pytest.raises(Refused) as caught:
            fetch(servers, access=WeatherAccess(url=coming, history_url=past))
    assert "pass-word" not in caplog.text + str(caught.value)
    lines = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert lines
    assert all("//...@" in line for line in lines)


def test_a_key_leads_to_the_customers_addresses() -> None:
    free, paid = WeatherAccess(), WeatherAccess(key=KEY)
    assert free.forecast_address == "https://api.open-meteo.com"
    assert free.history_address == "https://previous-runs-api.open-meteo.com"
    assert paid.forecast_address == "https://customer-api.open-meteo.com"
    assert paid.history_address == "https://customer-previous-runs-api.open-meteo.com"
    assert WeatherAccess(url="http://mirror", key=KEY).forecast_address == "http://mirror"


def test_without_a_key_none_is_sent(servers: Servers) -> None:
    coming, past = servers
    fetch(servers, NOW, END, access=WeatherAccess(url=coming.url, history_url=past.url))
    assert "apikey" not in servers[0].requests[0].url.params


def test_the_answer_has_the_form_of_the_service(servers: Servers) -> None:
    params = {"latitude": "56.2", "longitude": "10.5", "hourly": "temperature_2m,cloud_cover"}
    days = {"start_date": "2024-06-01", "end_date": "2024-06-01"}
    with httpx.Client(base_url=servers[0].url, trust_env=False) as http:
        one = http.get("/v1/forecast", params=params | days).json()
        assert isinstance(one, dict), "one place is no list"
        two = http.get(
            "/v1/forecast", params=params | days | {"latitude": "56.2,55", "longitude": "10.5,13"}
        ).json()
        assert [place.get("location_id") for place in two] == [None, 1]
        assert one["hourly"]["time"][:2] == ["2024-06-01T00:00", "2024-06-01T01:00"]
        assert one["hourly_units"] == {"time": "iso8601", "temperature_2m": "°C", "cloud_cover": "%"}
        for wrong in (
            {"hourly": "nonsense"},
            {"hourly": "cloud_cover_previous_day1"},
            {"end_date": "2025-01-01"},
            {"start_date": "soon"},
            {"longitude": "1,2"},
            {"speed": "ms"},
        ):
            refused = http.get("/v1/forecast", params=params | days | wrong)
            assert refused.status_code == 400
            assert json.loads(refused.content)["error"] is True
