"""The cleanest time to use power in the coming hours, and how certain that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from co2_assets.contracts.danish_time import hours_phrase
from co2_assets.contracts.time import HOUR

# The 10 % and 90 % quantiles of a normal distribution are this many standard deviations from its mean.
_Z80 = 1.2815515655446004
# A greater chance is not told in tenths.
NEARLY_SURE = 0.95


@dataclass(frozen=True)
class ForecastHour:
    """One hour of a forecast: the median and the ends of the 80 % band, in g/kWh."""

    start_utc: datetime
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Stretch:
    """Mean carbon intensity in g/kWh over ``[start_utc, end_utc)`` with its 80 % band.

    The band assumes that the errors of the hours are fully correlated, which is nearly true. With
    independent errors it would be narrower.
    """

    start_utc: datetime
    end_utc: datetime
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Advice:
    """The cleanest stretch, compared with starting now.

    ``saving_percent`` compares the medians. ``chance_cleaner`` is the probability that the stretch is
    cleaner than starting now, if both errors are normal and independent of each other. In fact they
    are correlated, so the true probability is closer to 1. It is None when both stretches are the same.
    """

    best: Stretch
    now: Stretch
    saving_percent: float
    chance_cleaner: float | None

    @property
    def is_now(self) -> bool:
        return self.best.start_utc == self.now.start_utc


class NoWindow(ValueError):  # noqa: N818 -- an answer to the request, not a failure
    """No stretch of the requested length fits; the message says what it does not fit into."""


def advise(
    hours: Sequence[ForecastHour], now_utc: datetime, duration: timedelta, before_utc: datetime
) -> Advice:
    """Return the cleanest stretch of ``duration`` that begins at or after now and ends by ``before_utc``.

    Only stretches that begin now, begin on a full hour or end on a full hour are compared, because the
    mean of an hourly forecast is lowest at one of these. Among equal ones the earliest is returned.
    Raises NoWindow when no stretch fits.
    """
    covered_until = _covered_until(hours, now_utc)
    latest_start = min(before_utc, covered_until) - duration
    if latest_start < now_utc:
        limit = "the deadline" if before_utc < covered_until else "the end of the forecast"
        raise NoWindow(f"{hours_phrase(duration)} do not fit between now and {limit}")
    edges = [hour.start_utc for hour in hours] + [covered_until]
    starts = {now_utc, latest_start, *edges, *(edge - duration for edge in edges)}
    candidates = [
        mean_over(hours, start, duration) for start in sorted(starts) if now_utc <= start <= latest_start
    ]
    best = min(candidates, key=lambda stretch: (round(stretch.median, 6), stretch.start_utc))
    now = candidates[0]
    saving = 100 * (now.median - best.median) / now.median if now.median > 0 else 0.0
    return Advice(best, now, saving, None if best == now else chance_cleaner(best, now))


def mean_over(hours: Sequence[ForecastHour], start_utc: datetime, duration: timedelta) -> Stretch:
    """Return the mean over ``[start_utc, start_utc + duration)``; the forecast must cover all of it."""
    end_utc = start_utc + duration
    median = low = high = 0.0
    for hour in hours:
        shared = min(end_utc, hour.start_utc + HOUR) - max(start_utc, hour.start_utc)
        if shared > timedelta(0):
            share = shared / duration
            median += share * hour.median
            low += share * hour.low
            high += share * hour.high
    return Stretch(start_utc, end_utc, median, low, high)


def _covered_until(hours: Sequence[ForecastHour], now_utc: datetime) -> datetime:
    """Return until when the forecast covers every hour from now on; ``now_utc`` if it does not cover now."""
    end = now_utc
    for hour in hours:
        if hour.start_utc <= end < hour.start_utc + HOUR:
            end = hour.start_utc + HOUR
    return end


def chance_cleaner(one: Stretch, other: Stretch) -> float:
    """Return the probability that ``one`` is cleaner, if both errors are normal and independent."""
    spread = math.hypot(one.high - one.low, other.high - other.low) / (2 * _Z80)
    gap = other.median - one.median
    if spread == 0:
        return 1.0 if gap > 0 else 0.5
    return 0.5 * (1 + math.erf(gap / spread / math.sqrt(2)))
