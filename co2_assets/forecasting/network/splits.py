"""Training, validation and test parts in time order, with nothing shared between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from co2_assets.contracts.forecast_spec import HORIZON_HOURS, ROLLING_HOURS
from co2_assets.forecasting.forecaster import TooLittleDataError
from co2_assets.forecasting.inputs.windows import PAST_HOURS

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# No measured hour may stand in the windows of two parts: the last target of one part lies before
# the first past hour of the next, and before the hours its rolling means reach back to. Only the levels of
# the days beyond the first reach further back: a mean over a week tells no hour of it.
GAP_HOURS = HORIZON_HOURS + PAST_HOURS + max(ROLLING_HOURS)
# What is needed at least, to say anything: tests of two days, and twelve days to learn from beside the
# two days held out and their gap. A month of history is enough for that.
LEAST_PART_WINDOWS = 48
LEAST_FITTED_WINDOWS = 288 + LEAST_PART_WINDOWS + GAP_HOURS
# Three weeks tell two models apart. A longer test part would keep the newest weeks from the networks,
# and those teach most: without the last six a forecast was 5 % worse (docs/accuracy.md).
MOST_TEST_WINDOWS = 21 * 24


@dataclass(frozen=True)
class Split:
    """Positions in ``issue_hours``, which ascend.

    ``fitted`` is everything before the test part. ``held_out`` are as many blocks at its end as there
    are networks: each network is fitted to what it `learns` and validated on its own block, so that all
    that is newest is learnt by all networks but one, and none is judged by what it has seen. ``test``
    may be empty.
    """

    issue_hours: Integers
    fitted: Integers
    held_out: tuple[Integers, ...]
    test: Integers

    def learns(self, network: int, issue_hours: Integers) -> Flags:
        """Whether network number ``network`` is fitted to each of ``issue_hours`` of the fitted part.

        It is, but for its own block and `GAP_HOURS` on either side.
        """
        block = self.issue_hours[self.held_out[network]]
        before, after = block[0] - GAP_HOURS, block[-1] + GAP_HOURS
        far: Flags = np.logical_or(issue_hours < before, issue_hours > after)
        return far


def split_in_time(issue_hours: Integers, networks: int, validation_share: float, test_share: float) -> Split:
    """Part ascending ``issue_hours`` for ``networks`` networks, `GAP_HOURS` before the test part.

    ``test_share`` is of the span from first to last issue time, within bounds; ``validation_share`` of
    what is left. TooLittleDataError names the hours needed.
    """
    needed = LEAST_FITTED_WINDOWS + (LEAST_PART_WINDOWS + GAP_HOURS if test_share else 0)
    if len(issue_hours) < needed:
        raise TooLittleDataError(
            f"training needs at least {needed} hours that can be forecast and checked, and there are "
            f"{len(issue_hours)}: fetch {needed - len(issue_hours)} hours more of history"
        )
    first, end = int(issue_hours[0]), int(issue_hours[-1]) + 1
    span = end - first
    test_hours = min(max(round(span * test_share), LEAST_PART_WINDOWS), MOST_TEST_WINDOWS)
    test_from = end - test_hours if test_share else end
    fitted = np.flatnonzero(issue_hours < (test_from - GAP_HOURS if test_share else end))
    held_out = max(round(len(fitted) * validation_share), LEAST_PART_WINDOWS)
    return Split(
        issue_hours,
        fitted,
        tuple(np.array_split(fitted[-held_out:], networks)),
        np.flatnonzero(issue_hours >= test_from),
    )
