"""The emulated service: an httpx transport that answers from a recorded or a simulated grid.

The same client reads the live service, a recording and the simulator. A response holds only what was
known at the pipeline's clock. Parameters follow the service's guide
(https://www.energidataservice.dk/guides/api-guides). Error responses have the status of the service;
their texts are our own.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pandas as pd

from co2_assets.contracts.time import danish_from_utc
from co2_assets.energidataservice.emulator.catalog import KNOWN_AT, SERVED, Grid, ServedDataset, danish_twin
from co2_assets.http_service.emulated import BadParameterError, EmulatedTransport, Fault, json_response

DEFAULT_LIMIT = 100
TIME_FORMATS = {4: "%Y", 7: "%Y-%m", 10: "%Y-%m-%d", 16: "%Y-%m-%dT%H:%M"}
PARAMETERS = frozenset({"start", "end", "timezone", "columns", "filter", "sort", "offset", "limit"})
# The window asked of a grid where the request has no start or no end.
BEGINNING, END_OF_TIME = datetime(2000, 1, 1), datetime(2100, 1, 1)


class EmulatedService(EmulatedTransport):
    """Answers ``GET /dataset/NAME`` as the service would have answered at ``now()``.

    ``fault``: see its base.
    """

    def __init__(self, grid: Grid, now: Callable[[], datetime], fault: Fault | None = None) -> None:
        super().__init__(fault)
        self._grid = grid
        self._now = now

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Return what the service would have answered."""
        if request.method != "GET":
            return _error(405, f"{request.method} is not allowed")
        parts = request.url.path.strip("/").split("/")
        dataset = SERVED.get(parts[1]) if len(parts) == 2 and parts[0] == "dataset" else None
        if dataset is None or dataset.name not in self._grid.datasets:
            return _error(404, f"there is no {request.url.path}")
        try:
            body = self._envelope(dataset, request.url.params)
        except BadParameterError as problem:
            return _error(400, str(problem))
        return json_response(body)

    def _envelope(self, dataset: ServedDataset, params: httpx.QueryParams) -> str:
        unknown = set(params) - PARAMETERS
        if unknown:
            raise BadParameterError(f"unknown parameter {', '.join(sorted(unknown))}")
        columns = _columns(dataset, params.get("columns"))
        filters = _filters(dataset, params.get("filter"))
        order = _sort(dataset, params.get("sort"))
        offset = _whole_number(params, "offset") or 0
        limit = _whole_number(params, "limit")
        if limit is None and "start" not in params:
            limit = DEFAULT_LIMIT

        rows = self._rows_of_window(dataset, params)
        for column, values in filters.items():
            rows = rows[_with(rows, column).isin(values)]
        rows = _sorted(rows, order)
        total = len(rows)
        rows = rows.iloc[offset : offset + limit if limit else None]

        head: dict[str, Any] = {"total": total}
        if filters:
            head["filters"] = params["filter"]
        if params.get("sort"):
            head["sort"] = params["sort"]
        if limit:
            head["limit"] = limit
        head["dataset"] = dataset.name
        text = json.dumps(head, separators=(",", ":"))
        return f'{text[:-1]},"records":[{",".join(_rendered(rows, columns))}]}}'

    def _rows_of_window(self, dataset: ServedDataset, params: httpx.QueryParams) -> pd.DataFrame:
        start, end = _time(params, "start"), _time(params, "end")
        zone = params.get("timezone", "DK").upper()
        if zone not in ("UTC", "DK"):
            raise BadParameterError(f"timezone {zone!r} is not UTC or DK")
        danish = zone == "DK"
        # A Danish time is one or two hours ahead of UTC: read a day more on both sides, then select by
        # the Danish times themselves.
        margin = timedelta(days=1) if danish else timedelta(0)
        now = self._now()
        first = max(start or BEGINNING, BEGINNING) - margin
        last = min(end or END_OF_TIME, END_OF_TIME) + margin
        rows = self._grid.rows(dataset.name, first, last, now)
        rows = rows[rows[KNOWN_AT] <= now]
        if danish and (start or end):
            local = danish_from_utc(rows[dataset.time_field].to_numpy())
            inside = np.ones(len(rows), dtype=bool)
            if start:
                inside &= local >= np.datetime64(start, "us")
            if end:
                inside &= local < np.datetime64(end, "us")
            rows = rows[inside]
        return rows


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"message": message})


