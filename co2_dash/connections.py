"""How long a connection may keep the server waiting, and how many there may be at once.

uvicorn gives up a connection that is quiet after an answer. It waits for ever for a first request, for the
rest of a request and for a client that does not read, and takes connections until there are no file
descriptors left.
"""

import asyncio
import sys
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if sys.platform != "win32":
    import resource

# A request is some hundred bytes, and takes a second over the slowest line there is.
REQUEST_S = 10
# A client that takes none of its answer for this long is gone, or wants to hold the connection.
STALLED_S = 30
# One page has six connections at most, and they are given up soon after they were used.
MOST_CONNECTIONS = 2000
# For the snapshot, the logs, the event loop, and files that are being served.
OTHER_DESCRIPTORS = 128
# The longest header that the usual proxies let through, twice over.
MOST_HEAD_BYTES = 64 * 1024


def connections_for(wanted: int = MOST_CONNECTIONS) -> int:
    """Return how many connections this process has descriptors for, ``wanted`` at most.

    Raises the process's own limit as far as it may.
    """
    if sys.platform == "win32":
        return wanted
    needed = wanted + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft - OTHER_DESCRIPTORS, soft // 2))


class BoundedConnection(HttpToolsProtocol):
    """A connection that is given up when its client keeps the server waiting.

    Beyond ``most_connections`` the one that has kept the server waiting longest makes room for a new one,
    so that idle connections shut nobody out. (With uvicorn's ``limit_concurrency`` everybody is refused.)
    """

    most_connections = MOST_CONNECTIONS
    waiting_since = 0.0
    given_up = False
    _in_head = False
    _head_bytes = 0
    _until_request: asyncio.TimerHandle | None = None
    _until_read: asyncio.TimerHandle | None = None

    @property
    def wants_request(self) -> bool:
        """No request has come since the last answer, or not all of one."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    @property
    def can_make_room(self) -> bool:
        """The client has to send or to read before the server can do more for it."""
        return not self.given_up and (
            self.wants_request or self.flow.write_paused or self.transport.is_closing()
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        self._until_request = self.loop.call_later(REQUEST_S, self.give_up)
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self.wants_request:
            self._forget_request()
        elif self._until_request is None:
            self._until_request = self.loop.call_later(REQUEST_S, self.give_up)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self.waiting_since = self.loop.time()
        self._forget_request()
        # The next request may be here already, or a part of it.
        if not self.cycle.response_complete and self.cycle.more_body:
            self._until_request = self.loop.call_later(REQUEST_S, self.give_up)
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.waiting_since = self.loop.time()
        self._until_read = self.loop.call_later(STALLED_S, self.give_up)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_read()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # Closing waits until what was written has been read.
        if self._until_read is None:
            self._until_read = self.loop.call_later(STALLED_S, self.give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget_request()
        self._forget_read()

    def give_up(self) -> None:
        """End the connection at once, whatever is on its way."""
        self.given_up = True
        self.transport.abort()

    def _make_room(self) -> None:
        if len(self.connections) <= self.most_connections:
            return
        # One that was given up is among them until the event loop has come round.
        others: list[Any] = [other for other in self.connections if other is not self]
        waiting = [other for other in others if other.can_make_room]
        if waiting:
            min(waiting, key=lambda other: float(other.waiting_since)).give_up()
        elif sum(not other.given_up for other in others) >= self.most_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def _refuse(self, status: HTTPStatus) -> None:
        lines = (f"HTTP/1.1 {status} {status.phrase}", "content-length: 0", "connection: close", "", "")
        self.transport.write("\r\n".join(lines).encode())
        self.transport.close()

    def _forget_request(self) -> None:
        if self._until_request is not None:
            self._until_request.cancel()
            self._until_request = None

    def _forget_read(self) -> None:
        if self._until_read is not None:
            self._until_read.cancel()
            self._until_read = None


def at_most(most_connections: int) -> type[BoundedConnection]:
    """Return the connections of a server that has at most so many."""
    return type("BoundedConnection", (BoundedConnection,), {"most_connections": most_connections})
