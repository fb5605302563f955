"""The words for every state of the data: one place, so that page and API say the same."""

from dataclasses import dataclass

from co2_assets.contracts.sources import SourceKind
from co2_dash.danish_time import date_and_clock, span
from co2_dash.situation import STALE_AFTER, Situation
from co2_dash.windows import Advice

ATTRIBUTION = "Source: Energinet, www.energidataservice.dk (CC BY 4.0)."
UNIT = "g CO₂/kWh"


@dataclass(frozen=True)
class Notice:
    """One banner. ``name`` is the state; ``grave`` ones are about whether to believe the numbers."""

    name: str
    title: str
    text: str
    grave: bool = True


def notices(situation: Situation) -> tuple[Notice, ...]:
    """Return what has to be said above everything else, gravest first; none when all is well."""
    said = [*_origin(situation)]
    if situation.empty:
        said.append(
            Notice(
                "empty",
                "Nothing to show yet",
                "There are no data. The first run takes a few minutes; this page fills by itself.",
                grave=False,
            )
        )
    elif situation.issue_time_utc is None:
        said.append(
            Notice(
                "no-forecast",
                "No forecast yet",
                "There are data, but no forecast has been issued. It follows once a model is trained.",
                grave=False,
            )
        )
    if situation.stale and situation.forecast_age is not None:
        said.append(
            Notice(
                "stale",
                f"This forecast is {span(situation.forecast_age)} old",
                f"A new one is due every 6 hours and none has come for more than {span(STALE_AFTER)}. "
                "What is shown may no longer hold.",
            )
        )
    if situation.degraded_causes:
        said.append(
            Notice(
                "degraded",
                "This forecast is less certain than usual",
                "Its bands are wider, because: " + "; ".join(situation.degraded_causes) + ".",
            )
        )
    return tuple(said)


def _origin(situation: Situation) -> tuple[Notice, ...]:
    if situation.simulated:
        text = "Every number on this page was made up by the built-in simulator. None is real."
        if situation.replayed:
            text += f" It is shown as of {date_and_clock(situation.now_utc)}."
        return (Notice("simulated", "Simulated data", text),)
    if situation.replayed or situation.source == SourceKind.ARCHIVE:
        return (
            Notice(
                "replayed",
                f"Replay of recorded data as of {date_and_clock(situation.now_utc)}",
                "“Now” on this page is that time, not the present.",
            ),
        )
    return ()


def origin(situation: Situation) -> str:
    """Return one to three words for a badge: where the data come from, or that live ones are old."""
    if not situation.version:
        return "No data yet"
    if situation.simulated:
        return "Simulated"
    if situation.replayed or situation.source == SourceKind.ARCHIVE:
        return "Replay"
    return "Out of date" if situation.stale else "Live"


def advice_sentence(advice: Advice, start: str, hours: str, deadline: str) -> str:
    """Return the cleanest window in one sentence; the parts are already in the reader's words."""
    if advice.is_now:
        return f"Start now: no later start gives {hours} that are cleaner and done before {deadline}."
    return f"Start at {start} for the cleanest {hours} before {deadline}."


def certainty_sentence(advice: Advice) -> str:
    """Return how sure the advice is, in words and numbers."""
    best, now = advice.best, advice.now
    band = f"80 % sure to lie between {best.low:.0f} and {best.high:.0f} {UNIT} on average"
    if advice.chance_cleaner is None:
        return f"Expected {best.median:.0f} {UNIT}, {band}."
    tenths = min(9, max(5, round(advice.chance_cleaner * 10)))
    chance = "more than 19 in 20" if advice.chance_cleaner > 0.95 else f"about {tenths} in 10"
    return (
        f"Expected {best.median:.0f} {UNIT} instead of {now.median:.0f} when starting now, {band}. "
        f"The chance that it really is cleaner than starting now is {chance}."
    )


def saving_phrase(advice: Advice) -> str:
    """Return what waiting saves, ``saves about 41 % against starting now``."""
    if advice.is_now or advice.saving_percent < 1:
        return "waiting saves nothing worth mentioning"
    return f"saves about {advice.saving_percent:.0f} % against starting now"
