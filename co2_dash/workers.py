"""Threads that make answers, so that the server itself always has time for the next request."""

from asyncio import Semaphore
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

# At some hundredths of a second each, whoever comes later would wait for more than ten seconds.
MOST_WAITING = 200
# Of the answers that take half a second: a year of history, a month of the record.
MOST_WAITING_LONG = 20
RETRY_AFTER_S = 5
T = TypeVar("T")


class Worker:
    """One thread at a time for answers of one kind; who comes while it works waits in turn.

    Making answers is Python's own work, of which one thread runs at a time. With two threads for the
    long ones a flood of long histories held up /healthz three times as long.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._asked = 0
        self._turn = Semaphore(1)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work`` returns; refuses with 503 when too many wait already."""
        if self._asked > self._most_waiting:
            raise HTTPException(
                503,
                f"Too many wait for an answer; try again in {RETRY_AFTER_S} s.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        self._asked += 1
        try:
            async with self._turn:
                return await run_in_threadpool(work, *arguments)
        finally:
            self._asked -= 1


class Workers:
    """Workers for the ordinary answers of the API, for those that take long, and for the parts of pages.

    So none of them has to wait for the others.
    """

    def __init__(self) -> None:
        self.ordinary, self.long, self.pages = Worker(), Worker(MOST_WAITING_LONG), Worker()
