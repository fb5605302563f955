"""How sure a mean difference of forecasts is, whose errors hang together in time."""

import math

import numpy as np
from numpy.typing import NDArray


def standard_error(values: NDArray[np.float64], correlated: int) -> float:
    """Standard error of the mean of equally spaced ``values``; 0 where they do not vary.

    Newey and West, "A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent
    covariance matrix" (1987), over ``correlated`` lags.
    """
    centred = values - values.mean()
    count = len(centred)
    variance = float(centred @ centred) / count
    for lag in range(1, min(correlated, count - 1) + 1):
        weight = 1 - lag / (correlated + 1)
        variance += 2 * weight * float(centred[lag:] @ centred[:-lag]) / count
    return math.sqrt(max(variance, 0.0) / count)
