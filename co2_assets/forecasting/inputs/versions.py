"""Values that were published more than once, or later than the hour they speak of."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# Seconds since 1970 stay below this until the year 2242, so hour * _SPAN + second orders by hour,
# then by second.
_SPAN = np.int64(2**33)
# Before every hour, for a series of which nothing is known.
NEVER_HOUR = -_SPAN


class Versions:
    """Every version of one hourly series, each with the instant from which it was knowable.

    ``hours`` are hours since 1970, ``known`` seconds since 1970, ``values`` the values; one entry
    per version, any order. ``values`` may have a second axis, of series that are published together: then
    a version is null if all of it is. Of versions of one hour knowable from the same instant, the later entry
    counts. Nulls are no versions, except where ``withdrawn`` is true: from then on nothing is known of
    the hour.
    """

    def __init__(
        self,
        hours: Integers,
        known: Integers,
        values: Floats,
        withdrawn: NDArray[np.bool_] | None = None,
    ) -> None:
        real = ~np.isnan(values).reshape(len(values), -1).all(axis=1) if len(values) else np.zeros(0, bool)
        if withdrawn is not None:
            real |= withdrawn
        order = np.lexsort((known[real], hours[real]))
        self._hours = hours[real][order]
        self._keys = self._hours * _SPAN + known[real][order]
        self._values = values[real][order]

    def at(self, hours: Integers, as_of: Integers) -> Floats:
        """The newest version knowable at ``as_of`` (seconds since 1970) for each of ``hours``.

        The two broadcast against each other; NaN where nothing was knowable. A second axis of the values
        comes last.
        """
        series = self._values.shape[1:]
        if not len(self._keys):
            return np.full((*np.broadcast_shapes(np.shape(hours), np.shape(as_of)), *series), np.nan)
        hours, as_of = np.broadcast_arrays(hours, as_of)
        index = np.searchsorted(self._keys, hours * _SPAN + as_of, side="right") - 1
        found = (index >= 0) & (self._hours[index] == hours)
        found = np.reshape(found, (*np.shape(found), *(1 for _ in series)))
        return np.where(found, self._values[index], np.nan)

    def last_hour(self, as_of: Integers) -> Integers:
        """The last hour of which a version was knowable at ``as_of``, `NEVER_HOUR` where there was none."""
        known = self._keys - self._hours * _SPAN
        order = np.argsort(known, kind="stable")
        furthest = np.maximum.accumulate(np.append(NEVER_HOUR, self._hours[order]))
        return furthest[np.searchsorted(known[order], as_of, side="right")]


def known_by_rule(key: Integers, published: Integers, rule: Integers) -> Integers:
    """Instant from which each version of a value is knowable, where a publication rule is known.

    The first version of a value that we hold may have been fetched long after it was out: it counts
    as known from ``rule``, or from ``published`` if that is earlier. Every later version is a
    revision, knowable only when it was published. ``key`` tells the values apart; all arrays have
    one entry per version.
    """
    order = np.lexsort((published, key))
    first = np.ones(len(key), dtype=bool)
    first[order[1:]] = key[order[1:]] != key[order[:-1]]
    return np.where(first, np.minimum(published, rule), published)


def codes(frame: pd.DataFrame, columns: list[str]) -> Integers:
    """One number per row, equal where the rows agree in ``columns``."""
    return frame.groupby(columns, sort=False).ngroup().to_numpy().astype(np.int64)
