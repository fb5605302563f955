"""Each measure against the loop one would write by hand."""

import math

import numpy as np
import pytest

from co2_assets.contracts.forecast_spec import QUANTILES
from co2_assets.forecasting import metrics

RNG = np.random.default_rng(5)
ACTUAL = RNG.uniform(20, 200, 60)
FORECAST = ACTUAL + RNG.normal(0, 15, 60)
BANDS = FORECAST[:, None] + np.sort(RNG.normal(0, 20, (60, len(QUANTILES))), axis=1)
PAIRS = list(zip(ACTUAL.tolist(), FORECAST.tolist(), strict=True))


def test_absolute_and_squared_errors():
    absolute = sum(abs(a - f) for a, f in PAIRS) / len(PAIRS)
    squared = sum((a - f) ** 2 for a, f in PAIRS) / len(PAIRS)
    assert metrics.mae(ACTUAL, FORECAST) == pytest.approx(absolute)
    assert metrics.mse(ACTUAL, FORECAST) == pytest.approx(squared)
    assert metrics.rmse(ACTUAL, FORECAST) == pytest.approx(math.sqrt(squared))


def test_percentage_error_and_accuracy():
    percentage = 100 * sum(abs(a - f) / a for a, f in PAIRS) / len(PAIRS)
    assert metrics.mape(ACTUAL, FORECAST) == pytest.approx(percentage)
    assert metrics.accuracy(ACTUAL, FORECAST) == pytest.approx(100 - percentage)


def test_an_hour_without_emission_has_no_percentage():
    assert metrics.mape(np.array([0.0, 50.0]), np.array([10.0, 60.0])) == pytest.approx(20)


def test_r2():
    mean = sum(a for a, _ in PAIRS) / len(PAIRS)
    expected = 1 - sum((a - f) ** 2 for a, f in PAIRS) / sum((a - mean) ** 2 for a, _ in PAIRS)
    assert metrics.r2(ACTUAL, FORECAST) == pytest.approx(expected)
    assert math.isnan(metrics.r2(np.array([3.0, 3.0]), np.array([3.0, 4.0])))


def test_skill():
    assert metrics.skill(6.0, 8.0) == pytest.approx(0.25)
    assert math.isnan(metrics.skill(6.0, 0.0))


def test_pinball_loss():
    total = 0.0
    for row, actual in enumerate(ACTUAL):
        for column, level in enumerate(QUANTILES):
            quantile = BANDS[row, column]
            total += level * (actual - quantile) if actual >= quantile else (1 - level) * (quantile - actual)
    assert metrics.pinball_loss(ACTUAL, BANDS, QUANTILES) == pytest.approx(total / BANDS.size)


def test_crps_of_many_quantiles_is_that_of_the_distribution():
    levels = tuple(np.linspace(0.0005, 0.9995, 1000))
    normal = np.sort(np.random.default_rng(1).normal(0, 1, 200_000))
    quantiles = np.quantile(normal, levels)[None, :]
    # The CRPS of a standard normal at its mean is (sqrt(2) - 1) / sqrt(pi).
    expected = (math.sqrt(2) - 1) / math.sqrt(math.pi)
    assert metrics.crps(np.array([0.0]), quantiles, levels) == pytest.approx(expected, rel=0.02)


def test_coverage_counts_the_edges():
    actual = np.array([1.0, 2.0, 3.0, 4.0])
    assert metrics.coverage(actual, np.full(4, 2.0), np.full(4, 3.0)) == 50.0


def test_nothing_measured_is_not_a_number():
    empty = np.empty(0)
    for measure in (metrics.mae, metrics.mse, metrics.rmse, metrics.mape, metrics.accuracy, metrics.r2):
        assert math.isnan(measure(empty, empty))
