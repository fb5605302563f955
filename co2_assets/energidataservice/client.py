"""The client of Energinet's EnergiDataService: it fetches a window of a dataset as a data frame.

Facts about the service's parameters: its own guide, https://www.energidataservice.dk/guides/api-guides.
"""

import json
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pandas as pd

from co2_assets.contracts import FETCHED_AT, PRICE_AREA, VINTAGE, Column, Dataset, Endpoint
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.time import wall_clock
from co2_assets.energidataservice.errors import (
    BadResponse,
    EmptyResponse,
    RateLimited,
    RequestedWindow,
    ServiceError,
    TimedOut,
    Unreachable,
)
from co2_assets.energidataservice.rate_limit import RateLimit
from co2_assets.energidataservice.responses import frame_of, records_of, require_ok

BASE_URL = "https://api.energidataservice.dk"
# Since August 2025 the service answers about one request a minute for each dataset and address.
LIVE_INTERVAL = timedelta(minutes=1)
# 90 days of minutes are 130,000 rows or 30 MB. The service was measured to send 1,240 rows a second.
LARGEST_RESPONSE_BYTES = 128 * 2**20
LONGEST_RESPONSE = timedelta(minutes=5)
MOST_ATTEMPTS = 3
LONGEST_WAIT = timedelta(minutes=2)
LONGEST_FETCH = timedelta(minutes=10)
FIRST_BACKOFF = timedelta(seconds=2)
TIMEOUT = httpx.Timeout(connect=10, read=60, write=30, pool=10)
PROBE_TIMEOUT = httpx.Timeout(5)
# None of the datasets that are read, so that a probe does not use up the rate limit of one.
PROBE_DATASET = "DatahubPricelist"
_RANDOM = secrets.SystemRandom()


