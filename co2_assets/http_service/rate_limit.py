"""The rate limit: when each dataset may be requested again."""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

# A longer wait that the service asks for counts as this long: a wrong header must not stop fetching for
# ever.
LONGEST_BAN = timedelta(days=1)
# In the file, after the name of a dataset: the service asked not to request it before this time.
_NOT_BEFORE = ", not before"


class RateLimit:
    """At most one request per dataset and ``interval``, and none while the service asks us to wait.

    Times are those of the machine (``wall``, naive UTC), not of the pipeline's clock: also a replay of
    last year sends its requests today. ``file`` (JSON, from dataset to ISO time) keeps them over a
    restart; without it they last as long as this object. A file that cannot be read counts as empty:
    the worst consequence is one request too early.
    """

    def __init__(self, interval: timedelta, file: Path | None, wall: Callable[[], datetime]) -> None:
        self._interval = interval
        self._file = file
        self._wall = wall
        self._last: dict[str, datetime] = {}

    def wait_for(self, dataset: str) -> timedelta:
        """Return the time to wait before ``dataset`` may be requested; zero when it may be now."""
        if not self._interval:
            return timedelta(0)
        self._read()
        last = self._last.get(dataset)
        if last is None:
            return timedelta(0)
        # A time in the future means that the machine's clock was set back: one interval is enough.
        return max(timedelta(0), min(self._interval, last - self._wall() + self._interval))

    def ban_on(self, dataset: str) -> timedelta:
        """Return for how much longer the service wants no requests for ``dataset``."""
        self._read()
        until = self._last.get(dataset + _NOT_BEFORE)
        # At most LONGEST_BAN also when the machine's clock was set back.
        return timedelta(0) if until is None else min(LONGEST_BAN, max(timedelta(0), until - self._wall()))

    def ban(self, dataset: str, wait: timedelta) -> None:
        """Note that the service asked us to wait for ``wait`` before the next request for ``dataset``."""
        if self._interval:
            self._last[dataset + _NOT_BEFORE] = self._wall() + min(wait, LONGEST_BAN)
            self._write()

    def mark(self, dataset: str) -> None:
        """Note a request for ``dataset``. Called before the request, so that a killed run counts too."""
        if self._interval:
            self._last[dataset] = self._wall()
            self._write()

    def unmark(self, dataset: str) -> None:
        """Forget the last request: it never reached the service."""
        if self._last.pop(dataset, None) is not None:
            self._write()

    def _read(self) -> None:
        if self._file is None:
            return
        with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            times = {str(name): datetime.fromisoformat(text) for name, text in stored.items()}
            self._last |= {name: time for name, time in times.items() if time.tzinfo is None}

    def _write(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=self._file.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump({name: time.isoformat() for name, time in self._last.items()}, stream)
            os.replace(temporary, self._file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
