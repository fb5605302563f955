"""Next 6h forecast: how clean power is, how clean it will be, and when best to use it."""

from datetime import datetime, timedelta

import dash_mantine_components as dmc
import pandas as pd

from co2_dash import queries
from co2_dash.components import html
from co2_dash.danish_time import clock, date_and_clock, day_and_clock, span, zone_name
from co2_dash.exhibits.forecast import FORECAST, HEADLINE_HOURS, coming_hours, full_hour
from co2_dash.pages.parts import Part, area_chooser, card, choice, exhibit_card, fact, facts, heading, page
from co2_dash.scale import SCALE_DAYS, STEPS, Scale, scale_of
from co2_dash.situation import Situation
from co2_dash.store import View
from co2_dash.windows import Advice, ForecastHour, NoWindow, advise
from co2_dash.wording import UNIT, advice_sentence, certainty_sentence, saving_phrase

HOUR = timedelta(hours=1)
DURATIONS = (1, 2, 3, 4, 5, 6, 8)
DEFAULT_DURATION = 3
# The deadline of who has chosen none: it moves on with every forecast.
FORECAST_END = "end"


def layout(view: View | None, situation: Situation) -> Part:
    """Return the page."""
    deadlines = deadline_choices(view, situation, DEFAULT_DURATION)
    return page(
        "Next 6h forecast",
        "How clean the power in Danish sockets is now and in the coming hours.",
        *area_chooser(view, situation),
        html.Div(
            [
                html.Section(card(html.Div(now_parts(view, situation), id="now")), className="now-section"),
                html.Section(
                    card(
                        heading("The cleanest time"),
                        dmc.SimpleGrid(
                            [
                                choice(
                                    "window-duration",
                                    "Use power for",
                                    [(str(h), hours_phrase(h)) for h in DURATIONS],
                                    str(DEFAULT_DURATION),
                                ),
                                choice("window-before", "and be done before", deadlines, deadlines[-1][0]),
                            ],
                            cols={"base": 1, "xs": 2},
                            spacing="sm",
                        ),
                        html.Div(
                            window_parts(view, situation, str(DEFAULT_DURATION), deadlines[-1][0]),
                            id="window",
                            role="status",
                        ),
                    ),
                    className="window-section",
                    **{"aria-label": "The cleanest time"},
                ),
            ],
            className="hero",
        ),
        html.Section(
            html.Div(strip_parts(view, situation), id="strip"), **{"aria-label": "The next 6 hours"}
        ),
        exhibit_card(FORECAST),
        html.Section(card(heading("About this forecast"), html.Div(fact_parts(view, situation), id="facts"))),
    )


def hours_phrase(hours: int) -> str:
    """Return ``1 hour``, ``3 hours``."""
    return "1 hour" if hours == 1 else f"{hours} hours"


def last_month(view: View | None, situation: Situation) -> Scale | None:
    """Return the scale made of the 30 days up to the last measured hour."""
    end = situation.measured_until_utc
    if view is None or end is None:
        return None
    values = queries.measured(view, situation.price_area, end - SCALE_DAYS, end)["co2_g_per_kwh"].dropna()
    return scale_of([float(value) for value in values])


def now_parts(view: View | None, situation: Situation) -> list[Part]:
    """Return the number, its word and its place on the scale of the last 30 days."""
    end = situation.measured_until_utc
    if view is None or end is None:
        return [heading("How clean is power now?"), dmc.Text("Nothing has been measured yet.", size="lg")]
    value = float(queries.measured(view, situation.price_area, end - HOUR, end)["co2_g_per_kwh"].iloc[0])
    scale = last_month(view, situation)
    moment = "Now" if situation.data_age is not None and situation.data_age < 2 * HOUR else "Last measured"
    parts: list[Part] = [
        heading("How clean is power now?" if moment == "Now" else "How clean was power last?"),
        html.Div(
            [
                html.Span(f"{value:.0f}", className="big-number"),
                html.Span(UNIT, className="big-unit"),
                *([_word(scale, value)] if scale else []),
            ],
            className="big",
        ),
        dmc.Text(
            [
                f"Measured {clock(end - HOUR)}–{clock(end)} {zone_name(end)}",
                f", {span(situation.now_utc - end)} ago. " if situation.now_utc > end else ". ",
                *([_this_hour(view, situation)] if situation.issue_time_utc else []),
            ],
            className="now-note",
        ),
    ]
    return [*parts, *([_legend(scale, value)] if scale else [])]


