"""Bands that hold what they promise."""

import numpy as np
import pytest

from co2_assets.contracts.forecast_spec import MEDIAN, QUANTILES
from co2_assets.forecasting.calibration import (
    POOLED_LEADS,
    PRIOR_OUTCOMES,
    conformal_offsets,
    half_band,
    offsets_as_of,
    pooled_over_leads,
    recalibrated,
    scaled_errors,
)

LEVELS = len(QUANTILES)
# Raw quantiles of a standard normal, for two leads.
NORMAL = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])


def raw(count: int, scale: float = 10.0) -> np.ndarray:
    return np.broadcast_to(100 + scale * NORMAL, (count, 2, LEVELS)).copy()


def actuals(count: int, scale: float) -> np.ndarray:
    return 100 + scale * np.random.default_rng(8).normal(size=(count, 2))


def test_bands_half_as_wide_as_they_should_be_are_put_right():
    truth = actuals(4000, 20.0)
    offsets, count = conformal_offsets(scaled_errors(raw(4000), truth))
    assert count.tolist() == [4000, 4000]
    quantiles = recalibrated(raw(4000), np.broadcast_to(offsets, (4000, 2, LEVELS)), np.ones((4000, 2)))
    for low, high, share in ((0, 6, 0.9), (1, 5, 0.8), (2, 4, 0.5)):
        inside = (truth >= quantiles[..., low]) & (truth <= quantiles[..., high])
        assert inside.mean() == pytest.approx(share, abs=0.005)
    np.testing.assert_array_equal(quantiles[..., MEDIAN], raw(4000)[..., MEDIAN])


def test_offsets_against_numpy_with_unknown_outcomes():
    truth = actuals(50, 15.0)
    truth[7, 0] = truth[9, 0] = np.nan
    errors = scaled_errors(raw(50), truth)
    offsets, count = conformal_offsets(errors)
    assert count.tolist() == [48, 50]
    for column, level in enumerate(QUANTILES):
        if column != MEDIAN:
            expected = np.nanquantile(errors[..., column], level, axis=0)
            np.testing.assert_allclose(offsets[:, column], expected)


def test_without_outcomes_nothing_moves():
    offsets, count = conformal_offsets(np.empty((0, 2, LEVELS)))
    assert offsets.tolist() == np.zeros((2, LEVELS)).tolist()
    assert count.tolist() == [0, 0]
    offsets, count = conformal_offsets(np.full((3, 2, LEVELS), np.nan))
    assert not offsets.any()
    assert not count.any()


def test_only_outcomes_known_at_the_time_count():
    marks = np.array([0, 6, 12, 18])
    errors = np.zeros((4, 24, LEVELS))
    errors[:, :, :] = np.arange(4.0)[:, None, None]
    stored = np.full((24, LEVELS), -5.0)
    offsets = offsets_as_of(np.array([13]), marks, errors, stored)[0]
    # Lead 1 of the marks 0, 6 and 12 is over at hour 13, leads 2 to 7 of the first two, leads 8 to 13
    # of the first, later ones of none. A lead counts by its own outcomes.
    over = {lead: [0, 1, 2] if lead == 1 else [0, 1] if lead <= 7 else [0] for lead in range(1, 14)}
    for lead in (1, 2, 8, 14):
        known = over.get(lead, [])
        near = range(lead - POOLED_LEADS, lead + POOLED_LEADS + 1)
        weight = len(known) / (len(known) + PRIOR_OUTCOMES)
        online = np.quantile([mark for other in near for mark in over.get(other, [])], 0.9)
        assert offsets[lead - 1, 5] == pytest.approx(weight * online + (1 - weight) * -5.0)


def test_pooling_takes_the_leads_on_either_side():
    errors = np.arange(24.0)[None, :, None] + 100 * np.arange(3.0)[:, None, None] + np.zeros(LEVELS)
    pooled = pooled_over_leads(errors)
    for lead in (0, 1, 12, 23):
        near = [n for n in range(lead - POOLED_LEADS, lead + POOLED_LEADS + 1) if 0 <= n < 24]
        values = pooled[:, lead, 0]
        assert sorted(values[~np.isnan(values)]) == sorted(errors[:, near, 0].ravel())


def test_marks_long_past_no_longer_count():
    stored = np.zeros((24, LEVELS))
    offsets = offsets_as_of(np.array([24 * 60]), np.array([0]), np.full((1, 24, LEVELS), 9.0), stored)
    assert not offsets.any()


def test_quantiles_stay_in_order_and_above_zero_whatever_the_offsets():
    rng = np.random.default_rng(3)
    offsets = rng.normal(0, 5, (200, 2, LEVELS))
    quantiles = recalibrated(raw(200), offsets, rng.uniform(1, 3, (200, 2)))
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    assert (quantiles >= 0).all()


def test_widening_spreads_around_the_median():
    plain = recalibrated(raw(1), np.zeros((1, 2, LEVELS)), np.ones((1, 2)))
    factors = np.array([[1.5, 2.0]])
    wide = recalibrated(raw(1), np.zeros((1, 2, LEVELS)), factors)
    np.testing.assert_allclose(half_band(wide), factors[..., None] * half_band(plain))
    np.testing.assert_array_equal(wide[..., MEDIAN], plain[..., MEDIAN])
