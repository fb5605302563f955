"""Splits, scalers, the network and the training of it."""

import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from co2_assets.contracts.forecast_spec import (
    HEADLINE_LEADS,
    HORIZON_HOURS,
    MEASURED,
    NEAR_HOURS,
    QUANTILES,
    ROLLING_HOURS,
)
from co2_assets.contracts.time import hour_of
from co2_assets.forecasting.forecaster import TooLittleDataError
from co2_assets.forecasting.inputs.input_lists import PROGNOSIS_FEED, WIND_SOLAR_FEED
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import (
    FIRST_WINDOW_HOURS,
    PAST_HOURS,
    Windows,
    build_windows,
)
from co2_assets.forecasting.network.hour_network import FIRST_LEADS, SHARES, HourNetwork, NearNetwork
from co2_assets.forecasting.network.network import AttentionLstm, LockedDropout, pinball_loss
from co2_assets.forecasting.network.scaling import REACHES, InputLayer, Reach, fit_scaler
from co2_assets.forecasting.network.splits import (
    GAP_HOURS,
    MOST_TEST_WINDOWS,
    Split,
    split_in_time,
)
from co2_assets.forecasting.network.trained_model import TrainedModel, weights_bytes
from co2_assets.forecasting.network.training import EpochReport, train
from tests.support.worlds import TINY, TRAINED_UNTIL


def hours_of_part(windows: Windows, rows: np.ndarray) -> set[int]:
    """Every measured hour that any window of the part shows, or is judged by."""
    reach = range(-PAST_HOURS - max(ROLLING_HOURS) + 1, HORIZON_HOURS)
    return {int(hour) + shift for hour in windows.issue_hours[rows] for shift in reach}


EACH_REACH = pytest.mark.parametrize("reach", REACHES, ids=lambda reach: reach.name)


def weights(model: TrainedModel) -> bytes:
    return weights_bytes({ensemble.layer.reach.name: ensemble.networks for ensemble in model.ensembles})


def layer_for(data: KnownData, fitted_to: Windows, reach: Reach) -> InputLayer:
    return InputLayer(data.area, fit_scaler(fitted_to, data.area, reach), reach)


def learnt_by(split: Split, network: int) -> np.ndarray:
    return split.fitted[split.learns(network, split.issue_hours[split.fitted])]


def windows_of(data: KnownData, days: int = 40) -> Windows:
    return build_windows(data, np.arange(data.first_hour + 48, data.first_hour + 24 * days))


def test_no_network_is_judged_by_an_hour_it_has_seen(data: KnownData):
    windows = windows_of(data)
    split = split_in_time(windows.issue_hours, 3, 0.3, 0.15)
    test_hours = hours_of_part(windows, split.test)
    for network, block in enumerate(split.held_out):
        learnt = hours_of_part(windows, learnt_by(split, network))
        assert not learnt & hours_of_part(windows, block)
        assert max(learnt | hours_of_part(windows, block)) < min(test_hours)
    assert windows.issue_hours[split.test[-1]] == windows.issue_hours[-1]


def test_the_newest_hours_are_learnt_by_all_networks_but_one(data: KnownData):
    windows = windows_of(data)
    split = split_in_time(windows.issue_hours, 3, 0.4, 0.0)
    assert len(split.test) == 0
    assert split.fitted.tolist() == list(range(len(windows)))
    held_out = np.concatenate(split.held_out)
    assert held_out.tolist() == split.fitted[-len(held_out) :].tolist()
    assert len(held_out) == round(0.4 * len(windows))
    newest = [learnt_by(split, network)[-1] == len(windows) - 1 for network in range(3)]
    assert newest == [True, True, False]
    # All but the block and its gaps is learnt: a gap on either side of the second.
    second = split.held_out[1]
    assert len(learnt_by(split, 1)) == len(windows) - len(second) - 2 * GAP_HOURS


def test_the_test_part_of_a_long_history_is_three_weeks():
    hours = hour_of(TRAINED_UNTIL) + np.arange(24 * 600)
    split = split_in_time(hours, 4, 0.16, 0.1)
    assert len(split.test) == MOST_TEST_WINDOWS
    assert split.test[0] - split.fitted[-1] == GAP_HOURS + 1


def test_too_little_history_names_the_hours_needed(data: KnownData):
    with pytest.raises(
        TooLittleDataError, match=r"at least 600 hours .* there are 121: fetch 479 hours more"
    ):
        train(data, until=data.aggregated["hour_utc"].min().to_pydatetime() + timedelta(days=8), seed=0)


@pytest.fixture(scope="module")
def other_test_part(data: KnownData, model: TrainedModel) -> TrainedModel:
    """Trained where all that was measured in the test part is three times as much."""
    test_from = next(part.from_utc for part in model.record.parts if part.split == "test")
    aggregated = data.aggregated.copy()
    aggregated.loc[aggregated["hour_utc"] >= test_from, list(MEASURED)] *= 3.0
    return train(replace(data, aggregated=aggregated), until=TRAINED_UNTIL, seed=3, config=TINY)


