"""Proxies and certificates of the environment, another address, and the look whether the service is there."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from co2_assets.contracts import POWER_SYSTEM_RIGHT_NOW, ServiceName, datasets_of
from co2_assets.energidataservice.client import LONGEST_LOOKS, EnergiDataService
from co2_assets.http_service.errors import (
    NotFound,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    Unreachable,
    UnusableSettings,
)
from tests.support.scripted_service import END, NOON, START, Machine, Service, envelope, fetch, power_row, raw

Maker = Callable[..., EnergiDataService]
ONE_ROW = envelope([{"CO2Emission": 57.0}], total=1000)
DATASETS = datasets_of(ServiceName.ENERGI_DATA_SERVICE)
USED = {endpoint.dataset for dataset in DATASETS for endpoint in dataset.endpoints}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def live_client(url: str = "https://service.invalid") -> EnergiDataService:
    return EnergiDataService(now=lambda: NOON, base_url=url, min_interval=timedelta(0), sleep=lambda _: None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:9"),
        ("ALL_PROXY", "socks4://127.0.0.1:9"),
        ("HTTPS_PROXY", "ftp://127.0.0.1:9"),
        ("HTTPS_PROXY", "http://127.0.0.1:port"),
        ("HTTPS_PROXY", "http://[::1"),
        ("HTTPS_PROXY", "http://a..b:80"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("SSL_CERT_FILE", __file__),
    ],
)
def test_settings_of_the_network_that_cannot_be_used_are_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with live_client() as client:
        obstacle = client.obstacle()
        assert type(obstacle) is UnusableSettings
        with pytest.raises(UnusableSettings, match=f"{name}.*socks5://HOST:PORT") as caught:
            client.fetch(POWER_SYSTEM_RIGHT_NOW, START, END)
    assert caught.value.outcome == "unusable_settings"


def test_brackets_in_no_proxy_are_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost,[::1]")
    with pytest.raises(UnusableSettings, match="NO_PROXY has no brackets"):
        fetch(live_client())


def test_a_password_in_a_proxy_stays_out_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://user:hush@127.0.0.1:9")
    with pytest.raises(UnusableSettings) as caught:
        fetch(live_client())
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_proxy_that_is_not_there_makes_the_service_unreachable(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:9")
    with pytest.raises(Unreachable, match="any proxy"):
        fetch(live_client())


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"])
def test_no_proxy_is_asked_for_a_service_on_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:80")
    with pytest.raises(Unreachable, match="no connection") as caught:
        fetch(live_client(url))
    assert "refused" in caught.value.problem or "Cannot assign" in caught.value.problem


@pytest.mark.parametrize("base", ["http://mirror:8080", "http://mirror:8080/danish/data/"])
def test_another_address_of_the_service_is_asked_below_its_path(make_client: Maker, base: str) -> None:
    service = Service(envelope([power_row()]))
    fetch(make_client(service, base_url=base))
    assert str(service.requests[0].url).startswith(base.rstrip("/") + "/dataset/PowerSystemRightNow?")


# Is the service there?


def asked(service: Service) -> list[str]:
    return [request.url.path.removeprefix("/dataset/") for request in service.requests]


@pytest.mark.parametrize(
    "answer",
    [ONE_ROW, envelope([]), httpx.Response(429), httpx.Response(429, headers={"Retry-After": "900"})],
)
def test_one_answer_shows_that_the_service_is_there(
    make_client: Maker, machine: Machine, answer: httpx.Response
) -> None:
    service = Service(answer)
    with make_client(service) as client:
        assert client.obstacle() is None
    assert len(service.requests) == 1
    assert machine.slept == []
    assert set(asked(service)) <= USED


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(403), Refused),
        (httpx.Response(404), NotFound),
        (httpx.Response(504), ServerFault),
        (httpx.ReadTimeout("slow"), TimedOut),
        (raw("<html>log in</html>"), None),
        (raw("[]"), None),
        (httpx.ProxyError("403 Forbidden"), Unreachable),
    ],
)
def test_a_dataset_that_fails_alone_does_not_decide_and_all_together_do(
    make_client: Maker, machine: Machine, answer: httpx.Response | Exception, kind: type[Exception] | None
) -> None:
    one_fails = Service(answer, ONE_ROW)
    with make_client(one_fails) as client:
        assert client.obstacle() is None
    assert len(set(asked(one_fails))) == 2
    all_fail = Service(answer)
    machine.time += timedelta(minutes=2)
    with make_client(all_fail) as client:
        obstacle = client.obstacle()
    assert obstacle is not None
    assert kind is None or type(obstacle) is kind
    assert sorted(asked(all_fail)) == sorted(USED)
    assert machine.slept == []


def test_without_a_connection_one_request_decides(make_client: Maker) -> None:
    service = Service(httpx.ConnectError("no route"))
    with make_client(service) as client:
        assert type(client.obstacle()) is Unreachable
    assert len(service.requests) == 1


def test_the_look_costs_no_dataset_of_the_newest_data_its_turn(
    make_client: Maker, machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "last_requests.json"
    with make_client(Service(ONE_ROW), file) as client:
        assert client.obstacle() is None
    (counted,) = json.loads(file.read_text(encoding="utf-8"))
    (endpoint,) = [e for dataset in DATASETS for e in dataset.endpoints if e.dataset == counted]
    assert endpoint.end is not None, "it has ended: only older history is requested of it"
    # Another dataset is fetched at once.
    fetch(make_client(Service(envelope([power_row()])), file))
    assert machine.slept == []


def test_the_look_keeps_the_rate_limit(make_client: Maker, machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "last_requests.json"
    with make_client(Service(httpx.Response(403)), file) as client:
        assert type(client.obstacle()) is Refused
        again = Service(ONE_ROW)
    with make_client(again, file) as client:
        assert type(client.obstacle()) is RateLimited
    assert again.requests == []
    machine.time += timedelta(minutes=1)
    with make_client(again, file) as client:
        assert client.obstacle() is None
    assert machine.slept == []


def test_a_wait_the_service_asked_for_in_the_look_binds_the_next_look(
    make_client: Maker, machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "last_requests.json"
    limited = Service(httpx.Response(429, headers={"Retry-After": "900"}))
    with make_client(limited, file) as client:
        assert client.obstacle() is None
    machine.time += timedelta(minutes=2)
    service = Service(ONE_ROW)
    with make_client(service, file) as client:
        assert client.obstacle() is None
    assert asked(service) != asked(limited)


def test_datasets_that_hang_decide_within_the_time_for_all(make_client: Maker, machine: Machine) -> None:
    def hang(_: httpx.Request) -> httpx.Response:
        machine.time += timedelta(seconds=5)
        raise httpx.ReadTimeout("slow")

    service = Service(hang)
    with make_client(service) as client:
        assert type(client.obstacle()) is TimedOut
    assert len(service.requests) == LONGEST_LOOKS // timedelta(seconds=5)
