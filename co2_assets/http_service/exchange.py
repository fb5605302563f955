"""One HTTP request and its response under one deadline.

The time-outs of httpx hold for each read from the network, not for the whole. A server that sends a header
byte by byte, interim responses (1xx) or empty chunks could keep a caller waiting for ever.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import httpx

Result = TypeVar("Result")

# How long to wait for the end of a thread whose connections were shut down. It can only be late while it
# looks up the name of a host, which nothing can interrupt.
_END_S = 1.0


class Overdue(Exception):  # noqa: N818 -- named after what happened
    """The response was not complete at the deadline."""


def get_within(
    http: httpx.Client,
    path: str,
    params: Mapping[str, str],
    limit: timedelta,
    use: Callable[[httpx.Response], Result],
) -> Result:
    """Send a GET request and return ``use(response)``; the body of the response is not read before.

    ``limit`` covers everything: the look-up of the host's name, a proxy, TLS, headers, and ``use``. It is
    measured by the machine's own clock. ``use`` runs in another thread. Raises Overdue when the limit is
    over, and what httpx and ``use`` raise. No connection is left open.
    """
    connections = _Connections()
    future: Future[Result] = Future()

    def work() -> None:
        try:
            with http.stream("GET", path, params=params, extensions={"trace": connections.note}) as response:
                result = use(response)
        except BaseException as error:  # noqa: BLE001 -- the calling thread raises it
            connections.close()
            future.set_exception(error)
        else:
            connections.close()
            future.set_result(result)

    # A daemon: a look-up that hangs must not keep the process from ending.
    thread = threading.Thread(target=work, name=f"GET {path}", daemon=True)
    thread.start()
    try:
        return future.result(limit.total_seconds())
    except TimeoutError:
        if future.done():  # `use` raised it, or has just returned
            return future.result()
        raise Overdue from None
    finally:
        # Also after Ctrl-C.
        connections.shut_down()
        thread.join(_END_S)


class _Connections:
    """The connections of one exchange. The thread that uses them closes them; another can shut them down.

    `note` is a callback for the extension ``trace`` of httpx, which is told of each new connection.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_shut = False
        self._streams: list[Any] = []
        self._sockets: list[socket.socket] = []

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep the connection if the event made one; after the shutdown, close it and raise Overdue."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        stream = info["return_value"]
        with self._lock:
            self._streams.append(stream)
            if event.endswith(".connect_tcp.complete"):
                # A second descriptor of the same connection, because TLS takes the first one over.
                self._sockets.append(stream.get_extra_info("socket").dup())
            if self._is_shut:
                raise Overdue

    def shut_down(self) -> None:
        """Shut the connections down, so that a thread that waits for their data goes on at once.

        Nothing is closed here: the descriptor could be given to another file while that thread uses it.
        """
        with self._lock:
            self._is_shut = True
            for connection in self._sockets:
                with suppress(OSError):  # the other side has closed it already
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connections. httpcore leaves some open, such as one to a SOCKS proxy that refuses."""
        with self._lock:
            for connection in (*self._sockets, *self._streams):
                connection.close()
            self._sockets.clear()
            self._streams.clear()
