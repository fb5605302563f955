"""Puts the API onto the server of the pages."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from co2_dash.api import carbon_intensity, health, legacy, metrics, problems, record
from co2_dash.api.access import PREFIX, Gate
from co2_dash.api.formats import calendar, evcc, home_assistant
from co2_dash.api.formats.own_errors import OwnErrors
from co2_dash.api.openapi import IN_ANOTHERS_SHAPE, TITLE, document_of
from co2_dash.api.parameters import no_other_parameters
from co2_dash.data.state import Reader, tokens
from co2_dash.path_prefix import linked
from co2_dash.request_counts import RequestCounts
from co2_dash.settings import Settings
from co2_dash.workers import Workers

# FastAPI's own page starts Swagger UI by an inline script and takes its files from elsewhere, which the
# content security policy refuses; this one takes them from here.
# Its addresses are relative, so that they hold under any path.
_REFERENCE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
<link rel="icon" type="image/svg+xml" href="assets/favicon.svg">
<link rel="stylesheet" href="swagger/swagger-ui.css">
<link rel="stylesheet" href="assets/reference.css">
</head>
<body>
<header class="top"><div class="top-row">
<a class="brand" href="./"><img src="assets/favicon.svg" alt="" width="28" height="28">
<span>CO₂ in the socket</span></a>
<a href="openapi.json">The same for programs</a>
</div></header>
<div id="reference"><noscript>This page needs JavaScript; openapi.json says the same.</noscript></div>
<script src="swagger/swagger-ui-bundle.js"></script>
<script src="assets/reference.js"></script>
</body>
</html>"""


def install(server: FastAPI, reader: Reader, settings: Settings) -> None:
    """Add routes, problems and access rules to ``server``."""
    server.state.reader, server.state.settings = reader, settings
    server.state.workers = Workers()
    server.state.request_counts = RequestCounts()
    problems.install(server)
    for part in (
        legacy,
        carbon_intensity,
        record,
        health,
        evcc,
        home_assistant,
        calendar,
        *IN_ANOTHERS_SHAPE,
    ):
        server.include_router(part.router, dependencies=[Depends(no_other_parameters)])
    server.include_router(health.probe)
    server.include_router(metrics.router)
    _add_documents(server, settings)

    @server.get("/token", include_in_schema=False)
    async def token() -> JSONResponse:
        return JSONResponse(tokens(reader.look()[1]), headers={"Cache-Control": "no-store"})

    @server.get(PREFIX.rstrip("/"), include_in_schema=False)
    @server.get(PREFIX + "{rest:path}", include_in_schema=False)
    async def unknown() -> None:
        raise HTTPException(404, "There is no such endpoint; /docs lists those there are.")

    server.add_middleware(Gate, settings=settings)
    server.add_middleware(OwnErrors, forms={part.PREFIX: part.error_of for part in IN_ANOTHERS_SHAPE})
    if settings.cors_origins:
        server.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["X-API-Key", "auth-token", "Authorization", "If-None-Match"],
            expose_headers=["ETag", "Retry-After"],
        )


def _add_documents(server: FastAPI, settings: Settings) -> None:
    def openapi() -> dict[str, Any]:
        if server.openapi_schema is None:
            server.openapi_schema = document_of(server, settings)
        return server.openapi_schema

    server.openapi = openapi  # type: ignore[method-assign]

    @server.get("/openapi.json", include_in_schema=False)
    async def document() -> JSONResponse:
        servers = {"servers": [{"url": linked("")}]} if linked("") else {}
        return JSONResponse({**server.openapi(), **servers})

    @server.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_REFERENCE)

    server.mount("/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]))
