"""The cleanest and the dirtiest hours of each of the coming Danish days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from co2_assets.advice.cleanest_window import ForecastHour, Stretch, chance_cleaner, mean_over
from co2_assets.contracts.danish_time import danish
from co2_assets.contracts.time import HOUR

# As long as a wash, a dishwasher or a part of a car's charge takes.
STRETCH_HOURS = 3


@dataclass(frozen=True)
class DayAhead:
    """One Danish day: the cleanest and the dirtiest `STRETCH_HOURS` in a row among the hours to come.

    ``n_hours`` are forecast and begin after now; the first and the last day are seldom whole.
    ``chance_cleaner`` is the probability that the cleanest stretch is really cleaner than the dirtiest, as
    `cleanest_window.Advice` has it. It is None when both are the same.
    """

    day: date
    n_hours: int
    cleanest: Stretch
    dirtiest: Stretch
    chance_cleaner: float | None


def days_ahead(hours: Sequence[ForecastHour], now_utc: datetime) -> list[DayAhead]:
    """Return each Danish day that has `STRETCH_HOURS` in a row among the hours that begin after now.

    A stretch lies within its day. Among equal ones the earliest is returned.
    """
    coming = [hour for hour in hours if hour.start_utc > now_utc]
    days = []
    for day, members in groupby(coming, key=lambda hour: danish(hour.start_utc).date()):
        own = list(members)
        found = stretches(own, STRETCH_HOURS)
        if not found:
            continue
        cleanest = min(found, key=lambda stretch: (round(stretch.median, 6), stretch.start_utc))
        dirtiest = min(found, key=lambda stretch: (-round(stretch.median, 6), stretch.start_utc))
        chance = None if cleanest == dirtiest else chance_cleaner(cleanest, dirtiest)
        days.append(DayAhead(day, len(own), cleanest, dirtiest, chance))
    return days


def stretches(hours: Sequence[ForecastHour], length_hours: int) -> list[Stretch]:
    """Return every stretch of so many of the hours in a row, the earliest first."""
    return [
        mean_over(hours, first.start_utc, length_hours * HOUR)
        for first, last in zip(hours, hours[length_hours - 1 :], strict=False)
        if last.start_utc - first.start_utc == (length_hours - 1) * HOUR
    ]
