"""What every answer goes through: security headers, true status codes, compression, what the asker has."""

import base64
import gzip
import hashlib
import re
from collections import OrderedDict

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = ("/_dash-component-suites/", "/assets/")
_COMPRESSIBLE = (
    "text/",
    "application/json",
    "application/javascript",
    "image/svg+xml",
    "application/problem",
)
# Under this a compressed answer is not worth its header.
_LEAST_BYTES = 1000
# Static files are squeezed hard once; answers that change, quickly each time.
HARD, QUICKLY = 9, 5
# All static files together take some five megabytes compressed, under some sixty addresses. Anybody can
# invent addresses that give the same file; they are forgotten when there are more.
_MOST_KEPT_BYTES = 32 * 2**20
_MOST_KEPT_PATHS = 512
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0{0,3})?")
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)

# Styles: the component library and plotly set them inline. Everything else comes from here alone.
_POLICY = (
    "default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; "
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
    """Return whether the asker takes gzip (RFC 9110, 12.5.3): named, or meant by ``*``, at no weight of 0."""
    weights: dict[str, bool] = {}
    for part in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = _NO_WEIGHT.fullmatch(weight.strip()) is None
    return weights.get("gzip", weights.get("*", False))


def names_tag(headers: Headers, tag: str) -> bool:
    """Return whether If-None-Match names ``tag``, weak or strong (RFC 9110, 13.1.2)."""
    named = ",".join(headers.getlist("if-none-match")).split(",")
    return tag.removeprefix("W/") in {part.strip().removeprefix("W/") for part in named}


class _Whole:
    """Collects one response, so that it can be looked at before it is sent."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def forward(self, send: Send) -> None:
        headers = MutableHeaders(raw=list(self.start["headers"]))
        headers["content-length"] = str(len(self.body))
        await send({**self.start, "headers": headers.raw})
        await send({"type": "http.response.body", "body": self.body})


class SecurityHeaders:
    """Adds the security headers; inline scripts of our own pages are let through by their hash.

    No page uses a WebSocket, so none is accepted.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        held: list[Message] = []

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if headers.get("content-type", "").startswith("text/html"):
                    held.append(message)
                    return
                headers["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'"
            elif held:
                start = held.pop()
                MutableHeaders(scope=start)["content-security-policy"] = self._policy(message["body"])
                await send(start)
            await send(message)

        await self.app(scope, receive, send_guarded)

    def _policy(self, page: bytes) -> str:
        scripts = _INLINE_SCRIPT.findall(page)
        hashes = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts)
        return _POLICY.format(hashes="".join(f" 'sha256-{digest}'" for digest in hashes))


class Compression:
    """Sends gzip to who takes it; a static file is compressed once and kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._squeezed = _Squeezed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not takes_gzip(Headers(scope=scope)):

            async def send_varied(message: Message) -> None:
                if message["type"] == "http.response.start" and _compressible(
                    Headers(raw=message["headers"])
                ):
                    MutableHeaders(scope=message).add_vary_header("accept-encoding")
                await send(message)

            await self.app(scope, receive, send_varied)
            return
        path = scope["path"] if scope["path"].startswith(STATIC) and scope["method"] == "GET" else None
        whole = self._squeezed.at(path) if path else None
        if whole is None:
            whole = _Whole()
            await self.app(scope, receive, whole.send)
            await self._compress(whole, path)
        await whole.forward(send)

    async def _compress(self, whole: "_Whole", path: str | None) -> None:
        headers = MutableHeaders(raw=list(whole.start["headers"]))
        if not _compressible(headers):
            return
        headers.add_vary_header("accept-encoding")
        whole.start = {**whole.start, "headers": headers.raw}
        if len(whole.body) < _LEAST_BYTES:
            return
        headers["content-encoding"] = "gzip"
        if "etag" in headers:
            # The plain answer has other bytes, so the two share no strong tag.
            headers["etag"] = f"W/{headers['etag'].removeprefix('W/')}"
        if path and whole.start["status"] == 200:
            await self._squeezed.add(path, whole)
        else:
            whole.body = await run_in_threadpool(gzip.compress, whole.body, QUICKLY, mtime=0)


def _compressible(headers: Headers) -> bool:
    return "content-encoding" not in headers and headers.get("content-type", "").startswith(_COMPRESSIBLE)


class _Squeezed:
    """Static files compressed, kept by what is in them: an invented address of a file that is there
    costs neither the time to compress it again nor the room to keep it twice."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        # By address the start of the answer and which body follows.
        self._paths: OrderedDict[str, tuple[Message, bytes]] = OrderedDict()

    def at(self, path: str) -> "_Whole | None":
        """Return the compressed answer of an address, or None when it is not kept."""
        start, digest = self._paths.get(path, ({}, b""))
        if digest not in self._bodies:
            return None
        self._paths.move_to_end(path)
        self._bodies.move_to_end(digest)
        whole = _Whole()
        whole.start, whole.body = start, self._bodies[digest]
        return whole

    async def add(self, path: str, whole: "_Whole") -> None:
        """Compress the body of an answer, and keep it for its address."""
        digest = await run_in_threadpool(lambda content: hashlib.sha256(content).digest(), whole.body)
        body = self._bodies.get(digest)
        if body is None:
            body = await run_in_threadpool(gzip.compress, whole.body, HARD, mtime=0)
        if digest not in self._bodies:
            self._bodies[digest] = body
            self._bytes += len(body)
            while self._bytes > _MOST_KEPT_BYTES:
                self._bytes -= len(self._bodies.popitem(last=False)[1])
        whole.body = body
        self._paths[path] = (whole.start, digest)
        if len(self._paths) > _MOST_KEPT_PATHS:
            self._paths.popitem(last=False)


class Unchanged:
    """Answers 304 to who has the answer already: by its tag, or by ``*`` whatever there is.

    A file may have a tag of Dash's own, which lacks the quotes that a tag must have.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        unchanged = False

        async def send_unless_had(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                tag = headers.get("etag")
                if tag and not tag.endswith('"'):
                    weak = "W/" if tag.startswith("W/") else ""
                    tag = headers["etag"] = f'{weak}"{tag.removeprefix("W/")}"'
                has_it = asked.get("if-none-match", "").strip() == "*" or bool(tag and names_tag(asked, tag))
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
    """Answers HEAD as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"

        async def send_bare(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("allow") == "GET":
                    headers["allow"] = "GET, HEAD"
            elif is_head:
                if message.get("more_body", False):
                    return
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"} if is_head else scope, receive, send_bare)


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
            await RedirectResponse(f"{without}?{query}" if query else without, 308)(scope, receive, send)
            return

        async def send_true(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                is_page = Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
                if is_page and path not in self.pages:
                    message = {**message, "status": 404}
            await send(message)

        await self.app(scope, receive, send_true)
