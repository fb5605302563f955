"""From an HTTP response of a service to a data frame.

A record that cannot be read is marked and stays in the frame. A response that is of no use is an error.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import numpy as np
import pandas as pd

from co2_assets.contracts import UNREADABLE, Column, Kind, UnreadableCell
from co2_assets.http_service.errors import (
    BadRequest,
    BadResponse,
    NotFound,
    RateLimited,
    Refused,
    RequestedWindow,
    SchemaChanged,
    ServerFault,
    ServiceError,
    TimedOut,
    TooLarge,
    TruncatedResponse,
    storable,
)

# The service stores measurements of two decimals as 32-bit floats and prints them with six
# (839.98999 is 839.99). Two decimals undo that exactly up to 65,000.
DECIMALS = 2

_TYPES: dict[Kind, frozenset[type]] = {
    Kind.TIMESTAMP: frozenset({str, type(None)}),
    Kind.TEXT: frozenset({str, type(None)}),
    Kind.DOUBLE: frozenset({int, float, type(None)}),
}
_READABLE: dict[Kind, str] = {
    Kind.TIMESTAMP: "a UTC time",
    Kind.TEXT: "valid text",
    Kind.DOUBLE: "a number",
}

_ERRORS: dict[int, tuple[type[ServiceError], str]] = {
    401: (Refused, "the service refuses to answer"),
    403: (Refused, "the service refuses to answer"),
    404: (NotFound, "the service knows no such dataset"),
    408: (TimedOut, "the service gave up waiting"),
    413: (TooLarge, "the service does not give as much at once"),
    429: (RateLimited, "the service asks us to wait"),
}


# `{"statusCode":429,"message":"Rate limit is exceeded. Try again in 197 seconds."}`
_WAIT_IN_BODY = re.compile(rb"try again in (\d{1,9}) (second|minute|hour)s?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """What the body of a response says beside its status: the reason, and how long to wait."""

    reason: str = ""
    wait: timedelta | None = None


def wait_in_body(body: bytes, _now: datetime) -> Refusal:
    """Return the wait that EnergiDataService writes into the body of a 429."""
    found = _WAIT_IN_BODY.search(body)
    if found is None:
        return Refusal()
    number, unit = int(found[1]), found[2].lower().decode("ascii")
    return Refusal(wait=number * timedelta(**{f"{unit}s": 1}))


def require_ok(
    response: httpx.Response,
    body: bytes,
    window: RequestedWindow,
    wall: Callable[[], datetime],
    refusal_in: Callable[[bytes, datetime], Refusal],
) -> None:
    """Raise the ServiceError of any status but 200.

    ``body`` is the beginning of the response's body, and ``refusal_in(body, now)`` what it says;
    ``wall()`` is the machine's time, naive UTC.
    """
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
    refusal = refusal_in(body, wall())
    waits = [_wait_in_header(response, wall), refusal.wait]
    # Where both are given, the longer one is safe.
    wait = max((wait for wait in waits if wait is not None), default=None)
    if refusal.reason:
        problem = f"{problem}: {refusal.reason}"
    raise kind(window, problem, status=status, retry_after=wait)


def _wait_in_header(response: httpx.Response, wall: Callable[[], datetime]) -> timedelta | None:
    """Read ``Retry-After``: seconds, or an HTTP date (RFC 9110, section 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        # More than nine digits count as 30 years: Python refuses to parse thousands of digits.
        return timedelta(seconds=10**9 if len(text) > 9 else int(text))
    try:
        date: datetime = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # HTTP dates are UTC, also where the zone is missing. The difference is always within the range of
    # timedelta, while a date near the ends of the calendar may not exist in UTC.
    utc = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(timedelta(0), utc - wall().replace(tzinfo=UTC))


def json_of(body: bytes, window: RequestedWindow) -> Any:
    """Return the JSON of a response.

    Raises TruncatedResponse for JSON that breaks off, and BadResponse for what is not JSON.
    """
    try:
        # A byte that is not UTF-8 spoils the text that it is in, not the whole.
        text = body.decode(json.detect_encoding(body), "surrogateescape")
        return json.loads(text, parse_constant=_NotJson, parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] in (b"{", b"["):
            raise TruncatedResponse(
                window, f"the answer is JSON that breaks off or is broken ({error})", status=200
            ) from error
        head = body[:60].decode("utf-8", "replace")
        raise BadResponse(window, f"the answer is not JSON but begins {head!r}", status=200) from error


def frame_of(records: list[Any], columns: Mapping[str, Column], window: RequestedWindow) -> pd.DataFrame:
    """Return the records as a frame with ``columns``, which are given by the service's names.

    Times become naive UTC ``datetime64[us]``, numbers float64 (see DECIMALS), texts ``str``. There is
    one row for each record, in their order. Other columns of the service are left out. A value that
    cannot be read is null in the frame and described in the column UNREADABLE, which is there only if
    there is such a value. Raises SchemaChanged if more than half of the records have such a value; it
    names every column that is missing or of another type.
    """
    if all(type(record) is not dict for record in records):
        raise BadResponse(window, "a record is not an object", status=200)
    frame: dict[str, Any] = {}
    unreadable: dict[int, dict[str, UnreadableCell]] = {}
    wrong: dict[str, list[Any]] = {}
    for name, column in columns.items():
        values = [record.get(name, _ABSENT) if type(record) is dict else _ABSENT for record in records]
        frame[column.name], reasons = _read(values, column.kind)
        for row, reason in reasons.items():
            wrong.setdefault(name, []).append(values[row])
            unreadable.setdefault(row, {})[column.name] = UnreadableCell(_shown(values[row]), reason)
    if 2 * len(unreadable) > len(records):
        raise _unusable(records, columns, wrong, window)
    rows = pd.DataFrame(frame)
    if unreadable:
        rows[UNREADABLE] = pd.Series(unreadable, dtype=object).reindex(rows.index)
    return rows


class _NotJson(str):
    """A word that some programs write where JSON has no number: NaN, Infinity or -Infinity."""

    __slots__ = ()


class _Absent:
    """The value of a column that a record does not have."""

    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _whole_number(text: str) -> int | float:
    # Python refuses to make an integer of thousands of digits. As a float it is infinite.
    return int(text) if len(text) <= 300 else float(text)


def _shown(value: Any) -> str:
    """Return a value that cannot be read as text that can be stored."""
    return storable(value if isinstance(value, str) else repr(value))[:100]


def _unusable(
    records: list[Any], columns: Mapping[str, Column], wrong: Mapping[str, list[Any]], window: RequestedWindow
) -> ServiceError:
    """Return the error that says in which columns which values are ``wrong``."""
    words = {str(value) for values in wrong.values() for value in values if type(value) is _NotJson}
    if words:
        return TruncatedResponse(
            window, f"the answer is JSON that is broken ({', '.join(sorted(words))} is no number)", status=200
        )
    problems = []
    missing = [name for name, values in wrong.items() if _ABSENT in values]
    if missing:
        present = sorted({name for record in records if type(record) is dict for name in record})
        problems.append(f"missing from the answer: {', '.join(missing)}; it holds {', '.join(present)}")
    for name, values in wrong.items():
        types = sorted({type(value).__name__ for value in values} - {_Absent.__name__})
        if types == ["str"] and columns[name].kind is not Kind.DOUBLE:
            problems.append(f"{name} holds something other than {_READABLE[columns[name].kind]}")
        elif types:
            problems.append(f"{name} holds {', '.join(types)}")
    return SchemaChanged(window, "; ".join(problems), status=200)


def _read(values: list[Any], kind: Kind) -> tuple[Any, dict[int, str]]:
    """Return a column of the values, and the reason for each position that is null because of a bad value."""
    reasons: dict[int, str] = {}
    if set(map(type, values)) - _TYPES[kind]:
        reasons = {
            position: "missing" if value is _ABSENT else f"not {_READABLE[kind]}"
            for position, value in enumerate(values)
            if type(value) not in _TYPES[kind]
        }
        values = [None if position in reasons else value for position, value in enumerate(values)]
    if kind is Kind.DOUBLE:
        return _numbers(values), reasons
    readable, more = _texts(values) if kind is Kind.TEXT else _times(values)
    return readable, reasons | more


def _numbers(values: list[Any]) -> Any:
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        # An integer too large for a float becomes infinite, which every contract rejects.
        numbers = np.array([_as_float(value) for value in values])
    # A number near the largest there is becomes infinite, which every contract rejects as well.
    with np.errstate(over="ignore"):
        return np.round(numbers, DECIMALS)


def _as_float(value: int | float | None) -> float:
    if value is None:
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _texts(values: list[str | None]) -> tuple[Any, dict[int, str]]:
    try:
        "".join(value or "" for value in values).encode()
    except UnicodeEncodeError:
        bad = [position for position, value in enumerate(values) if value and storable(value) != value]
        values = [None if position in bad else value for position, value in enumerate(values)]
        return pd.Series(values, dtype="str"), dict.fromkeys(bad, f"not {_READABLE[Kind.TEXT]}")
    return pd.Series(values, dtype="str"), {}


def _times(values: list[str | None]) -> tuple[Any, dict[int, str]]:
    try:
        times = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601")
        if times.dt.tz is None:
            return times.astype("datetime64[us]"), {}
    except ValueError:
        pass
    # Some times have a zone, or are none.
    parsed = [_time(value) if value else None for value in values]
    reasons = {
        position: f"not {_READABLE[Kind.TIMESTAMP]}"
        for position, (value, time) in enumerate(zip(values, parsed, strict=True))
        if value and time is None
    }
    return pd.Series(parsed, dtype="datetime64[us]"), reasons


def _time(text: str) -> datetime | None:
    """Return a time as naive UTC; None if the text is no time or has another zone than UTC.

    A time of another zone in a column of UTC times leaves open which of the two is wrong.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=None) if not time.utcoffset() else None
