"""How many requests were answered, by path and status."""

from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from co2_dash.http import STATIC

# Anybody can invent addresses, so those that are none of ours are counted together.
OTHER = "other"
# What stands in the place of many addresses.
FILES, PARTS, API = "files", "parts of pages", "/api/"


class RequestCounts:
    """The counter of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "co2_http_requests",
            "Requests that were answered, since the pages were started.",
            ["path", "status"],
            registry=self.registry,
        )

    def add(self, path: str, status: int) -> None:
        """Count one answer."""
        self._requests.labels(path, str(status)).inc()


class CountRequests:
    """Counts each answer under the path of its route, with the status that the client is sent."""

    def __init__(self, app: ASGIApp, counts: RequestCounts, pages: Collection[str]) -> None:
        self.app = app
        self.counts = counts
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # An error that nobody turned into an answer is answered with this status further out.
        status = 500

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        finally:
            self.counts.add(self._label(scope), status)

    def _label(self, scope: Scope) -> str:
        path: str = scope["path"]
        if path in self.pages:
            return path
        if path.startswith(STATIC):
            return FILES
        if path.startswith("/_dash-"):
            return PARTS
        # The router has noted the route in the scope; that of a file or of any address has a name in it.
        route = str(getattr(scope.get("route"), "path", ""))
        if route and ":path}" not in route:
            return route
        return API if path.startswith(API) else OTHER
