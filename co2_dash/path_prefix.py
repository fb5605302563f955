"""The path under which a proxy shows the pages, where it is not the root of its host."""

import re
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

# Path segments of letters that need no escaping.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_prefix: ContextVar[str] = ContextVar("prefix", default="")


def path_prefix_of(text: str) -> str:
    """Return a prefix without a slash at its end, empty for the root; ValueError for what is no path."""
    prefix = text.strip().rstrip("/")
    segments = prefix.split("/")[1:]
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(segments) or segments[:1] == ["api"]:
        raise ValueError(
            f"CO2_PATH_PREFIX is {text!r}: give a path such as /co2, of letters, digits and . _ ~ -, not /api"
        )
    return prefix


def linked(path: str) -> str:
    """Return a path of this server as a browser must ask for it."""
    return _prefix.get() + path


class PathPrefix:
    """Makes links lead to addresses under the prefix, and takes it off a path where the proxy left it on."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _prefix.set(self.prefix)
        if scope["type"] == "http" and self.prefix and f"{scope['path']}/".startswith(f"{self.prefix}/"):
            path = scope["path"].removeprefix(self.prefix) or "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self.app(scope, receive, send)
