"""Faults of the service and of the network, by name, for tests and benchmarks to inject.

A fault takes a request and its good response. It returns the response to send instead, or raises the
error that httpx would raise (see `EmulatedService`). The faults marked as recorded were seen in the
recording of 2023-2024 or reported by users of the service; the others can happen to any service.
"""

import json
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from co2_assets.energidataservice.emulator.catalog import SERVED
from co2_assets.http_service.client import LARGEST_RESPONSE_BYTES
from co2_assets.http_service.emulated import Fault

Record = dict[str, Any]
Records = list[Record]

DAY = timedelta(days=1)
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"


def requested_dataset(request: httpx.Request) -> str:
    """Return the service's name of the requested dataset."""
    return request.url.path.rsplit("/", 1)[-1]


def time_field(request: httpx.Request) -> str:
    """Return the UTC time column of the requested dataset."""
    return SERVED[requested_dataset(request)].time_field


def only(fault: Fault, *datasets: str) -> Fault:
    """Return ``fault``, limited to the service's ``datasets``."""

    def limited(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return fault(request, response) if requested_dataset(request) in datasets else response

    return limited


def status(code: int, headers: Mapping[str, str] | None = None) -> Fault:
    """Send an HTTP status with a short JSON message."""

    def fault(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
        return httpx.Response(code, headers=headers, json={"message": "no"}, request=request)

    return fault


def body(content: bytes, content_type: str = "application/json") -> Fault:
    """Send status 200 with this body."""

    def fault(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": content_type}, content=content, request=request)

    return fault


def edited(change: Callable[[httpx.Request, Records], Records]) -> Fault:
    """Change the records of a good response; other responses are sent as they are."""

    def fault(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if response.status_code != httpx.codes.OK or requested_dataset(request) not in SERVED:
            return response  # Open-Meteo sends no records
        envelope = json.loads(response.content)
        records = change(request, envelope["records"])
        content = json.dumps({**envelope, "total": len(records), "records": records})
        return httpx.Response(200, content=content, request=request)

    return fault


def each(change: Callable[[Record], Record]) -> Fault:
    """Change every record of a good response."""
    return edited(lambda _request, records: [change(record) for record in records])


def connect_timeout(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
    """The connection times out."""
    raise httpx.ConnectTimeout("timed out", request=request)


def connection_refused(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
    """The connection is refused."""
    raise httpx.ConnectError("connection refused", request=request)


class _Breaks(httpx.SyncByteStream):
    """Sends half of a body, then raises ``error``."""

    def __init__(self, content: bytes, error: Exception) -> None:
        self._content = content
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[: len(self._content) // 2]
        raise self._error


def _broken_off(error: type[httpx.TransportError]) -> Fault:
    def fault(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        stream = _Breaks(response.content, error("in the middle of the body", request=request))
        return httpx.Response(200, stream=stream, request=request)

    return fault


class _Flood(httpx.SyncByteStream):
    """Sends more than the client accepts: 1.2 million rows of more than a hundred bytes."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"total":1200000,"records":['
        row = b'{"Minutes1UTC":"2024-01-01T00:00:00","CO2Emission":90.0,"SolarPower":1.0},' * 10_000
        for _ in range(LARGEST_RESPONSE_BYTES // len(row) + 2):
            yield row


def _flood(request: httpx.Request, _response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, stream=_Flood(), request=request)


class _Drip(httpx.SyncByteStream):
    """Sends a good body in pieces of ``size`` bytes."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content = content
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), self._size):
            yield self._content[start : start + self._size]


def slow_drip(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    """Send the good response in many small pieces; the client's clock decides how long they take."""
    return httpx.Response(200, stream=_Drip(response.content, 997), request=request)


def truncated(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    """Send the first two thirds of the JSON."""
    content = response.content
    return httpx.Response(200, content=content[: len(content) * 2 // 3], request=request)


def wrong_total(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    """Send a total that is one more than the number of records."""
    envelope = json.loads(response.content)
    content = json.dumps({**envelope, "total": len(envelope.get("records", ())) + 1})
    return httpx.Response(response.status_code, content=content, request=request)


def _numbers(record: Record) -> list[str]:
    return [name for name, value in record.items() if isinstance(value, int | float)]


def _changed_numbers(change: Callable[[Any], Any]) -> Fault:
    return each(lambda record: {**record, **{name: change(record[name]) for name in _numbers(record)}})


def _without_a_column(record: Record) -> Record:
    removed = _numbers(record)[:1]
    return {name: value for name, value in record.items() if name not in removed}


def _renamed(record: Record) -> Record:
    names = _numbers(record)[:1]
    return {f"{name}New" if name in names else name: value for name, value in record.items()}


def every(step: int, change: Callable[[Record], Record]) -> Fault:
    """Change every ``step``-th record of a good response, from the first on."""
    return edited(
        lambda _request, records: [
            change(record) if number % step == 0 else record for number, record in enumerate(records)
        ]
    )


def _nulls(record: Record) -> Record:
    return {**record, **dict.fromkeys(_numbers(record)[:1])}


def _absurd(record: Record) -> Record:
    """Recorded values: 1329 and -921 g/kWh, and 5417 MW where 2,200 are installed. Others become 99999."""
    values = {"CO2Emission": 1329.0, "ProductionLt100MW": 5417.0}
    return {
        **record,
        **{name: values.get(name, 99_999.0) for name in _numbers(record)},
        **({"CO2Emission": -921.0} if record.get("PriceArea") == "DK2" and "CO2Emission" in record else {}),
    }


def stuck(value: float = 711.0) -> Fault:
    """Make every number the same. Recorded: the prognosis was so for a day."""
    return _changed_numbers(lambda _number: value)


def late(by: timedelta, now: Callable[[], datetime]) -> Fault:
    """Leave out the rows from ``now() - by`` on, as if they were not published yet."""

    def fault(request: httpx.Request, records: Records) -> Records:
        bound = f"{now() - by:{TIME_FORMAT}}"
        return [record for record in records if str(record[time_field(request)]) < bound]

    return edited(fault)


def frozen(since: datetime) -> Fault:
    """Leave out the rows from ``since`` on: the dataset does not grow any more."""
    bound = f"{since:{TIME_FORMAT}}"
    return edited(
        lambda request, records: [r for r in records if str(r[time_field(request)]) < bound],
    )


def clock_ahead(request: httpx.Request, records: Records) -> Records:
    """Add rows of the next day: the service's clock is a day ahead."""
    time = time_field(request)
    newest = max((str(record[time]) for record in records), default="")
    ahead = [
        {
            name: f"{datetime.fromisoformat(value) + DAY:{TIME_FORMAT}}" if name.endswith("UTC") else value
            for name, value in record.items()
        }
        for record in records
    ]
    return [*records, *(record for record in ahead if record[time] > newest)]


def _unordered(_request: httpx.Request, records: Records) -> Records:
    shuffled = list(records)
    random.Random(len(shuffled)).shuffle(shuffled)  # noqa: S311 -- an order, not a secret
    return shuffled


HTML = b"<!DOCTYPE html><html><body><h1>Log in</h1></body></html>"

# The faults that need no clock, by name.
FAULTS: Mapping[str, Fault] = {
    "429 with Retry-After": status(429, {"Retry-After": "30"}),
    "429": status(429),
    "403": status(403),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "connect time-out": connect_timeout,
    "connection refused": connection_refused,
    "time-out in the body": _broken_off(httpx.ReadTimeout),
    "connection lost in the body": _broken_off(httpx.ReadError),
    "truncated JSON": truncated,
    "HTML": body(HTML, "text/html"),
    "empty 200": body(b""),
    "no records": body(b'{"total":0,"records":[]}'),
    "missing column": each(_without_a_column),
    "renamed column": each(_renamed),
    "retyped column": _changed_numbers(str),
    "extra column": each(lambda record: {**record, "New": "unheard of"}),
    "nulls": every(7, _nulls),
    "duplicates": edited(lambda _request, records: [*records, *records[::3]]),
    "unordered": edited(_unordered),
    "absurd values": every(11, _absurd),
    "stuck": stuck(),
    "clock a day ahead": edited(clock_ahead),
    "wrong total": wrong_total,
    "slow drip": slow_drip,
    "1.2 million rows": _flood,
}
# After these faults all good rows still arrive; bad ones are quarantined.
HARMLESS = frozenset({"extra column", "duplicates", "unordered", "slow drip", "clock a day ahead"})


class RandomFaults:
    """A seeded mix of faults: each request meets one with probability ``chance``; ``met`` counts them."""

    def __init__(self, seed: int, chance: float, names: Collection[str] = tuple(FAULTS)) -> None:
        self._random = random.Random(seed)  # noqa: S311 -- to be repeatable, not secret
        self._chance = chance
        self._names = sorted(names)
        self.met: dict[str, int] = {}

    def __call__(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """Send one response, good or faulty."""
        if self._random.random() >= self._chance:
            return response
        name = self._random.choice(self._names)
        self.met[name] = self.met.get(name, 0) + 1
        return FAULTS[name](request, response)
