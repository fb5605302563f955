"""What every answer passes through: security headers, true status codes, compression, 304 and HEAD."""

import gzip
import hashlib
import re
from collections.abc import Callable, Sequence

from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.gzip import (
    DEFAULT_EXCLUDED_CONTENT_TYPES,
    GZipMiddleware,
    GZipResponder,
    IdentityResponder,
)
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from co2_dash.api.problems import problem
from co2_dash.path_prefix import linked

STATIC = ("/_dash-component-suites/", "/assets/", "/swagger/")
# A shorter answer is not worth the header that says it is compressed.
LEAST_BYTES = 1000
# A static file is compressed hard, once; an answer that changes is compressed quickly, each time.
HARD, QUICKLY = 9, 5
PARQUET = "application/vnd.apache.parquet"
# What is compressed in itself, pictures and fonts among it, grows when it is compressed again.
COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, PARQUET)
# All static files together take some five megabytes compressed, under some sixty addresses.
MOST_KEPT_BYTES = 32 * 2**20
MOST_KEPT_ADDRESSES = 512
# A page sends its choices, tokens and the bounds of a zoom: some hundred bytes.
MOST_BODY_BYTES = 2**20
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0{0,3})?")

# Styles: the component library and plotly set them inline. Everything else comes from here alone.
_POLICY = (
    "default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def takes_gzip(headers: Headers) -> bool:
    """Return whether the client takes gzip (RFC 9110, 12.5.3): named, or meant by ``*``, at a weight over 0.

    Starlette looks for the letters "gzip" alone: it would send gzip for ``gzip;q=0`` and none for ``*``.
    """
    weights: dict[str, bool] = {}
    for part in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = _NO_WEIGHT.fullmatch(weight.strip()) is None
    return weights.get("gzip", weights.get("*", False))


def names_tag(headers: Headers, tag: str) -> bool:
    """Return whether If-None-Match names ``tag``, weak or strong (RFC 9110, 13.1.2)."""
    named = ",".join(headers.getlist("if-none-match")).split(",")
    return tag.removeprefix("W/") in {part.strip().removeprefix("W/") for part in named}


class SecurityHeaders:
    """Adds the security headers; lets the inline scripts through whose hashes ``script_hashes`` returns.

    No page uses a WebSocket, so none is accepted.
    """

    def __init__(self, app: ASGIApp, script_hashes: Callable[[], Sequence[str]]) -> None:
        self.app = app
        self.script_hashes = script_hashes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                is_page = headers.get("content-type", "").startswith("text/html")
                headers["content-security-policy"] = (
                    _POLICY.format(hashes=" ".join(self.script_hashes()))
                    if is_page
                    else "default-src 'none'; frame-ancestors 'none'"
                )
            await send(message)

        await self.app(scope, receive, send_guarded)


class Compression(GZipMiddleware):
    """Starlette's compression, but a static file that is sent whole is compressed once and kept.

    Compressed at each request, the scripts took the first load of a page from 2-3 s to 4.5 s. Even finding
    a kept file by its content takes 36 ms more of the server for each first load than finding it by its
    address.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            app, minimum_size=LEAST_BYTES, compresslevel=QUICKLY, exclude_content_types=COMPRESSED
        )
        # By the hash of the content: anybody can invent addresses that give the same file.
        self.bodies: LRUCache[bytes, bytes] = LRUCache(MOST_KEPT_BYTES, getsizeof=len)
        # By address the start of the answer, and the hash of the content that follows.
        self.starts: LRUCache[str, tuple[Message, bytes]] = LRUCache(MOST_KEPT_ADDRESSES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        responder: ASGIApp
        if not takes_gzip(headers):
            responder = IdentityResponder(self.app, self.minimum_size)
        elif scope["path"].startswith(STATIC) and scope["method"] == "GET" and "range" not in headers:
            responder = self._static
        else:
            responder = GZipResponder(
                self.app, self.minimum_size, self.compresslevel, exclude_content_types=COMPRESSED
            )
        await responder(scope, receive, send)

    async def _static(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        start, key = self.starts.get(path, ({}, b""))
        body = self.bodies.get(key)
        if body is not None:
            # The headers are changed further out, so each answer has its own.
            await send({**start, "headers": list(start["headers"])})
            await send({"type": "http.response.body", "body": body})
            return
        responder = _StaticResponder(self.app, self.minimum_size, self.bodies)

        async def send_and_keep(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200 and responder.key:
                self.starts[path] = {**message, "headers": list(message["headers"])}, responder.key
            await send(message)

        await responder(scope, receive, send_and_keep)


class _StaticResponder(GZipResponder):
    """Compresses a file that is sent whole, or takes it from ``bodies``; ``key`` is then its place there."""

    def __init__(self, app: ASGIApp, minimum_size: int, bodies: LRUCache[bytes, bytes]) -> None:
        super().__init__(app, minimum_size, HARD, exclude_content_types=COMPRESSED)
        self.bodies = bodies
        self.key = b""
        self.streams = False

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        self.streams = self.streams or more_body
        if self.streams:
            return await super().apply_compression(body, more_body=more_body)
        self.key = await run_in_threadpool(lambda: hashlib.sha256(body).digest())
        compressed = self.bodies.get(self.key)
        if compressed is None:
            compressed = await run_in_threadpool(gzip.compress, body, HARD, mtime=0)
            if len(compressed) <= self.bodies.maxsize:
                self.bodies[self.key] = compressed
        return compressed


class Unchanged:
    """Answers 304 to a client that has the answer already: by its tag, or by ``*`` whatever there is.

    Starlette does so for the files that it serves itself. A file of Dash has a tag without the quotes that
    a tag must have, and a compressed answer shares no strong tag with the plain one, which has other bytes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        request = Headers(scope=scope)
        unchanged = False

        async def send_unless_had(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                tag = headers.get("etag")
                if tag:
                    weak = "W/" if tag.startswith("W/") or "content-encoding" in headers else ""
                    tag = headers["etag"] = f'{weak}"{tag.removeprefix("W/").strip(chr(34))}"'
                has_it = request.get("if-none-match", "").strip() == "*" or bool(
                    tag and names_tag(request, tag)
                )
                if message["status"] == 200 and has_it:
                    unchanged = True
                    for name in ("content-length", "content-type", "content-encoding"):
                        del headers[name]
                    message["status"] = 304
            elif unchanged:
                if message.get("more_body", False):
                    return
                message = {**message, "body": b""}
            await send(message)

        await self.app(scope, receive, send_unless_had)


class HeadAsGet:
    """Answers HEAD as GET: FastAPI's routes know GET alone, and the server itself leaves out the body.

    A part can be asked for with GET alone (RFC 9110, 14.2).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "HEAD":
            headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
            scope = {**scope, "method": "GET", "headers": headers}
        await self.app(scope, receive, send)


class BodyLimit(RequestBodyLimitMiddleware):
    """Refuses a body that is too long with a problem document, by the length that the request names.

    Starlette stops a body of unnamed length at the same limit.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, MOST_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            # No route reads the body of a GET, and most requests are one.
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > MOST_BODY_BYTES:
            refusal = problem(413, f"A request has at most {MOST_BODY_BYTES} bytes.")
            await refusal(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


class TruePageStatus:
    """Gives addresses their true status: Dash serves its one document for every path.

    404 for what is no page; the page's own address for one that ends in a slash.
    """

    def __init__(self, app: ASGIApp, pages: frozenset[str]) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        without = path.removesuffix("/")
        if path not in self.pages and without in self.pages and scope["method"] == "GET":
            query: str = scope["query_string"].decode("latin-1")
            address = linked(without)
            await RedirectResponse(f"{address}?{query}" if query else address, 308)(scope, receive, send)
            return

        async def send_true(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                is_page = Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
                if is_page and path not in self.pages:
                    message = {**message, "status": 404}
            await send(message)

        await self.app(scope, receive, send_true)
