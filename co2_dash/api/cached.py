"""Answers that depend on nothing but the snapshot, the hour and the question: made once, tagged, kept."""

import gzip
import hashlib
from collections.abc import Callable, Hashable
from typing import cast

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from starlette.responses import Response

from co2_dash.api.problems import problem
from co2_dash.reader import Reader
from co2_dash.situation import Situation
from co2_dash.store import View

# As often as the pages ask; after that the ETag decides.
MAX_AGE_SECONDS = 30
Build = Callable[[View, Situation], BaseModel]


class Refusal(Exception):  # noqa: N818 -- an answer, not a failure
    """A question that has no answer now; becomes a problem document with this status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def reader_of(request: Request) -> Reader:
    """Return the reader that the application was made with."""
    reader: Reader = request.app.state.reader
    return reader


async def answer(
    request: Request, price_area: str, question: Hashable, build: Build, *, by_minute: bool = False
) -> Response:
    """Answer with what ``build`` makes of the newest snapshot, or with 304 when the asker has it.

    ``question`` is all that ``build`` depends on besides snapshot, area, hour and staleness; with
    ``by_minute`` it may also depend on the minute.
    """
    reader = reader_of(request)
    view, situation = reader.look(price_area)
    if view is None:
        return problem(503, "Nothing has been published yet.", headers={"Retry-After": "60"})
    moment = f"{situation.token}.{situation.now_utc:%M}" if by_minute else situation.token
    key = (moment, price_area, question)

    def make() -> bytes | Refusal:
        try:
            return build(view, situation).model_dump_json().encode()
        except Refusal as refusal:
            return refusal

    made = cast("bytes | Refusal | None", view.remembered(key))
    if made is None:
        made = await run_in_threadpool(view.remember, key, make)
    if isinstance(made, Refusal):
        return problem(made.status, made.detail)
    tag = f'"{moment}.{hashlib.sha256(repr((price_area, question)).encode()).hexdigest()[:12]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": f"{_audience(request)}, max-age={MAX_AGE_SECONDS}, must-revalidate",
        "Vary": "Accept-Encoding, Authorization, X-API-Key",
    }
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        plain = made
        made = view.remember(("gzip", *key), lambda: gzip.compress(plain, mtime=0))
        headers["Content-Encoding"] = "gzip"
    return Response(made, media_type="application/json", headers=headers)


def _audience(request: Request) -> str:
    return "private" if request.app.state.settings.api_keys else "public"


def _tags(header: str) -> set[str]:
    # A cache that compressed the answer may have made the tag a weak one.
    return {part.strip().removeprefix("W/") for part in header.split(",")}
