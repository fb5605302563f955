"""Errors as problem documents (RFC 9457), with nothing of the inside in them."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from dash.exceptions import PreventUpdate
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class InvalidParameter(BaseModel):
    """One parameter that could not be used."""

    parameter: str = Field(description="Name of the parameter.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str = Field(default="about:blank", description="Kind of problem; about:blank: the status says it.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What happened and what would help.")
    errors: list[InvalidParameter] = Field(default=[], description="The parameters at fault, for status 422.")


def problem(
    status: int,
    detail: str,
    *,
    errors: list[InvalidParameter] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response that tells of a problem; never to be cached."""
    document = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [])
    return JSONResponse(
        document.model_dump(),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI is told of the problems that a route may answer with."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def install(server: FastAPI) -> None:
    """Answer every error of ``server`` with a problem document."""

    @server.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> JSONResponse:
        detail = error.detail or HTTPStatus(error.status_code).description
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        return problem(error.status_code, str(detail), headers=headers)

    @server.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not sent back: only the name of the parameter and what it should be.
        errors = [
            InvalidParameter(parameter=str(e["loc"][-1]), message=_what_is_wrong(e)) for e in error.errors()
        ]
        return problem(422, "A parameter cannot be used.", errors=errors)

    # Of what lies further out than `Failures`.
    @server.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return _failure(request.url.path, error)

    server.add_middleware(Failures)


def _what_is_wrong(error: Mapping[str, Any]) -> str:
    """Return the message of one error; of a check of our own, the words that it was raised with."""
    return str(error["ctx"]["error"] if error["type"] == "value_error" else error["msg"])


def _failure(path: str, error: Exception) -> JSONResponse:
    _log.error("%s could not be answered", path, exc_info=error)
    return problem(500, "The answer could not be made. It has been logged.")


class Failures:
    """Logs what a route raises and answers with a problem, before Dash does, which logs nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except PreventUpdate:
            # Dash's way of saying that nothing changes; it answers by itself.
            raise
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await _failure(scope["path"], error)(scope, receive, send)
