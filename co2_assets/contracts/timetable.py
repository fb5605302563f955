"""When forecasts are issued, when the next one is due, and from when on the newest one is stale."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE, MARK_HOURS
from co2_assets.contracts.time import HOUR, hour_containing

# The hourly forecast is made at the first of these minutes. The service publishes the power system each
# minute and the areas' intensity each quarter of an hour, so both have the hour that ended by then. At the
# others it is made where that failed, or again where an input was late.
HOURLY_MINUTES: Final = (5, 20, 35, 50)
# A run is given this long before its forecast counts as missed.
RUN_TIME: Final = timedelta(minutes=10)
# So many hours without a forecast make the newest one stale.
MISSED_HOURS: Final = 2


@dataclass(frozen=True)
class Timetable:
    """When forecasts are due: at the six-hour marks, and with ``hourly`` in each hour between them.

    All times are naive UTC.
    """

    hourly: bool = True

    def next_due(self, issued_at: datetime) -> datetime:
        """Return when the forecast after the one issued at ``issued_at`` is due: always in a later hour."""
        hour = hour_containing(issued_at) + HOUR
        while not self.hourly and hour.hour % MARK_HOURS:
            hour += HOUR
        return hour if hour.hour % MARK_HOURS == 0 else hour + timedelta(minutes=HOURLY_MINUTES[0])

    def stale_from(self, issued_at: datetime) -> datetime:
        """Return from when on a forecast is stale.

        That is once two hourly forecasts were missed, or without them an hour after a missed mark.
        """
        due = self.next_due(issued_at)
        if not self.hourly:
            return due + HOUR
        for _ in range(MISSED_HOURS - 1):
            due = self.next_due(due)
        return due + RUN_TIME

    def is_fresh(self, issued_at: datetime, now: datetime) -> bool:
        """Return whether a forecast counts at ``now``: neither stale nor issued ahead of the clock."""
        return issued_at - CLOCK_TOLERANCE <= now < self.stale_from(issued_at)

    @property
    def longest_pause(self) -> timedelta:
        """A time that is longer than any from one forecast to when it is stale."""
        return timedelta(hours=MISSED_HOURS + 1) if self.hourly else timedelta(hours=MARK_HOURS + 1)

    @property
    def rhythm(self) -> str:
        """How often a forecast is due, in words."""
        return "each hour" if self.hourly else f"every {MARK_HOURS} hours"


DEFAULT_TIMETABLE: Final = Timetable()
