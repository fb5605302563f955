"""The part of the home page about the cleanest time: the choices of a reader, and the advice for them."""

from datetime import datetime, timedelta

import dash_mantine_components as dmc

from co2_assets.contracts.time import bounded_utc
from co2_dash.advice.cleanest_window import Advice, NoWindow, advise
from co2_dash.advice.sentences import advice_sentence, certainty_sentence, saving_phrase
from co2_dash.data.danish_time import HOUR, clock, day_and_clock, hours_phrase
from co2_dash.pages.components import Part, card, choice, heading, html, made_for
from co2_dash.pages.home_data import HomeData

DURATIONS = (1, 2, 3, 4, 5, 6, 8)
DEFAULT_DURATION = 3
# The deadline while the reader has chosen none: it moves with every forecast.
FORECAST_END = "end"


def window_card(data: HomeData) -> Part:
    """Return the card with both choices and the advice for their defaults."""
    deadlines = deadline_choices(data, DEFAULT_DURATION)
    durations = [(str(hours), hours_phrase(hours * HOUR)) for hours in DURATIONS]
    return card(
        heading("The cleanest time"),
        dmc.SimpleGrid(
            [
                choice("window-duration", "Use power for", durations, str(DEFAULT_DURATION)),
                choice("window-before", "and be done before", deadlines, FORECAST_END),
            ],
            cols={"base": 1, "xs": 2},
            spacing="sm",
        ),
        html.Div(
            window_answer(data, DEFAULT_DURATION, FORECAST_END, FORECAST_END), id="window", role="status"
        ),
    )


def chosen_duration(value: object) -> int:
    """Return the duration in hours that the browser sent; the default for anything unknown."""
    return next((hours for hours in DURATIONS if str(hours) == value), DEFAULT_DURATION)


def deadline_choices(
    data: HomeData, duration_hours: int, chosen: object = FORECAST_END
) -> list[tuple[str, str]]:
    """Return the deadlines that are late enough for the duration: pairs of ISO instant and text.

    The deadline that the reader has chosen stays in the list until it is past, even when it is too
    early. The last one, the end of the forecast, is always there.
    """
    if not data.coming:
        return [(FORECAST_END, "the forecast ends")]
    now = data.now_utc
    *ends, last = [hour.start_utc + HOUR for hour in data.coming]
    choices = [
        (end.isoformat(), day_and_clock(end, now))
        for end in ends
        if end - now >= duration_hours * HOUR or (end.isoformat() == chosen and end > now)
    ]
    return [*choices, (FORECAST_END, day_and_clock(last, now))]


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
    length = duration_hours * HOUR
    now, end, chosen = data.now_utc, data.forecast_end_utc, _chosen_deadline(before)
    deadline = end if chosen is None else min(chosen, end)
    not_met: list[Part] = []
    if chosen is not None and chosen - now < length:
        deadline = end
        not_met = [dmc.Text(_why_not_met(chosen, now, length), className="unmet", mt="sm")]
    try:
        advice = advise(data.coming, now, length, deadline)
    except NoWindow as error:
        return [dmc.Text(f"There is no advice: {error}.", mt="md")]
    return [*not_met, *_advice_parts(advice, now, hours_phrase(length), deadline)]


def _chosen_deadline(before: object) -> datetime | None:
    """Return the naive UTC instant that was sent; None for the end of the forecast and anything unknown."""
    try:
        instant = datetime.fromisoformat(before) if isinstance(before, str) else None
        return None if instant is None or instant.tzinfo else bounded_utc(instant)
    except ValueError:
        return None


def _why_not_met(chosen: datetime, now: datetime, length: timedelta) -> str:
    deadline = day_and_clock(chosen, now)
    if chosen <= now:
        reason = f"{deadline} has passed"
    else:
        reason = f"{hours_phrase(length)} from now end after {deadline}"
    return f"{reason}, so this advice is for the whole forecast."


def _advice_parts(advice: Advice, now: datetime, hours: str, deadline: datetime) -> list[Part]:
    best = advice.best
    sentence = advice_sentence(
        advice, day_and_clock(best.start_utc, now), hours, day_and_clock(deadline, now)
    )
    return [
        dmc.Text(sentence, className="advice"),
        dmc.Text(
            f"{clock(best.start_utc)}–{clock(best.end_utc)}: {saving_phrase(advice)}.", className="saving"
        ),
        dmc.Text(certainty_sentence(advice), size="sm", c="dimmed"),
    ]
