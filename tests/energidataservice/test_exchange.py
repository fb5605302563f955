"""A server that never ends its answer, or never begins it, costs the time that was allowed and no more."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from co2_assets.contracts import POWER_SYSTEM_RIGHT_NOW
from co2_assets.energidataservice import client as client_module
from co2_assets.energidataservice.client import EnergiDataService
from co2_assets.http_service import client as base_module
from co2_assets.http_service.errors import TimedOut
from tests.support.scripted_service import END, NOON, START

LIMIT = timedelta(seconds=0.3)
# Far more than the limit, far less than a server that drips for ever.
SOON_S = 20.0

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

# What a server sends first, and what it then sends again and again.
ENDLESS = {
    "silence": (b"", b""),
    "a header, byte by byte": (OK + b"X: ", b"x"),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "the size of a chunk": (CHUNKED, b"0"),
    "empty blocks of gzip": (OK + b"Content-Encoding: gzip\r\n\r\n" + GZIP, b"\x00\x00\x00\xff\xff"),
    "a body, byte by byte": (OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    "an error without end": (b"HTTP/1.1 500 Oops\r\n\r\n", b" "),
}


class Server:
    """Sends an endless answer on every connection until the client goes away; counts those that did."""

    def __init__(self, first: bytes, again: bytes) -> None:
        self.first, self.again = first, again
        self.stopped = threading.Event()
        self.accepted = self.left = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # the listener was shut down
            self.accepted += 1
            thread = threading.Thread(target=self._drip, args=(connection,))
            self.threads.append(thread)
            thread.start()

    def _drip(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(self.first)
                if not self.again:
                    while connection.recv(1024):
                        pass
                while self.again and not self.stopped.wait(0.005):
                    connection.sendall(self.again)
            except OSError:
                pass  # the client closed the connection
            if not self.stopped.is_set():
                self.left += 1


@contextmanager
def serving(first: bytes, again: bytes) -> Iterator[Server]:
    server = Server(first, again)
    try:
        yield server
        # The client has left every connection: the threads end by themselves.
        server.listener.shutdown(socket.SHUT_RDWR)
        for thread in server.threads:
            thread.join(SOON_S)
        assert server.left == server.accepted
    finally:
        server.stopped.set()
        server.listener.close()


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(base_module, "MOST_ATTEMPTS", 1)
    monkeypatch.setattr(base_module, "LONGEST_RESPONSE", LIMIT)
    for name in ("LONGEST_LOOK", "LONGEST_LOOKS"):
        monkeypatch.setattr(client_module, name, LIMIT)


def fetch_from(url: str) -> None:
    with EnergiDataService(now=lambda: NOON, base_url=url, min_interval=timedelta(0)) as client:
        client.fetch(POWER_SYSTEM_RIGHT_NOW, START, END)


@pytest.mark.parametrize("name", ENDLESS)
def test_one_deadline_holds_for_the_whole_answer(name: str) -> None:
    began = time.monotonic()
    with (
        serving(*ENDLESS[name]) as server,
        pytest.raises(TimedOut, match="not complete"),
    ):
        fetch_from(f"http://127.0.0.1:{server.port}")
    assert LIMIT.total_seconds() <= time.monotonic() - began < SOON_S


@pytest.mark.parametrize("name", ENDLESS)
def test_the_look_for_the_service_has_a_deadline_too(name: str) -> None:
    began = time.monotonic()
    with serving(*ENDLESS[name]) as server:
        url = f"http://127.0.0.1:{server.port}"
        with EnergiDataService(now=lambda: NOON, base_url=url, min_interval=timedelta(0)) as client:
            assert type(client.obstacle()) is TimedOut
    assert time.monotonic() - began < SOON_S


def test_the_deadline_holds_while_tls_is_set_up() -> None:
    with serving(b"", b"") as server, pytest.raises(TimedOut, match="not complete"):
        fetch_from(f"https://127.0.0.1:{server.port}")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_the_deadline_holds_for_a_proxy(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(b"", b"") as server:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{server.port}")
        with pytest.raises(TimedOut, match="not complete"):
            fetch_from("https://service.example")


def test_a_fetch_is_ended_by_ctrl_c_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that waits is interrupted, and the connection is closed."""
    monkeypatch.setattr(base_module, "LONGEST_RESPONSE", timedelta(minutes=5))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with serving(b"", b"") as server:
        monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_from(f"http://127.0.0.1:{server.port}")
