"""Zeros that stand for no forecast or no price.

The service sometimes publishes zeros where it has nothing. Each rule here says how long, or beside
what, a zero was recorded as real (2023 and 2024), and takes the others for nulls.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.time import danish_days

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

# In 2023 and 2024 the price of one zone was exactly zero in at most 8 hours of a Danish day, and that of
# all six zones in at most 7. Twice the longest is more than any sunny day.
ZERO_PRICE_HOURS_OF_A_DAY = 16


def believed_zeros(
    hours: Integers,
    known: Integers,
    values: Floats,
    onshore_hours: Integers,
    onshore_known: Integers,
    onshore_values: Floats,
) -> tuple[Integers, Integers, Floats, Booleans]:
    """Take out of one zone's offshore or solar forecasts the zeros that stand for nulls.

    There is always some wind over a whole zone: an onshore forecast of exactly zero was recorded for
    15 or 24 hours on end only (eight times in DK1 in 2023 and 2024), with zeros for offshore wind and
    for the sun at noon beside it. So a zero counts as a null when the onshore forecast of the same hour
    that was published nearest to it is zero. The service stamps each type by itself, seconds to minutes
    apart: the nearest is looked for among those known by then, and a zero is judged again when another
    onshore forecast becomes known.

    Arguments and result have one entry per version, as `Versions` takes them; the last array says which
    entries take back what was known before.
    """
    real, onshore = ~np.isnan(values), ~np.isnan(onshore_values)
    hours, known, values = hours[real], known[real], values[real]
    onshore_hours, onshore_known = onshore_hours[onshore], onshore_known[onshore]
    is_null = onshore_values[onshore] == 0
    doubtful = np.intersect1d(hours[values == 0], onshore_hours[is_null])
    certain = ~np.isin(hours, doubtful)
    parts = [(hours[certain], known[certain], values[certain])]
    for hour in doubtful:
        own, beside = hours == hour, onshore_hours == hour
        instants, kept = _over_time(known[own], values[own], onshore_known[beside], is_null[beside])
        parts.append((np.full(len(kept), hour), instants, kept))
    all_hours, all_known, all_values = (np.concatenate(part) for part in zip(*parts, strict=True))
    return all_hours, all_known, all_values, np.isnan(all_values)


def _over_time(
    known: Integers, values: Floats, onshore_known: Integers, is_null: Booleans
) -> tuple[Integers, Floats]:
    """Return the instants at which the believed forecast of one hour changes, and its values (NaN: none)."""
    newest_first = np.argsort(known, kind="stable")[::-1]
    instants: list[int] = []
    believed: list[float] = []
    for now in np.unique(np.concatenate([known, onshore_known])):
        seen = onshore_known <= now
        value = np.nan
        for version in newest_first[known[newest_first] <= now]:
            if values[version] != 0 or not _nearest(known[version], onshore_known[seen], is_null[seen]):
                value = float(values[version])
                break
        instants.append(int(now))
        believed.append(value)
    return np.array(instants, np.int64), np.array(believed, np.float64)


def _nearest(instant: np.int64, onshore_known: Integers, is_null: Booleans) -> bool:
    """Return whether the onshore forecast published nearest to ``instant`` is null; of two, the later."""
    if not len(onshore_known):
        return False
    distance = np.abs(onshore_known - instant)
    order = np.lexsort((np.arange(len(distance)), onshore_known, -distance))
    return bool(is_null[order[-1]])


def days_of_zeros(zones: NDArray[np.object_], hours: Integers, prices: Floats) -> Booleans:
    """Return which prices are zeros that stand for nulls; one entry per price, hourly or not.

    ``hours`` are hours since 1970. The prices of a zone and a Danish day are published together, so they
    are judged together: zeros for most of a day are none.
    """
    is_null = np.zeros(len(prices), dtype=bool)
    is_zero = np.flatnonzero(prices == 0)
    if not len(is_zero):
        return is_null
    # One row for each zone and hour with a zero, then the count of them by zone and day.
    days = pd.DataFrame({"zone": zones[is_zero], "day": danish_days(hours[is_zero]), "hour": hours[is_zero]})
    is_null[is_zero] = days.groupby(["zone", "day"])["hour"].transform("nunique") >= ZERO_PRICE_HOURS_OF_A_DAY
    return is_null
