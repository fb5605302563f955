"""What a page may ask of its callbacks: anything else is refused before Dash sees it.

Dash takes such requests on trust; whatever it stumbles over it answers as a failure of the server.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from co2_dash.api.problems import problem

PATH = "/_dash-update-component"
# A page sends its choices, tokens and the bounds of a zoom: some hundred bytes.
MOST_BYTES = 2**20
# How Dash writes that an identity stands for any number of components.
_MANY = (["ALL"], ["ALLSMALLER"])
Callbacks = Mapping[str, Mapping[str, Any]]


class Property(BaseModel):
    """A component's property, with its value where it is an input or a state."""

    id: str | dict[str, Any]
    property: str


class PageRequest(BaseModel):
    """What Dash's renderer sends."""

    output: str
    outputs: Property | list[Property | list[Property]] = []
    inputs: list[Property | list[Property]]
    state: list[Property | list[Property]] = []
    changed: list[str] = Field(default=[], alias="changedPropIds")

    def fits(self, callbacks: Callbacks) -> bool:
        """Return whether there is such a callback here, with these outputs, inputs and states."""
        callback = callbacks.get(self.output, {})
        if "callback" not in callback:
            return False
        outputs = [] if callback["no_output"] else _listed(callback["output"])
        return (
            _are(_listed(self.outputs), [output.to_dict() for output in outputs])
            and _are(self.inputs, callback["inputs"])
            and _are(self.state, callback["state"])
        )


def _listed(parts: Any) -> Sequence[Any]:
    return parts if isinstance(parts, list | tuple) else [parts]


def _are(parts: Sequence[Property | list[Property]], declared: Sequence[Mapping[str, str]]) -> bool:
    return len(parts) == len(declared) and all(map(_is, parts, declared))


def _is(part: Property | list[Property], declared: Mapping[str, str]) -> bool:
    """Return whether a part is what a callback declares; for a pattern of many it is a list."""
    name = declared["id"]
    pattern = json.loads(name) if name.startswith("{") else None
    many = pattern is not None and any(value in _MANY for value in pattern.values())
    if isinstance(part, list) is not many:
        return False
    return all(
        # What follows the @ tells callbacks with the same output apart.
        one.property.partition("@")[0] == declared["property"].partition("@")[0]
        and (one.id == name if pattern is None else _matches(one.id, pattern))
        for one in _listed(part)
    )


def _matches(identity: str | dict[str, Any], pattern: dict[str, Any]) -> bool:
    return (
        isinstance(identity, dict)
        and identity.keys() == pattern.keys()
        and all(
            isinstance(identity[key], str | int | float)
            if isinstance(value, list)
            else identity[key] == value
            for key, value in pattern.items()
        )
    )


class PageRequests:
    """Refuses with 400 what is no request of a page to a callback of ``callbacks``, by output."""

    def __init__(self, app: ASGIApp, callbacks: Callbacks) -> None:
        self.app = app
        self.callbacks = callbacks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > MOST_BYTES:
                await problem(413, f"A page sends at most {MOST_BYTES} bytes.")(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        refusal = self._refusal(Headers(scope=scope), body)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        read = False

        async def receive_again() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive_again, send)

    def _refusal(self, headers: Headers, body: bytes) -> Response | None:
        if not headers.get("content-type", "").startswith("application/json"):
            return problem(400, "A page sends JSON; give the content type application/json.")
        try:
            request = PageRequest.model_validate_json(body)
        except ValidationError:
            return problem(400, "This is no request that a page sends. Load the page again.")
        if not request.fits(self.callbacks):
            return problem(400, "There is no such part of a page. Load the page again.")
        return None
