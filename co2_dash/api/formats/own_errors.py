"""Errors in the form that a tool knows, in the place of problem documents."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from co2_dash.api.problems import MEDIA_TYPE, Problem

# From a problem to the status and the JSON that the tool would get from the service that it was made for.
ErrorForm = Callable[[Problem], tuple[int, BaseModel]]


class OwnErrors:
    """Turns each problem document under a prefix into that prefix's own form.

    It stands before the gate, so that a missing key and too many requests are said in this form too.
    """

    def __init__(self, app: ASGIApp, forms: Mapping[str, ErrorForm]) -> None:
        self.app = app
        self.forms = forms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        form = self._form_of(scope)
        if form is None:
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def send_in_form(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                kind = MutableHeaders(scope=message).get("content-type", "")
                if kind.startswith(MEDIA_TYPE):
                    start = message
                    return
            elif start is not None:
                body.extend(message.get("body", b""))
                if message.get("more_body", False):
                    return
                status, document = form(Problem.model_validate_json(bytes(body)))
                text = document.model_dump_json().encode()
                headers = MutableHeaders(scope=start)
                headers["content-type"] = "application/json"
                headers["content-length"] = str(len(text))
                await send({**start, "status": status})
                message = {"type": "http.response.body", "body": text}
            await send(message)

        await self.app(scope, receive, send_in_form)

    def _form_of(self, scope: Scope) -> ErrorForm | None:
        if scope["type"] != "http":
            return None
        path: str = scope["path"]
        return next((form for prefix, form in self.forms.items() if path.startswith(f"{prefix}/")), None)


def in_words(problem: Problem) -> str:
    """Return what happened as one text, with each parameter at fault."""
    faults = [f"{fault.parameter}: {fault.message}" for fault in problem.errors]
    return "; ".join(faults) if faults else problem.detail


def documented_as(shape: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI is told of the errors that a route may answer with, in a tool's own form."""
    return {status: {"model": shape, "description": HTTPStatus(status).phrase} for status in statuses}
