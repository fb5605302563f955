"""From the bytes of an answer to a table: nothing is guessed, whatever does not fit is an error."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from co2_assets.contracts import Column, Kind
from co2_assets.energidataservice.errors import (
    BadAnswer,
    EmptyAnswer,
    RequestedWindow,
    SchemaChanged,
    TruncatedAnswer,
)

# The service stores measurements of two decimals as 32-bit floats and prints them with six
# (839.98999 is 839.99). Two decimals undo that exactly up to 65,000.
DECIMALS = 2

_TYPES: dict[Kind, frozenset[type]] = {
    Kind.TIMESTAMP: frozenset({str, type(None)}),
    Kind.TEXT: frozenset({str, type(None)}),
    Kind.DOUBLE: frozenset({int, float, type(None)}),
}


def records_of(body: bytes, asked: RequestedWindow) -> list[dict[str, Any]]:
    """Return the records of an answer, whole.

    Raises TruncatedAnswer for JSON that breaks off, BadAnswer for anything else that is not the
    service's envelope or holds fewer records than its ``total``, EmptyAnswer for no records.
    """
    try:
        envelope = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] == b"{":
            raise TruncatedAnswer(
                asked, f"the answer is JSON that breaks off or is broken ({error})", status=200
            ) from error
        head = body[:60].decode("utf-8", "replace")
        raise BadAnswer(asked, f"the answer is not JSON but begins {head!r}", status=200) from error
    records = envelope.get("records") if isinstance(envelope, dict) else None
    if not isinstance(records, list):
        raise BadAnswer(asked, "the answer holds no list of records", status=200)
    total = envelope.get("total")
    if isinstance(total, int) and total > len(records):
        raise BadAnswer(
            asked,
            f"the answer holds {len(records)} of {total} rows",
            status=200,
            remedy="The service cut the answer short: ask for a shorter window.",
        )
    if not records:
        raise EmptyAnswer(asked, "the answer holds no rows", status=200)
    return records


def frame_of(
    records: list[dict[str, Any]], columns: Mapping[str, Column], asked: RequestedWindow
) -> pd.DataFrame:
    """Return the records as a frame with the columns that ``columns`` maps the service's names to.

    Times become naive UTC ``datetime64[us]``, numbers float64 (see DECIMALS), texts ``str``. Rows
    stay as many and in the order they came; further columns are left out. SchemaChanged names
    every column that is missing or of another type.
    """
    if set(map(type, records)) != {dict}:
        raise BadAnswer(asked, "a record is not an object", status=200)
    missing = [name for name in columns if any(name not in record for record in records)]
    if missing:
        there = ", ".join(sorted(records[0]))
        raise SchemaChanged(
            asked, f"missing from the answer: {', '.join(missing)}; it holds {there}", status=200
        )
    frame: dict[str, Any] = {}
    wrong: list[str] = []
    for name, column in columns.items():
        values = [record[name] for record in records]
        strangers = set(map(type, values)) - _TYPES[column.kind]
        if strangers:
            wrong.append(f"{name} holds {', '.join(sorted(t.__name__ for t in strangers))}")
        elif column.kind is Kind.DOUBLE:
            frame[column.name] = _numbers(values)
        elif column.kind is Kind.TEXT:
            frame[column.name] = pd.Series(values, dtype="str")
        else:
            times = _times(values)
            if times is None:
                wrong.append(f"{name} holds something other than naive times")
            else:
                frame[column.name] = times
    if wrong:
        raise SchemaChanged(asked, "; ".join(wrong), status=200)
    return pd.DataFrame(frame)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _numbers(values: list[Any]) -> Any:
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        # A whole number beyond a float's range: infinite, which no contract accepts.
        numbers = np.array([_as_float(value) for value in values])
    return np.round(numbers, DECIMALS)


def _as_float(value: int | float | None) -> float:
    if value is None:
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _times(values: list[Any]) -> Any:
    try:
        times = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601")
    except ValueError:
        return None
    return times.astype("datetime64[us]") if times.dt.tz is None else None
