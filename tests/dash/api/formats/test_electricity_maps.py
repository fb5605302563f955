"""Electricity Maps: its shape, its errors, and two of its clients run against a served snapshot."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import openapi
import pytest
from aioelectricitymaps import (
    CoordinatesRequest,
    ElectricityMaps,
    ElectricityMapsInvalidTokenError,
    ZoneRequest,
)
from aioelectricitymaps.const import API_BASE_URL
from aiohttp import ClientRequest, ClientResponse, ClientSession
from electricitymaps.client import ElectricityMapsClient
from openapi.exceptions import BadRequestException, UnauthorizedException
from yarl import URL

from co2_dash.api.formats.zones import area_at
from tests.dash.api.test_api import V1, Client

V3 = "/api/electricity-maps/v3"
V4 = "/api/electricity-maps/v4"
CI = "/carbon-intensity"
KEY = "the-right-key"
NOW_HOUR = "2024-06-01T13:00:00Z"
T = Any


def get(client: httpx.Client, path: str, **params: str) -> Any:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def failed(client: httpx.Client, status: int, path: str, **params: str) -> str:
    answer = client.get(path, params=params)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["error"] == document["message"]
    assert document["status"] in ("error", "no-data")
    return str(document["error"])


def test_the_hour_of_now_is_the_forecast_and_says_that_it_is(shared: httpx.Client) -> None:
    point = get(shared, f"{V3}{CI}/latest", zone="DK")
    this_hour = get(shared, f"{V1}/latest")["this_hour"]
    assert point == {
        "zone": "DK",
        "carbonIntensity": round(this_hour["q50_g_per_kwh"]),
        "datetime": NOW_HOUR,
        "updatedAt": "2024-06-01T13:20:00Z",
        "emissionFactorType": "direct",
        "isEstimated": True,
        "estimationMethod": "FORECAST",
        "temporalGranularity": "hourly",
    }
    measured = get(shared, f"{V3}{CI}/latest", zone="DK", disableEstimations="true")
    assert (measured["datetime"], measured["isEstimated"]) == ("2024-06-01T12:00:00Z", False)
    assert measured["carbonIntensity"] == 57


@pytest.mark.parametrize("base", [V3, V4])
def test_the_history_has_24_hours_in_whole_numbers_up_to_now(shared: httpx.Client, base: str) -> None:
    answer = get(shared, f"{base}{CI}/history", zone="DK-DK1")
    hours = [datetime.fromisoformat(point["datetime"]) for point in answer["history"]]
    assert len(hours) == 24
    assert {later - earlier for earlier, later in pairwise(hours)} == {timedelta(hours=1)}
    assert hours[-1] == datetime.fromisoformat(NOW_HOUR)
    assert [point["isEstimated"] for point in answer["history"]] == [False] * 23 + [True]
    assert all(isinstance(point["carbonIntensity"], int) for point in answer["history"])


def test_a_range_has_every_hour_that_it_overlaps(shared: httpx.Client) -> None:
    # As .NET writes a time, with seven digits of a second.
    answer = get(
        shared,
        f"{V3}{CI}/past-range",
        zoneKey="DK-DK2",
        start="2024-05-20T00:30:00.0000000+00:00",
        end="2024-05-20T03:00:00.0000000Z",
    )
    assert [point["datetime"][11:13] for point in answer["data"]] == ["00", "01", "02"]
    one = get(shared, f"{V3}{CI}/past", zone="DK-DK2", datetime="2024-05-20 01:00")
    assert one == answer["data"][1]


def test_nothing_of_the_past_reaches_beyond_now(shared: httpx.Client) -> None:
    answer = get(
        shared, f"{V3}{CI}/past-range", zone="DK", start="2024-06-01T10:00Z", end="2024-06-03T00:00Z"
    )
    assert answer["data"][-1]["datetime"] == NOW_HOUR
    assert "that hour" in failed(shared, 404, f"{V3}{CI}/past", zone="DK", datetime="2024-06-01T20:00Z")


def test_the_forecast_begins_now(shared: httpx.Client) -> None:
    whole = get(shared, f"{V4}{CI}/forecast", zone="DK-DK1")
    own = get(shared, f"{V1}/forecast", hours="72", area="DK1")["hours"]
    assert whole["forecast"] == [
        {"carbonIntensity": round(hour["q50_g_per_kwh"]), "datetime": hour["hour"]} for hour in own
    ]
    near = get(shared, f"{V4}{CI}/forecast", zone="DK-DK1", horizonHours="6")
    assert near["forecast"] == whole["forecast"][:6]


@pytest.mark.parametrize(
    ("params", "zone"),
    [
        ({"zone": "dk-dk1"}, "DK-DK1"),
        ({"zoneKey": "DK-DK2"}, "DK-DK2"),
        ({"countryCode": "DK"}, "DK"),
        ({"lat": "56.15", "lon": "10.2"}, "DK-DK1"),  # Aarhus
        ({"lat": "55.68", "lon": "12.57"}, "DK-DK2"),  # Copenhagen
        ({"zone": "DK", "countryCode": "dk"}, "DK"),
    ],
)
def test_a_zone_has_many_names(shared: httpx.Client, params: dict[str, str], zone: str) -> None:
    assert get(shared, f"{V3}{CI}/latest", **params)["zone"] == zone


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"zone": "FR"}, "zone: there is no such zone; there are DK, DK-DK1, DK-DK2"),
        ({}, "give one of DK, DK-DK1, DK-DK2, or lat and lon"),
        ({"lat": "55"}, "or lat and lon"),
        ({"lat": "48.8", "lon": "2.3"}, "not in Denmark"),
        ({"zone": "DK", "zoneKey": "DK-DK1"}, "different zones"),
        ({"zone": "DK", "dataCenterRegion": "x"}, "dataCenterRegion: there is no such parameter"),
        ({"zone": "DK", "temporalGranularity": "daily"}, "temporalGranularity"),
    ],
)
def test_what_cannot_be_answered_is_a_400_in_words(
    shared: httpx.Client, params: dict[str, str], words: str
) -> None:
    assert words in failed(shared, 400, f"{V3}{CI}/latest", **params)


def test_errors_of_every_kind_are_in_the_form_of_electricity_maps(asked: Client) -> None:
    assert "no such endpoint" in failed(asked(), 404, f"{V3}/power-breakdown/latest", zone="DK")
    assert "no such endpoint" in failed(asked(), 404, "/api/electricity-maps/v5/zones")
    assert "key" in failed(asked(api_keys=frozenset({KEY})), 401, f"{V3}{CI}/latest", zone="DK")
    client = asked(requests_per_minute=1)
    get(client, f"{V3}/zones")
    assert "Too many" in failed(client, 429, f"{V3}/zones")


@pytest.mark.parametrize(
    ("lat", "lon", "area"),
    [
        (57.05, 9.92, "DK1"),  # Aalborg
        (55.40, 10.39, "DK1"),  # Odense
        (56.70, 11.52, "DK1"),  # Anholt
        (55.33, 11.14, "DK2"),  # Korsør
        (54.57, 11.93, "DK2"),  # Gedser
        (55.10, 14.70, "DK2"),  # Rønne
        (55.60, 13.00, None),  # Malmö
        (59.91, 10.75, None),  # Oslo
    ],
)
def test_a_place_is_in_a_price_area(lat: float, lon: float, area: str | None) -> None:
    assert area_at(lat, lon) == area


@pytest.mark.parametrize("header", ["auth-token", "X-BLOBR-KEY", "X-API-Key"])
def test_the_key_is_taken_under_the_names_of_the_tools(asked: Client, header: str) -> None:
    client = asked(api_keys=frozenset({KEY}))
    path = f"{V3}{CI}/latest?zone=DK"
    assert client.get(path, headers={header: KEY}).status_code == 200
    assert client.get(path, headers={header: "wrong"}).status_code == 401


def official(client: httpx.Client, key: str) -> ElectricityMapsClient:
    """Return Electricity Maps' own client for our address."""
    configuration = openapi.Configuration(host=f"{str(client.base_url).rstrip('/')}{V3}")
    configuration.api_key["authToken"] = key
    return ElectricityMapsClient(openapi.ApiClient(configuration))