def test_the_scaler_is_fitted_to_the_training_part_only(model: TrainedModel, other_test_part: TrainedModel):
    # Whatever the test hours were, the scaler is the same.
    other = other_test_part
    for own, expected in zip(other.ensembles, model.ensembles, strict=True):
        assert own.scaler.to_json() == expected.scaler.to_json()


def test_fitting_never_sees_the_test_part(model: TrainedModel, other_test_part: TrainedModel):
    other = other_test_part
    assert other.version == model.version
    assert other.record.curves == model.record.curves
    assert other.offsets.tolist() == model.offsets.tolist()
    assert other.record.metrics["test_mae_g_per_kwh"] != model.record.metrics["test_mae_g_per_kwh"]


def test_nothing_after_until_is_trained_on(data: KnownData, model: TrainedModel):
    other = train(data.cut(TRAINED_UNTIL), until=TRAINED_UNTIL, seed=3, config=TINY)
    assert other.version == model.version
    assert other.record == model.record
    assert max(part.to_utc for part in model.record.parts) == TRAINED_UNTIL


def test_same_data_and_seed_same_bits_reported_epoch_by_epoch(data: KnownData, model: TrainedModel):
    torch.manual_seed(99)  # the surrounding random state is none of its business
    state = torch.random.get_rng_state()
    reports: list[EpochReport] = []
    again = train(data, until=TRAINED_UNTIL, seed=3, config=TINY, progress=reports.append)
    assert [(report.reach, report.network, report.epoch) for report in reports] == [
        *(
            (reach, network, epoch)
            for network in (1, 2)
            for reach, epochs in (("near", 3), ("first", 2))
            for epoch in range(1, epochs + 1)
        ),
        *(("far", network, epoch) for network in (1, 2) for epoch in (1, 2)),
    ]
    losses = [(report.train_loss, report.validation_loss) for report in reports]
    assert losses == [epoch for curve in model.record.curves for epoch in curve]
    assert weights(again) == weights(model)
    assert again.version == model.version
    assert again.widening == model.widening
    assert torch.equal(torch.random.get_rng_state(), state)
    assert train(data, until=TRAINED_UNTIL, seed=4, config=TINY).version != model.version


def test_the_name_tells_area_time_seed_and_weights(model: TrainedModel):
    assert model.version == f"DK-20240401T0000Z-s3-{model.weights_sha256[:8]}"


def test_each_network_is_judged_on_its_own_block(data: KnownData, model: TrainedModel):
    known = data.cut(TRAINED_UNTIL)
    hours = np.arange(known.first_hour + FIRST_WINDOW_HOURS, hour_of(TRAINED_UNTIL) - NEAR_HOURS + 1)
    windows = build_windows(known, hours)
    windows = windows.take(np.flatnonzero((~np.isnan(windows.target[:, :NEAR_HOURS])).any(axis=1)))
    first, last = HEADLINE_LEADS
    weight = np.ones(HORIZON_HOURS)
    weight[first - 1 : last] = TINY.headline_weight
    curves = iter(model.record.curves)
    for ensemble, count in zip(model.ensembles, (TINY.ensemble, TINY.far_ensemble), strict=True):
        split = split_in_time(windows.issue_hours, count, TINY.validation_share, TINY.test_share)
        own = weight[ensemble.layer.reach.leads]
        for network, block in zip(ensemble.networks, split.held_out, strict=True):
            batch = ensemble.layer.batch(windows.take(block), torch.float64)
            parts = [(network, own / own.mean())]
            if isinstance(network, NearNetwork):
                parts = [(network.course, own / own.mean()), (network.first, np.ones(FIRST_LEADS))]
            for part, counts in parts:
                with torch.inference_mode():
                    quantiles = part(batch.past, batch.future, batch.area)
                    loss = pinball_loss(quantiles, batch.target[:, : len(counts)], torch.tensor(counts))
                assert loss.item() == pytest.approx(next(curves)[-1][1], rel=1e-3)
    assert next(curves, None) is None


def near_network(dropout: float = 0.0) -> NearNetwork:
    widths = (len(MEASURED) + 2, 4)
    return NearNetwork(
        AttentionLstm(*widths, 8, dropout, areas=3), HourNetwork(*widths, len(MEASURED), 8, dropout, areas=3)
    )


def test_quantiles_never_cross_whatever_the_weights():
    torch.manual_seed(0)
    network = near_network()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=3.0)
    area = torch.randint(3, (64,))
    past = torch.randn(64, 24, len(MEASURED) + 2) * 10
    quantiles = network(past, torch.randn(64, 24, 4) * 10, area)
    assert quantiles.shape == (64, 24, len(QUANTILES))
    assert (quantiles.diff(dim=-1) >= 0).all()


