"""How rough the forecast is more than two days ahead, by its own scores or by the width of its bands."""

from collections.abc import Sequence
from dataclasses import dataclass

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.contracts.forecast_spec import DAYS_AHEAD, NEAR_HOURS, ForecastKind
from co2_dash.data import queries
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View

# What the operator and the market say ends within the second day. Later leads rest on the weather alone.
LAST_SURE_LEAD = DAYS_AHEAD[1][1]
_WHERE = {
    ForecastKind.LIVE: "as it was issued",
    ForecastKind.BACKFILL: "issued afterwards, by a model of that time",
    ForecastKind.HINDCAST: "issued afterwards",
    ForecastKind.TEST: "in the model’s test",
}


@dataclass(frozen=True)
class TypicalError:
    """Mean absolute errors of leads up to `NEAR_HOURS` and beyond `LAST_SURE_LEAD`, in g/kWh."""

    near: float
    far: float
    kind: str


def typical_error(view: View | None, area_name: str) -> TypicalError | None:
    """Return the errors by the newest scores that are stored; None where no such lead was scored."""
    if view is None:
        return None
    found = queries.records(queries.near_and_far_error(view, area_name, NEAR_HOURS, LAST_SURE_LEAD))
    return TypicalError(found[0]["near"], found[0]["far"], found[0]["kind"]) if found else None


def roughness_sentence(
    error: TypicalError | None, near: Sequence[ForecastHour], far: Sequence[ForecastHour]
) -> str:
    """Return how rough the hours ``far`` are beside the hours ``near``; neither may be empty."""
    beginning = "More than two days ahead this forecast is rough."
    if error is not None:
        how = _WHERE.get(ForecastKind(error.kind), "")
        return (
            f"{beginning} There it missed by {error.far:.0f} {UNIT} on average ({how}); within a day by "
            f"{error.near:.0f}."
        )
    return (
        f"{beginning} There the band that should hold 8 hours in 10 is {_width(far):.0f} {UNIT} wide on "
        f"average; within a day it is {_width(near):.0f}."
    )


def _width(hours: Sequence[ForecastHour]) -> float:
    return sum(hour.high - hour.low for hour in hours) / len(hours)
