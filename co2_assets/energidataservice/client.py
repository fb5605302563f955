"""The client of Energinet's EnergiDataService: windows in, tables out, every fault named.

Facts about the service's parameters: its own guide, https://www.energidataservice.dk/guides/api-guides.
"""

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pandas as pd

from co2_assets.contracts import Column, Dataset, Endpoint
from co2_assets.energidataservice.errors import (
    BadAnswer,
    BadRequest,
    EmptyAnswer,
    NotFound,
    RateLimited,
    Refused,
    RequestedWindow,
    ServerFault,
    ServiceError,
    TimedOut,
    Unreachable,
)
from co2_assets.energidataservice.rate_limit import Pace
from co2_assets.energidataservice.responses import frame_of, records_of

BASE_URL = "https://api.energidataservice.dk"
# Since August 2025 the service answers about one request per dataset, address and minute.
LIVE_INTERVAL = timedelta(minutes=1)
# 90 days of minutes are 130,000 rows, 30 MB; the service was measured at 1,240 rows a second.
LARGEST_ANSWER_BYTES = 128 * 2**20
LONGEST_ANSWER = timedelta(minutes=5)
MOST_ATTEMPTS = 3
LONGEST_WAIT = timedelta(minutes=2)
LONGEST_FETCH = timedelta(minutes=10)
FIRST_BACKOFF = timedelta(seconds=2)
TIMEOUT = httpx.Timeout(connect=10, read=60, write=30, pool=10)
PROBE_TIMEOUT = httpx.Timeout(5)
# Not one of the datasets read, so that asking whether anyone is there costs none of them its turn.
PROBE_DATASET = "DatahubPricelist"
_RANDOM = secrets.SystemRandom()


