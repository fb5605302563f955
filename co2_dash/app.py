"""The application: pages and API, one ASGI server."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import dash
import dash_ag_grid
import httpx
from dash import Dash
from dash._utils import AttributeDict
from dash.exceptions import DependencyException
from fastapi import FastAPI, Request
from starlette.responses import Response

from co2_assets.contracts.time import utc_now
from co2_dash.api.problems import problem
from co2_dash.api.routes import install
from co2_dash.data.asked_area import asked_area
from co2_dash.data.snapshot_store import SnapshotStore
from co2_dash.data.state import Reader
from co2_dash.first_document import FirstDocuments, first_document
from co2_dash.http import BodyLimit, Compression, HeadAsGet, SecurityHeaders, TruePageStatus, Unchanged
from co2_dash.page_requests import refuse_unknown
from co2_dash.pages import chart_card, emissions, home, models, predictions, shell
from co2_dash.pages.components import Part
from co2_dash.path_prefix import linked
from co2_dash.proxies import BehindProxies
from co2_dash.request_counts import CountRequests
from co2_dash.settings import Settings
from co2_dash.workers import Worker

LAYOUTS: dict[str, Callable[..., Part]] = {
    "/": home.layout,
    "/emissions": emissions.layout,
    "/predictions": predictions.layout,
    "/models": models.layout,
}
# What a page takes from the query of its address, besides the area.
CHOICES = {
    "/": ("hours",),
    "/emissions": ("range",),
    "/predictions": ("period", "kind", "lead"),
    "/models": ("model",),
}
# The page that asks for the area where the address names none.
ASKS_AREA = "/"
DESCRIPTIONS = {
    "/": "How clean Danish power is now, how clean it will be, and when best to use it.",
    "/emissions": "Measured carbon intensity of Danish power, and the production behind it.",
    "/predictions": "Forecasts of Danish carbon intensity held against what came true.",
    "/models": "The model behind the forecast, its rivals, and the state of its data.",
}
# Addresses that answer with HTML: the pages and the API's reference.
DOCUMENTS = frozenset({*LAYOUTS, "/docs"})
register_page: Any = dash.register_page
# Dash keeps one list of pages for the process, so a layout learns from the request whose page it is.
_reader: ContextVar[Reader] = ContextVar("reader")
# Dash's mark for a script that no page names: clientside.js loads it (1.3 MB) when a table is first opened.
dash_ag_grid._js_dist[0]["async"] = "lazy"

_FAVICON = '<link rel="icon" type="image/svg+xml" href="{address}">'
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
{%app_entry%}
<div>{%config%}{%scripts%}{%renderer%}</div>
</body>
</html>"""
# The answer stands here already, for on a slow line the scripts take seconds. From the areas that have a
# forecast clientside.js knows, before the page is made, whether the one that the reader chose at an earlier
# visit can be shown.
_ENTRY = """<div id="react-entry-point" data-areas="{areas}" data-prefix="{prefix}">
<div class="_dash-loading">
<strong>CO₂ in the socket</strong>
{answer}Loading the page …<noscript> This page needs JavaScript; the same data are at
<a href="{prefix}/openapi.json">the API</a>.</noscript></div></div>"""


class _ConfigByRequest(AttributeDict):
    """Dash's settings, of which the path under which a proxy shows the pages is that of the present request.

    Dash takes one such path when it is made. It asks for it anew for each document and each callback.
    """

    def __getitem__(self, name: str) -> Any:
        return linked("/") if name == "requests_pathname_prefix" else super().__getitem__(name)


