"""What a reader can choose about the cleanest time, the length and the deadline, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from co2_assets.advice.asked_window import DEFAULT_DURATION, day_end
from co2_assets.advice.cleanest_window import Advice, ForecastHour, NoWindow, advise
from co2_assets.contracts.danish_time import danish
from co2_assets.contracts.time import HOUR, bounded_utc

DURATIONS = (1, 2, 3, 4, 5, 6, 8)
# Deadlines that move with the clock and with every forecast: the end of the coming `NEAR_HOURS`, which is
# meant while the reader has chosen none, and the end of the forecast.
DAY_END, FORECAST_END = "day", "end"
# Later than that, a deadline is offered every this many hours of the Danish clock, so that the list is short.
FAR_STEP = 3


@dataclass(frozen=True)
class Deadline:
    """The end of the time that is looked at; ``unmet`` is what the reader chose where it is too early."""

    end_utc: datetime
    unmet: datetime | None = None


def chosen_duration(value: object) -> int:
    """Return the duration in hours that the browser sent; the default for anything unknown."""
    return next((hours for hours in DURATIONS if str(hours) == value), DEFAULT_DURATION)


def default_deadline(coming: Sequence[ForecastHour], now_utc: datetime) -> str:
    """Return the deadline that is meant while the reader has chosen none."""
    return DAY_END if day_end(coming, now_utc) < coming[-1].start_utc + HOUR else FORECAST_END


def deadlines(
    coming: Sequence[ForecastHour], now_utc: datetime, duration_hours: int, chosen: object
) -> list[tuple[str, datetime]]:
    """Return the deadlines that are late enough for the duration: pairs of value and instant.

    The deadline that the reader has chosen stays in the list until it is past, even when it is too early.
    The last one, the end of the forecast, is always there.
    """
    near, last = day_end(coming, now_utc), coming[-1].start_utc + HOUR
    found = []
    for hour in coming:
        end = hour.start_utc + HOUR
        value = DAY_END if end == near else end.isoformat()
        fits = end - now_utc >= duration_hours * HOUR or (value == chosen and end > now_utc)
        offered = end <= near or danish(end).hour % FAR_STEP == 0 or value == chosen
        if fits and offered and end < last:
            found.append((value, end))
    return [*found, (FORECAST_END, last)]


def deadline_of(
    coming: Sequence[ForecastHour], now_utc: datetime, duration_hours: int, before: object
) -> Deadline:
    """Return the deadline that is meant by ``before``, which is as the browser sent it."""
    last = coming[-1].start_utc + HOUR
    if before == FORECAST_END:
        return Deadline(last)
    chosen = _instant(before)
    if chosen is None:
        return Deadline(day_end(coming, now_utc))
    if chosen - now_utc < duration_hours * HOUR:
        return Deadline(day_end(coming, now_utc), unmet=chosen)
    return Deadline(min(chosen, last))


def advice_for(
    coming: Sequence[ForecastHour], now_utc: datetime, duration: object, before: object
) -> Advice | None:
    """Return the advice for what the browser sent; None where no stretch fits."""
    if not coming:
        return None
    hours = chosen_duration(duration)
    try:
        return advise(coming, now_utc, hours * HOUR, deadline_of(coming, now_utc, hours, before).end_utc)
    except NoWindow:
        return None


def _instant(before: object) -> datetime | None:
    """Return the naive UTC instant that was sent; None for anything else."""
    try:
        instant = datetime.fromisoformat(before) if isinstance(before, str) else None
        return None if instant is None or instant.tzinfo else bounded_utc(instant)
    except ValueError:
        return None
