"""Whatever the OpenAPI document allows, and what it forbids, is answered as the document says."""

import re
from collections.abc import Callable

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from co2_dash.api.openapi import IN_ANOTHERS_SHAPE

MakeClient = Callable[..., httpx.Client]
KEY = "the-right-key"
EXAMPLES = 15
# Of the shapes of other tools, which say the same again.
FEWER = 5
OTHERS = tuple(f"{part.PREFIX}/" for part in IN_ANOTHERS_SHAPE)
PATHS = (
    "/api/last-24h-emissions",
    "/api/next-6h-predictions",
    "/api/last-6h-predictions-vs-actual",
    "/api/best-model",
    "/api/v1/carbon-intensity/latest",
    "/api/v1/carbon-intensity/history",
    "/api/v1/carbon-intensity/forecast",
    "/api/v1/carbon-intensity/cleanest-window",
    "/api/v1/carbon-intensity/daily-summary",
    "/api/v1/accuracy",
    "/api/v1/areas",
    "/api/v1/status",
    "/api/v1/evcc",
    "/api/v1/home-assistant",
    "/api/v1/cleanest-windows.ics",
    "/api/v1/record",
    "/api/v1/record/{month}.parquet",
    "/api/v1/record/{month}.csv",
    "/api/v1/scorecard",
    "/healthz",
    "/readyz",
    *(
        f"/api/electricity-maps/{version}/{end}"
        for version in ("v3", "v4")
        for end in (
            "carbon-intensity/latest",
            "carbon-intensity/history",
            "carbon-intensity/past",
            "carbon-intensity/past-range",
            "carbon-intensity/forecast",
            "zones",
            "home-assistant",
        )
    ),
    "/api/carbon-aware-sdk/emissions/forecasts/current",
    "/api/carbon-aware-sdk/emissions/bylocation",
    "/api/carbon-aware-sdk/emissions/bylocations",
    "/api/carbon-aware-sdk/emissions/bylocations/best",
    "/api/carbon-aware-sdk/emissions/average-carbon-intensity",
    "/api/carbon-aware-sdk/locations",
    "/api/neso/intensity",
    "/api/neso/intensity/{from}/{span}",
    "/api/neso/regional/intensity/{from}/{span}/postcode/{postcode}",
)
# Version 4 has the same functions.
ALIKE = "/api/electricity-maps/v3/"
# What is asked in a body.
POSTED = (
    "/api/carbon-aware-sdk/emissions/forecasts/batch",
    "/api/carbon-aware-sdk/emissions/average-carbon-intensity/batch",
)


@pytest.mark.parametrize("key", [None, KEY])
def test_every_endpoint_keeps_to_the_document(asked: MakeClient, key: str | None) -> None:
    client = asked(api_keys=frozenset({KEY})) if key else asked()
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    assert {operation.ok().path for operation in schema.get_all_operations()} == {
        *PATHS,
        *POSTED,
    }
    headers = {"X-API-Key": key} if key else {}
    for path in (*(path for path in PATHS if not path.startswith(ALIKE)), *POSTED):
        operation = schema[path]["POST" if path in POSTED else "GET"]
        cases = [operation.as_strategy(mode) for mode in _modes(operation)]

        @settings(
            max_examples=FEWER if path.startswith(OTHERS) else EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(cases))
        def answers(case: schemathesis.Case) -> None:
            # No schema can say that a start lies before its end, nor what the forecast covers.
            # Who is let in is tested in test_access: where a key is made up beside ours, the check takes our
            # answer for one to the other.
            unsaid = [positive_data_acceptance, ignored_auth]
            case.call_and_validate(base_url=str(client.base_url), headers=headers, excluded_checks=unsaid)

        answers()


def test_each_operation_says_whose_it_is_and_how_a_key_is_sent(asked: MakeClient) -> None:
    document = asked(api_keys=frozenset({KEY})).get("/openapi.json").json()
    told = {tag["name"]: tag["description"] for tag in document["tags"]}
    operations = {path: operation for path, item in document["paths"].items() for operation in item.values()}
    assert {name for operation in operations.values() for name in operation["tags"]} == set(told)
    assert all(text.endswith(".") and text.count(". ") == 0 for text in told.values())
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in ids)
    assert operations["/api/neso/intensity"]["operationId"] == "neso_intensity"
    assert operations["/api/electricity-maps/v4/zones"]["operationId"] == "electricity_maps_v4_zones"
    for path, operation in operations.items():
        assert ("security" in operation) == path.startswith("/api/"), path


def _modes(operation: schemathesis.APIOperation) -> list[GenerationMode]:
    """Forbidden values too, where there are parameters to give them to."""
    modes = [GenerationMode.POSITIVE]
    if any(True for _ in operation.iter_parameters()):
        modes.append(GenerationMode.NEGATIVE)
    return modes
