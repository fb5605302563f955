"""Measures of a forecast. Arrays of equal length, no gaps: the caller pairs forecast and truth.

All give NaN for empty input. ``actual`` and ``forecast`` are in the same unit, which is that of the
absolute measures.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mae(actual: Floats, forecast: Floats) -> float:
    """Mean absolute error."""
    return _mean(np.abs(actual - forecast))


def mse(actual: Floats, forecast: Floats) -> float:
    """Mean squared error."""
    return _mean((actual - forecast) ** 2)


def rmse(actual: Floats, forecast: Floats) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mse(actual, forecast)))


def mape(actual: Floats, forecast: Floats) -> float:
    """Mean absolute percentage error, %. Hours whose actual is 0 have no percentage: left out."""
    real = actual != 0
    return 100 * _mean(np.abs((actual[real] - forecast[real]) / actual[real]))


def accuracy(actual: Floats, forecast: Floats) -> float:
    """100 - MAPE, %."""
    return 100 - mape(actual, forecast)


def r2(actual: Floats, forecast: Floats) -> float:
    """Coefficient of determination; NaN when the actual never varies."""
    if not len(actual):
        return float("nan")
    spread = float(np.sum((actual - actual.mean()) ** 2))
    return 1 - float(np.sum((actual - forecast) ** 2)) / spread if spread > 0 else float("nan")


def skill(error: float, reference: float) -> float:
    """1 - error / reference: the share of the reference's error that was avoided."""
    return 1 - error / reference if reference > 0 else float("nan")


def pinball_loss(actual: Floats, quantiles: Floats, levels: tuple[float, ...]) -> float:
    """Mean pinball loss; ``quantiles`` is (len(actual), len(levels))."""
    error = actual[:, None] - quantiles
    share = np.array(levels)
    return _mean(np.maximum(share * error, (share - 1) * error))


def crps(actual: Floats, quantiles: Floats, levels: tuple[float, ...]) -> float:
    """Continuous ranked probability score, approximated from quantiles.

    It is twice the integral of the pinball loss over all levels (Gneiting and Ranjan, "Comparing
    density forecasts using threshold- and quantile-weighted scoring rules", 2011); taken by the
    trapezoid rule, with the outermost levels standing for the tails beyond them.
    """
    error = actual[:, None] - quantiles
    share = np.array(levels)
    losses = np.maximum(share * error, (share - 1) * error)
    edges = np.concatenate([[0.0], (share[1:] + share[:-1]) / 2, [1.0]])
    return _mean(2 * (losses * np.diff(edges)).sum(axis=1))


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Share of actuals inside the band, its edges included, %."""
    return 100 * _mean(((actual >= lower) & (actual <= upper)).astype(np.float64))


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
