"""Next 6h forecast: how clean power is, how clean it will be, and when best to use it."""

from datetime import datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Dash, Input, Output

from co2_dash.advice.cleanest_window import Advice, NoWindow, advise
from co2_dash.advice.coming_hours import HEADLINE_HOURS, coming_hours, forecast_hours, full_hour
from co2_dash.advice.intensity_scale import STEPS, Scale, last_month
from co2_dash.advice.sentences import advice_sentence, certainty_sentence, saving_phrase
from co2_dash.charts.forecast import FORECAST
from co2_dash.data import queries
from co2_dash.data.danish_time import clock, date_and_clock, day_and_clock, span, zone_name
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card
from co2_dash.pages.components import (
    ADDRESS,
    Part,
    area_chooser,
    area_in,
    card,
    choice,
    fact,
    facts,
    heading,
    html,
    listed,
    page,
)

HOUR = timedelta(hours=1)
DURATIONS = (1, 2, 3, 4, 5, 6, 8)
DEFAULT_DURATION = 3
# The deadline of who has chosen none: it moves on with every forecast.
FORECAST_END = "end"


def layout(view: View | None, state: DataState) -> Part:
    """Return the page."""
    deadlines = deadline_choices(view, state, DEFAULT_DURATION)
    return page(
        "Next 6h forecast",
        "How clean the power in Danish sockets is now and in the coming hours.",
        *area_chooser(view, state),
        html.Div(
            [
                html.Section(card(html.Div(now_parts(view, state), id="now")), className="now-section"),
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
                            window_parts(view, state, str(DEFAULT_DURATION), deadlines[-1][0]),
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
        html.Section(html.Div(strip_parts(view, state), id="strip"), **{"aria-label": "The next 6 hours"}),
        chart_card(FORECAST),
        html.Section(card(heading("About this forecast"), html.Div(fact_parts(view, state), id="facts"))),
    )


def hours_phrase(hours: int) -> str:
    """Return ``1 hour``, ``3 hours``."""
    return "1 hour" if hours == 1 else f"{hours} hours"


def now_parts(view: View | None, state: DataState) -> list[Part]:
    """Return the number, its word and its place on the scale of the last 30 days."""
    end = state.measured_until_utc
    if view is None or end is None:
        return [heading("How clean is power now?"), dmc.Text("Nothing has been measured yet.", size="lg")]
    value = float(queries.measured(view, state.price_area, end - HOUR, end)["co2_g_per_kwh"].iloc[0])
    scale = last_month(view, state)
    moment = "Now" if state.data_age is not None and state.data_age < 2 * HOUR else "Last measured"
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
                f", {span(state.now_utc - end)} ago. " if state.now_utc > end else ". ",
                *([_this_hour(view, state)] if state.issue_time_utc else []),
            ],
            className="now-note",
        ),
    ]
    return [*parts, *([_legend(scale, value)] if scale else [])]


def _this_hour(view: View, state: DataState) -> str:
    hours = coming_hours(view, state)
    if hours.empty or hours["target_hour_utc"].iloc[0] != full_hour(state.now_utc):
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


def strip_parts(view: View | None, state: DataState) -> list[Part]:
    """Return the next six hours, one cell each; nothing when the forecast does not reach them."""
    if view is None:
        return []
    hours = coming_hours(view, state).head(HEADLINE_HOURS)
    scale = last_month(view, state)
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


def deadline_choices(
    view: View | None, state: DataState, duration_h: int, chosen: str = FORECAST_END
) -> list[tuple[str, str]]:
    """Return the deadlines that leave room for the duration: pairs of ISO instant and words.

    What the reader has chosen stays among them, with room or without, until it is past. The last,
    the end of the forecast, is there even when no other is.
    """
    hours = [] if view is None else forecast_hours(coming_hours(view, state))
    if not hours:
        return [(FORECAST_END, "the forecast ends")]
    now = state.now_utc
    *earlier, last = [hour.start_utc + HOUR for hour in hours]
    fitting = [
        (end.isoformat(), day_and_clock(end, now))
        for end in earlier
        if end - now >= duration_h * HOUR or (end.isoformat() == chosen and end > now)
    ]
    return [*fitting, (FORECAST_END, day_and_clock(last, now))]


def window_parts(view: View | None, state: DataState, duration: str, before: str) -> list[Part]:
    """Return the advice for a duration in hours and a deadline (ISO, naive UTC), both from the page."""
    hours = [] if view is None else forecast_hours(coming_hours(view, state))
    if not hours:
        return [dmc.Text("There is no forecast to choose a time by.", mt="md")]
    length = int(duration) if duration in {str(h) for h in DURATIONS} else DEFAULT_DURATION
    now, end, chosen = state.now_utc, hours[-1].start_utc + HOUR, _chosen_deadline(before)
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
        *_advice_parts(advice, state, hours_phrase(length), deadline),
    ]


def _chosen_deadline(before: str) -> datetime | None:
    """The instant that the page sent; None for the end of the forecast and for anything unknown."""
    try:
        instant = datetime.fromisoformat(before)
    except (ValueError, TypeError):
        return None
    return None if instant.tzinfo else instant


def _advice_parts(advice: Advice, state: DataState, length: str, deadline: datetime) -> list[Part]:
    now = state.now_utc
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


def fact_parts(view: View | None, state: DataState) -> Part:
    """Return when and by what the forecast was made, and what it suffers from."""
    issue, until = state.issue_time_utc, state.measured_until_utc
    if view is None or issue is None:
        return dmc.Text("No forecast has been issued yet.")
    forecast = queries.current_forecast(view, state.price_area)
    return facts(
        fact("Issued", _moment(issue, state)),
        fact("Data up to", _moment(until, state) if until else "nothing measured"),
        fact("Model", html.Code(state.model_version)),
        fact("Reaches", f"{len(forecast)} hours, to {day_and_clock(_end(forecast), state.now_utc)}"),
        fact(
            "Degraded",
            "; ".join(state.degraded_causes) if state.degraded_causes else "No: every input was there",
        ),
    )


def _end(forecast: pd.DataFrame) -> datetime:
    last: datetime = forecast["target_hour_utc"].iloc[-1].to_pydatetime()
    return last + HOUR


def _moment(instant: datetime, state: DataState) -> str:
    age = state.now_utc - instant
    return f"{date_and_clock(instant)} ({span(age)} ago)" if age >= timedelta(0) else date_and_clock(instant)


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep the words of this page up to date."""

    @app.callback(
        Output("now", "children"),
        Output("strip", "children"),
        Output("facts", "children"),
        Input("data-token", "data"),
        Input("clock-token", "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def say_now(_data: str, _clock: str, address: str | None) -> tuple[Any, Any, Any]:
        view, state = reader.look(area_in(address))
        return (
            now_parts(view, state),
            strip_parts(view, state),
            fact_parts(view, state),
        )

    @app.callback(
        Output("window-before", "data"),
        Output("window-before", "value"),
        Output("window", "children"),
        Input("window-duration", "value"),
        Input("window-before", "value"),
        Input("data-token", "data"),
        Input("clock-token", "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def advise(
        duration: str, before: str, _data: str, _clock: str, address: str | None
    ) -> tuple[Any, Any, Any]:
        view, state = reader.look(area_in(address))
        length = int(duration) if str(duration).isdecimal() else DEFAULT_DURATION
        deadlines = deadline_choices(view, state, length, before)
        chosen = before if before in dict(deadlines) else FORECAST_END
        return listed(deadlines), chosen, window_parts(view, state, duration, before)
