"""The path under which a proxy shows the pages, where it is not the root of its host."""

import re
from contextvars import ContextVar

# Where a prefix may be given.
SETTING, HEADER = "CO2_PATH_PREFIX", "X-Forwarded-Prefix"
# Path segments of letters that need no escaping.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_prefix: ContextVar[str] = ContextVar("prefix", default="")


def path_prefix_of(text: str, given_by: str = SETTING) -> str:
    """Return a prefix without a slash at its end, empty for the root; ValueError for what is no path."""
    prefix = text.strip().rstrip("/")
    segments = prefix.split("/")[1:]
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(segments) or segments[:1] == ["api"]:
        raise ValueError(
            f"{given_by} is {text!r}: give a path such as /co2, of letters, digits and . _ ~ -, not /api"
        )
    return prefix


def show_under(prefix: str) -> None:
    """Let the links in the answer to the present request lead to addresses under a prefix."""
    _prefix.set(prefix)


def linked(path: str) -> str:
    """Return a path of this server as a browser must ask for it."""
    return _prefix.get() + path
