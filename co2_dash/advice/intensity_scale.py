"""How clean is that? A value's place among the hours of the last 30 days, as word and colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

SCALE_DAYS = timedelta(days=30)
# With fewer hours than three days' the fifths mean little: then there is a number and no word.
FEWEST_HOURS = 72


@dataclass(frozen=True)
class Step:
    """One fifth of the scale: its word, and its colours on light and on dark ground.

    Teal to ochre to brown tells the fifths apart for every kind of colour vision, and by lightness
    alone at its ends; the word always stands beside the colour.
    """

    word: str
    meaning: str
    light: str
    dark: str
    ink: str


STEPS = (
    Step("Very clean", "among the cleanest fifth of hours", "#00594f", "#00796b", "#ffffff"),
    Step("Clean", "cleaner than most hours", "#5cb8aa", "#5cb8aa", "#06231f"),
    Step("Typical", "in the middle fifth of hours", "#d9d2b8", "#d9d2b8", "#26221a"),
    Step("High", "higher than most hours", "#cf9a3e", "#cf9a3e", "#2b1c02"),
    Step("Very high", "among the highest fifth of hours", "#7a4210", "#95551c", "#ffffff"),
)


@dataclass(frozen=True)
class Scale:
    """Where the fifths of the last 30 days part, in g/kWh: four ``edges``, ``low`` and ``high``.

    ``n_hours`` is how many measured hours it was made from.
    """

    edges: tuple[float, float, float, float]
    low: float
    high: float
    n_hours: int
    values: tuple[float, ...]

    def step(self, g_per_kwh: float) -> Step:
        """Return the fifth that a value falls in; an edge belongs to the higher one."""
        return STEPS[sum(g_per_kwh >= edge for edge in self.edges)]

    def percent_cleaner_than(self, g_per_kwh: float) -> float:
        """Return the share of the hours, in percent, that were higher than the value."""
        return 100 * sum(value > g_per_kwh for value in self.values) / self.n_hours

    def place(self, g_per_kwh: float) -> float:
        """Return the value's place along five equally wide fifths, 0 to 1."""
        bounds = (self.low, *self.edges, self.high)
        return float(np.interp(g_per_kwh, bounds, np.linspace(0, 1, 6)))


def scale_of(values: Sequence[float]) -> Scale | None:
    """Return the scale that measured hours make, or None when they are too few or all alike."""
    if len(values) < FEWEST_HOURS or min(values) == max(values):
        return None
    first, second, third, fourth = (float(q) for q in np.quantile(values, (0.2, 0.4, 0.6, 0.8)))
    return Scale(
        (first, second, third, fourth), float(min(values)), float(max(values)), len(values), tuple(values)
    )


def last_month(view: View | None, state: DataState) -> Scale | None:
    """Return the scale made of the 30 days up to the last measured hour."""
    end = state.measured_until_utc
    if view is None or end is None:
        return None
    values = queries.measured(view, state.price_area, end - SCALE_DAYS, end)["co2_g_per_kwh"].dropna()
    return scale_of([float(value) for value in values])