def wall_clock() -> datetime:
    """Return the machine's time, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


class EnergiDataService:
    """One window of one dataset per call, paced, retried, and checked.

    ``now`` is the pipeline's clock: it stamps what comes without a vintage. ``wall``,
    ``monotonic``, ``sleep`` and ``jitter`` (0..1) are the machine's. ``serves_optional`` says that
    the source knows the contracts' optional columns; the live service would refuse them.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        transport: httpx.BaseTransport | None = None,
        base_url: str = BASE_URL,
        min_interval: timedelta = LIVE_INTERVAL,
        pace_file: Path | None = None,
        serves_optional: bool = False,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            transport=transport,
            timeout=TIMEOUT,
            headers={"Accept": "application/json", "User-Agent": "co2-assets"},
        )
        self._now = now
        self._pace = Pace(min_interval, pace_file, wall)
        self._serves_optional = serves_optional
        self._wall = wall
        self._monotonic = monotonic
        self._sleep = sleep
        self._jitter = jitter

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._http.close()

    def fetch(self, dataset: Dataset, start: datetime, end: datetime) -> pd.DataFrame:
        """Return the rows of ``start`` (inclusive) to ``end`` (exclusive), naive UTC.

        One request for each of the dataset's endpoints that the window touches. The frame has the
        table's columns but ``fetched_at_utc``, at least one row, in the service's order; it may
        hold nulls and repetitions (`co2_assets.contracts.split_rows` parts them). Where the source gives
        no ``published_at_utc`` it is ``now``. Raises ServiceError; ValueError for an empty window.
        """
        if start >= end:
            raise ValueError(f"the window {start} to {end} of {dataset.name} is empty")
        now = self._now()
        parts: list[pd.DataFrame] = []
        nothing_yet: EmptyAnswer | None = None
        for endpoint in dataset.endpoints:
            part_start = max(start, endpoint.first or start)
            part_end = min(end, endpoint.end or end)
            if part_start >= part_end:
                continue
            try:
                parts.append(self._fetch_part(dataset, endpoint, part_start, part_end))
            except EmptyAnswer as empty:
                # Only what is yet to come may be missing beside another part that has rows.
                if part_start <= now:
                    raise
                nothing_yet = empty
        if not parts:
            raise nothing_yet or EmptyAnswer(
                RequestedWindow(dataset.name, start, end), "the service has no dataset for this window"
            )
        frame = pd.concat(parts, ignore_index=True)
        for column in dataset.table.columns:
            if column.name not in frame and column.name == "price_area":
                frame["price_area"] = pd.Series("DK", index=frame.index, dtype="str")
            elif column.name not in frame and column.name == "published_at_utc":
                frame["published_at_utc"] = pd.Series(now, index=frame.index, dtype="datetime64[us]")
        return frame[[name for name in dataset.table.column_names if name != "fetched_at_utc"]]

    def reachable(self) -> bool:
        """Ask once for one row, without waiting or retrying: does the service answer us?

        True also when it answers that we ask too often. False for no connection, a refusal, a
        fault, or an answer that is not the service's.
        """
        asked = RequestedWindow(PROBE_DATASET, self._now(), self._now())
        try:
            response = self._http.get(
                f"/dataset/{PROBE_DATASET}", params={"limit": "1"}, timeout=PROBE_TIMEOUT
            )
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                self._require_ok(response, asked)
                _ = response.json()["records"]
        except (httpx.HTTPError, ServiceError, ValueError, KeyError, TypeError):
            return False
        return True

    def _fetch_part(
        self, dataset: Dataset, endpoint: Endpoint, start: datetime, end: datetime
    ) -> pd.DataFrame:
        asked = RequestedWindow(endpoint.dataset, start, end)
        columns = self._columns(dataset, endpoint)
        params = {
            "start": f"{start:%Y-%m-%dT%H:%M}",
            "end": f"{end:%Y-%m-%dT%H:%M}",
            "timezone": "UTC",
            "columns": ",".join(columns),
            "sort": f"{endpoint.time_field} ASC",
            "limit": "0",
        }
        if endpoint.areas:
            params["filter"] = json.dumps({"PriceArea": list(endpoint.areas)}, separators=(",", ":"))
        return self._persist(asked, lambda: self._ask(asked, params, columns))

    def _columns(self, dataset: Dataset, endpoint: Endpoint) -> dict[str, Column]:
        columns = {name: dataset.table.column(own) for name, own in endpoint.fields.items()}
        return {
            name: column for name, column in columns.items() if self._serves_optional or not column.optional
        }

    def _persist(self, asked: RequestedWindow, ask: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Ask, and ask again where that may help, within MOST_ATTEMPTS and LONGEST_FETCH."""
        ban = self._pace.ban_on(asked.dataset)
        if ban > LONGEST_WAIT:
            raise RateLimited(
                asked, f"the service asked us to wait for another {_minutes(ban)}", retry_after=ban
            )
        self._wait(ban)
        deadline = self._monotonic() + LONGEST_FETCH.total_seconds()
        for attempt in range(1, MOST_ATTEMPTS + 1):
            self._wait(self._pace.wait_for(asked.dataset))
            try:
                return ask()
            except ServiceError as error:
                wait = self._wait_after(error, attempt)
                late = self._monotonic() + wait.total_seconds() >= deadline
                if error.retry_after is not None:
                    self._pace.ban(asked.dataset, error.retry_after)
                if not error.retryable or attempt == MOST_ATTEMPTS or wait > LONGEST_WAIT or late:
                    raise
                self._wait(wait)
        raise AssertionError("the last attempt returns or raises")

    def _wait_after(self, error: ServiceError, attempt: int) -> timedelta:
        if error.retry_after is not None:
            return error.retry_after
        # Half to one and a half of 2, 8, 32 s, so that many clients do not come back in step.
        spread = 0.5 + self._jitter()
        return FIRST_BACKOFF * float(4 ** (attempt - 1)) * spread

    def _wait(self, wait: timedelta) -> None:
        if wait > timedelta(0):
            self._sleep(wait.total_seconds())

    def _ask(
        self, asked: RequestedWindow, params: dict[str, str], columns: dict[str, Column]
    ) -> pd.DataFrame:
        self._pace.mark(asked.dataset)
        try:
            with self._http.stream("GET", f"/dataset/{asked.dataset}", params=params) as response:
                self._require_ok(response, asked)
                body = self._read(response, asked)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._pace.unmark(asked.dataset)
            raise Unreachable(asked, f"no connection ({error})") from error
        except httpx.TimeoutException as error:
            raise TimedOut(asked, f"no answer in time ({type(error).__name__})") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Unreachable(asked, f"the connection broke off ({error})") from error
        return frame_of(records_of(body, asked), columns, asked)

    def _read(self, response: httpx.Response, asked: RequestedWindow) -> bytes:
        deadline = self._monotonic() + LONGEST_ANSWER.total_seconds()
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LARGEST_ANSWER_BYTES:
                raise BadAnswer(
                    asked,
                    f"the answer is larger than {LARGEST_ANSWER_BYTES >> 20} MiB",
                    status=response.status_code,
                    remedy="Ask for a shorter window.",
                )
            if self._monotonic() > deadline:
                raise TimedOut(
                    asked, f"not whole after {LONGEST_ANSWER.seconds} s", status=response.status_code
                )
        return bytes(body)

    def _require_ok(self, response: httpx.Response, asked: RequestedWindow) -> None:
        status = response.status_code
        if status == httpx.codes.OK:
            return
        kinds: dict[int, tuple[type[ServiceError], str]] = {
            401: (Refused, "the service refuses to answer"),
            403: (Refused, "the service refuses to answer"),
            404: (NotFound, "the service knows no such dataset"),
            408: (TimedOut, "the service gave up waiting"),
            429: (RateLimited, "the service asks us to wait"),
        }
        if status in kinds:
            kind, problem = kinds[status]
        elif status >= 500:
            kind, problem = ServerFault, "the service failed"
        elif status >= 400:
            kind, problem = BadRequest, "the service does not understand the request"
        else:
            kind, problem = BadAnswer, "the service answers something other than data"
        raise kind(asked, problem, status=status, retry_after=self._retry_after(response))

    def _retry_after(self, response: httpx.Response) -> timedelta | None:
        """Read ``Retry-After``: seconds, or an HTTP date (RFC 9110, section 10.2.3)."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isdecimal():
            # Thirty years and more are all the same, and thousands of digits are no int to Python.
            return timedelta(seconds=10**9 if len(text) > 9 else int(text))
        try:
            date: datetime = parsedate_to_datetime(text)
        except ValueError:
            return None
        # A date without a zone is UTC: the only one HTTP knows.
        utc = date.astimezone(UTC) if date.tzinfo else date
        return max(timedelta(0), utc.replace(tzinfo=None) - self._wall())


def _minutes(wait: timedelta) -> str:
    return f"{-(-wait // timedelta(minutes=1))} minutes"
