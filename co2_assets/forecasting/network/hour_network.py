"""The network of the first hours, which looks at each hour by itself.

Of the first hours the newest measurements say most. `AttentionLstm`, which follows the course of a day,
makes less of them than a plain network does. The two together err less than either (docs/accuracy.md).
"""

from typing import Final

import torch
from torch import nn

from co2_assets.contracts.forecast_spec import HEADLINE_LEADS, MEASURED, QUANTILES
from co2_assets.forecasting.network.network import AttentionLstm, quantiles_around

# The leads that it forecasts.
FIRST_LEADS: Final = HEADLINE_LEADS[1]
# How much it counts beside the other network in each of them: less, the further ahead.
SHARES: Final = tuple(0.55 - 0.05 * number for number in range(FIRST_LEADS))
# The hours before the newest one of which all that was measured is shown, and those before them of which the
# carbon intensity is.
MEASURED_HOURS_AGO: Final = (2, 3)
CO2_HOURS_AGO: Final = (4, 5, 6, 12, 24)


class HourNetwork(nn.Module):
    """Past (N, P, past_width), future (N, H, future_width), area (N,) to (N, FIRST_LEADS, len(QUANTILES)).

    The output is as that of `AttentionLstm`. ``co2_change`` is the position of the change from the last value
    among the past channels, of which the first are the measured values. The weights are the same for all
    hours and areas; each has a bias of its own.
    """

    def __init__(
        self, past_width: int, future_width: int, co2_change: int, hidden: int, dropout: float, areas: int = 1
    ) -> None:
        super().__init__()
        self.co2_change = co2_change
        history = past_width + len(MEASURED_HOURS_AGO) * len(MEASURED) + len(CO2_HOURS_AGO)
        self.of_history = nn.Linear(history, hidden)
        self.of_future = nn.Linear(future_width, hidden, bias=False)
        self.of_lead = nn.Parameter(torch.zeros(FIRST_LEADS, hidden))
        self.of_area = nn.Parameter(torch.zeros(areas, hidden))
        self.body = nn.Sequential(
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, len(QUANTILES)),
        )
        self.skip_history = nn.Linear(history, 1, bias=False)
        self.skip_future = nn.Linear(future_width, 1, bias=False)
        for skip in (self.skip_history, self.skip_future):
            nn.init.zeros_(skip.weight)

    def forward(self, past: torch.Tensor, future: torch.Tensor, area: torch.Tensor) -> torch.Tensor:
        future = future[:, :FIRST_LEADS]
        history = self._history(past)
        of_window = self.of_history(history) + self.of_area[area]
        raw = self.body(of_window[:, None] + self.of_future(future) + self.of_lead)
        return quantiles_around(raw, self.skip_history(history)[:, None] + self.skip_future(future))

    def _history(self, past: torch.Tensor) -> torch.Tensor:
        """Return what is shown of the past with each coming hour: (N, history)."""
        measured = [past[:, -ago, : len(MEASURED)] for ago in MEASURED_HOURS_AGO]
        return torch.cat(
            [past[:, -1], *measured, past[:, [-ago for ago in CO2_HOURS_AGO], self.co2_change]], dim=-1
        )


class NearNetwork(nn.Module):
    """The two networks of the first day as one, of the shapes of `AttentionLstm`.

    In the leads that both forecast it gives the mean of their quantiles, weighted with `SHARES`.
    """

    shares: torch.Tensor

    def __init__(self, course: AttentionLstm, first: HourNetwork) -> None:
        super().__init__()
        self.course = course
        self.first = first
        self.register_buffer("shares", torch.tensor(SHARES, dtype=torch.float64)[:, None], persistent=False)

    def forward(self, past: torch.Tensor, future: torch.Tensor, area: torch.Tensor) -> torch.Tensor:
        course = self.course(past, future, area)
        shares = self.shares.to(course.dtype)
        both = (1 - shares) * course[:, :FIRST_LEADS] + shares * self.first(past, future, area)
        return torch.cat([both, course[:, FIRST_LEADS:]], dim=1)
