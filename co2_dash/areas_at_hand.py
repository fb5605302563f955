"""Which areas a page's first document names: read by a thread, before Dash makes the document."""

from contextvars import ContextVar

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_dash.data import queries
from co2_dash.data.state import Reader
from co2_dash.http import STATIC

# Addresses that are no document of Dash. Any other is answered with one, also an unknown address.
_ELSEWHERE = (*STATIC, "/_dash-", "/api", "/docs", "/healthz", "/openapi.json", "/token")
_areas: ContextVar[tuple[str, ...]] = ContextVar("areas", default=())


def areas_at_hand() -> tuple[str, ...]:
    """Return the names of the areas that have a forecast, as read for the request that is answered."""
    return _areas.get()


class AreasAtHand:
    """Reads the areas before a document is made.

    Dash makes it where the server takes requests, so that nobody else would be answered while a new snapshot
    is opened.
    """

    def __init__(self, app: ASGIApp, reader: Reader) -> None:
        self.app = app
        self.reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(_ELSEWHERE):
            _areas.set(await run_in_threadpool(self._read))
        await self.app(scope, receive, send)

    def _read(self) -> tuple[str, ...]:
        try:
            view = self.reader.store.view()
            return () if view is None else tuple(queries.areas_forecast(view))
        except (SnapshotUnreadable, duckdb.Error):
            # The document has none of the data. Its layout, which is asked for next, reports this.
            return ()
