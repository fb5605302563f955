"""The cleanest stretch that was asked for, by its length and its deadline."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from co2_assets.advice.cleanest_window import Advice, ForecastHour, advise
from co2_assets.contracts.danish_time import next_at
from co2_assets.contracts.forecast_spec import NEAR_HOURS
from co2_assets.contracts.time import HOUR, hour_containing

# In hours, for whoever asks for no other.
DEFAULT_DURATION = 3


def day_end(coming: Sequence[ForecastHour], now_utc: datetime) -> datetime:
    """Return the end of the next `NEAR_HOURS`, the current one included; that of the forecast if sooner."""
    return min(hour_containing(now_utc) + NEAR_HOURS * HOUR, coming[-1].start_utc + HOUR)


def asked_window(
    hours: Sequence[ForecastHour],
    now_utc: datetime,
    duration_hours: float = DEFAULT_DURATION,
    before: datetime | time | None = None,
) -> tuple[Advice, datetime]:
    """Return the advice and the deadline that it keeps; NoWindow where no stretch fits.

    A deadline that is a time of day is the next such time in Denmark. Without one it is the end of the next
    day, or of the forecast for what takes longer.
    """
    now, length = now_utc.replace(second=0, microsecond=0), timedelta(hours=duration_hours)
    if isinstance(before, time):
        before = next_at(before, now)
    deadline = before or day_end(hours, now)
    if before is None and deadline - now < length:
        deadline = hours[-1].start_utc + HOUR
    return advise(hours, now, length, deadline), deadline
