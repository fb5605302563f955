"""Requests of the pages are answered, malformed ones are refused, and our own failures are logged."""

import copy
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from co2_dash.app import Pages
from co2_dash.http import MOST_BODY_BYTES
from co2_dash.page_requests import PATH

MakeClient = Callable[..., httpx.Client]
SCORED: dict[str, Any] = {
    "output": "scored.children",
    "outputs": {"id": "scored", "property": "children"},
    "inputs": [{"id": "data-token", "property": "data", "value": "x"}],
    "state": [{"id": "_pages_location", "property": "search", "value": ""}],
    "changedPropIds": ["data-token.data"],
}


def sent(client: httpx.Client, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(PATH, content=content, headers={"Content-Type": "application/json"})


def is_problem(response: httpx.Response, status: int) -> bool:
    return (response.status_code, response.headers["content-type"], response.json()["status"]) == (
        status,
        "application/problem+json",
        status,
    )


def test_what_a_page_sends_is_answered(shared: httpx.Client) -> None:
    answer = sent(shared, SCORED)
    assert answer.status_code == 200
    assert answer.json()["response"]["scored"]["children"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{bad",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        {**SCORED, "output": "no-such.part"},
        {**SCORED, "output": "theme.data"},
        {**SCORED, "output": ["scored.children"]},
        {**SCORED, "outputs": []},
        {**SCORED, "inputs": []},
        {**SCORED, "inputs": [*SCORED["inputs"], *SCORED["inputs"]]},
        {**SCORED, "inputs": [{}]},
        {**SCORED, "inputs": "data-token.data"},
        {**SCORED, "state": []},
        {**SCORED, "state": [None]},
        {**SCORED, "changedPropIds": [1]},
        {**SCORED, "inputs": [[]]},
        {**SCORED, "inputs": [SCORED["inputs"]]},
        {**SCORED, "inputs": [{"id": "data-token", "property": "else"}]},
        {**SCORED, "inputs": [{"id": {"type": "data-token"}, "property": "data"}]},
    ],
)
def test_what_no_page_sends_is_refused(
    shared: httpx.Client, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_problem(sent(shared, body), 400)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_another_content_type_or_too_much_content_is_refused(shared: httpx.Client) -> None:
    assert is_problem(shared.post(PATH, content=json.dumps(SCORED)), 400)
    assert is_problem(sent(shared, b" " * (MOST_BODY_BYTES + 1)), 413)


def test_too_much_of_unnamed_length_is_refused(shared: httpx.Client) -> None:
    pieces = iter([json.dumps(SCORED).encode(), *[b" " * 2**16] * 17])
    response = shared.post(PATH, content=pieces, headers={"Content-Type": "application/json"})
    assert is_problem(response, 400)


def test_a_missing_field_or_one_of_the_wrong_type_is_no_failure_of_the_server(shared: httpx.Client) -> None:
    dependencies = shared.get("/_dash-dependencies").json()
    answered = 0
    for callback in dependencies:
        if callback["clientside_function"]:
            continue
        request = request_of(callback)
        for body in (request, *spoilt(request)):
            status = sent(shared, body).status_code
            assert status in (200, 204, 400), (status, body)
            answered += status == 200
    assert answered > 10


def request_of(callback: dict[str, Any]) -> dict[str, Any]:
    """Return a request for a callback as a page could send it, without values."""

    def named(part: dict[str, Any]) -> dict[str, Any]:
        identity = part["id"]
        if identity.startswith("{"):
            matched = {"chart": "intensity"}
            identity = {
                name: matched.get(name, value) if isinstance(value, list) else value
                for name, value in json.loads(identity).items()
            }
        return {"id": identity, "property": part["property"]}

    output = callback["output"]
    parts = output[2:-2].split("...") if output.startswith("..") else [output]
    outputs = [named(dict(zip(("id", "property"), part.rsplit(".", 1), strict=True))) for part in parts]
    return {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": [named(part) for part in callback["inputs"]],
        "state": [named(part) for part in callback["state"]],
        "changedPropIds": [],
    }


def spoilt(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return copies of a request, each with one field missing or of the wrong type."""
    copies = []
    for name in request:
        copies += [{**copy.deepcopy(request), name: value} for value in (None, 7, "x", [], {}, [[]], [{}])]
        copies.append({key: value for key, value in request.items() if key != name})
    for index, part in enumerate(request["inputs"]):
        for value in (None, 7, "x", [1], {"a": 1}):
            spoilt_one = copy.deepcopy(request)
            spoilt_one["inputs"][index] = {**part, "value": value}
            copies.append(spoilt_one)
    return copies


def test_our_own_failure_is_logged_and_answered_as_one(
    asked: MakeClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("a secret of the inside")

    client = asked(requests_per_minute=99_999)
    monkeypatch.setattr(Pages, "_prepare_callback", broken)
    answer = sent(client, SCORED)
    assert is_problem(answer, 500)
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert any(record.exc_info and PATH in record.message for record in caplog.records)
