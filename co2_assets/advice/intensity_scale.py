"""How clean a value is, compared with the hours of the last 30 days: as a word and as a colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

SCALE_DAYS = timedelta(days=30)
# With less than three days of hours the fifths mean little, so there is no scale and no word.
FEWEST_HOURS = 72


@dataclass(frozen=True)
class Step:
    """One fifth of the scale: its word, and its colours on a light and on a dark background.

    Teal, ochre and brown can be told apart with every kind of colour vision. The word is always shown
    with the colour.
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
    """The limits of the fifths of the last 30 days, in g/kWh: four ``edges``, ``low`` and ``high``.

    It was made from ``n_hours`` measured hours, whose ``values`` are kept.
    """

    edges: tuple[float, float, float, float]
    low: float
    high: float
    n_hours: int
    values: tuple[float, ...]

    def step(self, g_per_kwh: float) -> Step:
        """Return the fifth that contains a value; an edge belongs to the higher fifth."""
        return STEPS[sum(g_per_kwh >= edge for edge in self.edges)]

    def percent_cleaner_than(self, g_per_kwh: float) -> float:
        """Return the percentage of the hours whose value was higher."""
        return 100 * sum(value > g_per_kwh for value in self.values) / self.n_hours

    def place(self, g_per_kwh: float) -> float:
        """Return where the value is on the scale when it is drawn with fifths of equal width, 0 to 1."""
        bounds = (self.low, *self.edges, self.high)
        return float(np.interp(g_per_kwh, bounds, np.linspace(0, 1, 6)))


def scale_of(values: Sequence[float]) -> Scale | None:
    """Return the scale of measured hours, or None when they are too few or all equal."""
    if len(values) < FEWEST_HOURS or min(values) == max(values):
        return None
    first, second, third, fourth = (float(q) for q in np.quantile(values, (0.2, 0.4, 0.6, 0.8)))
    return Scale(
        (first, second, third, fourth), float(min(values)), float(max(values)), len(values), tuple(values)
    )
