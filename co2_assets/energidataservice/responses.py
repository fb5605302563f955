"""From an HTTP response of the service to a data frame. Whatever does not fit is an error."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import numpy as np
import pandas as pd

from co2_assets.contracts import Column, Kind
from co2_assets.energidataservice.errors import (
    BadRequest,
    BadResponse,
    EmptyResponse,
    NotFound,
    RateLimited,
    Refused,
    RequestedWindow,
    SchemaChanged,
    ServerFault,
    ServiceError,
    TimedOut,
    TruncatedResponse,
)

# The service stores measurements of two decimals as 32-bit floats and prints them with six
# (839.98999 is 839.99). Two decimals undo that exactly up to 65,000.
DECIMALS = 2

_TYPES: dict[Kind, frozenset[type]] = {
    Kind.TIMESTAMP: frozenset({str, type(None)}),
    Kind.TEXT: frozenset({str, type(None)}),
    Kind.DOUBLE: frozenset({int, float, type(None)}),
}


_ERRORS: dict[int, tuple[type[ServiceError], str]] = {
    401: (Refused, "the service refuses to answer"),
    403: (Refused, "the service refuses to answer"),
    404: (NotFound, "the service knows no such dataset"),
    408: (TimedOut, "the service gave up waiting"),
    429: (RateLimited, "the service asks us to wait"),
}


def require_ok(response: httpx.Response, window: RequestedWindow, wall: Callable[[], datetime]) -> None:
    """Raise the ServiceError of any status but 200; ``wall()`` is the machine's time, naive UTC."""
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status in _ERRORS:
        kind, problem = _ERRORS[status]
    elif status >= 500:
        kind, problem = ServerFault, "the service failed"
    elif status >= 400:
        kind, problem = BadRequest, "the service does not understand the request"
    else:
        kind, problem = BadResponse, "the service answers something other than data"
    raise kind(window, problem, status=status, retry_after=_retry_after(response, wall))


def _retry_after(response: httpx.Response, wall: Callable[[], datetime]) -> timedelta | None:
    """Read ``Retry-After``: seconds, or an HTTP date (RFC 9110, section 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        # More than nine digits count as 30 years: Python refuses to parse thousands of digits.
        return timedelta(seconds=10**9 if len(text) > 9 else int(text))
    try:
        date: datetime = parsedate_to_datetime(text)
    except ValueError:
        return None
    # HTTP dates are UTC, also where the zone is missing.
    utc = date.astimezone(UTC) if date.tzinfo else date
    return max(timedelta(0), utc.replace(tzinfo=None) - wall())


def records_of(body: bytes, window: RequestedWindow) -> list[dict[str, Any]]:
    """Return all records of a response.

    Raises TruncatedResponse for incomplete JSON, BadResponse where the body is not the service's JSON
    object or has fewer records than its ``total``, and EmptyResponse where there are no records.
    """
    try:
        envelope = json.loads(body, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] == b"{":
            raise TruncatedResponse(
                window, f"the answer is JSON that breaks off or is broken ({error})", status=200
            ) from error
        head = body[:60].decode("utf-8", "replace")
        raise BadResponse(window, f"the answer is not JSON but begins {head!r}", status=200) from error
    records = envelope.get("records") if isinstance(envelope, dict) else None
    if not isinstance(records, list):
        raise BadResponse(window, "the answer holds no list of records", status=200)
    total = envelope.get("total")
    if isinstance(total, int) and total > len(records):
        raise BadResponse(
            window,
            f"the answer holds {len(records)} of {total} rows",
            status=200,
            remedy="The service cut the answer short: ask for a shorter window.",
        )
    if not records:
        raise EmptyResponse(window, "the answer holds no rows", status=200)
    return records


def frame_of(
    records: list[dict[str, Any]], columns: Mapping[str, Column], window: RequestedWindow
) -> pd.DataFrame:
    """Return the records as a frame with ``columns``, which are given by the service's names.

    Times become naive UTC ``datetime64[us]``, numbers float64 (see DECIMALS), texts ``str``. There is
    one row for each record, in their order. Other columns of the service are left out. Raises
    SchemaChanged, which names every column that is missing or of another type.
    """
    if set(map(type, records)) != {dict}:
        raise BadResponse(window, "a record is not an object", status=200)
    missing = [name for name in columns if any(name not in record for record in records)]
    if missing:
        present = ", ".join(sorted(records[0]))
        raise SchemaChanged(
            window, f"missing from the answer: {', '.join(missing)}; it holds {present}", status=200
        )
    frame: dict[str, Any] = {}
    wrong: list[str] = []
    for name, column in columns.items():
        values = [record[name] for record in records]
        other_types = set(map(type, values)) - _TYPES[column.kind]
        if other_types:
            wrong.append(f"{name} holds {', '.join(sorted(t.__name__ for t in other_types))}")
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
        raise SchemaChanged(window, "; ".join(wrong), status=200)
    return pd.DataFrame(frame)


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _numbers(values: list[Any]) -> Any:
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        # An integer too large for a float becomes infinite, which every contract rejects.
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
