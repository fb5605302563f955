"""What every client of a service does: ask within the rate limit, wait, repeat, and name what went wrong."""

import ipaddress
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from secrets import SystemRandom
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

import httpx
from socksio import SOCKSError

from co2_assets.contracts.time import wall_clock
from co2_assets.http_service.errors import (
    BadResponse,
    RateLimited,
    RequestedWindow,
    ServiceError,
    TimedOut,
    Unreachable,
    UnusableSettings,
)
from co2_assets.http_service.exchange import Overdue, get_within
from co2_assets.http_service.rate_limit import RateLimit
from co2_assets.http_service.responses import Refusal, require_ok, wait_in_body

Result = TypeVar("Result")

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
# One request a minute has no use for a connection that is kept.
LIMITS = httpx.Limits(max_keepalive_connections=0)
NO_SECRETS: Mapping[str, str] = MappingProxyType({})
# The parameters of requests that are secrets.
SECRET_PARAMETERS = frozenset({"apikey"})
_RANDOM = SystemRandom()


class Closes(ABC):
    """A context manager that closes itself at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the connections; the object cannot be used afterwards."""


class ServiceClient(Closes):
    """One address of a service, asked within the rate limit, with retries.

    ``min_interval`` is the least time between two requests for a dataset; ``rate_limit_file`` keeps the
    times of requests over a restart. ``refusal_in(body, now)`` reads what the service writes into the body
    of an error. ``secrets`` are sent as parameters of each request and stay out of logs and errors.
    ``wall``, ``monotonic``, ``sleep`` and ``jitter`` (0..1) are those of the machine.
    """

    def __init__(
        self,
        *,
        base_url: str,
        min_interval: timedelta,
        transport: httpx.BaseTransport | None = None,
        rate_limit_file: Path | None = None,
        refusal_in: Callable[[bytes, datetime], Refusal] = wait_in_body,
        secrets: Mapping[str, str] = NO_SECRETS,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._http: httpx.Client | None = None
        self._unusable = ""
        try:
            self._http = _http_client(base_url, transport, secrets)
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            # What the environment says of proxies and certificates is read here. It makes the service
            # unreachable, which is said where a dataset is fetched.
            self._unusable = f"the network settings in the environment cannot be used ({error})"
        self.rate_limit = RateLimit(min_interval, rate_limit_file, wall)
        self.monotonic = monotonic
        self._secrets = tuple(value.encode() for value in secrets.values())
        self._refusal_in = refusal_in
        self._wall = wall
        self._sleep = sleep
        self._jitter = jitter

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        if self._http is not None:
            self._http.close()

    def with_retries(self, window: RequestedWindow, request: Callable[[timedelta], Result]) -> Result:
        """Call ``request`` with its time limit, again after a retryable error.

        There are at most MOST_ATTEMPTS, and they end within LONGEST_FETCH.
        """
        ban = self.rate_limit.ban_on(window.dataset)
        if ban > LONGEST_WAIT:
            raise RateLimited(
                window, f"the service asked us to wait for another {_minutes(ban)}", retry_after=ban
            )
        self._wait(ban)
        deadline = self.monotonic() + LONGEST_FETCH.total_seconds()
        for attempt in range(1, MOST_ATTEMPTS + 1):
            self._wait(self.rate_limit.wait_for(window.dataset))
            left = timedelta(seconds=deadline - self.monotonic())
            try:
                return request(min(LONGEST_RESPONSE, left))
            except ServiceError as error:
                wait = self._wait_after(error, attempt)
                next_turn = max(wait, self.rate_limit.wait_for(window.dataset))
                late = self.monotonic() + next_turn.total_seconds() >= deadline
                if error.retry_after is not None:
                    self.rate_limit.ban(window.dataset, error.retry_after)
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

    def get(self, window: RequestedWindow, path: str, params: dict[str, str], limit: timedelta) -> bytes:
        """Return the body of a good response that is complete within ``limit``; raise ServiceError."""
        if self._http is None:
            raise UnusableSettings(window, self._unusable)
        deadline = self.monotonic() + limit.total_seconds()

        def read(response: httpx.Response) -> bytes:
            return self._read(response, window, deadline)

        self.rate_limit.mark(window.dataset)
        try:
            return get_within(self._http, path, params, limit, read)
        except Overdue as error:
            raise TimedOut(window, _incomplete(limit)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self.rate_limit.unmark(window.dataset)
            raise Unreachable(window, f"no connection ({error})") from error
        except UnicodeError as error:
            self.rate_limit.unmark(window.dataset)
            problem = f"the name of the host or of the proxy is not valid ({error})"
            raise UnusableSettings(window, problem) from error
        except httpx.TimeoutException as error:
            raise TimedOut(window, f"no answer in time ({type(error).__name__})") from error
        except (httpx.TransportError, httpx.DecodingError, SOCKSError) as error:
            raise Unreachable(window, f"the connection broke off ({error})") from error

    def _read(self, response: httpx.Response, window: RequestedWindow, deadline: float) -> bytes:
        """Return the body; ``deadline`` is a time of the monotonic clock. Raise ServiceError."""
        if response.status_code != httpx.codes.OK:
            require_ok(response, self._cleared(_beginning(response)), window, self._wall, self._refusal_in)
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
            if self.monotonic() > deadline:
                raise TimedOut(window, _incomplete(LONGEST_RESPONSE), status=response.status_code)
        return self._cleared(bytes(body))

    def _cleared(self, body: bytes) -> bytes:
        """Return the body without secrets, which an answer may repeat and an error would then show."""
        for secret in self._secrets:
            body = body.replace(secret, b"...")
        return body


class _WithoutSecrets(logging.Filter):
    """Takes names, passwords and the values of `SECRET_PARAMETERS` out of the addresses that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_secrets(part) for part in record.args)
        return True


def _without_secrets(part: object) -> object:
    if isinstance(part, httpx.URL):
        for name in SECRET_PARAMETERS & set(part.params):
            part = part.copy_set_param(name, "...")
        if part.userinfo:
            part = part.copy_with(userinfo=b"...")
    return part


logging.getLogger("httpx").addFilter(_WithoutSecrets())


def _http_client(
    base_url: str, transport: httpx.BaseTransport | None, secrets: Mapping[str, str]
) -> httpx.Client:
    if transport is None and _is_loopback(httpx.URL(base_url).host):
        # A given transport goes past the proxies of the environment: none leads to this machine.
        transport = httpx.HTTPTransport(limits=LIMITS)
    return httpx.Client(
        base_url=base_url,
        params=dict(secrets),
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