class EnergiDataService:
    """Fetches one window of one dataset per call, within the rate limit, with retries and checks.

    ``now`` is the pipeline's clock (naive UTC): rows without a vintage get its time. ``min_interval``
    is the least time between two requests for a dataset; ``rate_limit_file`` keeps the times of
    requests over a restart. ``wall``, ``monotonic``, ``sleep`` and ``jitter`` (0..1) are those of the
    machine. ``serves_optional``: the source has the contracts' optional columns; the live service
    refuses requests for them.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        transport: httpx.BaseTransport | None = None,
        base_url: str = BASE_URL,
        min_interval: timedelta = LIVE_INTERVAL,
        rate_limit_file: Path | None = None,
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
        self._rate_limit = RateLimit(min_interval, rate_limit_file, wall)
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

        There is one request for each of the dataset's endpoints with rows in the window. The frame
        has the table's columns but ``fetched_at_utc`` and at least one row, in the order of the
        service. It may hold bad and repeated rows (`co2_assets.contracts.split_rows` finds them). A
        vintage that the source does not give is ``now``. Raises ServiceError, and ValueError for an
        empty window.
        """
        if start >= end:
            raise ValueError(f"the window {start} to {end} of {dataset.name} is empty")
        now = self._now()
        parts: list[pd.DataFrame] = []
        nothing_yet: EmptyResponse | None = None
        for endpoint in dataset.endpoints:
            part_start = max(start, endpoint.first or start)
            part_end = min(end, endpoint.end or end)
            if part_start >= part_end:
                continue
            try:
                parts.append(self._fetch_part(dataset, endpoint, part_start, part_end))
            except EmptyResponse as empty:
                # Beside a part with rows, only a part that begins after now may be empty.
                if part_start <= now:
                    raise
                nothing_yet = empty
        if not parts:
            raise nothing_yet or EmptyResponse(
                RequestedWindow(dataset.name, start, end), "the service has no dataset for this window"
            )
        frame = pd.concat(parts, ignore_index=True)
        for column in dataset.table.columns:
            if column.name not in frame and column.name == PRICE_AREA.name:
                frame[PRICE_AREA.name] = pd.Series(DENMARK.name, index=frame.index, dtype="str")
            elif column.name not in frame and column.name == VINTAGE:
                frame[VINTAGE] = pd.Series(now, index=frame.index, dtype="datetime64[us]")
        return frame[[name for name in dataset.table.column_names if name != FETCHED_AT.name]]

    def reachable(self) -> bool:
        """Return whether the service answers a request for one row, without waiting or retrying.

        True also when it answers that there were too many requests. False when there is no
        connection, when it refuses or fails, or when something else than the service answers.
        """
        window = RequestedWindow(PROBE_DATASET, self._now(), self._now())
        try:
            response = self._http.get(
                f"/dataset/{PROBE_DATASET}", params={"limit": "1"}, timeout=PROBE_TIMEOUT
            )
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                require_ok(response, window, self._wall)
                _ = response.json()["records"]
        except (httpx.HTTPError, ServiceError, ValueError, KeyError, TypeError):
            return False
        return True

    def _fetch_part(
        self, dataset: Dataset, endpoint: Endpoint, start: datetime, end: datetime
    ) -> pd.DataFrame:
        window = RequestedWindow(endpoint.dataset, start, end)
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
        return self._with_retries(window, lambda: self._request(window, params, columns))

    def _columns(self, dataset: Dataset, endpoint: Endpoint) -> dict[str, Column]:
        columns = {name: dataset.table.column(own) for name, own in endpoint.fields.items()}
        return {
            name: column for name, column in columns.items() if self._serves_optional or not column.optional
        }

    def _with_retries(self, window: RequestedWindow, request: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Call ``request``, again after a retryable error, within MOST_ATTEMPTS and LONGEST_FETCH."""
        ban = self._rate_limit.ban_on(window.dataset)
        if ban > LONGEST_WAIT:
            raise RateLimited(
                window, f"the service asked us to wait for another {_minutes(ban)}", retry_after=ban
            )
        self._wait(ban)
        deadline = self._monotonic() + LONGEST_FETCH.total_seconds()
        for attempt in range(1, MOST_ATTEMPTS + 1):
            self._wait(self._rate_limit.wait_for(window.dataset))
            try:
                return request()
            except ServiceError as error:
                wait = self._wait_after(error, attempt)
                late = self._monotonic() + wait.total_seconds() >= deadline
                if error.retry_after is not None:
                    self._rate_limit.ban(window.dataset, error.retry_after)
                if not error.retryable or attempt == MOST_ATTEMPTS or wait > LONGEST_WAIT or late:
                    raise
                self._wait(wait)
        raise AssertionError("the last attempt returns or raises")

    def _wait_after(self, error: ServiceError, attempt: int) -> timedelta:
        if error.retry_after is not None:
            return error.retry_after
        # 0.5 to 1.5 times 2, 8, 32 s: many clients that failed together do not retry together.
        spread = 0.5 + self._jitter()
        return FIRST_BACKOFF * float(4 ** (attempt - 1)) * spread

    def _wait(self, wait: timedelta) -> None:
        if wait > timedelta(0):
            self._sleep(wait.total_seconds())

    def _request(
        self, window: RequestedWindow, params: dict[str, str], columns: dict[str, Column]
    ) -> pd.DataFrame:
        self._rate_limit.mark(window.dataset)
        try:
            with self._http.stream("GET", f"/dataset/{window.dataset}", params=params) as response:
                require_ok(response, window, self._wall)
                body = self._read(response, window)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._rate_limit.unmark(window.dataset)
            raise Unreachable(window, f"no connection ({error})") from error
        except httpx.TimeoutException as error:
            raise TimedOut(window, f"no answer in time ({type(error).__name__})") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Unreachable(window, f"the connection broke off ({error})") from error
        return frame_of(records_of(body, window), columns, window)

    def _read(self, response: httpx.Response, window: RequestedWindow) -> bytes:
        deadline = self._monotonic() + LONGEST_RESPONSE.total_seconds()
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LARGEST_RESPONSE_BYTES:
                raise BadResponse(
                    window,
                    f"the answer is larger than {LARGEST_RESPONSE_BYTES >> 20} MiB",
                    status=response.status_code,
                    remedy="Ask for a shorter window.",
                )
            if self._monotonic() > deadline:
                raise TimedOut(
                    window,
                    f"the answer was not complete after {LONGEST_RESPONSE.seconds} s",
                    status=response.status_code,
                )
        return bytes(body)


def _minutes(wait: timedelta) -> str:
    return f"{-(-wait // timedelta(minutes=1))} minutes"
