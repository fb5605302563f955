"""Bands that hold what they promise: conformal offsets from forecasts that have come true.

For every lead and quantile the offset is the matching quantile of past errors, measured in half
bands: (actual - forecast quantile) / (half the width of the raw 10-90 % band). This is the
conformalized quantile regression of Romano, Patterson and Candès (2019), one-sided for each quantile
and with locally scaled errors, over a moving window of outcomes known at the time, so that it follows
drift. The median stays the model's own.
"""

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import MEDIAN, QUANTILES

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Forecasts whose outcomes count: those issued on six-hour marks of the last weeks. What was known at the
# marks is kept (`pipeline.thinning`), so they can be issued again as they were.
RECALIBRATION_WINDOW = timedelta(days=28)
# A lead learns from the errors of this many leads on either side too: a hundred outcomes are few for
# the 5 % that lie beyond a band.
POOLED_LEADS = 2
# The stored offsets weigh as much as this many outcomes of one lead.
PRIOR_OUTCOMES = 40.0
# A raw band narrower than this is taken as this wide, g/kWh, so that no error is divided by nothing.
LEAST_HALF_BAND = 1.0

_LOW, _HIGH = QUANTILES.index(0.1), QUANTILES.index(0.9)


def half_band(raw: Floats) -> Floats:
    """Half the width of the 10-90 % band, g/kWh: (..., Q) to (..., 1)."""
    half: Floats = (raw[..., _HIGH] - raw[..., _LOW]) / 2
    return np.maximum(half, LEAST_HALF_BAND)[..., None]


def scaled_errors(raw: Floats, actual: Floats) -> Floats:
    """(actual - quantile) in half bands: (N, H, Q) and (N, H) to (N, H, Q), NaN where unknown."""
    return (actual[..., None] - raw) / half_band(raw)


def conformal_offsets(errors: Floats) -> tuple[Floats, Floats]:
    """Offsets in half bands from `scaled_errors` (N, H, Q), and how many outcomes each lead had.

    Returns (H, Q) and (H,). The offset of a quantile is the same quantile of its errors; 0 for the
    median, and where there is no outcome.
    """
    levels = np.array(QUANTILES)
    ordered = np.sort(errors, axis=0)  # NaN last
    count = (~np.isnan(errors[..., 0])).sum(axis=0)
    place = levels * (count[:, None] - 1)
    low = np.floor(np.maximum(place, 0)).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count[:, None] - 1, 0))
    lead, level = np.indices(low.shape)
    if not len(errors):
        return np.zeros(low.shape), count
    below, above = ordered[low, lead, level], ordered[high, lead, level]
    offsets = below + (above - below) * (place - low)
    offsets[count == 0] = 0.0
    offsets[:, MEDIAN] = 0.0
    return offsets, count


def pooled_over_leads(errors: Floats) -> Floats:
    """Each lead's errors with those of `POOLED_LEADS` on either side.

    (N, H, Q) to (N * (2 * POOLED_LEADS + 1), H, Q), NaN beyond the first and the last lead.
    """
    horizon = errors.shape[1]
    padded = np.pad(errors, ((0, 0), (POOLED_LEADS, POOLED_LEADS), (0, 0)), constant_values=np.nan)
    return np.concatenate([padded[:, shift : shift + horizon] for shift in range(2 * POOLED_LEADS + 1)])


def recalibrated(raw: Floats, offsets: Floats, widening: Floats) -> Floats:
    """Quantiles moved by their offsets, spread by ``widening`` >= 1 around the median, in order.

    ``raw`` (N, H, Q), ``offsets`` (N, H, Q), ``widening`` (N, H). Non-negative.
    """
    moved = raw + offsets * half_band(raw)
    spread = _spread(moved, widening)
    # Each side is pushed outwards from the median, so that offsets never make quantiles cross.
    spread[..., MEDIAN:] = np.maximum.accumulate(spread[..., MEDIAN:], axis=-1)
    spread[..., : MEDIAN + 1] = np.minimum.accumulate(spread[..., MEDIAN::-1], axis=-1)[..., ::-1]
    return np.maximum(spread, 0.0)


def widened(quantiles: Floats, widening: Floats) -> Floats:
    """Calibrated ``quantiles`` (N, H, Q), spread by ``widening`` (N, H) >= 1 around the median. Non-negative.

    Where the factor is 1 they stay as they are, to the last bit.
    """
    spread = np.where(widening[..., None] == 1, quantiles, _spread(quantiles, widening))
    return np.maximum(spread, 0.0)


def _spread(quantiles: Floats, widening: Floats) -> Floats:
    median = quantiles[..., MEDIAN : MEDIAN + 1]
    spread: Floats = median + (quantiles - median) * widening[..., None]
    return spread


def offsets_as_of(issue_hours: Integers, mark_hours: Integers, mark_errors: Floats, stored: Floats) -> Floats:
    """Offsets for each issue hour, from the marks whose outcomes were known by then: (N, H, Q).

    ``mark_errors`` (M, H, Q) are the `scaled_errors` of forecasts issued at ``mark_hours``
    (ascending); neighbouring leads are pooled. ``stored`` (H, Q) are the model's own, which fade as
    outcomes come in.
    """
    horizon = stored.shape[0]
    ahead = np.arange(1, horizon + 1)
    window = RECALIBRATION_WINDOW // timedelta(hours=1)
    result = np.empty((len(issue_hours), *stored.shape))
    for row, issue in enumerate(issue_hours):
        first, last = np.searchsorted(mark_hours, (issue - window, issue))
        marks = mark_hours[first:last]
        is_over = marks[:, None] + ahead <= issue
        errors = np.where(is_over[..., None], mark_errors[first:last], np.nan)
        count = (~np.isnan(errors[..., 0])).sum(axis=0)
        offsets, _ = conformal_offsets(pooled_over_leads(errors))
        weight = (count / (count + PRIOR_OUTCOMES))[:, None]
        result[row] = weight * offsets + (1 - weight) * stored
    return result