def test_the_official_client_reads_all_that_it_can_ask(asked: Client) -> None:
    served = asked(api_keys=frozenset({KEY}))
    intensity = official(served, KEY).carbon_intensity
    latest = intensity.latest(zone_key="DK-DK1")
    assert (latest.zone, latest.dt, latest.is_estimated) == ("DK-DK1", NOW_HOUR, True)
    assert len(intensity.history(zone_key="DK-DK2").history) == 24
    forecast = intensity.forecast(zone_key="DK", horizon_hours=12)
    assert [point.dt for point in forecast.forecast][:2] == [NOW_HOUR, "2024-06-01T14:00:00Z"]
    assert len(forecast.forecast) == 12
    assert intensity.latest(lat=56, lon=10).zone == "DK-DK1"
    with pytest.raises(BadRequestException, match="there is no such zone"):
        intensity.latest(zone_key="FR")
    with pytest.raises(UnauthorizedException):
        official(served, "wrong").carbon_intensity.latest(zone_key="DK")


def through_aio(client: httpx.Client, key: str, ask: Callable[[ElectricityMaps], Awaitable[T]]) -> T:
    """Return what Home Assistant's client gives when its fixed address is turned to ours."""
    base = f"{str(client.base_url).rstrip('/')}{V3}"

    async def to_us(
        request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
    ) -> ClientResponse:
        request.url = URL(str(request.url).replace(API_BASE_URL, base))
        return await handler(request)

    async def run() -> T:
        async with ClientSession(middlewares=(to_us,)) as session:
            return await ask(ElectricityMaps(token=key, session=session))

    return asyncio.run(run())


def test_home_assistants_client_reads_its_sensors(asked: Client) -> None:
    client = asked(api_keys=frozenset({KEY}))
    shown = through_aio(
        client, KEY, lambda maps: maps.carbon_intensity_for_home_assistant(ZoneRequest("DK-DK1"))
    )
    assert shown.country_code == "DK-DK1"
    assert shown.units.carbon_intensity == "gCO2eq/kWh"
    assert 0 < shown.data.fossil_fuel_percentage < 100
    place = CoordinatesRequest(lat="55.68", lon="12.57")
    latest = through_aio(client, KEY, lambda maps: maps.latest_carbon_intensity(place))
    assert latest.zone == "DK-DK2"
    history = through_aio(client, KEY, lambda maps: maps.carbon_intensity_history(place))
    assert len(history.history) == 24
    with pytest.raises(ElectricityMapsInvalidTokenError):
        through_aio(client, "wrong", lambda maps: maps.latest_carbon_intensity(place))


def test_the_zones_are_those_with_data(shared: httpx.Client) -> None:
    zones = through_aio(shared, "", lambda maps: maps.zones())
    assert list(zones) == ["DK", "DK-DK1", "DK-DK2"]
    assert get(shared, f"{V4}/zones")["DK-DK1"]["access"] == ["*"]
