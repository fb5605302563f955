"""A service that says what a test wants, and a machine whose time passes only when it sleeps."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pandas as pd

from co2_assets.contracts import POWER_SYSTEM_RIGHT_NOW, Dataset, Kind
from co2_assets.energidataservice.client import EnergiDataService

NOON = datetime(2026, 3, 1, 12)
START, END = NOON - timedelta(hours=6), NOON


class Machine:
    """Wall clock, monotonic clock and sleep, all one; ``slept`` lists the waits in seconds."""

    def __init__(self) -> None:
        self.time = NOON
        self.slept: list[float] = []

    def wall(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - NOON).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Service:
    """Gives the answers listed, one per request, the last again and again; keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


def good_row(dataset: Dataset, fields: dict[str, str], optional: bool = False) -> dict[str, Any]:
    """Return one row of plain values as the service would give it."""
    row: dict[str, Any] = {}
    for name, own in fields.items():
        column = dataset.table.column(own)
        if column.optional and not optional:
            continue
        if column.kind is Kind.TIMESTAMP:
            row[name] = "2026-03-01T10:00:00"
        else:
            row[name] = 89.98999 if column.kind is Kind.DOUBLE else "DK1"
    return row


def envelope(rows: list[dict[str, Any]], **more: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps({"total": len(rows), **more, "records": rows}))


def power_row(**changes: Any) -> dict[str, Any]:
    """Return a good row of PowerSystemRightNow with ``changes``; "absent" takes a column out."""
    row = good_row(POWER_SYSTEM_RIGHT_NOW, POWER_SYSTEM_RIGHT_NOW.endpoints[0].fields) | changes
    return {name: value for name, value in row.items() if value != "absent"}


def raw(text: str) -> httpx.Response:
    """Return an answer of just this text."""
    return httpx.Response(200, content=text)


def fetch(client: EnergiDataService, dataset: Dataset = POWER_SYSTEM_RIGHT_NOW) -> pd.DataFrame:
    """Fetch START .. END and close the client."""
    with client:
        return client.fetch(dataset, START, END)
