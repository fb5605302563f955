"""The networks of the first day and those of the days beyond: what each is shown, learns and depends on."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import torch

from co2_assets.contracts.forecast_spec import HORIZON_HOURS, NEAR_HOURS, ROLLING_HOURS
from co2_assets.contracts.time import hour_of
from co2_assets.contracts.weather import WEATHER_POINTS
from co2_assets.forecasting.inputs.input_lists import (
    MASKABLE_FEEDS,
    WEATHER_FEED,
    far_inputs,
    future_inputs,
    wind_around,
)
from co2_assets.forecasting.inputs.known_data import WEATHER_COLUMNS, KnownData
from co2_assets.forecasting.inputs.windows import HANDOVER_HOURS, PAST_HOURS, Windows, build_windows
from co2_assets.forecasting.network.scaling import (
    FAR,
    LEAST_WEATHER_COVERAGE,
    NEAR,
    REACHES,
    Batch,
    Batches,
    Reach,
    fit_scaler,
)
from co2_assets.forecasting.network.trained_model import (
    NO_WEATHER_CAUSE,
    TrainedModel,
    raw_quantiles,
    raw_quantiles_held_out,
)
from co2_assets.forecasting.network.training import train
from co2_assets.forecasting.network.training_data import AreaTrainingData, prepare
from tests.support.worlds import TINY, TRAINED_UNTIL

EACH_REACH = pytest.mark.parametrize("reach", REACHES, ids=lambda reach: reach.name)
ISSUE_HOURS = hour_of(TRAINED_UNTIL) + np.arange(24, 30)


@pytest.fixture(scope="module")
def prepared(data: KnownData) -> AreaTrainingData:
    (own,) = prepare([data], TRAINED_UNTIL, TINY)
    return own


@pytest.fixture(scope="module")
def windows(data: KnownData) -> Windows:
    return build_windows(data, ISSUE_HOURS)


def moved(model: TrainedModel, windows: Windows, change: Callable[[Windows], None]) -> np.ndarray:
    """Which leads of any window are forecast otherwise after ``change``."""
    other = replace(windows, **{f.name: getattr(windows, f.name).copy() for f in fields(Windows)})
    change(other)
    differs = raw_quantiles(model, other) != raw_quantiles(model, windows)
    return 1 + np.flatnonzero(differs.any(axis=(0, 2)))


def test_the_reaches_are_the_horizon_without_a_gap() -> None:
    leads = [lead for reach in REACHES for lead in range(HORIZON_HOURS)[reach.leads]]
    assert sorted(set(leads)) == list(range(HORIZON_HOURS))
    assert (NEAR.hours, FAR.hours) == (NEAR_HOURS + HANDOVER_HOURS, HORIZON_HOURS - NEAR_HOURS)


def test_the_networks_take_over_from_one_another_step_by_step(model: TrainedModel, windows: Windows) -> None:
    near, far = (ensemble.quantiles(windows) for ensemble in model.ensembles)
    both = raw_quantiles(model, windows)
    np.testing.assert_allclose(both[:, :NEAR_HOURS], near[:, :NEAR_HOURS], rtol=1e-12)
    np.testing.assert_allclose(both[:, NEAR_HOURS + HANDOVER_HOURS :], far[:, HANDOVER_HOURS:], rtol=1e-12)
    for step in range(HANDOVER_HOURS):
        share = (step + 1) / (HANDOVER_HOURS + 1)
        mixed = (1 - share) * near[:, NEAR_HOURS + step] + share * far[:, step]
        np.testing.assert_allclose(both[:, NEAR_HOURS + step], mixed, rtol=1e-12)


def test_weather_of_a_later_hour_moves_earlier_hours_beyond_the_first_day_alone(
    model: TrainedModel, data: KnownData, windows: Windows
) -> None:
    storm = data.weather.copy()
    is_later = storm["hour_utc"] >= pd.Timestamp(TRAINED_UNTIL) + timedelta(hours=29 + 60)
    storm.loc[is_later, list(WEATHER_COLUMNS)] += 5.0
    other = build_windows(replace(data, weather=storm), ISSUE_HOURS)
    differs = (raw_quantiles(model, other) != raw_quantiles(model, windows)).any(axis=2)
    for row, issue_hour in enumerate(ISSUE_HOURS.tolist()):
        first_changed = hour_of(TRAINED_UNTIL) + 29 + 60 - issue_hour
        is_moved = differs[row]
        # The hours themselves, and through the way back those before them.
        assert is_moved[first_changed:].all()
        assert is_moved[NEAR_HOURS:first_changed].any()
        assert is_moved[first_changed - 1]
        assert not is_moved[:NEAR_HOURS].any()


def test_the_first_day_never_depends_on_the_inputs_of_the_days_beyond(
    model: TrainedModel, windows: Windows
) -> None:
    def other_far(changed: Windows) -> None:
        changed.far[:] += 1.0

    def no_far(changed: Windows) -> None:
        changed.far[:] = np.nan

    for change in (other_far, no_far):
        assert moved(model, windows, change).min() == NEAR_HOURS + 1


def test_the_days_beyond_never_depend_on_the_inputs_of_the_first(
    model: TrainedModel, windows: Windows
) -> None:
    def other_near(changed: Windows) -> None:
        changed.future[:] += 1.0

    assert moved(model, windows, other_near).max() == NEAR_HOURS + HANDOVER_HOURS


def test_an_hour_of_the_first_day_is_moved_by_a_later_one(model: TrainedModel, windows: Windows) -> None:
    def later(changed: Windows) -> None:
        changed.future[:, 10:] += 1.0

    assert moved(model, windows, later).min() == 1


@EACH_REACH
def test_rows_of_batches_are_those_of_the_joined_batch(
    model: TrainedModel, data: KnownData, reach: Reach
) -> None:
    (ensemble,) = (own for own in model.ensembles if own.layer.reach is reach)
    starts = (0, 5, 5, 20)
    parts = [
        replace(
            ensemble.layer.batch(build_windows(data, ISSUE_HOURS[0] + np.arange(a, b))),
            area=torch.full((b - a,), number),
        )
        for number, (a, b) in enumerate(zip(starts, (5, 5, 20, 21), strict=True))
    ]
    assert [len(part) for part in parts] == [5, 0, 15, 1]
    batches, joined = Batches(parts), Batch.joined(parts)
    assert len(batches) == len(joined) == 21
    index = torch.tensor([20, 3, 7, 0, 19, 7, 5, 4])
    rows = batches.rows(index)
    # Those of each part together, in the order asked for.
    in_parts = torch.tensor([3, 0, 4, 7, 19, 7, 5, 20])
    expected = joined.rows(in_parts)
    for field in fields(Batch):
        assert torch.equal(getattr(rows, field.name).nan_to_num(), getattr(expected, field.name).nan_to_num())
    one = batches.rows(torch.tensor([20]))
    assert torch.equal(one.past, joined.past[20:])


def test_batches_hold_nothing_twice(model: TrainedModel, data: KnownData) -> None:
    parts = [
        model.far.layer.batch(build_windows(data, ISSUE_HOURS[0] + np.arange(first, first + 4)))
        for first in (0, 4)
    ]
    batches = Batches(parts)
    # What is written into a part is seen through the batches: they have no copy.
    parts[1].past[2] = 123.0
    assert (batches.rows(torch.tensor([6])).past == 123.0).all()
    assert Batch.joined(parts[:1]) is parts[0]


def test_training_holds_no_window_beside_those_it_needs(prepared: AreaTrainingData) -> None:
    for held in (prepared.held_out, prepared.test):
        for field in fields(Windows):
            array = getattr(held, field.name)
            # No view that would keep the windows alive of which it is a part.
            assert array.base is None or array.base.nbytes <= array.nbytes, field.name
    assert prepared.test.far.size == 0
    near, far = prepared.shown["near"], prepared.shown["far"]
    assert len(near.parts[0]) == len(prepared.split.fitted)
    assert len(far.parts[0]) == -(-len(near.parts[0]) // TINY.far_every)


@EACH_REACH
def test_no_network_learns_an_hour_of_its_own_block(prepared: AreaTrainingData, reach: Reach) -> None:
    shown = prepared.shown[reach.name]
    assert sum(len(part) for part in shown.parts) == len(shown.issue_hours)
    # Those shown with late measurements are among them.
    assert len(shown.parts) > 1
    count = TINY.networks_of(reach)
    blocks = np.array_split(prepared.held_out.issue_hours, count)
    span = np.arange(-PAST_HOURS - max(ROLLING_HOURS) + 1, HORIZON_HOURS)
    for network, block in enumerate(blocks):
        assert block.tolist() == prepared.hours[shown.split.held_out[network]].tolist()
        learnt = shown.issue_hours[shown.learns(network)]
        assert len(learnt) > 200 // (1 if reach is NEAR else TINY.far_every)
        assert not np.isin(learnt[:, None] + span, block[:, None] + span).any()
        validation = prepared.validation(reach, network)
        expected = shown.layer.batch(build_windows(prepared.known, block))
        for field in fields(Batch):
            own, other = getattr(validation, field.name), getattr(expected, field.name)
            assert torch.equal(own.nan_to_num(), other.nan_to_num())


def test_what_was_held_out_is_forecast_by_the_network_that_did_not_learn_it(
    model: TrainedModel, prepared: AreaTrainingData
) -> None:
    held_out = prepared.held_out
    quantiles = raw_quantiles_held_out(model, held_out)
    assert quantiles.shape[:2] == (len(held_out), HORIZON_HOURS)
    for ensemble, own in zip(
        model.ensembles,
        (slice(0, NEAR_HOURS), slice(NEAR_HOURS + HANDOVER_HOURS, HORIZON_HOURS)),
        strict=True,
    ):
        first = ensemble.layer.reach.leads.start
        for number, block in enumerate(np.array_split(np.arange(len(held_out)), len(ensemble.networks))):
            alone = replace(ensemble, networks=(ensemble.networks[number],))
            np.testing.assert_allclose(
                quantiles[block, own],
                alone.quantiles(held_out.take(block))[:, own.start - first : own.stop - first],
                rtol=1e-12,
            )


def test_hidden_weather_is_like_weather_that_is_not_there(model: TrainedModel, data: KnownData) -> None:
    hours = ISSUE_HOURS[:4]
    gone = build_windows(replace(data, weather=data.weather.iloc[:0]), hours)
    hidden = raw_quantiles_held_out(model, build_windows(data, hours), WEATHER_FEED)
    np.testing.assert_array_equal(hidden, raw_quantiles_held_out(model, gone))


@EACH_REACH
@pytest.mark.parametrize("feed", MASKABLE_FEEDS)
def test_every_feed_has_inputs_that_stand_together(data: KnownData, reach: Reach, feed: str) -> None:
    positions = [number for number, i in enumerate(reach.inputs(data.area)) if i.feed == feed]
    assert positions == list(range(positions[0], positions[-1] + 1))


@pytest.mark.parametrize("share", [LEAST_WEATHER_COVERAGE - 0.15, LEAST_WEATHER_COVERAGE + 0.15])
def test_a_place_known_in_less_than_half_of_the_history_is_not_used(data: KnownData, share: float) -> None:
    hours = data.first_hour + 48 + np.arange(480)
    since = pd.Timestamp("1970-01-01") + timedelta(hours=int(hours[round(480 * (1 - share))]))
    weather = data.weather
    late = (weather["point"] == "Anholt") & (weather["hour_utc"] < since)
    windows = build_windows(replace(data, weather=weather[~late]), hours)
    for reach, inputs in ((NEAR, future_inputs(data.area)), (FAR, far_inputs(data.area))):
        used = fit_scaler(windows, data.area, reach).future_used
        is_weather = {i.name: bool(u) for i, u in zip(inputs, used, strict=True) if i.feed == WEATHER_FEED}
        assert {name for name, u in is_weather.items() if not u} == (
            {name for name in is_weather if name.startswith("anholt")} if share < 0.5 else set()
        )


def test_a_model_trained_without_weather_says_so_and_uses_none(
    model: TrainedModel, data: KnownData, windows: Windows
) -> None:
    assert model.standing_causes == ()
    assert all(ensemble.layer.uses(WEATHER_FEED) for ensemble in model.ensembles)
    smallest = replace(TINY, ensemble=1, epochs=1, far_ensemble=1, far_epochs=1)
    without = train(
        replace(data, weather=data.weather.iloc[:0]), until=TRAINED_UNTIL, seed=3, config=smallest
    )
    assert without.standing_causes == (NO_WEATHER_CAUSE,)
    assert not any(ensemble.layer.uses(WEATHER_FEED) for ensemble in without.ensembles)
    # Whatever weather comes in later, it is not looked at.
    gone = build_windows(replace(data, weather=data.weather.iloc[:0]), ISSUE_HOURS)
    np.testing.assert_array_equal(raw_quantiles(without, windows), raw_quantiles(without, gone))


def test_the_wind_around_each_place_is_an_input_of_the_first_day(data: KnownData) -> None:
    names = [i.name for i in future_inputs(data.area) if i.feed == WEATHER_FEED]
    assert names == [wind_around(point.name) for point in WEATHER_POINTS]
