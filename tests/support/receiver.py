"""A small HTTP server of a test, which keeps what it is sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What came in: ``messages`` are the bodies of POST requests, ``asked`` the paths of GET requests.

    ``status`` is answered to each request.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 200
        self.messages: list[dict[str, Any]] = []
        self.asked: list[str] = []

    @property
    def alert_url(self) -> str:
        return f"json://127.0.0.1:{self.port}/a-secret"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def titles(self) -> list[str]:
        """The titles of the messages so far, without what all begin with."""
        return [message["title"].removeprefix("CO2 forecast: ") for message in self.messages]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if receiver.status < 300:
                receiver.messages.append(body)
            self._answer()

        def do_GET(self) -> None:
            receiver.asked.append(self.path)
            self._answer()

        def _answer(self) -> None:
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
