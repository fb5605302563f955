"""What a page's first document says, read by a thread before Dash makes the document."""

from contextvars import ContextVar
from dataclasses import dataclass
from html import escape

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_dash.data import queries
from co2_dash.data.asked_area import asked_area_in
from co2_dash.data.state import Reader
from co2_dash.http import STATIC
from co2_dash.pages.first_answer import first_answer
from co2_dash.pages.home_data import HomeData

# Addresses that are no document of Dash. Any other is answered with one, also an unknown address.
_ELSEWHERE = (*STATIC, "/_dash-", "/api", "/docs", "/healthz", "/metrics", "/openapi.json", "/token")
# The page whose answer is told before the browser has loaded what makes pages.
ANSWERED = "/"


@dataclass(frozen=True)
class FirstDocument:
    """The areas that have a forecast, and the page's answer as HTML; empty where it has none."""

    areas: tuple[str, ...] = ()
    answer: str = ""

    @property
    def areas_text(self) -> str:
        """The names of the areas as the value of an attribute."""
        return escape(" ".join(self.areas))


_NOTHING = FirstDocument()
_document: ContextVar[FirstDocument] = ContextVar("document")


def first_document() -> FirstDocument:
    """Return what was read for the request that is answered."""
    return _document.get(_NOTHING)


class FirstDocuments:
    """Reads what a document says before it is made.

    Dash makes it where the server takes requests, so that nobody else would be answered while a new snapshot
    is opened.
    """

    def __init__(self, app: ASGIApp, reader: Reader) -> None:
        self.app = app
        self.reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(_ELSEWHERE):
            _document.set(await run_in_threadpool(self._read, scope["path"], scope["query_string"]))
        await self.app(scope, receive, send)

    def _read(self, path: str, query: bytes) -> FirstDocument:
        try:
            view, state = self.reader.look(asked_area_in(_text(query)).name)
            areas = () if view is None else tuple(queries.areas_forecast(view))
            answer = first_answer(HomeData.read(view, state)) if view and path == ANSWERED else ""
        except (SnapshotUnreadable, duckdb.Error):
            # The document has none of the data. Its layout, which is asked for next, reports this.
            return _NOTHING
        return FirstDocument(areas, answer)


def _text(query: bytes) -> str:
    return query.decode("ascii", "replace")
