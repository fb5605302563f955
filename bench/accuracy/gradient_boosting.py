"""LightGBM, one model for each lead, on the same inputs: the strongest simple rival."""

import time

import lightgbm
import numpy as np
from numpy.typing import NDArray

from bench.accuracy.contestants import Contestant
from bench.accuracy.recording import Trial
from co2_assets.contracts.areas import Area
from co2_assets.contracts.forecast_spec import CO2, HORIZON_HOURS, NEAR_HOURS, POWERS
from co2_assets.forecasting.inputs.input_lists import past_inputs
from co2_assets.forecasting.inputs.windows import Windows

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

TREES = 400
PARAMETERS = {
    "objective": "l1",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "num_threads": 1,
    "seed": 1,
    "deterministic": True,
    "verbose": -1,
}
# Past hours whose values are given one by one: the last ones, half a day and a day ago.
CO2_HOURS = (-1, -2, -3, -4, -5, -6, -12, -24)
POWER_HOURS = (-1, -2, -3)


def boosted_trees(trial: Trial, name: str) -> Contestant:
    """Each lead's change from the last value, with the L1 loss; fitted to all of the training hours.

    The inputs of a lead are what the networks are shown of that hour, the newest past hours of all that
    was measured (carbon intensity as the difference from the last value), and the newest engineered
    past inputs. Missing values stay missing: trees know what to do with them.
    """
    train, test = trial.train, trial.test
    changes = train.target - train.last_value[:, None]
    median = np.empty((len(test), HORIZON_HOURS))
    past_train, past_test = (_past(windows, trial.data.area) for windows in (train, test))
    started = time.process_time()
    for lead in range(HORIZON_HOURS):
        known = ~np.isnan(changes[:, lead])
        inputs = np.concatenate([_coming(train, lead), past_train], axis=1)[known]
        model = lightgbm.train(PARAMETERS, lightgbm.Dataset(inputs, changes[known, lead]), TREES)
        inputs = np.concatenate([_coming(test, lead), past_test], axis=1)
        median[:, lead] = np.maximum(test.last_value + model.predict(inputs), 0.0)
    seconds = time.process_time() - started
    return Contestant(name, median, training_seconds=seconds, facts={"trees": TREES})


def _coming(windows: Windows, lead: int) -> Singles:
    """What the networks are shown of the hour ``lead`` hours after the first: (N, width)."""
    return windows.future[:, lead] if lead < NEAR_HOURS else windows.far[:, lead - NEAR_HOURS]


def _past(windows: Windows, area: Area) -> Floats:
    names = [i.name for i in past_inputs(area)]
    co2 = windows.past[:, CO2_HOURS, names.index(CO2)] - windows.last_value[:, None]
    powers = [windows.past[:, POWER_HOURS, names.index(power)] for power in POWERS]
    return np.concatenate([co2, *powers, windows.past[:, -1]], axis=1)
