"""The heartbeat: a request after each forecast, so that a service can tell when none comes.

A process that is dead sends no alert. A service such as healthchecks.io waits for this request and tells when
it does not come.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from co2_assets.settings import Settings

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0


def beat(settings: Settings) -> bool:
    """Ask CO2_HEARTBEAT_URL; return whether it answered well. A failure is logged and does no harm."""
    if not settings.heartbeat_url:
        return False
    # The path of the address is a secret, so only the type of an error is logged, and never its text.
    try:
        with _unlogged():
            status = httpx.get(settings.heartbeat_url, timeout=TIMEOUT_S, follow_redirects=True).status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        logger.warning("The heartbeat was not sent (%s): check CO2_HEARTBEAT_URL", type(error).__name__)
        return False
    if not 200 <= status < 300:
        logger.warning("The heartbeat was answered with status %d: check CO2_HEARTBEAT_URL", status)
        return False
    return True


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the library from logging the address, as it does of each request."""
    library = logging.getLogger("httpx")

    def nothing(_: logging.LogRecord) -> bool:
        return False

    library.addFilter(nothing)
    try:
        yield
    finally:
        library.removeFilter(nothing)
