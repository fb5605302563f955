"""Connections that keep the server waiting are given up, and shut nobody out; floods do not hold it up."""

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event, Lock

import httpx
import pytest
from starlette.exceptions import HTTPException

from co2_assets.warehouse.paths import Home
from co2_dash import connections
from co2_dash.connections import OTHER_DESCRIPTORS, BoundedConnection, connections_for
from co2_dash.page_requests import PATH
from co2_dash.pages import predictions
from co2_dash.settings import Settings
from co2_dash.workers import Worker
from tests.dash.pages.test_page_requests import SCORED
from tests.support.pages_server import now, serving

FEW = 20
CLIENTS = 40
Connect = Callable[[], socket.socket]


@pytest.fixture
def narrow(published: Home) -> Iterator[str]:
    """The address of a server that has few connections."""
    with serving(Settings(published, source="live"), now, most_connections=FEW) as address:
        yield address


@pytest.fixture
def connect(narrow: str) -> Iterator[Connect]:
    """Open connections to it that wait at most ten seconds for anything."""
    with ExitStack() as stack:
        url = httpx.URL(narrow)

        def opened() -> socket.socket:
            return stack.enter_context(socket.create_connection((url.host, url.port or 80), timeout=10))

        yield opened


def ended(connection: socket.socket) -> bytes:
    """Return what a connection still says before the server ends it."""
    said = b""
    try:
        while more := connection.recv(65536):
            said += more
    except ConnectionResetError:
        pass
    return said


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost: x", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_idle_connections_shut_nobody_out(narrow: str, connect: Connect, said: bytes) -> None:
    idle = []
    for _ in range(3 * FEW):
        idle.append(connect())
        idle[-1].sendall(said)
    for _ in range(5):
        answer = httpx.get(f"{narrow}/healthz", timeout=10)
        assert answer.status_code == 200
    # The oldest have made room for the others.
    for connection in idle[:FEW]:
        ended(connection)


def test_a_connection_that_is_answered_is_not_given_up(
    narrow: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = Event(), Event()
    real = predictions.scored_text

    def slow(scored: dict[str, int]) -> object:
        begun.set()
        assert go_on.wait(30)
        return real(scored)

    monkeypatch.setattr(predictions, "scored_text", slow)
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=narrow, timeout=30) as client:
        answer = pool.submit(client.post, PATH, json=SCORED)
        assert begun.wait(30)
        for _ in range(2 * FEW):
            connect()
        assert httpx.get(f"{narrow}/healthz", timeout=10).status_code == 200
        go_on.set()
        assert answer.result().status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHos",
        b"POST /_dash-update-component HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHos",
    ],
)
def test_a_request_that_is_never_whole_is_given_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.2)
    connection = connect()
    connection.sendall(said)
    answered = ended(connection)
    assert answered.count(b"200 OK") == said.count(b"\r\n\r\nGET")


def test_a_request_that_drips_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    connection = connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\n")
    connection.settimeout(0.05)
    for number in range(600):
        try:
            connection.sendall(f"x-{number}: 1\r\n".encode())
            if connection.recv(1) == b"":
                return
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return
    pytest.fail("the server still waits for the rest")


def test_a_head_without_end_is_refused(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_HEAD_BYTES", 10_000)
    connection = connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nx: " + b"x" * 10_000)
    assert ended(connection).startswith(b"HTTP/1.1 431 ")


class FakeTransport(asyncio.Transport):
    """A transport whose client reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = asyncio.Event()
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted.set()


@pytest.mark.parametrize("while_closing", [False, True])
def test_a_client_that_does_not_read_is_given_up(
    published: Home, monkeypatch: pytest.MonkeyPatch, while_closing: bool
) -> None:
    monkeypatch.setattr(connections, "STALLED_S", 0.01)

    async def stalled() -> None:
        from uvicorn.server import ServerState

        from co2_dash.server import server_of

        config = server_of(Settings(published, source="live")).config
        connection = BoundedConnection(config, ServerState(), {}, asyncio.get_running_loop())
        transport = FakeTransport()
        connection.connection_made(transport)
        if while_closing:
            connection.timeout_keep_alive_handler()
        else:
            connection.pause_writing()
            connection.resume_writing()
            connection.pause_writing()
        async with asyncio.timeout(10):
            await transport.aborted.wait()
        connection.connection_lost(None)

    asyncio.run(stalled())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
@pytest.mark.parametrize(
    ("soft", "hard", "raised", "room"),
    [
        (1024, 1024, 1024, 1024 - OTHER_DESCRIPTORS),
        (1024, 1500, 1500, 1500 - OTHER_DESCRIPTORS),
        (1024, 2**20, 2000 + OTHER_DESCRIPTORS, 2000),
        (1024, -1, 2000 + OTHER_DESCRIPTORS, 2000),
        (-1, -1, -1, 2000),
        (100, 100, 100, 50),
        (2**20, 2**20, 2**20, 2000),
    ],
)
def test_there_are_as_many_connections_as_descriptors_allow(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int, room: int
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(connections.resource, "getrlimit", lambda _kind: limits[-1])
    monkeypatch.setattr(connections.resource, "setrlimit", lambda _kind, limit: limits.append(limit))
    assert connections_for(2000) == room
    assert limits[-1] == (raised, hard)


def test_a_flood_of_one_part_of_a_page_holds_nobody_up(
    published: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, lock = Event(), Event(), Lock()
    at_once: list[int] = [0]
    most: list[int] = [0]
    real = predictions.scored_text

    def slow(scored: dict[str, int]) -> object:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        begun.set()
        assert go_on.wait(60)
        with lock:
            at_once[0] -= 1
        return real(scored)

    monkeypatch.setattr(predictions, "scored_text", slow)
    with (
        serving(Settings(published, source="live"), now) as address,
        ThreadPoolExecutor(CLIENTS) as pool,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        asked = [pool.submit(client.post, PATH, json=SCORED) for _ in range(CLIENTS)]
        assert begun.wait(30)
        for path in ("/healthz", "/readyz", "/token", "/", "/api/v1/status", "/api/v1/areas"):
            answer = httpx.get(address + path, timeout=30)
            assert answer.status_code == 200, path
        health = httpx.get(f"{address}/healthz", timeout=30)
        assert health.elapsed.total_seconds() < 1
        go_on.set()
        answers = [one.result() for one in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert all(json.loads(answer.content)["response"]["scored"]["children"] for answer in answers)
    assert most == [1]


def test_a_worker_refuses_what_it_cannot_make_soon() -> None:
    async def asked() -> None:
        worker, release = Worker(most_waiting=2), Event()
        first = [asyncio.create_task(worker.run(release.wait, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException) as refused:
            await worker.run(release.wait, 30)
        assert (refused.value.status_code, dict(refused.value.headers or {})) == (503, {"Retry-After": "5"})
        release.set()
        assert await asyncio.gather(*first) == [True] * 3
        assert await worker.run(str, 7) == "7"

    asyncio.run(asked())
