"""The network that the project began from, rebuilt from its description, without its faults.

24 hours of 15 inputs (carbon intensity's lags 1 to 5, its mean and deviation over 6 and 12 hours, six
power columns), MinMax scaling, LSTM(128) of two layers, attention pooling, one linear layer to the
next 6 hours; Adam 1e-3, squared error, batches of 64, at most 30 epochs, patience 5, parts of 70, 15
and 15 % in time order. The scalers see the training part only and the third part chooses nothing.
"""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.accuracy.contestants import Contestant
from bench.accuracy.recording import Trial
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, LAG_HOURS, POWERS
from co2_assets.forecasting.inputs.features import ROLLING_COLUMNS
from co2_assets.forecasting.inputs.input_lists import past_inputs
from co2_assets.forecasting.inputs.windows import PAST_HOURS, Windows
from co2_assets.forecasting.network.trained_model import deterministic

LEADS = 6
HIDDEN = 128
EPOCHS, PATIENCE = 30, 5
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
TRAIN_SHARE, VALIDATION_SHARE = 0.7, 0.15

Singles = NDArray[np.float32]


class OriginalLstm(nn.Module):
    """Past (N, 24, 15) to the scaled carbon intensity of the next hours (N, LEADS)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, HIDDEN, num_layers=2, batch_first=True)
        self.attention = nn.Linear(HIDDEN, 1)
        self.output = nn.Linear(HIDDEN, LEADS)

    def forward(self, past: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(past)
        weights = torch.softmax(self.attention(hidden), dim=1)
        forecast: torch.Tensor = self.output((weights * hidden).sum(dim=1))
        return forecast


def original_network(trial: Trial) -> Contestant:
    """Train it on the training hours and forecast leads 1 to 6; windows with gaps are not trained on."""
    inputs = _inputs(trial.train, trial)
    target = trial.train.target[:, :LEADS]
    whole = ~np.isnan(inputs).any(axis=(1, 2)) & ~np.isnan(target).any(axis=1)
    inputs, target = inputs[whole], target[whole]
    first, second = (round(len(inputs) * share) for share in (TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE))
    low, high = inputs[:first].min(axis=(0, 1)), inputs[:first].max(axis=(0, 1))
    co2_low, co2_high = float(target[:first].min()), float(target[:first].max())

    def scaled(values: Singles) -> torch.Tensor:
        return torch.as_tensor((values - low) / (high - low))

    goal = torch.as_tensor((target - co2_low) / (co2_high - co2_low))
    shown = scaled(inputs)
    started = time.process_time()
    with deterministic(1):
        torch.manual_seed(1)
        network = _fitted(shown[:first], goal[:first], shown[first:second], goal[first:second])
        seconds = time.process_time() - started
        median = np.full((len(trial.test), HORIZON_HOURS), np.nan)
        with torch.inference_mode():
            output = network(scaled(_inputs(trial.test, trial))).numpy()
    # NaN where an input was missing.
    median[:, :LEADS] = output * (co2_high - co2_low) + co2_low
    return Contestant("original network", median, training_seconds=seconds)


def _inputs(windows: Windows, trial: Trial) -> Singles:
    """The 15 inputs of each past hour: (N, PAST_HOURS, 15)."""
    names = [i.name for i in past_inputs(trial.data.area)]
    wanted = [names.index(name) for name in (*POWERS, *ROLLING_COLUMNS)]
    hours = windows.issue_hours[:, None] + np.arange(-PAST_HOURS, 0)
    co2 = trial.data.measured_at(hours[..., None] - np.array(LAG_HOURS))[..., 0]
    return np.concatenate([windows.past[..., wanted], co2], axis=-1, dtype=np.float32)


def _fitted(
    shown: torch.Tensor, goal: torch.Tensor, validation: torch.Tensor, validation_goal: torch.Tensor
) -> OriginalLstm:
    network = OriginalLstm(shown.shape[-1])
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    best_loss, best_epoch, best_weights = float("inf"), 0, network.state_dict()
    for epoch in range(1, EPOCHS + 1):
        for index in torch.split(torch.randperm(len(shown)), BATCH_SIZE):
            loss = nn.functional.mse_loss(network(shown[index]), goal[index])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.inference_mode():
            validation_loss = nn.functional.mse_loss(network(validation), validation_goal).item()
        print(f"  epoch {epoch}: {validation_loss:.5f}", flush=True)
        if validation_loss < best_loss:
            best_loss, best_epoch = validation_loss, epoch
            best_weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        elif epoch - best_epoch >= PATIENCE:
            break
    network.load_state_dict(best_weights)
    return network.eval()
