"""What a reader can choose on the page of past forecasts: the period, the kind of forecast, the lead."""

from datetime import datetime, timedelta

from co2_assets.contracts.forecast_spec import (
    DAYS_AHEAD,
    HORIZON_HOURS,
    Cadence,
    ForecastKind,
    series_name,
)
from co2_dash.charts.chart import Options
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

PERIODS = {"7 d": 7, "30 d": 30, "90 d": 90, "1 y": 365}
DEFAULT_PERIOD = "30 d"
# All leads of one day, each forecast as it was issued: more at once would hide one another.
DAYS = {
    f"{first}-{min(last, HORIZON_HOURS)}": (first, min(last, HORIZON_HOURS))
    for first, last in DAYS_AHEAD
    if first <= HORIZON_HOURS
}
DEFAULT_LEADS = next(iter(DAYS))
# By the name of the series: kinds and cadences are never shown or scored together.
SERIES: dict[str, str] = {
    ForecastKind.LIVE: "Issued live, every six hours",
    series_name(ForecastKind.LIVE, Cadence.HOURLY): "Issued live, in the hours between",
    series_name(ForecastKind.LIVE, Cadence.UPDATE): "Issued live, again within an hour",
    ForecastKind.HINDCAST: "Issued afterwards",
    ForecastKind.BACKFILL: "Issued afterwards, by a model of that time",
}
NO_OUTCOMES = "No forecast of this kind can be compared with measurements of this period yet."
# With fewer live hours than these, hindcasts are shown first if there are more of them.
ENOUGH_HOURS = 24


def default_series(scored: dict[str, int]) -> ForecastKind:
    """Return the series to show first, given how many hours of each have been scored."""
    live, hindcast = scored.get(ForecastKind.LIVE, 0), scored.get(ForecastKind.HINDCAST, 0)
    return ForecastKind.HINDCAST if live < ENOUGH_HOURS and hindcast > live else ForecastKind.LIVE


def chosen_lead(options: Options) -> int | None:
    """Return the chosen lead in hours; None for a whole day of leads, and for anything unknown."""
    text = str(options.get("lead"))
    return next((lead for lead in range(1, HORIZON_HOURS + 1) if str(lead) == text), None)


def chosen_leads(options: Options) -> tuple[int, int]:
    """Return the first and the last of the chosen leads; those of the first day for anything unknown."""
    lead = chosen_lead(options)
    if lead is not None:
        return lead, lead
    return DAYS.get(str(options.get("lead")), DAYS[DEFAULT_LEADS])


def chosen_outcomes(view: View, state: DataState, options: Options) -> tuple[str, datetime, datetime]:
    """Return the chosen series of forecasts, and the first and the last time of the chosen period."""
    series = str(options.get("kind"))
    if series not in SERIES:
        series = default_series(queries.scored_hours(view, state.area.name)).value
    days = PERIODS.get(str(options.get("period")), PERIODS[DEFAULT_PERIOD])
    end = state.measured_until_utc or state.now_utc
    return series, end - timedelta(days=days), end


def zoom_key(name: str, options: Options) -> str:
    """Return the key of a figure's zoom: another period or kind is another figure."""
    return f"{name}-{options.get('period')}-{options.get('kind')}"
