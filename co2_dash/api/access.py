"""Who may ask the API, and how often; and how often the pages' parts may be asked for."""

import base64
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from co2_dash.api.problems import problem
from co2_dash.page_requests import PATH as PARTS_PATH
from co2_dash.settings import Settings

PREFIX = "/api/"
# Ours, that of Electricity Maps, and the one that evcc's template for it sends.
KEY_HEADERS = (b"x-api-key", b"auth-token", b"x-blobr-key")
# It tells what the API tells, so it wants the same key.
METRICS_PATH = "/metrics"
# One visit to a page asks for about ten parts, so as many visits are allowed as requests to the API.
PARTS_PER_VISIT = 10
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
    """Stands before all paths under ``/api/`` and before ``/metrics``: the limit, then the key, if there are
    keys.

    Parts of pages need no key and have a limit of their own.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        # A client sends a key in UTF-8 or, as Python's own does, in Latin-1; some have no Latin-1 form.
        self._keys = [
            key.encode(coding, "surrogateescape")
            for key in settings.api_keys
            for coding in ("utf-8", "latin-1")
            if coding == "utf-8" or _fits_latin_1(key)
        ]
        self._limit = RequestLimit(settings.requests_per_minute)
        self._parts = RequestLimit(settings.requests_per_minute * PARTS_PER_VISIT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] == "http" and scope["method"] != "OPTIONS":
            if scope["path"].startswith(PREFIX) or scope["path"] == METRICS_PATH:
                # Counted before the key is looked at, so that keys cannot be tried at will.
                refusal = _too_many(self._limit, scope) or self._keyless(scope)
            elif scope["path"] == PARTS_PATH:
                refusal = _too_many(self._parts, scope)
        await (refusal or self.app)(scope, receive, send)

    def _keyless(self, scope: Scope) -> ASGIApp | None:
        if not self._keys or self._known(_key_given(Headers(scope=scope))):
            return None
        return problem(
            401,
            "This API wants a key, in the header X-API-Key, as a bearer token or as a password.",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _known(self, given: bytes) -> bool:
        # Every key is compared in constant time and to the end, whichever fits.
        return sum(hmac.compare_digest(given, key) for key in self._keys) > 0


def _too_many(limit: RequestLimit, scope: Scope) -> ASGIApp | None:
    wait = limit.wait_s(scope["client"][0] if scope.get("client") else "unknown")
    if wait == 0:
        return None
    seconds = str(int(wait) + 1)
    return problem(429, f"Too many requests; try again in {seconds} s.", headers={"Retry-After": seconds})


def _fits_latin_1(key: str) -> bool:
    return all(ord(letter) < 256 for letter in key)


def _key_given(headers: Headers) -> bytes:
    # As the bytes that were sent: read as text, some of UTF-8's would be taken for spaces.
    # Of two the first counts.
    sent = {name: value.strip() for name, value in reversed(headers.raw)}
    named = (sent[name] for name in KEY_HEADERS if sent.get(name))
    return next(named, b"") or _authorized_by(sent.get(b"authorization", b""))


def _authorized_by(value: bytes) -> bytes:
    """Return the token of a bearer, or the password of a user of any name.

    Many programs that can send no header of their own take ``http://user:KEY@host/`` for an address.
    """
    scheme, _, token = value.partition(b" ")
    if scheme.lower() == b"bearer":
        return token.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        pair = base64.b64decode(token.strip(), validate=True)
    except ValueError:
        return b""
    return pair.partition(b":")[2]
