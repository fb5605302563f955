"""The part of the home page about the cleanest time: the choices of a reader, and the advice for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dash_mantine_components as dmc

from co2_assets.advice.asked_window import DEFAULT_DURATION, day_end
from co2_assets.advice.cleanest_window import Advice, NoWindow, advise
from co2_assets.contracts.danish_time import clock, day_and_clock, hours_phrase
from co2_assets.contracts.forecast_spec import NEAR_HOURS
from co2_assets.contracts.time import HOUR
from co2_dash.advice.sentences import advice_sentence, certainty_sentence
from co2_dash.advice.window_choice import (
    DAY_END,
    DURATIONS,
    FORECAST_END,
    advice_for,
    deadline_of,
    deadlines,
    default_deadline,
)
from co2_dash.pages.components import Part, card, choice, heading, html, made_for
from co2_dash.pages.home_data import HomeData


def window_card(data: HomeData) -> Part:
    """Return the card with both choices and the advice for their defaults."""
    choices = deadline_choices(data, DEFAULT_DURATION)
    shown = shown_deadline(data, choices, None)
    durations = [(str(hours), hours_phrase(hours * HOUR)) for hours in DURATIONS]
    return card(
        heading("The cleanest time"),
        dmc.SimpleGrid(
            [
                choice("window-duration", "Use power for", durations, str(DEFAULT_DURATION)),
                choice("window-before", "and be done before", choices, shown),
            ],
            cols={"base": 1, "xs": 2},
            spacing="sm",
        ),
        html.Div(window_answer(data, DEFAULT_DURATION, shown, shown), id="window", role="status"),
    )


def deadline_choices(data: HomeData, duration_hours: int, chosen: object = DAY_END) -> list[tuple[str, str]]:
    """Return the deadlines that are late enough for the duration: pairs of value and text."""
    if not data.coming:
        return [(FORECAST_END, "the forecast ends")]
    now = data.now_utc
    found = deadlines(data.coming, now, duration_hours, chosen)
    return [(value, day_and_clock(end, now)) for value, end in found]


def shown_deadline(data: HomeData, choices: Sequence[tuple[str, str]], before: object) -> str:
    """Return the deadline that the page shows: what was chosen while it can be, else the usual one."""
    values = [value for value, _ in choices]
    if isinstance(before, str) and before in values:
        return before
    usual = default_deadline(data.coming, data.now_utc) if data.coming else FORECAST_END
    return usual if usual in values else FORECAST_END


def window_answer(data: HomeData, duration_hours: int, before: object, shown: object) -> Part:
    """Return the advice with the choices it is for; ``shown`` is the deadline that the page shows then."""
    choices = {"window-duration": str(duration_hours), "window-before": shown}
    return html.Div(
        window_parts(data, duration_hours, before), className="at-once", **made_for(data.state, choices)
    )


def window_parts(data: HomeData, duration_hours: int, before: object) -> list[Part]:
    """Return the advice for a duration and a deadline, which is ``before`` as the browser sent it."""
    if not data.coming:
        return [dmc.Text("There is no forecast, so there is no advice.", mt="md")]
    length, now = duration_hours * HOUR, data.now_utc
    deadline = deadline_of(data.coming, now, duration_hours, before)
    not_met: list[Part] = []
    if deadline.unmet is not None:
        reason = _why_not_met(data, deadline.unmet, length)
        not_met = [dmc.Text(reason, className="unmet", mt="sm")]
    try:
        advice = advise(data.coming, now, length, deadline.end_utc)
    except NoWindow as error:
        return [dmc.Text(f"There is no advice: {error}.", mt="md")]
    return [*not_met, *_advice_parts(advice, now, hours_phrase(length), deadline.end_utc)]


def _why_not_met(data: HomeData, chosen: datetime, length: timedelta) -> str:
    now = data.now_utc
    deadline = day_and_clock(chosen, now)
    if chosen <= now:
        reason = f"{deadline} has passed"
    else:
        reason = f"{hours_phrase(length)} from now end after {deadline}"
    whole = default_deadline(data.coming, now) == FORECAST_END
    instead = "the whole forecast" if whole else f"the next {NEAR_HOURS} hours"
    return f"{reason}, so this advice is for {instead}."


def usual_advice(data: HomeData) -> str:
    """Return the advice for the usual length and deadline in a sentence; nothing without a forecast."""
    advice = advice_for(data.coming, data.now_utc, None, None)
    if advice is None:
        return ""
    return _sentence(advice, data.now_utc, day_end(data.coming, data.now_utc))


def _sentence(advice: Advice, now: datetime, deadline: datetime) -> str:
    best = advice.best
    # The day of the beginning says which night a stretch over midnight is in.
    day = day_and_clock(best.start_utc, now).removeprefix(clock(best.start_utc))
    from_to = f"{clock(best.start_utc)}–{clock(best.end_utc)}{day}"
    return advice_sentence(advice, from_to, day_and_clock(deadline, now))


def _advice_parts(advice: Advice, now: datetime, hours: str, deadline: datetime) -> list[Part]:
    choice = f"The cleanest {hours} before {day_and_clock(deadline, now)}"
    return [
        dmc.Text(
            [html.Span(choice, className="advice-for"), _sentence(advice, now, deadline)], className="advice"
        ),
        dmc.Text(certainty_sentence(advice), size="sm", c="dimmed"),
    ]
