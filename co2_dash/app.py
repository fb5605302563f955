"""The application: pages and API, one ASGI server."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import dash
from dash import Dash
from dash.exceptions import DependencyException
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from co2_assets.contracts.time import utc_now
from co2_dash.api.page_requests import PageRequests
from co2_dash.api.problems import problem
from co2_dash.api.routes import install
from co2_dash.data.snapshot_store import SnapshotStore, View
from co2_dash.data.state import DataState, Reader, area_named
from co2_dash.http import Compression, HeadAsGet, SecurityHeaders, TruePageStatus, Unchanged
from co2_dash.pages import chart_card, emissions, home, models, predictions, shell
from co2_dash.pages.components import Part
from co2_dash.settings import Settings

LAYOUTS: dict[str, Callable[[View | None, DataState], Part]] = {
    "/": home.layout,
    "/emissions": emissions.layout,
    "/predictions": predictions.layout,
    "/models": models.layout,
}
DESCRIPTIONS = {
    "/": "How clean Danish power is now, how clean it will be, and when best to use it.",
    "/emissions": "Measured carbon intensity of Danish power, and the production behind it.",
    "/predictions": "Forecasts of Danish carbon intensity held against what came true.",
    "/models": "The model behind the forecast, its rivals, and the state of its data.",
}
# Addresses that answer with HTML: the pages and the API's reference.
DOCUMENTS = frozenset({*LAYOUTS, "/docs"})
register_page: Any = dash.register_page
_asked: ContextVar[Reader] = ContextVar("reader")
_GRID_SCRIPT = re.compile(r'<script src="([^"]*/dash_ag_grid/[^"]*)"></script>')

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
{%css%}
</head>
<body>
{%app_entry%}
<div>{%config%}{%scripts%}{%renderer%}</div>
</body>
</html>"""
_ENTRY = """<div id="react-entry-point"><div class="_dash-loading"><strong>CO₂ in the socket</strong>
Reading the newest forecast …<noscript> This page needs JavaScript; the same data are at
<a href="/docs">the API</a>.</noscript></div></div>"""


class Pages(Dash):
    """Dash with our own first document: titled by page, and the grid's library left for later."""

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]
        """Return the first document; the grid's script is named in it, for who opens a table."""
        scripts = str(parts["scripts"])
        found = _GRID_SCRIPT.search(scripts)
        if found is None:
            raise RuntimeError("Dash no longer lists the grid's script the way it is looked for")
        path = self.backend.request_adapter().path
        names = dict(shell.NAVIGATION)
        metas = f'{parts["metas"]}\n<meta name="grid-library" content="{found[1]}">'
        parts |= {
            "scripts": scripts.replace(found[0], ""),
            "metas": metas,
            "title": _title(names.get(path, "No such page")),
            "app_entry": _ENTRY,
        }
        return str(super().interpolate_index(**parts))  # type: ignore[no-untyped-call]


def create_app(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Pages:
    """Return the application; ``.server`` is the ASGI application to be served by one process.

    ``clock`` gives the wall clock in naive UTC.
    """
    reader = Reader(SnapshotStore(settings), clock)
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_ready_pages)
    install(server, reader, settings)
    app = Pages(
        __name__,
        server=server,  # type: ignore[arg-type]
        backend="fastapi",
        use_pages=True,
        pages_folder="",
        title=shell.NAME,
        update_title=None,  # type: ignore[arg-type]
        index_string=_INDEX,
        suppress_callback_exceptions=True,
        on_error=shell.report_failure,
        add_log_handler=False,
        assets_ignore="favicon.svg",
    )
    _register_pages()
    app.layout = lambda: shell.frame(reader.look()[1])
    for part in (shell, chart_card, home, emissions, predictions, models):
        part.register(app, reader)
    server.add_exception_handler(DependencyException, _no_such_file)
    server.add_middleware(WithReader, reader=reader)
    server.add_middleware(PageRequests, callbacks=app.callback_map)
    server.add_middleware(TruePageStatus, pages=DOCUMENTS)
    server.add_middleware(SecurityHeaders)
    server.add_middleware(Compression)
    server.add_middleware(Unchanged)
    server.add_middleware(HeadAsGet)
    return app


def _title(name: str) -> str:
    return f"{name} · {shell.NAME}"


async def _no_such_file(_request: Request, _error: Exception) -> Response:
    return problem(404, "There is no such file.")


class WithReader:
    """Lets a page's layout find the reader of the application that is asked for it.

    Dash keeps one list of pages for the process, whichever application added them.
    """

    def __init__(self, app: ASGIApp, reader: Reader) -> None:
        self.app = app
        self.reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _asked.set(self.reader)
        await self.app(scope, receive, send)


def _register_pages() -> None:
    def bound(layout: Callable[[View | None, DataState], Part]) -> Callable[..., Part]:
        # A page is given the address's query as keywords.
        return lambda area=None, **_query: layout(*_asked.get().look(area_named(area)))

    for order, (path, name) in enumerate(shell.NAVIGATION):
        register_page(
            f"co2_dash.page.{path.strip('/') or 'home'}",
            path=path,
            name=name,
            title=_title(name),
            description=DESCRIPTIONS[path],
            order=order,
            layout=bound(LAYOUTS[path]),
        )
    register_page(
        "co2_dash.page.not_found_404", path="/404", title=_title("No such page"), layout=shell.not_found
    )


@asynccontextmanager
async def _ready_pages(server: FastAPI) -> AsyncIterator[None]:
    """Ask for the layout once: Dash adds its page callbacks at the first request under ``/_dash-``.

    Without it a first visit to any page but the home page would lack the script that sets titles.
    """

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        return None

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/_dash-layout",
        "raw_path": b"/_dash-layout",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 0),
        "app": server,
    }
    await server(scope, receive, send)
    yield
