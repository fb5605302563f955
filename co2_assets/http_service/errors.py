"""What can go wrong between us and the service. Each error has a name and a remedy."""
# ruff: noqa: N818 - the names say what is wrong; they are read in logs and reports

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pandas as pd


@dataclass(frozen=True)
class RequestedWindow:
    """A requested window: the service's dataset, start and end (naive UTC, end exclusive).

    ``remedies`` has, by `ServiceError.outcome`, those of the service that are not the default.
    """

    dataset: str
    start: datetime
    end: datetime
    remedies: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.dataset} {self.start:%Y-%m-%dT%H:%MZ} to {self.end:%Y-%m-%dT%H:%MZ}"


def storable(text: str) -> str:
    """Return ``text`` with what cannot be encoded as UTF-8 written as an escape such as \\ud800."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class ServiceError(Exception):
    """A request without a usable response. It never becomes an empty table.

    ``outcome`` is the short name in `new_data_log` and in logs. ``retryable``: the same request may
    succeed a little later. ``status`` is the HTTP status where there was a response. ``retry_after``
    is the time that the service asked us to wait. ``rows`` is what came before the failure and can be
    stored, where one fetch is several requests.
    """

    outcome: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False
    default_remedy: ClassVar[str] = "Look at the service's own status page and try again."

    def __init__(
        self,
        window: RequestedWindow,
        problem: str,
        *,
        status: int | None = None,
        remedy: str | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        self.window = window
        # What the service sent may hold text that no file or database can store (half a surrogate pair).
        self.problem = storable(problem)
        self.status = status
        self.remedy = remedy or window.remedies.get(self.outcome, self.default_remedy)
        self.retry_after = retry_after
        self.rows: pd.DataFrame | None = None
        answer = f" (HTTP {status})" if status is not None else ""
        super().__init__(f"{window}: {self.problem}{answer}. {self.remedy}")


class Unreachable(ServiceError):
    """There was no connection, or it broke off."""

    outcome = "unreachable"
    retryable = True
    default_remedy = "Check the network and any proxy; the next run asks again."


class UnusableSettings(ServiceError):
    """The settings of the network in the environment cannot be used, so that nothing was requested."""

    outcome = "unusable_settings"
    default_remedy = (
        "Correct HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY or SSL_CERT_FILE in the environment: a proxy "
        "is written http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT (not "
        "socks://), and an IPv6 address in NO_PROXY has no brackets."
    )


class TimedOut(ServiceError):
    """There was no complete response within the time limit."""

    outcome = "timed_out"
    retryable = True
    default_remedy = "The service is slow; the next run asks again, and a shorter window helps."


class RateLimited(ServiceError):
    """The service asks us to wait (429)."""

    outcome = "rate_limited"
    retryable = True
    default_remedy = (
        "The service allows about one request per dataset and minute from one address: "
        "stop other users of this address; the next run asks again."
    )


class ServerFault(ServiceError):
    """The service failed (5xx)."""

    outcome = "server_fault"
    retryable = True
    default_remedy = "The fault is the service's; the next run asks again."


class TooLarge(ServiceError):
    """The service does not give as much at once (413)."""

    outcome = "too_large"
    default_remedy = "Nothing: the next request is for a shorter window."


class Refused(ServiceError):
    """The service, or a proxy in front of it, refuses to answer us (401, 403)."""

    outcome = "refused"
    default_remedy = (
        "The address may be blocked for too many requests, or a proxy may forbid it: "
        "wait an hour, check the proxy, or use --source simulator meanwhile."
    )


class NotFound(ServiceError):
    """The service has no such dataset (404)."""

    outcome = "not_found"
    default_remedy = "The dataset was renamed or removed: look it up at www.energidataservice.dk."


class BadRequest(ServiceError):
    """The service did not understand the request (400 and other 4xx)."""

    outcome = "bad_request"
    default_remedy = "The service changed a column or a parameter: compare it with contracts/datasets.py."


class SchemaChanged(ServiceError):
    """A column is missing, renamed or of another type."""

    outcome = "schema_changed"
    default_remedy = "Compare the dataset's columns at www.energidataservice.dk with contracts/datasets.py."


class EmptyResponse(ServiceError):
    """A good response without a row."""

    outcome = "empty"
    default_remedy = "The service has nothing for this window: choose another, or wait for it to publish."


class Incomplete(ServiceError):
    """A response of which a part is of no use; ``rows`` are the rest."""

    outcome = "incomplete"
    rows: pd.DataFrame

    def __init__(self, window: RequestedWindow, problem: str, rows: pd.DataFrame, **more: Any) -> None:
        super().__init__(window, problem, **more)
        self.rows = rows


class BadResponse(ServiceError):
    """A response that is not the service's: HTML, without records, too large, or with rows missing."""

    outcome = "bad_answer"
    default_remedy = "A proxy or a login page may have answered instead: open the address in a browser."


class TruncatedResponse(BadResponse):
    """Incomplete JSON."""

    outcome = "truncated"
    retryable = True
    default_remedy = "The connection broke off; the next run asks again, and a shorter window helps."
