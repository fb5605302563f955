"""The OpenAPI document of the API."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_dash.api.access import PREFIX
from co2_dash.api.formats import carbon_aware_sdk, electricity_maps, neso
from co2_dash.api.problems import Problem
from co2_dash.settings import Settings

TITLE = "Danish carbon intensity: measurements and forecast"
DESCRIPTION = (
    "How many grams of CO2 a kWh used in Denmark carries: measured by the hour, and forecast for the "
    f"coming {HORIZON_HOURS} hours with its uncertainty. Times are ISO 8601 in UTC; every answer names "
    "its source. "
    "Answers carry an ETag: ask again with If-None-Match. Errors are problem documents (RFC 9457), except "
    "in the interfaces of other services, which have errors of their own."
)

# Whole interfaces of others, with their errors.
IN_ANOTHERS_SHAPE = (electricity_maps, carbon_aware_sdk, neso)
# In the order in which the reference lists them.
TAGS = {
    "carbon intensity": "What was measured, what is forecast, and when power is cleanest.",
    "public record": "All live forecasts beside what came true.",
    "state": "How new the data are, and whether all is well.",
    "formats of other tools": "The forecast in the shape that a tool reads.",
    "original": "The first endpoints, which keep their addresses.",
    **{part.TAG: part.ABOUT for part in IN_ANOTHERS_SHAPE},
}
_VERSION = re.compile(r"/(v\d+)/")
# FastAPI's own shape of an error, which is never sent here.
_NEVER_SENT = ("HTTPValidationError", "ValidationError")


def document_of(server: FastAPI, settings: Settings) -> dict[str, Any]:
    """Return the document that describes all routes, made from their functions and shapes."""
    tags = [{"name": name, "description": description} for name, description in TAGS.items()]
    document = get_openapi(title=TITLE, version="1", description=DESCRIPTION, routes=server.routes, tags=tags)
    components = document["components"]
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    components["schemas"].update(schema.pop("$defs"))
    components["schemas"]["Problem"] = schema
    for name in _NEVER_SENT:
        components["schemas"].pop(name, None)
    # A reader of the document sees how a key is sent even where none is wanted.
    components["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
        "password": {"type": "http", "scheme": "basic", "description": "The key, of a user of any name."},
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            _finish(path, operation)
            if settings.api_keys and path.startswith(PREFIX):
                operation["security"] = [{name: []} for name in components["securitySchemes"]]
    return document


def _finish(path: str, operation: dict[str, Any]) -> None:
    # The name of the function, which the summary has in words.
    name = operation["summary"].lower().replace(" ", "_")
    owner = next((part for part in IN_ANOTHERS_SHAPE if path.startswith(f"{part.PREFIX}/")), None)
    if owner is not None:
        # Several of them have an operation of the same name.
        version = _VERSION.findall(path.removeprefix(owner.PREFIX))
        name = "_".join([*owner.TAG.lower().split(), *version, name])
        # FastAPI adds it; these say it as 400.
        operation["responses"].pop("422", None)
    operation["operationId"] = name
