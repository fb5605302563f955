"""Who may ask the API, and how often."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from co2_dash.api.problems import problem
from co2_dash.settings import Settings

PREFIX = "/api/"
# Clients remembered; the one that was quiet longest is forgotten first.
MOST_CLIENTS = 10_000


class RequestLimit:
    """A bucket of requests per client that refills evenly and holds a minute's worth.

    Counted in this process alone: the pages are one process.
    """

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Count one request; return 0 when it may pass, else the seconds to wait for the next."""
        now = self._monotonic()
        left, seen = self._clients.pop(client, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - seen) * self._per_minute / 60)
        passes = left >= 1
        self._clients[client] = (left - 1 if passes else left, now)
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        return 0.0 if passes else (1 - left) * 60 / self._per_minute


class Gate:
    """Stands before every path under ``/api/``: the key, when there are keys, then the limit."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._keys = [key.encode() for key in settings.api_keys]
        self._limit = RequestLimit(settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX) and scope["method"] != "OPTIONS":
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        # Counted before the key is looked at, so that keys cannot be tried at will.
        address = scope["client"][0] if scope.get("client") else "unknown"
        wait = self._limit.wait_s(address)
        if wait > 0:
            seconds = str(int(wait) + 1)
            return problem(
                429, f"Too many requests; try again in {seconds} s.", headers={"Retry-After": seconds}
            )
        if self._keys and not self._known(_key_given(Headers(scope=scope))):
            return problem(
                401,
                "This API wants a key, in the header X-API-Key or as a bearer token.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return None

    def _known(self, given: bytes) -> bool:
        # Every key is compared in constant time and to the end, whichever fits.
        return sum(hmac.compare_digest(given, key) for key in self._keys) > 0


def _key_given(headers: Headers) -> bytes:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return (headers.get("x-api-key") or bearer).encode("utf-8", "surrogateescape")
