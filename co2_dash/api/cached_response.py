"""Answers that depend on nothing but the snapshot, the hour and the question: made once, tagged, kept."""

import gzip
import hashlib
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeVar, cast

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from co2_assets.warehouse.paths import SourceFolder
from co2_dash.api.formats import spreadsheet
from co2_dash.api.formats.spreadsheet import wants_csv
from co2_dash.api.problems import problem
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.http import COMPRESSED, QUICKLY, names_tag, takes_gzip
from co2_dash.workers import Worker, Workers

# As often as the pages ask: where no forecast is to come at a known time, or it is late.
SHORTEST_AGE_SECONDS = 30
# An ordinary answer takes some kilobytes; a year of history two megabytes, and few ask for the same.
MOST_BYTES_KEPT = 256 * 1024
T = TypeVar("T")
# What an answer is made of: a shape, which becomes JSON, or the bytes of another format.
Build = Callable[[View, DataState], BaseModel | bytes]
JSON = "application/json"


class Refusal(Exception):  # noqa: N818 -- an answer, not a failure
    """A question that has no answer now; becomes a problem document with this status, or nothing for 204."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def reader_of(request: Request) -> Reader:
    """Return the reader that the application was made with."""
    reader: Reader = request.app.state.reader
    return reader


def folder_of(request: Request, state: DataState) -> SourceFolder:
    """Return the folder of the source that is shown; its archive has the forecasts of past months."""
    folder: SourceFolder = request.app.state.settings.home.source(state.source)
    return folder


def workers_of(request: Request) -> Workers:
    """Return the workers of the application."""
    workers: Workers = request.app.state.workers
    return workers


async def answer(
    request: Request,
    area_name: str,
    question: Hashable,
    build: Build,
    *,
    by_minute: bool = False,
    takes_long: bool = False,
    media_type: str = JSON,
) -> Response:
    """Answer with what ``build`` makes of the newest snapshot, or with 304 when the asker has it.

    ``question`` is all that ``build`` depends on besides snapshot, area, hour and staleness; with
    ``by_minute`` it may also depend on the minute. Where ``build`` makes bytes, ``media_type`` says of
    what kind they are.
    """
    reader = reader_of(request)
    view, state = reader.look(area_name)
    if view is None:
        return problem(503, "Nothing has been published yet.", headers={"Retry-After": "60"})
    moment = f"{state.token}.{state.now_utc:%M}" if by_minute else state.token
    as_table = wants_csv(request)
    if as_table:
        question, media_type = ("csv", question), f"{spreadsheet.MEDIA_TYPE}; charset=utf-8"
    # Weak, since plain and compressed answers share it.
    tag = f'W/"{moment}.{hashlib.sha256(repr((area_name, question)).encode()).hexdigest()[:12]}"'
    seconds = SHORTEST_AGE_SECONDS if by_minute else seconds_to_next(state)
    headers = {
        "ETag": tag,
        "Cache-Control": f"{_audience(request)}, max-age={seconds}, must-revalidate",
        "Expires": format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True),
        "Vary": "Accept, Accept-Encoding, Authorization, X-API-Key, auth-token, X-BLOBR-KEY",
    }
    # Only a good answer was ever given this tag, so it need not be made to know that it is unchanged.
    if names_tag(request.headers, tag):
        return Response(status_code=304, headers=headers)

    def make() -> bytes | Refusal:
        try:
            made = build(view, state)
            if isinstance(made, bytes):
                return made
            return spreadsheet.as_csv(made) if as_table else made.model_dump_json().encode()
        except Refusal as refusal:
            return refusal

    workers = workers_of(request)
    worker = workers.long if takes_long else workers.ordinary
    key = (moment, area_name, question)
    made = await _kept(worker, view, key, make)
    if isinstance(made, Refusal):
        if made.status == 204:
            # There is nothing that a tag could stand for.
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        return problem(made.status, made.detail)
    if media_type not in COMPRESSED and takes_gzip(request.headers):
        plain = made
        made = await _kept(worker, view, ("gzip", *key), lambda: gzip.compress(plain, QUICKLY, mtime=0))
        headers["Content-Encoding"] = "gzip"
    return Response(made, media_type=media_type, headers=headers)


def seconds_to_next(state: DataState) -> int:
    """Return for how many seconds an answer may be kept: until the next forecast is due.

    After that the ETag decides. A degraded forecast may be replaced at any moment.
    """
    if state.next_due_utc is None or state.degraded_causes:
        return SHORTEST_AGE_SECONDS
    return max(int((state.next_due_utc - state.now_utc).total_seconds()), SHORTEST_AGE_SECONDS)


async def _kept(worker: Worker, view: View, key: Hashable, make: Callable[[], T]) -> T:
    """Return what is remembered for ``key``, or have it made by the worker, so that others are
    answered meanwhile."""
    found = cast("T | None", view.remembered(key))
    if found is not None:
        return found
    return await worker.run(view.remember, key, make, MOST_BYTES_KEPT)


def _audience(request: Request) -> str:
    return "private" if request.app.state.settings.api_keys else "public"
