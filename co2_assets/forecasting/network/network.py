"""The attention LSTM.

An LSTM reads the last hours; another one, started from its state, walks through the coming hours with
what is known of each, and a smaller one walks the same way back: what is known are forecasts with errors,
and the hours after say as much about them as the hours before. At every hour the network looks back at the
past hours that matter (attention by scaled dot products: Vaswani et al., "Attention Is All You Need", 2017,
section 3.2.1). A straight line from the known future to the median spares the LSTMs what is linear.
"""

import math

import torch
from torch import nn

from co2_assets.contracts.forecast_spec import MEDIAN, QUANTILES


class AttentionLstm(nn.Module):
    """Past (N, P, past_width), future (N, H, future_width), area (N,) to quantiles (N, H, len(QUANTILES)).

    The output is the scaled change from the last value. Quantiles never cross: the outer ones are the
    median plus or minus sums of positive steps. ``areas`` are told apart by an embedding, the first
    area's being zero: alone it is forecast as if there were no other.
    """

    def __init__(
        self, past_width: int, future_width: int, hidden: int, dropout: float, areas: int = 1
    ) -> None:
        super().__init__()
        self.encoder = nn.LSTM(past_width, hidden, batch_first=True)
        self.decoder = nn.LSTM(future_width, hidden, batch_first=True)
        self.returning = nn.LSTM(future_width, hidden // 2, batch_first=True)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.mix = nn.Linear(2 * hidden + hidden // 2 + future_width, hidden)
        self.dropout = LockedDropout(dropout)
        self.head = nn.Linear(hidden, len(QUANTILES))
        self.skip = nn.Linear(future_width, 1, bias=False)
        nn.init.zeros_(self.skip.weight)
        # Drawn from no random numbers, so that it takes none from the others.
        self.embedding = nn.Parameter(torch.zeros(areas - 1, hidden)) if areas > 1 else None

    def forward(self, past: torch.Tensor, future: torch.Tensor, area: torch.Tensor) -> torch.Tensor:
        encoded, state = self.encoder(past)
        decoded, _ = self.decoder(future, state)
        returned, _ = self.returning(future.flip(1))
        scores = self.query(decoded) @ self.key(encoded).transpose(1, 2)
        attended = torch.softmax(scores / math.sqrt(encoded.shape[-1]), dim=-1) @ encoded
        mixed = torch.cat([decoded, returned.flip(1), attended, future], dim=-1)
        hidden = self.mix(self.dropout(mixed))
        if self.embedding is not None:
            first = torch.zeros_like(self.embedding[:1])
            hidden = hidden + torch.cat([first, self.embedding])[area][:, None]
        raw = self.head(self.dropout(nn.functional.gelu(hidden)))
        return quantiles_around(raw, self.skip(future))


class LockedDropout(nn.Module):
    """Dropout of (N, H, width) that leaves out the same units in all hours of a window.

    Those of each hour by themselves take a fifth of the time of a training, and forecast no better
    (method: Gal and Ghahramani, 2016).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return values
        return values * nn.functional.dropout(torch.ones_like(values[:, :1]), self.share)


def quantiles_around(raw: torch.Tensor, straight: torch.Tensor) -> torch.Tensor:
    """Quantiles in order, from the ``raw`` output (..., len(QUANTILES)) and a straight line (..., 1).

    The outer ones are the median plus or minus sums of positive steps, so that they never cross.
    """
    median = raw[..., MEDIAN : MEDIAN + 1] + straight
    steps = nn.functional.softplus(raw)
    above = median + steps[..., MEDIAN + 1 :].cumsum(-1)
    below = median - steps[..., :MEDIAN].flip(-1).cumsum(-1).flip(-1)
    return torch.cat([below, median, above], dim=-1)


def pinball_loss(
    quantiles: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean pinball loss of ``quantiles`` (N, H, Q) against ``target`` (N, H), NaN targets left out.

    ``weight`` (H,) is how much each lead counts, with a mean of 1.
    """
    levels = torch.tensor(QUANTILES, dtype=quantiles.dtype)
    known = ~torch.isnan(target)
    error = torch.where(known, target, 0.0)[..., None] - quantiles
    loss = torch.maximum(levels * error, (levels - 1) * error).mean(-1) * known
    if weight is not None:
        loss = loss * weight
    return loss.sum() / known.sum().clamp(min=1)