def _time(params: httpx.QueryParams, name: str) -> datetime | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        # Naive, as in the service: the parameter timezone gives the zone.
        return datetime.strptime(text, TIME_FORMATS.get(len(text), ""))  # noqa: DTZ007
    except ValueError as error:
        raise BadParameterError(f"{name} {text!r} is not yyyy-MM-ddTHH:mm") from error


def _whole_number(params: httpx.QueryParams, name: str) -> int | None:
    text = params.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise BadParameterError(f"{name} {text!r} is not a whole number")
    return int(text)


def _columns(dataset: ServedDataset, text: str | None) -> tuple[str, ...]:
    if not text:
        return dataset.columns
    columns = tuple(name.strip() for name in text.split(","))
    _require_columns(dataset, columns)
    return columns


def _filters(dataset: ServedDataset, text: str | None) -> dict[str, list[Any]]:
    if not text:
        return {}
    try:
        filters = json.loads(text)
    except ValueError:
        filters = None
    if not isinstance(filters, dict):
        raise BadParameterError(f"filter {text!r} is not a JSON object")
    _require_columns(dataset, tuple(filters))
    return {name: value if isinstance(value, list) else [value] for name, value in filters.items()}


def _sort(dataset: ServedDataset, text: str | None) -> list[tuple[str, bool]]:
    """Return pairs of a column and whether it ascends; without a sort the newest row comes first."""
    if not text:
        return [(dataset.time_field, False), *((name, True) for name in dataset.order)]
    order = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\w+)(?:\s+(asc|desc))?\s*", part, re.IGNORECASE)
        if match is None:
            raise BadParameterError(f"sort {text!r} is not COLUMN ASC or COLUMN DESC")
        order.append((match[1], (match[2] or "asc").lower() == "asc"))
    _require_columns(dataset, tuple(name for name, _ in order))
    return order


def _require_columns(dataset: ServedDataset, names: tuple[str, ...]) -> None:
    unknown = [name for name in names if name not in dataset.columns + dataset.on_request]
    if unknown:
        raise BadParameterError(f"{dataset.name} has no column {', '.join(unknown)}")


def _with(rows: pd.DataFrame, column: str) -> "pd.Series[Any]":
    """Return a served column: that of the rows, the Danish twin of their UTC column, or nulls."""
    if column in rows:
        return rows[column]
    utc = column.removesuffix("DK") + "UTC"
    if utc in rows and danish_twin(utc) == column:
        return pd.Series(danish_from_utc(rows[utc].to_numpy()), index=rows.index)
    return pd.Series(None, index=rows.index, dtype=object)


def _sorted(rows: pd.DataFrame, order: list[tuple[str, bool]]) -> pd.DataFrame:
    keys = pd.DataFrame({name: _with(rows, name) for name, _ in order})
    position = keys.reset_index(drop=True).sort_values(
        [name for name, _ in order], ascending=[up for _, up in order], kind="stable"
    )
    return rows.iloc[position.index.to_numpy()]


def _rendered(rows: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    """Return the rows as JSON objects, with 32-bit floats in six decimals and times to the second."""
    forms, values = [], []
    for name in columns:
        form, texts = _rendered_column(_with(rows, name))
        forms.append(f'"{name}":{form}')
        values.append(texts)
    template = "{" + ",".join(forms) + "}"
    return [template % row for row in zip(*values, strict=True)]


def _rendered_column(series: "pd.Series[Any]") -> tuple[str, list[Any]]:
    """Return the field of a column in the template of a row, and its values."""
    if series.dtype.kind == "M":
        stamps = np.datetime_as_string(series.to_numpy().astype("datetime64[s]")).tolist()
        return ('"%s"', stamps) if "NaT" not in stamps else ("%s", [_quoted(s) for s in stamps])
    if series.dtype.kind == "f":
        numbers = series.to_numpy().astype(np.float32)
        if np.isfinite(numbers).all():
            return "%.6f", numbers.tolist()
        return "%s", [f"{x:.6f}" if np.isfinite(x) else "null" for x in numbers.tolist()]
    known: dict[Any, str] = {
        value: "null" if pd.isna(value) else json.dumps(value) for value in series.unique().tolist()
    }
    return "%s", ["null" if pd.isna(value) else known[value] for value in series.tolist()]


def _quoted(stamp: str) -> str:
    return "null" if stamp == "NaT" else f'"{stamp}"'
