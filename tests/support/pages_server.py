"""The pages served within the test process, by a clock that the test sets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import httpx

from co2_dash.server import server_of
from co2_dash.settings import Settings
from tests.support import snapshot_data


def now() -> datetime:
    """The wall clock of every test: three minutes after the snapshots were published."""
    return snapshot_data.NOW.replace(minute=23)


@contextmanager
def serving(settings: Settings, clock: Callable[[], datetime], **limits: int) -> Iterator[str]:
    """Give the address of the pages, served by a thread until the block ends.

    ``limits`` are those of `server_of`.
    """
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Connections wait from here on until the server takes them, so nobody has to wait for it.
    listener.listen(64)
    # A clock that is injected cannot cross into another process, so the server is a thread here.
    server = server_of(settings, clock=clock, **limits)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        # Dash ties its pages to the newest application when the server starts: let that be this one.
        httpx.get(f"{address}/healthz", timeout=30).raise_for_status()
        yield address
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        listener.close()
