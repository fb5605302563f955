"""How the areas do side by side: the current hour and the cleanest of the coming hours of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from co2_assets.advice.asked_window import DEFAULT_DURATION
from co2_assets.advice.cleanest_window import ForecastHour, Stretch
from co2_assets.advice.forecast_rows import forecast_hours
from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE, NEAR_HOURS
from co2_assets.contracts.time import hour_containing
from co2_dash.advice.window_choice import DAY_END, advice_for
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


@dataclass(frozen=True)
class Outlook:
    """The forecast of the current hour, and the cleanest `DEFAULT_DURATION` hours that end within a day.

    ``cleanest`` is None where so many hours are not forecast.
    """

    area: Area
    this_hour: ForecastHour
    cleanest: Stretch | None


def outlooks(view: View, state: DataState) -> dict[str, Outlook]:
    """Return the outlook of each area, by its name, whose forecast is fresh and reaches the current hour."""
    if state.ahead_by is not None:
        return {}
    this_hour = hour_containing(state.now_utc)
    latest = state.now_utc + CLOCK_TOLERANCE
    found = {}
    for name, (issued_at, forecast) in view.remember(
        "forecasts of all areas", lambda: _forecasts(view)
    ).items():
        if issued_at > latest or not state.timetable.is_fresh(issued_at, state.now_utc):
            continue
        coming = [hour for hour in forecast if hour.start_utc >= this_hour][:NEAR_HOURS]
        if not coming or coming[0].start_utc != this_hour:
            continue
        advice = advice_for(coming, state.now_utc, str(DEFAULT_DURATION), DAY_END)
        found[name] = Outlook(AREAS[name], coming[0], advice.best if advice else None)
    return found


def _forecasts(view: View) -> dict[str, tuple[datetime, list[ForecastHour]]]:
    """Return when the forecast of each area was issued, and its hours."""
    rows = queries.current_forecasts(view)
    own = {name: rows[rows["price_area"] == name] for name in AREAS}
    return {
        name: (forecast["issued_at_utc"].iloc[0].to_pydatetime(), forecast_hours(forecast))
        for name, forecast in own.items()
        if not forecast.empty
    }


def elsewhere(found: Mapping[str, Outlook], area: Area) -> list[Outlook]:
    """Return the outlooks of the other parts of the country: of all of them for the whole country."""
    return [one for name, one in found.items() if name not in (area.name, DENMARK.name)]
