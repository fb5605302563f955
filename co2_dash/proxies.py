"""What a proxy in front of the pages says of a request: who asks, and under which path it shows the pages."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from co2_dash.api.problems import problem
from co2_dash.path_prefix import HEADER, path_prefix_of, show_under


class BehindProxies(ProxyHeadersMiddleware):
    """Believes the headers ``X-Forwarded-For``, ``-Proto`` and ``-Prefix`` of trusted proxies alone.

    ``prefix`` is the path of the pages where no trusted proxy names one. Links lead to addresses under the
    path. ``prefix`` is taken off a request's own path where a proxy left it on; what the header names is not,
    or whoever gets a header past a proxy could ask for a path that the proxy refuses. uvicorn can read the
    first two headers before the application is called, but replaces the address of the proxy by that of its
    client, so that nobody later can tell whether to believe the third.
    """

    def __init__(self, app: Any, trusted: Sequence[str], prefix: str) -> None:
        super().__init__(app, list(trusted))
        self.prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            try:
                prefix = self._prefix_of(scope)
            except ValueError as error:
                await problem(400, f"The proxy's header {error}.")(scope, receive, send)
                return
            show_under(prefix)
            if self.prefix and f"{scope['path']}/".startswith(f"{self.prefix}/"):
                path = scope["path"].removeprefix(self.prefix) or "/"
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await super().__call__(scope, receive, send)

    def _prefix_of(self, scope: Scope) -> str:
        client = scope.get("client")
        if (client[0] if client else None) not in self.trusted_hosts:
            return self.prefix
        # Each of several proxies adds the path that it took off: the first is nearest to the browser.
        lines = Headers(scope=scope).getlist(HEADER)
        named = [part for part in ",".join(lines).split(",") if part.strip()]
        return "".join(path_prefix_of(part, HEADER) for part in named) if named else self.prefix
