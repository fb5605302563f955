"""The text for every state of the data, for the pages and the API alike."""

from dataclasses import dataclass

from co2_assets.contracts import CO2_EMISSION
from co2_assets.contracts.areas import MEASURED_WITHIN
from co2_assets.contracts.danish_time import date_and_clock, span
from co2_assets.contracts.sources import ATTRIBUTION, SIMULATED, STAND_IN, WEATHER_OFF, SourceKind
from co2_assets.contracts.weather import WEATHER_ATTRIBUTION
from co2_dash.data.state import DataState

# Beside it where a forecast rests on the weather; the licence asks for it.
WEATHER = f"{WEATHER_ATTRIBUTION}."
MADE_ERRORS = "The weather of this recording is real; the errors of its forecasts are made up."
UNIT = "g CO₂/kWh"
# What a reader calls the feeds that a cause names by their tables.
FEEDS = {
    "power_system_right_now": "measured production",
    "co2_emission": "measured carbon intensity",
    "area_production": "measured production and flows of the area",
    "forecasts_hour": "Energinet's wind and solar forecast",
    "day_ahead_prices": "day-ahead prices",
    "co2_emission_prognosis": "Energinet's CO₂ prognosis",
    "weather_forecast": "weather forecast",
}
NO_LONGER_FORECAST = (
    f"An area that was not measured for {MEASURED_WITHIN.days} days, while another was, is not forecast."
)


@dataclass(frozen=True)
class Notice:
    """One banner. ``name`` is that of the state. ``grave``: the numbers may be wrong or made up."""

    name: str
    title: str
    text: str
    grave: bool = True


def attribution(state: DataState, *, measured_only: bool = False) -> str:
    """Return whose data a forecast rests on, or only the measurements of its area."""
    of_weather = [] if measured_only else weather_notes(state)
    return " ".join([source_of(state), *measurement_notes(state), *of_weather])


def source_of(state: DataState) -> str:
    """Return whose measurements these are; nobody's name stands under numbers that were made up."""
    return SIMULATED if state.simulated else ATTRIBUTION


def measurement_notes(state: DataState) -> list[str]:
    """Return what is to be said of the measurements of an area; most often nothing."""
    if state.source == SourceKind.ARCHIVE and state.area.measured_in == CO2_EMISSION.name:
        return [f"For this area, {STAND_IN}."]
    return []


def weather_notes(state: DataState) -> list[str]:
    """Return whose weather a forecast rests on, and what of it is made; nothing where it rests on none."""
    if not state.rests_on_weather or state.simulated:
        return []
    return [WEATHER, MADE_ERRORS] if state.source == SourceKind.ARCHIVE else [WEATHER]


def notices(state: DataState) -> tuple[Notice, ...]:
    """Return the banners for a state, the most important first; none when all is well."""
    found = [*_origin(state)]
    if state.empty:
        found.append(
            Notice(
                "empty",
                "Nothing to show yet",
                "There are no data. The first run takes a few minutes; this page fills by itself.",
                grave=False,
            )
        )
    elif state.issue_time_utc is None and not state.has_ended:
        found.append(
            Notice(
                "no-forecast",
                "No forecast yet",
                "There are data, but no forecast has been issued. It follows once a model is trained.",
                grave=False,
            )
        )
    if state.ahead_by is not None:
        found.append(
            Notice(
                "ahead",
                f"These data are {span(state.ahead_by)} ahead of the clock",
                "They are of a time that has not come: the clock of this machine is wrong, or the last run "
                "was made as of a later time. The next run at the right time corrects this.",
            )
        )
    elif state.has_ended and state.measured_until_utc is not None:
        found.append(
            Notice(
                "ended",
                f"{state.area.title} is no longer measured",
                f"The last measurement ended {date_and_clock(state.measured_until_utc)}. "
                f"{NO_LONGER_FORECAST} What is shown is of that time.",
            )
        )
    elif state.stale and state.forecast_age is not None:
        found.append(
            Notice(
                "stale",
                f"This forecast is {span(state.forecast_age)} old",
                f"A new one is due {state.timetable.rhythm}, and none has come since. What is shown may be "
                "out of date.",
            )
        )
    if state.degraded_causes and not state.has_ended:
        found.append(
            Notice(
                "degraded",
                "This forecast is less certain than usual",
                "Its bands are wider than usual, because of what could not be read: "
                + "; ".join(_reasons(state))
                + ".",
            )
        )
    return tuple(found)


def _reasons(state: DataState) -> tuple[str, ...]:
    """Return in plain words why the forecast is degraded; of what is switched off, that it is."""

    def reason(cause: str) -> str:
        dataset, colon, _ = cause.partition(": ")
        return f"{dataset}: {WEATHER_OFF}" if colon and dataset in state.switched_off else cause

    return tuple(dict.fromkeys(in_plain_words(reason(cause)) for cause in state.degraded_causes))


def in_plain_words(cause: str) -> str:
    """Return a cause with the name that a reader has for its feed in place of the table's."""
    feed, colon, rest = cause.partition(": ")
    return f"{FEEDS[feed]}: {rest}" if colon and feed in FEEDS else cause


def _origin(state: DataState) -> tuple[Notice, ...]:
    if state.simulated:
        text = "Every number was made up by the built-in simulator."
        if state.replayed:
            text += f" It is shown as of {date_and_clock(state.now_utc)}."
        return (Notice("simulated", "Simulated data: none of these numbers is real", text),)
    if state.replayed or state.source == SourceKind.ARCHIVE:
        return (
            Notice(
                "replayed",
                f"Replay of recorded data as of {date_and_clock(state.now_utc)}",
                "“Now” is that time, not the present.",
            ),
        )
    return ()


def origin(state: DataState) -> str:
    """Return the text of the badge: the source of the data, or that live data are out of date."""
    if not state.version:
        return "No data yet"
    if state.simulated:
        return "Simulated"
    if state.replayed or state.source == SourceKind.ARCHIVE:
        return "Replay"
    if state.ahead_by is not None:
        return "Ahead of the clock"
    return "Out of date" if state.stale else "Live"