class Pages(Dash):
    """Dash with a title for each page in the first document.

    Its callbacks are reached by pages alone, and made by a worker: Dash itself makes them where the server
    takes requests, so that nobody else would be answered meanwhile.
    """

    def __init__(self, *arguments: Any, worker: Worker, **more: Any) -> None:
        self._worker = worker
        super().__init__(*arguments, **more)

    def __setattr__(self, name: str, value: Any) -> None:
        # Replaced as soon as they are set: Dash hands the same object to its other parts.
        super().__setattr__(name, _ConfigByRequest(value) if name == "config" else value)

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]
        """Return the first document."""
        name = dict(shell.NAVIGATION).get(self.backend.request_adapter().path, "No such page")
        first = first_document()
        entry = _ENTRY.format(areas=first.areas_text, answer=first.answer, prefix=linked(""))
        favicon = _FAVICON.format(address=linked("/assets/favicon.svg"))
        parts |= {"title": _title(name), "app_entry": entry, "favicon": favicon}
        return str(super().interpolate_index(**parts))  # type: ignore[no-untyped-call]

    def _initialize_context(self, body: Any) -> Any:
        # The first that Dash does with a request to a callback.
        refuse_unknown(body, self.callback_map)
        return super()._initialize_context(body)

    def _execute_callback(self, *arguments: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
        # Dash awaits what is awaitable.
        made = super()._execute_callback(*arguments)  # type: ignore[no-untyped-call]
        return lambda: self._worker.run(made)


def create_app(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Pages:
    """Return the application; ``.server`` is the ASGI application to be served by one process.

    ``clock`` gives the wall clock in naive UTC.
    """
    reader = Reader(SnapshotStore(settings), clock, settings.timetable, settings.weather_wanted)
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_ready_pages)
    # The first one added is the last that a request meets: who is refused costs no reading.
    server.add_middleware(FirstDocuments, reader=reader)
    install(server, reader, settings)
    app = Pages(
        __name__,
        worker=server.state.workers.pages,
        routes_pathname_prefix="/",
        server=server,
        backend="fastapi",
        # A worker runs no coroutines; Dash would make some where it finds a certain library.
        use_async=False,
        use_pages=True,
        pages_folder="",
        title=shell.NAME,
        update_title=None,
        index_string=_INDEX,
        suppress_callback_exceptions=True,
        on_error=shell.report_failure,
        add_log_handler=False,
        assets_ignore=r"favicon\.svg|reference\.(?:css|js)",
    )
    _register_pages()
    app.layout = lambda: shell.frame(reader.look()[1])
    app.backend.before_request(lambda: _reader.set(reader))
    for part in (shell, chart_card, home, emissions, predictions, models):
        part.register(app, reader)
    server.add_exception_handler(DependencyException, _no_such_file)
    # The last one added is the first that a request meets.
    server.add_middleware(BodyLimit)
    server.add_middleware(TruePageStatus, pages=DOCUMENTS)
    server.add_middleware(SecurityHeaders, script_hashes=app.csp_hashes)
    server.add_middleware(Compression)
    server.add_middleware(Unchanged)
    # Inside of the next one, which copies what the router notes its route in.
    server.add_middleware(CountRequests, counts=server.state.request_counts, pages=DOCUMENTS)
    server.add_middleware(HeadAsGet)
    server.add_middleware(BehindProxies, trusted=settings.trusted_proxies, prefix=settings.path_prefix)
    return app


def _title(name: str) -> str:
    return f"{name} · {shell.NAME}"


async def _no_such_file(_request: Request, _error: Exception) -> Response:
    return problem(404, "There is no such file.")


def _register_pages() -> None:
    def bound(path: str) -> Callable[..., Part]:
        # A page is given the address's query as keywords.
        def shown(**query: object) -> Part:
            asked = asked_area(query)
            own = {name: query.get(name) for name in CHOICES.get(path, ())}
            if path == ASKS_AREA:
                own["asks_area"] = not asked.in_address
            laid_out = LAYOUTS[path](*_reader.get().look(asked.name), **own)
            return shell.with_fault(asked.fault, laid_out) if asked.fault else laid_out

        return shown

    for order, (path, name) in enumerate(shell.NAVIGATION):
        register_page(
            f"co2_dash.page.{path.strip('/') or 'home'}",
            path=path,
            name=name,
            title=_title(name),
            description=DESCRIPTIONS[path],
            order=order,
            layout=bound(path),
        )
    register_page(
        "co2_dash.page.not_found_404", path="/404", title=_title("No such page"), layout=shell.not_found
    )


@asynccontextmanager
async def _ready_pages(server: FastAPI) -> AsyncIterator[None]:
    """Ask for the layout once: Dash adds its page callbacks at the first request under ``/_dash-``.

    Without it a first visit to any page but the home page would lack the script that sets titles.
    """
    transport = httpx.ASGITransport(server)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        await client.get("/_dash-layout")
    yield
