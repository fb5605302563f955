"""The client of Energinet's EnergiDataService: it fetches a window of a dataset as a data frame.

Facts about the service's parameters: its own guide, https://www.energidataservice.dk/guides/api-guides.
"""

import ipaddress
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pandas as pd
from socksio import SOCKSError

from co2_assets.contracts import (
    DATASETS,
    FETCHED_AT,
    PRICE_AREA,
    UNREADABLE,
    VINTAGE,
    Column,
    Dataset,
    Endpoint,
)
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.series import price_areas_of
from co2_assets.contracts.sources import LIVE_URL
from co2_assets.contracts.time import wall_clock
from co2_assets.energidataservice.errors import (
    BadResponse,
    EmptyResponse,
    RateLimited,
    RequestedWindow,
    ServiceError,
    TimedOut,
    Unreachable,
    UnusableSettings,
)
from co2_assets.energidataservice.exchange import Overdue, get_within
from co2_assets.energidataservice.rate_limit import RateLimit
from co2_assets.energidataservice.responses import frame_of, records_of, require_ok

# Since August 2025 the service answers about one request a minute for each dataset and address.
LIVE_INTERVAL = timedelta(minutes=1)
# 90 days of minutes are 130,000 rows or 30 MB. The service was measured to send 1,240 rows a second.
LARGEST_RESPONSE_BYTES = 128 * 2**20
# Of a response that is an error, this much is read: some say in the body how long to wait.
LARGEST_ERROR_BYTES = 2**16
# From the look-up of the host's name to the last byte.
LONGEST_RESPONSE = timedelta(minutes=5)
MOST_ATTEMPTS = 3
LONGEST_WAIT = timedelta(minutes=2)
LONGEST_FETCH = timedelta(minutes=10)
FIRST_BACKOFF = timedelta(seconds=2)
TIMEOUT = httpx.Timeout(connect=10, read=60, write=30, pool=10)
# How long `obstacle` waits for one dataset, and in all. So one dataset that hangs does not decide.
LONGEST_LOOK = timedelta(seconds=5)
LONGEST_LOOKS = timedelta(seconds=10)
# One request a minute has no use for a connection that is kept.
LIMITS = httpx.Limits(max_keepalive_connections=0)
# The datasets in the order in which `obstacle` asks for them. A dataset that has ended is requested only
# for older history, so its turn within the rate limit costs the newest data nothing.
LOOKED_AT = tuple(
    endpoint.dataset
    for endpoint in sorted(
        (endpoint for dataset in DATASETS for endpoint in dataset.endpoints), key=lambda e: e.end is None
    )
)
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
        base_url: str = LIVE_URL,
        min_interval: timedelta = LIVE_INTERVAL,
        rate_limit_file: Path | None = None,
        serves_optional: bool = False,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._http: httpx.Client | None = None
        self._unusable = ""
        try:
            self._http = _http_client(base_url, transport)
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            # What the environment says of proxies and certificates is read here. It makes the service
            # unreachable, which is said where a dataset is fetched.
            self._unusable = f"the network settings in the environment cannot be used ({error})"
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
        if self._http is not None:
            self._http.close()

    def fetch(self, dataset: Dataset, start: datetime, end: datetime) -> pd.DataFrame:
        """Return the rows of ``start`` (inclusive) to ``end`` (exclusive), naive UTC.

        There is one request for each of the dataset's endpoints with rows in the window. The frame
        has the table's columns but ``fetched_at_utc`` and at least one row, in the order of the
        service. It may hold bad and repeated rows (`co2_assets.contracts.split_rows` finds them), and it
        has the column UNREADABLE if a value could not be read. A vintage that the source does not give is
        ``now``. Raises ServiceError, and ValueError for an empty window.
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
        names = [name for name in dataset.table.column_names if name != FETCHED_AT.name]
        return frame[[*names, UNREADABLE] if UNREADABLE in frame else names]

    def obstacle(self) -> ServiceError | None:
        """Return why the service cannot be used now, or None if it can; there is no waiting and no retry.

        It can be used if it answers a request for one row of any of its datasets, also with the answer that
        there were too many requests. Each request counts within the rate limit, and a dataset whose turn
        has not come is not requested.
        """
        deadline = self._monotonic() + LONGEST_LOOKS.total_seconds()
        first: ServiceError | None = None
        for dataset in LOOKED_AT:
            window = RequestedWindow(dataset, self._now(), self._now())
            left = timedelta(seconds=deadline - self._monotonic())
            if left <= timedelta(0):
                break
            if self._rate_limit.ban_on(dataset) or self._rate_limit.wait_for(dataset):
                continue
            try:
                body = self._get(window, {"limit": "1"}, min(LONGEST_LOOK, left))
                records_of(body, window, all_of_them=False)
            except EmptyResponse:
                return None
            except RateLimited as error:
                self._rate_limit.ban(dataset, error.retry_after or timedelta(0))
                return None
            except ServiceError as error:
                first = first or error
                if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                    break  # all datasets are on the same host
            else:
                return None
        return first or RateLimited(
            RequestedWindow(LOOKED_AT[0], self._now(), self._now()),
            "every dataset was requested in the last minute, or the service asked us to wait",
        )

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
            areas = list(price_areas_of(dataset))
            params["filter"] = json.dumps({"PriceArea": areas}, separators=(",", ":"))

        def request(limit: timedelta) -> pd.DataFrame:
            return frame_of(records_of(self._get(window, params, limit), window), columns, window)

        return self._with_retries(window, request)

    def _columns(self, dataset: Dataset, endpoint: Endpoint) -> dict[str, Column]:
        columns = {name: dataset.table.column(own) for name, own in endpoint.fields.items()}
        return {
            name: column for name, column in columns.items() if self._serves_optional or not column.optional
        }

    def _with_retries(
        self, window: RequestedWindow, request: Callable[[timedelta], pd.DataFrame]
    ) -> pd.DataFrame:
        """Call ``request`` with its time limit, again after a retryable error.

        There are at most MOST_ATTEMPTS, and they end within LONGEST_FETCH.
        """
        ban = self._rate_limit.ban_on(window.dataset)
        if ban > LONGEST_WAIT:
            raise RateLimited(
                window, f"the service asked us to wait for another {_minutes(ban)}", retry_after=ban
            )
        self._wait(ban)
        deadline = self._monotonic() + LONGEST_FETCH.total_seconds()
        for attempt in range(1, MOST_ATTEMPTS + 1):
            self._wait(self._rate_limit.wait_for(window.dataset))
            left = timedelta(seconds=deadline - self._monotonic())
            try:
                return request(min(LONGEST_RESPONSE, left))
            except ServiceError as error:
                wait = self._wait_after(error, attempt)
                next_turn = max(wait, self._rate_limit.wait_for(window.dataset))
                late = self._monotonic() + next_turn.total_seconds() >= deadline
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

    def _get(self, window: RequestedWindow, params: dict[str, str], limit: timedelta) -> bytes:
        """Return the body of a good response that is complete within ``limit``; raise ServiceError."""
        if self._http is None:
            raise UnusableSettings(window, self._unusable)
        deadline = self._monotonic() + limit.total_seconds()

        def read(response: httpx.Response) -> bytes:
            return self._read(response, window, deadline)

        self._rate_limit.mark(window.dataset)
        try:
            return get_within(self._http, f"/dataset/{window.dataset}", params, limit, read)
        except Overdue as error:
            raise TimedOut(window, _incomplete(limit)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._rate_limit.unmark(window.dataset)
            raise Unreachable(window, f"no connection ({error})") from error
        except UnicodeError as error:
            self._rate_limit.unmark(window.dataset)
            problem = f"the name of the host or of the proxy is not valid ({error})"
            raise UnusableSettings(window, problem) from error
        except httpx.TimeoutException as error:
            raise TimedOut(window, f"no answer in time ({type(error).__name__})") from error
        except (httpx.TransportError, httpx.DecodingError, SOCKSError) as error:
            raise Unreachable(window, f"the connection broke off ({error})") from error

    def _read(self, response: httpx.Response, window: RequestedWindow, deadline: float) -> bytes:
        """Return the body; ``deadline`` is a time of the monotonic clock. Raise ServiceError."""
        if response.status_code != httpx.codes.OK:
            require_ok(response, _beginning(response), window, self._wall)
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
                raise TimedOut(window, _incomplete(LONGEST_RESPONSE), status=response.status_code)
        return bytes(body)


def _http_client(base_url: str, transport: httpx.BaseTransport | None) -> httpx.Client:
    if transport is None and _is_loopback(httpx.URL(base_url).host):
        # A given transport goes past the proxies of the environment: none leads to this machine.
        transport = httpx.HTTPTransport(limits=LIMITS)
    return httpx.Client(
        base_url=base_url,
        transport=transport,
        timeout=TIMEOUT,
        limits=LIMITS,
        headers={"Accept": "application/json", "User-Agent": "co2-assets"},
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _beginning(response: httpx.Response) -> bytes:
    """Return the beginning of the body of a response whose status is an error, as far as it comes."""
    body = bytearray()
    with suppress(httpx.TransportError, httpx.DecodingError):  # the status says what matters
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= LARGEST_ERROR_BYTES:
                break
    return bytes(body)


def _incomplete(limit: timedelta) -> str:
    return f"the answer was not complete after {limit.total_seconds():.0f} s"


def _minutes(wait: timedelta) -> str:
    return f"{-(-wait // timedelta(minutes=1))} minutes"
