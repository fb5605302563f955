"""When each dataset may be asked for again, so that the service is never asked too often."""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

# A wait that the service asks for is believed up to this long: a mistaken header must not end the
# fetching for ever.
LONGEST_BAN = timedelta(days=1)
_NOT_BEFORE = ", not before"


class Pace:
    """At most one request per dataset and ``interval``, none while the service asks to wait, across restarts.

    Times are real ones (``wall``, naive UTC), not those of the pipeline's clock: a replay of last
    year asks the service today. ``file`` keeps them (JSON, dataset to ISO time); without it they
    last as long as the object. A file that cannot be read counts as none: the worst that follows
    is one request too early.
    """

    def __init__(self, interval: timedelta, file: Path | None, wall: Callable[[], datetime]) -> None:
        self._interval = interval
        self._file = file
        self._wall = wall
        self._last: dict[str, datetime] = {}

    def wait_for(self, dataset: str) -> timedelta:
        """Return how long to wait before ``dataset`` may be asked for; zero when it may be now."""
        if not self._interval:
            return timedelta(0)
        self._read()
        last = self._last.get(dataset)
        if last is None:
            return timedelta(0)
        # A time in the future means the machine's clock was set back: one whole interval is enough.
        return max(timedelta(0), min(self._interval, last + self._interval - self._wall()))

    def ban_on(self, dataset: str) -> timedelta:
        """Return for how much longer the service asked not to be asked for ``dataset``."""
        self._read()
        until = self._last.get(dataset + _NOT_BEFORE)
        # As above: no ban is longer than the longest that is ever noted.
        return timedelta(0) if until is None else min(LONGEST_BAN, max(timedelta(0), until - self._wall()))

    def ban(self, dataset: str, wait: timedelta) -> None:
        """Note that the service asked to wait so long before it is asked for ``dataset`` again."""
        if self._interval:
            self._last[dataset + _NOT_BEFORE] = self._wall() + min(wait, LONGEST_BAN)
            self._write()

    def mark(self, dataset: str) -> None:
        """Note that ``dataset`` is asked for now. Written before the request, so a killed run counts."""
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
        with suppress(OSError, ValueError, TypeError, AttributeError):
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            self._last |= {str(name): datetime.fromisoformat(text) for name, text in stored.items()}

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
