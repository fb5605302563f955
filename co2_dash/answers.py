"""What every answer goes through: security headers, true status codes, and compression."""

import base64
import gzip
import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
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
_STATIC_LEVEL, _DYNAMIC_LEVEL = 9, 5
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
        self._kept: dict[str, tuple[Message, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        conditional = "if-none-match" in Headers(scope=scope)
        static = path.startswith(STATIC) and scope["method"] == "GET" and not conditional
        whole = _Whole()
        kept = self._kept.get(path) if static else None
        if kept is None:
            await self.app(scope, receive, whole.send)
            headers = MutableHeaders(raw=list(whole.start["headers"]))
            if _worth_it(headers, whole.body):
                whole.body = gzip.compress(whole.body, _STATIC_LEVEL if static else _DYNAMIC_LEVEL, mtime=0)
                headers["content-encoding"] = "gzip"
                headers.add_vary_header("accept-encoding")
                whole.start = {**whole.start, "headers": headers.raw}
            if static and whole.start["status"] == 200:
                self._kept[path] = (whole.start, whole.body)
        else:
            whole.start, whole.body = kept
        await whole.forward(send)


def _worth_it(headers: Headers, body: bytes) -> bool:
    kind = headers.get("content-type", "")
    return len(body) >= _LEAST_BYTES and "content-encoding" not in headers and kind.startswith(_COMPRESSIBLE)


class TruePageStatus:
    """Answers 404 for an address that is no page: Dash serves its one document for every path."""

    def __init__(self, app: ASGIApp, pages: frozenset[str]) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_true(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                is_page = Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
                if is_page and scope["path"] not in self.pages:
                    message = {**message, "status": 404}
            await send(message)

        await self.app(scope, receive, send_true if scope["type"] == "http" else send)