def _this_hour(view: View, situation: Situation) -> str:
    hours = coming_hours(view, situation)
    if hours.empty or hours["target_hour_utc"].iloc[0] != full_hour(situation.now_utc):
        return ""
    row = hours.iloc[0]
    return (
        f"This hour: about {row['q50_g_per_kwh']:.0f}, "
        f"8 times in 10 between {row['q10_g_per_kwh']:.0f} and {row['q90_g_per_kwh']:.0f}."
    )


def _word(scale: Scale, value: float) -> Part:
    return html.Span(scale.step(value).word, className=f"word step-{STEPS.index(scale.step(value))}")


def _legend(scale: Scale, value: float) -> Part:
    edges = [f"{edge:.0f}" for edge in scale.edges]
    cleaner = scale.percent_cleaner_than(value)
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        html.Span(
                            "▼", className="marker", style={"left": f"{scale.place(value) * 100:.1f}%"}
                        ),
                        className="marker-row",
                        **{"aria-hidden": "true"},
                    ),
                    html.Div(
                        [
                            html.Div(step.word, className=f"step step-{i}", title=step.meaning)
                            for i, step in enumerate(STEPS)
                        ],
                        className="steps",
                    ),
                    html.Div(
                        [html.Span(edge, style={"left": f"{20 * (i + 1)}%"}) for i, edge in enumerate(edges)],
                        className="edges",
                        **{"aria-label": f"Steps at {', '.join(edges)} {UNIT}"},
                        role="img",
                    ),
                ],
                className="scale",
            ),
            dmc.Text(
                f"Cleaner than {cleaner:.0f} % of the hours of the last 30 days. "
                f"Each colour holds a fifth of them; steps in {UNIT}.",
                size="sm",
                c="dimmed",
            ),
        ]
    )


def strip_parts(view: View | None, situation: Situation) -> list[Part]:
    """Return the next six hours, one cell each; nothing when the forecast does not reach them."""
    if view is None:
        return []
    hours = coming_hours(view, situation).head(HEADLINE_HOURS)
    scale = last_month(view, situation)
    return [
        html.Ol([_cell(row, scale) for _, row in hours.iterrows()], className="strip")
        if len(hours)
        else dmc.Text("There is no forecast for the next hours.", c="dimmed")
    ]


def _cell(row: pd.Series, scale: Scale | None) -> Part:
    start = row["target_hour_utc"].to_pydatetime()
    median = float(row["q50_g_per_kwh"])
    step = "" if scale is None else f"step-{STEPS.index(scale.step(median))}"
    word = "" if scale is None else scale.step(median).word
    return html.Li(
        [
            html.Span(clock(start), className="strip-time"),
            html.Span(f"{median:.0f}", className="strip-number"),
            html.Span(word, className=f"strip-word {step}"),
            html.Span(f"{row['q10_g_per_kwh']:.0f}–{row['q90_g_per_kwh']:.0f}", className="strip-band"),
        ],
        className="strip-cell",
    )


def forecast_hours(rows: pd.DataFrame) -> list[ForecastHour]:
    """Return forecast rows as the hours that `windows.advise` takes."""
    return [
        ForecastHour(
            row["target_hour_utc"].to_pydatetime(),
            row["q50_g_per_kwh"],
            row["q10_g_per_kwh"],
            row["q90_g_per_kwh"],
        )
        for row in queries.records(rows)
    ]


