"""The Carbon Aware SDK's rules for the points of a forecast and for windows that roll over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

DECIMALS = 3


class BadChoice(ValueError):  # noqa: N818 -- an answer to the request, not a failure
    """A choice that the forecast does not allow; ``parameter`` is its name in the SDK."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True)
class Point:
    """Mean intensity in g/kWh over ``[start, end)``."""

    start: datetime
    duration: timedelta
    value: float

    @property
    def end(self) -> datetime:
        return self.start + self.duration


@dataclass(frozen=True)
class Chosen:
    """The points or windows that were asked for, and those of the least value, with the choices that hold.

    ``window`` is zero where the points stand as they are.
    """

    start: datetime
    end: datetime
    window: timedelta
    data: tuple[Point, ...]
    optimal: tuple[Point, ...]


def choose(
    points: Sequence[Point],
    start: datetime | None = None,
    end: datetime | None = None,
    window_minutes: int | None = None,
) -> Chosen:
    """Return the points between two instants, or the means over windows of them.

    ``points`` are in order, and there is at least one. A point is kept when it ends after the start and
    begins no later than the end, as the SDK does. Raises BadChoice for instants outside of the forecast or in
    the wrong order, for a negative window, and for a window over points with a gap.
    """
    first, last = points[0], points[-1]
    since, until = start or first.start, end or last.end
    for name, instant in (("dataStartAt", since), ("dataEndAt", until)):
        if not first.start <= instant <= last.end:
            raise BadChoice(name, f"must lie in the forecast, {_iso(first.start)} to {_iso(last.end)}")
    if since >= until:
        raise BadChoice("dataStartAt", "must lie before dataEndAt")
    kept = [point for point in points if point.end > since and point.start <= until]
    window = timedelta(minutes=window_minutes or 0)
    if window < timedelta(0):
        raise BadChoice("windowSize", "must be a number of minutes over 0")
    data = _means(kept, since, until, window) if window else kept
    rounded = tuple(Point(point.start, point.duration, round(point.value, DECIMALS)) for point in data)
    least = min((point.value for point in rounded), default=0.0)
    optimal = tuple(point for point in rounded if point.value == least)
    return Chosen(since, end or last.start, window, rounded, optimal)


def _means(kept: Sequence[Point], since: datetime, until: datetime, window: timedelta) -> list[Point]:
    """Return the mean over each window between the two instants, each a point's duration after the last."""
    if any(earlier.end != later.start for earlier, later in pairwise(kept)):
        raise BadChoice("windowSize", "the forecast has a gap, so that no window can be averaged over it")
    begin, step = max(since, kept[0].start), kept[0].duration
    until = min(until, kept[-1].end)
    means = []
    while begin + window <= until:
        means.append(mean_over(kept, begin, begin + window))
        begin += step
    return means


def mean_over(points: Sequence[Point], start: datetime, end: datetime) -> Point:
    """Return the mean over ``[start, end)``, weighted by time; the points must cover all of it."""
    total = sum(
        point.value * (min(end, point.end) - max(start, point.start)).total_seconds()
        for point in points
        if point.end > start and point.start < end
    )
    return Point(start, end - start, total / (end - start).total_seconds())


def covers(points: Sequence[Point], start: datetime, end: datetime) -> bool:
    """Return whether points in order cover every instant of ``[start, end)``."""
    reached = start
    for point in points:
        if point.start <= reached < point.end:
            reached = point.end
    return reached >= end


def _iso(instant: datetime) -> str:
    return f"{instant.isoformat(timespec='seconds')}Z"