def test_the_first_hours_are_forecast_by_both_networks_and_the_later_ones_by_one():
    torch.manual_seed(0)
    network = near_network().double().eval()
    past, future = torch.randn(5, 24, len(MEASURED) + 2).double(), torch.randn(5, 24, 4).double()
    area = torch.tensor([0, 1, 2, 0, 1])
    with torch.inference_mode():
        both, course = network(past, future, area), network.course(past, future, area)
        first = network.first(past, future, area)
    assert SHARES[0] > SHARES[-1] > 0
    for lead, share in enumerate(SHARES):
        assert torch.allclose(both[:, lead], share * first[:, lead] + (1 - share) * course[:, lead])
    assert torch.equal(both[:, FIRST_LEADS:], course[:, FIRST_LEADS:])


def test_dropout_leaves_out_the_same_units_in_all_hours_and_none_when_forecasting():
    torch.manual_seed(0)
    dropout = LockedDropout(0.5)
    values = torch.ones(200, 6, 10)
    dropped = dropout(values)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert 0.4 < (dropped == 0).float().mean() < 0.6
    assert torch.equal(dropout.eval()(values), values)


def test_pinball_loss_against_a_loop_with_unknown_targets():
    generator = np.random.default_rng(2)
    quantiles = np.sort(generator.normal(size=(3, 4, len(QUANTILES))), axis=-1)
    target = generator.normal(size=(3, 4))
    target[1, 2] = np.nan
    losses = []
    for row, hour in np.argwhere(~np.isnan(target)):
        for column, level in enumerate(QUANTILES):
            error = target[row, hour] - quantiles[row, hour, column]
            losses.append(max(level * error, (level - 1) * error))
    loss = pinball_loss(torch.tensor(quantiles), torch.tensor(target))
    assert loss.item() == pytest.approx(np.mean(losses))


def test_leads_count_by_their_weight():
    quantiles = torch.zeros(2, 2, len(QUANTILES))
    target = torch.tensor([[1.0, 4.0], [1.0, 4.0]])
    level = np.mean(QUANTILES)
    assert pinball_loss(quantiles, target).item() == pytest.approx(level * 2.5)
    weighted = pinball_loss(quantiles, target, torch.tensor([1.5, 0.5]))
    assert weighted.item() == pytest.approx(level * (1.5 * 1 + 0.5 * 4) / 2)


@EACH_REACH
def test_a_meter_spike_is_clipped(data: KnownData, reach: Reach):
    windows = windows_of(data, 20)
    layer = layer_for(data, windows, reach)
    spiked = replace(windows, past=windows.past.copy(), future=windows.future.copy(), far=windows.far.copy())
    spiked.past[:, :, 1] = 1e6
    reach.coming(spiked)[:, :, -1] = 1e6
    batch = layer.batch(spiked)
    assert batch.past.abs().max() <= 5.0
    assert batch.future.abs().max() <= 5.0


@EACH_REACH
def test_missing_inputs_are_neutral_and_marked(data: KnownData, reach: Reach):
    windows = windows_of(replace(data, wind_solar=data.wind_solar.iloc[:0]), 20)
    layer = layer_for(data, windows_of(data, 20), reach)
    batch = layer.batch(windows)
    assert torch.isfinite(batch.past).all()
    assert torch.isfinite(batch.future).all()
    mark = layer.feeds.index(WIND_SOLAR_FEED) - len(layer.feeds)
    assert (batch.future[..., mark] == 1).all()
    # Hiding the feed from the full windows comes to the same.
    full = layer.batch(windows_of(data, 20))
    layer.hide(full, WIND_SOLAR_FEED, torch.ones(len(full), dtype=torch.bool))
    assert torch.equal(full.future, batch.future)
    assert torch.equal(full.past, batch.past)


@EACH_REACH
def test_an_input_never_seen_in_training_is_not_used(data: KnownData, reach: Reach):
    # As on the live service at first: no prognosis was kept, then one day there is one.
    layer = layer_for(data, windows_of(replace(data, prognosis=data.prognosis.iloc[:0]), 20), reach)
    assert not layer.uses(PROGNOSIS_FEED)
    mark = layer.feeds.index(PROGNOSIS_FEED) - len(layer.feeds)
    assert (layer.batch(windows_of(data, 20)).future[..., mark] == 1).all()


@pytest.mark.parametrize(
    "module",
    [
        "co2_assets.forecasting.inputs.windows",
        "co2_assets.forecasting.network.forecaster",
        "co2_assets.pipeline.champions",
        "co2_assets.pipeline.live_forecast",
        "co2_assets.pipeline.run_backtest",
        "co2_assets.definitions",
    ],
)
def test_torch_is_not_imported_before_a_network_is_used(module: str):
    # The assets that only shape tables start in half a second less for it.
    program = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_sixty_days_are_enough_for_the_default_shares(archive: KnownData):
    until = datetime(2024, 6, 1)
    recent = archive.between(until - timedelta(days=60), until + timedelta(days=2))
    model = train(recent, until=until, seed=0, config=replace(TINY, test_share=0.1, epochs=1))
    assert [part.split for part in model.record.parts] == ["train", "validation", "test"]
    assert np.isfinite(model.offsets).all()
