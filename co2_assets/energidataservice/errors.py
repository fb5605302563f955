"""What can go wrong between us and the service, each with a name and a remedy."""
# ruff: noqa: N818 - the names say what happened; they are read in logs and reports

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar


@dataclass(frozen=True)
class RequestedWindow:
    """What was asked for: the service's dataset and the window (UTC, end exclusive)."""

    dataset: str
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.dataset} {self.start:%Y-%m-%dT%H:%MZ} to {self.end:%Y-%m-%dT%H:%MZ}"


class ServiceError(Exception):
    """An answer that could not be used. Never turned into an empty table.

    ``outcome`` is the short name for logs; ``retryable`` says whether the same request may work in
    a moment; ``status`` is the HTTP status where there was an answer; ``retry_after`` is how long
    the service asked us to wait.
    """

    outcome: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False
    default_remedy: ClassVar[str] = "Look at the service's own status page and try again."

    def __init__(
        self,
        asked: RequestedWindow,
        problem: str,
        *,
        status: int | None = None,
        remedy: str | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        self.asked = asked
        self.problem = problem
        self.status = status
        self.remedy = remedy or self.default_remedy
        self.retry_after = retry_after
        answer = f" (HTTP {status})" if status is not None else ""
        super().__init__(f"{asked}: {problem}{answer}. {self.remedy}")

    @property
    def dataset(self) -> str:
        """The service's name of the dataset asked for."""
        return self.asked.dataset

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The window asked for: UTC, end exclusive."""
        return self.asked.start, self.asked.end


class Unreachable(ServiceError):
    """No connection, or it broke off."""

    outcome = "unreachable"
    retryable = True
    default_remedy = "Check the network and any proxy; the next run asks again."


class TimedOut(ServiceError):
    """No answer, or not the whole of it, within the time allowed."""

    outcome = "timed_out"
    retryable = True
    default_remedy = "The service is slow; the next run asks again, a shorter window helps."


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


class Refused(ServiceError):
    """The service, or a proxy before it, will not answer us (401, 403)."""

    outcome = "refused"
    default_remedy = (
        "The address may be blocked for asking too often, or a proxy may forbid it: "
        "wait an hour, check the proxy, or use --source simulator meanwhile."
    )


class NotFound(ServiceError):
    """The service has no such dataset (404)."""

    outcome = "not_found"
    default_remedy = "The dataset was renamed or removed: look it up at www.energidataservice.dk."


class BadRequest(ServiceError):
    """The service did not understand the request (400 and its like)."""

    outcome = "bad_request"
    default_remedy = (
        "A column or parameter was changed by the service: compare it with contracts/datasets.py."
    )


class SchemaChanged(ServiceError):
    """A column is missing, renamed or of another type."""

    outcome = "schema_changed"
    default_remedy = "Compare the dataset's columns at www.energidataservice.dk with contracts/datasets.py."


class EmptyAnswer(ServiceError):
    """A good answer without a single row."""

    outcome = "empty"
    default_remedy = "The service has nothing for this window: choose another, or wait for it to publish."


class BadAnswer(ServiceError):
    """An answer that is not what the service gives: HTML, no records, too large, cut short by count."""

    outcome = "bad_answer"
    default_remedy = "A proxy, a login page or a fault stands between: open the address in a browser."


class TruncatedAnswer(BadAnswer):
    """JSON that breaks off."""

    outcome = "truncated"
    retryable = True
    default_remedy = "The connection broke off; the next run asks again, a shorter window helps."
