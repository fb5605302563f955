"""How often the client asks, how long it waits, and what survives a restart."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from co2_assets.contracts import FORECASTS_HOUR, POWER_SYSTEM_RIGHT_NOW
from co2_assets.energidataservice.client import EnergiDataService
from co2_assets.http_service.errors import RateLimited, ServerFault
from tests.support.scripted_service import (
    END,
    NOON,
    START,
    Machine,
    Service,
    envelope,
    fetch,
    good_row,
    power_row,
)

Maker = Callable[..., EnergiDataService]


def test_a_dataset_is_asked_for_once_a_minute(make_client: Maker, machine: Machine) -> None:
    service = Service(envelope([power_row()]))
    with make_client(service) as client:
        client.fetch(POWER_SYSTEM_RIGHT_NOW, START, END)
        machine.time += timedelta(seconds=20)
        client.fetch(POWER_SYSTEM_RIGHT_NOW, START, END)
    assert machine.slept == [40.0]


def test_datasets_do_not_wait_for_one_another(make_client: Maker, machine: Machine) -> None:
    forecast = envelope([good_row(FORECASTS_HOUR, FORECASTS_HOUR.endpoints[0].fields)])
    with make_client(Service(envelope([power_row()]), forecast)) as client:
        client.fetch(POWER_SYSTEM_RIGHT_NOW, START, END)
        client.fetch(FORECASTS_HOUR, START, END)
    assert machine.slept == []


def test_the_rate_limit_survives_a_restart(make_client: Maker, machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "state" / "last_requests.json"
    fetch(make_client(Service(envelope([power_row()])), file))
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing half-written is left"
    machine.time += timedelta(seconds=45)
    fetch(make_client(Service(envelope([power_row()])), file))
    assert machine.slept == [15.0]
    machine.time += timedelta(hours=6)
    fetch(make_client(Service(envelope([power_row()])), file))
    assert machine.slept == [15.0]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"PowerSystemRightNow": 5}', '{"PowerSystemRightNow": "x"}', "\x00"]
)
def test_a_spoilt_file_of_requests_is_no_hindrance(make_client: Maker, tmp_path: Path, text: str) -> None:
    file = tmp_path / "last_requests.json"
    file.write_text(text, encoding="utf-8")
    assert len(fetch(make_client(Service(envelope([power_row()])), file))) == 1
    assert json.loads(file.read_text(encoding="utf-8")) == {"PowerSystemRightNow": NOON.isoformat()}


def test_a_clock_set_back_costs_one_minute_at_most(
    make_client: Maker, machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "last_requests.json"
    file.write_text(json.dumps({"PowerSystemRightNow": (NOON + timedelta(days=400)).isoformat()}))
    fetch(make_client(Service(envelope([power_row()])), file))
    assert machine.slept == [60.0]


def test_a_request_that_never_arrived_does_not_count(make_client: Maker, machine: Machine) -> None:
    fetch(make_client(Service(httpx.ConnectError("refused"), envelope([power_row()]))))
    assert machine.slept == [2.0]


def test_a_retry_keeps_the_rate_limit_too(make_client: Maker, machine: Machine) -> None:
    with pytest.raises(ServerFault):
        fetch(make_client(Service(httpx.Response(500))))
    assert machine.slept == [2.0, 58.0, 8.0, 52.0]


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("90", [90.0]),
        (format_datetime((NOON + timedelta(seconds=75)).replace(tzinfo=UTC), usegmt=True), [75.0]),
        (format_datetime((NOON - timedelta(days=1)).replace(tzinfo=UTC), usegmt=True), [60.0]),
        ("soon", [2.0, 58.0]),
        ("-5", [2.0, 58.0]),
        ("Thu, 01 Jan 0001 00:00:00 +0100", [60.0]),
        ("Thu, 01 Jan 99999999999 00:00:00 GMT", [2.0, 58.0]),
        ("Thu, 01 Jan 2026 00:00:00 +9999", [2.0, 58.0]),
    ],
)
def test_the_wait_the_service_asks_for_is_kept(
    make_client: Maker, machine: Machine, header: str, waits: list[float]
) -> None:
    limited = httpx.Response(429, headers={"Retry-After": header})
    fetch(make_client(Service(limited, envelope([power_row()]))))
    assert machine.slept == waits


@pytest.mark.parametrize(
    "header",
    [
        "121",
        "86400",
        "9" * 30,
        "Fri, 01 Jan 2100 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Fri, 31 Dec 9999 23:59:59 -0000",
    ],
)
def test_a_wait_too_long_is_left_to_the_next_run(make_client: Maker, machine: Machine, header: str) -> None:
    service = Service(httpx.Response(429, headers={"Retry-After": header}))
    with pytest.raises(RateLimited):
        fetch(make_client(service))
    assert len(service.requests) == 1
    assert machine.slept == []


@pytest.mark.parametrize(
    ("message", "waits"),
    [
        ("Rate limit is exceeded. Try again in 97 seconds.", [97.0]),
        ("try again in 1 second", [1.0, 59.0]),
        ("Try again in 2 minutes.", [120.0]),
        ("Try again later.", [2.0, 58.0]),
    ],
)
def test_a_wait_in_the_body_is_kept(
    make_client: Maker, machine: Machine, message: str, waits: list[float]
) -> None:
    limited = httpx.Response(429, json={"statusCode": 429, "message": message})
    fetch(make_client(Service(limited, envelope([power_row()]))))
    assert machine.slept == waits


@pytest.mark.parametrize("number", [197, 10**9 - 1])
def test_a_long_wait_in_the_body_binds_the_next_runs(
    make_client: Maker, machine: Machine, tmp_path: Path, number: int
) -> None:
    file = tmp_path / "last_requests.json"
    body = {"statusCode": 429, "message": f"Rate limit is exceeded. Try again in {number} seconds."}
    service = Service(httpx.Response(429, json=body))
    for _ in range(2):
        with pytest.raises(RateLimited):
            fetch(make_client(service, file))
    assert len(service.requests) == 1
    machine.time += min(timedelta(seconds=number), timedelta(days=1))
    assert len(fetch(make_client(Service(envelope([power_row()])), file))) == 1
    assert machine.slept == []


def test_of_two_waits_the_longer_is_kept(make_client: Maker, machine: Machine) -> None:
    for header, number in (("90", 61), ("61", 90)):
        body = {"message": f"Try again in {number} seconds."}
        limited = httpx.Response(429, headers={"Retry-After": header}, json=body)
        fetch(make_client(Service(limited, envelope([power_row()]))))
    assert machine.slept == [90.0, 90.0]


def test_an_error_whose_body_breaks_off_keeps_its_status(make_client: Maker) -> None:
    class Breaks(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"message": "Try again in 500 seconds."'
            raise httpx.ReadError("gone")

    with pytest.raises(RateLimited) as caught:
        fetch(make_client(Service(lambda _: httpx.Response(429, stream=Breaks()))))
    assert caught.value.retry_after == timedelta(seconds=500)


@pytest.mark.parametrize("time", ["2026-03-01T12:00:00+00:00", "9999-12-31T23:59:59"])
def test_strange_times_in_the_file_cost_a_minute_at_most(
    make_client: Maker, machine: Machine, tmp_path: Path, time: str
) -> None:
    file = tmp_path / "last_requests.json"
    file.write_text(json.dumps({"PowerSystemRightNow": time}))
    fetch(make_client(Service(envelope([power_row()])), file))
    assert machine.slept in ([], [60.0])


def test_waits_are_spread_by_chance(make_client: Maker, machine: Machine) -> None:
    options = {"jitter": lambda: 0.0, "min_interval": timedelta(0)}
    with pytest.raises(ServerFault):
        fetch(make_client(Service(httpx.Response(500)), **options))
    assert machine.slept == [1.0, 4.0]


def test_a_wait_the_service_asks_for_binds_the_next_runs_too(
    make_client: Maker, machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "last_requests.json"
    limited = Service(httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited):
        fetch(make_client(limited, file))
    machine.time += timedelta(minutes=10)
    service = Service(envelope([power_row()]))
    with pytest.raises(RateLimited, match="another 50 minutes"):
        fetch(make_client(service, file))
    assert service.requests == []
    # What is left of it is waited for once it is short.
    machine.time += timedelta(minutes=49)
    assert len(fetch(make_client(service, file))) == 1
    assert machine.slept == [60.0]


def test_a_wait_without_measure_ends_within_a_day(
    make_client: Maker, machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "last_requests.json"
    with pytest.raises(RateLimited):
        fetch(make_client(Service(httpx.Response(429, headers={"Retry-After": "9" * 30})), file))
    machine.time += timedelta(days=1)
    assert len(fetch(make_client(Service(envelope([power_row()])), file))) == 1