def deadline_choices(
    view: View | None, situation: Situation, duration_h: int, chosen: str = FORECAST_END
) -> list[tuple[str, str]]:
    """Return the deadlines that leave room for the duration: pairs of ISO instant and words.

    What the reader has chosen stays among them, with room or without, until it is past. The last,
    the end of the forecast, is there even when no other is.
    """
    hours = [] if view is None else forecast_hours(coming_hours(view, situation))
    if not hours:
        return [(FORECAST_END, "the forecast ends")]
    now = situation.now_utc
    *earlier, last = [hour.start_utc + HOUR for hour in hours]
    fitting = [
        (end.isoformat(), day_and_clock(end, now))
        for end in earlier
        if end - now >= duration_h * HOUR or (end.isoformat() == chosen and end > now)
    ]
    return [*fitting, (FORECAST_END, day_and_clock(last, now))]


def window_parts(view: View | None, situation: Situation, duration: str, before: str) -> list[Part]:
    """Return the advice for a duration in hours and a deadline (ISO, naive UTC), both from the page."""
    hours = [] if view is None else forecast_hours(coming_hours(view, situation))
    if not hours:
        return [dmc.Text("There is no forecast to choose a time by.", mt="md")]
    length = int(duration) if duration in {str(h) for h in DURATIONS} else DEFAULT_DURATION
    now, end, chosen = situation.now_utc, hours[-1].start_utc + HOUR, _chosen_deadline(before)
    deadline, said = end if chosen is None else min(chosen, end), ""
    if chosen is not None and chosen - now < length * HOUR:
        too_late = f"{day_and_clock(chosen, now)} has passed"
        no_room = f"{hours_phrase(length)} from now end after {day_and_clock(chosen, now)}"
        said = f"{too_late if chosen <= now else no_room}, so this is for the whole forecast."
        deadline = end
    try:
        advice = advise(hours, now, length * HOUR, deadline)
    except NoWindow as error:
        return [dmc.Text(f"No time to give: {error}.", mt="md")]
    return [
        *([dmc.Text(said, className="unmet", mt="sm")] if said else []),
        *_advice_parts(advice, situation, hours_phrase(length), deadline),
    ]


def _chosen_deadline(before: str) -> datetime | None:
    """The instant that the page sent; None for the end of the forecast and for anything unknown."""
    try:
        instant = datetime.fromisoformat(before)
    except (ValueError, TypeError):
        return None
    return None if instant.tzinfo else instant


def _advice_parts(advice: Advice, situation: Situation, length: str, deadline: datetime) -> list[Part]:
    now = situation.now_utc
    best = advice.best
    sentence = advice_sentence(
        advice, day_and_clock(best.start_utc, now), length, day_and_clock(deadline, now)
    )
    return [
        dmc.Text(sentence, className="advice"),
        dmc.Text(
            f"{clock(best.start_utc)}–{clock(best.end_utc)}: {saving_phrase(advice)}.", className="saving"
        ),
        dmc.Text(certainty_sentence(advice), size="sm", c="dimmed"),
    ]


def fact_parts(view: View | None, situation: Situation) -> Part:
    """Return when and by what the forecast was made, and what it suffers from."""
    issue, until = situation.issue_time_utc, situation.measured_until_utc
    if view is None or issue is None:
        return dmc.Text("No forecast has been issued yet.")
    forecast = queries.current_forecast(view, situation.price_area)
    return facts(
        fact("Issued", _moment(issue, situation)),
        fact("Data up to", _moment(until, situation) if until else "nothing measured"),
        fact("Model", html.Code(situation.model_version)),
        fact("Reaches", f"{len(forecast)} hours, to {day_and_clock(_end(forecast), situation.now_utc)}"),
        fact(
            "Degraded",
            "; ".join(situation.degraded_causes)
            if situation.degraded_causes
            else "No: every input was there",
        ),
    )


def _end(forecast: pd.DataFrame) -> datetime:
    last: datetime = forecast["target_hour_utc"].iloc[-1].to_pydatetime()
    return last + HOUR


def _moment(instant: datetime, situation: Situation) -> str:
    age = situation.now_utc - instant
    return f"{date_and_clock(instant)} ({span(age)} ago)" if age >= timedelta(0) else date_and_clock(instant)
