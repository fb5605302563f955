"""The bench's own arithmetic: who was judged on what, and what is luck."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from bench.accuracy.contestants import Contestant
from bench.accuracy.picture import error_picture
from bench.accuracy.scores import RANGES, diebold_mariano, duel, measures, same_hours
from co2_assets.contracts.forecast_spec import HORIZON_HOURS

COUNT = 600


def actuals(seed: int = 0) -> np.ndarray:
    return 100 + 30 * np.random.default_rng(seed).normal(size=(COUNT, HORIZON_HOURS))


def off_by(actual: np.ndarray, scale: float, seed: int) -> np.ndarray:
    return actual + scale * np.random.default_rng(seed).normal(size=actual.shape)


def test_a_contestant_that_says_nothing_takes_the_hour_from_all():
    actual = actuals()
    silent = off_by(actual, 5.0, 1)
    silent[3, 4] = np.nan
    actual[7, 0] = np.nan
    judged = same_hours(actual, [Contestant("a", off_by(actual, 5.0, 2)), Contestant("b", silent)])
    assert not judged[3, 4]
    assert not judged[7, 0]
    assert judged.sum() == COUNT * HORIZON_HOURS - 2
    entries = measures(Contestant("a", actual + 2.0), actual, judged)
    assert [(entry["lead_from"], entry["lead_to"]) for entry in entries] == list(RANGES)
    assert all(entry["mae"] == pytest.approx(2.0) for entry in entries)
    assert entries[0]["n"] == COUNT - 1


def test_equally_good_forecasts_are_told_apart_no_more_often_than_by_chance():
    found = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        # Errors that stay alike for a day, as the weather does.
        weather = np.convolve(generator.normal(size=COUNT + 23), np.ones(24) / 24, mode="valid")
        losses = np.abs(weather[:, None] + generator.normal(0, 0.1, (COUNT, 2)))
        found += diebold_mariano(losses[:, 0], losses[:, 1]) < 0.05
    assert found / 200 < 0.12


def test_a_clearly_better_forecast_is_found():
    losses = np.abs(np.random.default_rng(4).normal(size=(COUNT, 2))) * [1.0, 1.5]
    assert diebold_mariano(losses[:, 0], losses[:, 1]) < 1e-6
    assert diebold_mariano(losses[:, 0], losses[:, 0]) == 1.0


def test_a_duel_is_fought_where_the_rival_spoke():
    actual = actuals()
    rival = off_by(actual, 20.0, 1)
    rival[:, 6:] = np.nan
    rival[:100, 0] = np.nan
    everywhere = np.ones(actual.shape, dtype=bool)
    entries = duel(Contestant("own", off_by(actual, 10.0, 2)), Contestant("it", rival), actual, everywhere)
    assert [(entry["lead"], entry["n"]) for entry in entries[:2]] == [(1, COUNT - 100), (2, COUNT)]
    assert len(entries) == 6
    assert all(entry["skill"] == pytest.approx(0.5, abs=0.06) and entry["p"] < 0.01 for entry in entries)


def test_the_picture_has_a_line_and_a_name_for_each():
    errors = {"one": [1.0 * lead for lead in range(1, 25)], "two": [5.0] * 6 + [None] * 18}
    root = ElementTree.fromstring(error_picture("errors", errors))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    points = sorted(len(line.attrib["points"].split()) for line in root.iter(f"{space}polyline"))
    assert points == [6, 24]
    assert {"one", "two", "errors"} <= {text.text for text in root.iter(f"{space}text")}
