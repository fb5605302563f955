"""Puts the API onto the server of the pages."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_dash.api import carbon_intensity, health, legacy, metrics, problems, record
from co2_dash.api.access import PREFIX, Gate
from co2_dash.api.formats import calendar, carbon_aware_sdk, electricity_maps, evcc, home_assistant, neso
from co2_dash.api.formats.own_errors import OwnErrors
from co2_dash.api.parameters import no_other_parameters
from co2_dash.api.problems import Problem
from co2_dash.data.state import Reader, tokens
from co2_dash.path_prefix import linked
from co2_dash.request_counts import RequestCounts
from co2_dash.settings import Settings
from co2_dash.workers import Workers

TITLE = "Danish carbon intensity: measurements and forecast"
DESCRIPTION = (
    "How many grams of CO2 a kWh used in Denmark carries: measured by the hour, and forecast for the "
    f"coming {HORIZON_HOURS} hours with its uncertainty. Times are ISO 8601 in UTC; every answer names "
    "its source. "
    "Answers carry an ETag: ask again with If-None-Match. Errors are problem documents (RFC 9457)."
)

# Whole interfaces of others, with their errors; their own documents describe them.
IN_ANOTHERS_SHAPE = (electricity_maps, carbon_aware_sdk, neso)

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
            server.openapi_schema = _document(server, settings)
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


def _document(server: FastAPI, settings: Settings) -> dict[str, Any]:
    document = get_openapi(title=TITLE, version="1", description=DESCRIPTION, routes=server.routes)
    components = document["components"]
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    components["schemas"].update(schema.pop("$defs"))
    components["schemas"]["Problem"] = schema
    # FastAPI's own shape of an error, which is never sent here.
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    # A reader of the document sees how a key is sent even where none is wanted.
    components["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
        "password": {"type": "http", "scheme": "basic", "description": "The key, of a user of any name."},
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            # The name of the function, which the summary has in words.
            operation["operationId"] = operation["summary"].lower().replace(" ", "_")
            if settings.api_keys and path.startswith(PREFIX):
                operation["security"] = [{name: []} for name in components["securitySchemes"]]
    return document
