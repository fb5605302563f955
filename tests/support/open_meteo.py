"""Open-Meteo emulated over real sockets, and answers spoilt as a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np

from co2_assets.contracts.sources import WeatherAccess
from co2_assets.contracts.weather import WEATHER_POINTS, WeatherPoint
from co2_assets.openmeteo.client import OpenMeteo
from co2_assets.openmeteo.emulator.service import EmulatedOpenMeteo, WeatherGrid

NOW = datetime(2024, 6, 1, 6, 20)
KEY = "a-secret-key-of-somebody"
Fault = Callable[[httpx.Request, httpx.Response], httpx.Response]
Places = list[dict[str, Any]]


class EvenWeather:
    """The same weather everywhere and always, but for the days before, so that versions can be told apart."""

    def points(self, now: datetime) -> tuple[WeatherPoint, ...]:  # noqa: ARG002
        return WEATHER_POINTS

    def weather(
        self,
        point: str,  # noqa: ARG002
        times: "np.ndarray[Any, Any]",
        days_before: int,
        now: datetime,  # noqa: ARG002
    ) -> dict[str, "np.ndarray[Any, Any]"]:
        names = {"wind_speed_10m": 5, "wind_speed_100m": 8, "shortwave_radiation": 200, "temperature_2m": 9}
        return {
            name: np.full(len(times), value + days_before / 10)
            for name, value in {**names, "cloud_cover": 50}.items()
        }


class Server:
    """Serves a transport over a socket; keeps the requests; ``fault`` can be changed at any time."""

    def __init__(self, transport: httpx.BaseTransport, fault: Fault | None = None) -> None:
        self.fault = fault
        self.requests: list[httpx.Request] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                request = httpx.Request("GET", f"http://{self.headers['Host']}{self.path}")
                server.requests.append(request)
                response = transport.handle_request(request)
                if server.fault is not None:
                    try:
                        response = server.fault(request, response)
                    except httpx.TransportError:
                        # Half an answer, then the line is dead.
                        self.send_response(200)
                        self.send_header("Content-Length", str(len(response.content)))
                        self.end_headers()
                        self.wfile.write(response.content[: len(response.content) // 2])
                        self.close_connection = True
                        return
                self.send_response(response.status_code)
                for name in ("Content-Type", "Retry-After"):
                    if name in response.headers:
                        self.send_header(name, response.headers[name])
                self.send_header("Content-Length", str(len(response.content)))
                self.end_headers()
                self.wfile.write(response.content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def served(
    grid: WeatherGrid | None = None, now: Callable[[], datetime] = lambda: NOW
) -> Iterator[tuple[Server, Server]]:
    """Serve both addresses: of the coming hours and of the past ones."""
    grid = EvenWeather() if grid is None else grid
    coming, past = (
        Server(EmulatedOpenMeteo(grid, now, keeps_history=keeps_history)) for keeps_history in (False, True)
    )
    try:
        yield coming, past
    finally:
        coming.close()
        past.close()


def client_of(coming: Server, past: Server, **options: Any) -> OpenMeteo:
    """Return a client of the two servers that waits for nothing."""
    settings: dict[str, Any] = {
        "now": lambda: NOW,
        "access": WeatherAccess(url=coming.url, history_url=past.url, key=KEY),
        "min_interval": timedelta(0),
        "sleep": lambda _: None,
    }
    return OpenMeteo(**(settings | options))


def status(code: int, reason: str = "no", headers: dict[str, str] | None = None) -> Fault:
    """Answer as the service answers errors."""

    def fault(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
        body = {"error": True, "reason": reason}
        return httpx.Response(code, headers=headers, json=body, request=request)

    return fault


def body(content: bytes) -> Fault:
    """Answer with these bytes."""

    def fault(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
        return httpx.Response(200, content=content, request=request)

    return fault


def edited(change: Callable[[Places], Any]) -> Fault:
    """Send the good answer with its places changed."""

    def fault(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        said = response.json()
        places = said if isinstance(said, list) else [said]
        return httpx.Response(200, content=json.dumps(change(places)), request=request)

    return fault


def broken_off(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
    raise httpx.ReadError("the connection was reset", request=request)
