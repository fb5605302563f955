"""The page "Next 6h forecast": how clean power is, how clean it will be, and when it is best used."""

from datetime import datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State

from co2_assets.advice.asked_window import DEFAULT_DURATION
from co2_assets.contracts.danish_time import date_and_clock, day_and_clock, span
from co2_assets.contracts.forecast_spec import HEADLINE_HOURS, HORIZON_HOURS
from co2_dash.advice.coming_hours import chosen_span
from co2_dash.advice.window_choice import chosen_duration
from co2_dash.charts.forecast import FORECAST
from co2_dash.data.notices import in_plain_words
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card, component_id
from co2_dash.pages.components import (
    ADDRESS,
    Part,
    area_chooser,
    area_in,
    card,
    choice_id,
    fact,
    facts,
    heading,
    html,
    in_browser,
    keep_choices,
    page,
    select_data,
    usual_choices,
)
from co2_dash.pages.home_data import HomeData
from co2_dash.pages.home_days import days_card, days_parts
from co2_dash.pages.home_hours import hours_answer, hours_card
from co2_dash.pages.home_now import now_parts, strip_parts
from co2_dash.pages.home_question import question
from co2_dash.pages.home_window import (
    deadline_choices,
    shown_deadline,
    window_answer,
    window_card,
)


def layout(view: View | None, state: DataState, hours: object = None, *, asks_area: bool = False) -> Part:
    """Return the page; ``hours`` is how many of the coming hours are shown, as in the address.

    With ``asks_area`` it asks the reader for the area.
    """
    data = HomeData.read(view, state)
    span = chosen_span(hours)
    return page(
        "When is power clean?",
        f"The power in Danish sockets now and in the coming {HORIZON_HOURS} hours.",
        *area_chooser(view, state),
        *(question(view) if asks_area else []),
        html.Div(
            [
                html.Section(card(html.Div(now_parts(data), id="now")), className="now-section"),
                html.Section(
                    window_card(data), className="window-section", **{"aria-label": "The cleanest time"}
                ),
            ],
            className="hero",
        ),
        html.Section(
            html.Div(strip_parts(data), id="strip"), **{"aria-label": f"The next {HEADLINE_HOURS} hours"}
        ),
        html.Section(hours_card(data, span), **{"aria-label": "Hour by hour"}),
        chart_card(FORECAST, chart_options(data, span)),
        html.Section(days_card(data), **{"aria-label": "Day by day"}),
        html.Section(card(heading("About this forecast"), html.Div(fact_parts(data), id="facts"))),
        usual_choices(hours=str(chosen_span(None))),
    )


def chart_options(data: HomeData, span: int) -> dict[str, str]:
    """Return the options of the chart before the reader has chosen; the browser sends the same ones."""
    before = shown_deadline(data, deadline_choices(data, DEFAULT_DURATION), None)
    return {"hours": str(span), "duration": str(DEFAULT_DURATION), "before": before}


def fact_parts(data: HomeData) -> Part:
    """Return when and by which model the forecast was made, and why it is degraded if it is."""
    state = data.state
    issued_at, until, due = state.issued_at_utc, state.measured_until_utc, state.next_due_utc
    if issued_at is None:
        return dmc.Text("No forecast has been issued yet.")
    end = day_and_clock(data.forecast_end_utc, state.now_utc)
    causes = "; ".join(map(in_plain_words, state.degraded_causes))
    return facts(
        fact("Issued", _time_and_age(issued_at, state)),
        *([fact("Next due", date_and_clock(due))] if due else []),
        fact("Data up to", _time_and_age(until, state) if until else "nothing measured"),
        fact("Model", html.Code(state.model_version)),
        fact("Covers", f"{len(data.forecast)} hours, until {end}"),
        fact("Missing inputs", causes or "None"),
    )


def _time_and_age(instant: datetime, state: DataState) -> str:
    age = state.now_utc - instant
    return f"{date_and_clock(instant)} ({span(age)} ago)" if age >= timedelta(0) else date_and_clock(instant)


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep this page up to date."""

    def read(address: str | None) -> HomeData:
        return HomeData.read(*reader.look(area_in(address)))

    @app.callback(
        Output("now", "children"),
        Output("strip", "children"),
        Output("facts", "children"),
        Input("data-token", "data"),
        Input("clock-token", "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def update_now(_data: str, _clock: str, address: str | None) -> tuple[Any, Any, Any]:
        data = read(address)
        return now_parts(data), strip_parts(data), fact_parts(data)

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
    def update_window(
        duration: object, before: object, _data: str, _clock: str, address: str | None
    ) -> tuple[Any, Any, Any]:
        data = read(address)
        hours = chosen_duration(duration)
        deadlines = deadline_choices(data, hours, before)
        shown = shown_deadline(data, deadlines, before)
        return select_data(deadlines), shown, window_answer(data, hours, before, shown)

    @app.callback(
        Output("hours", "children"),
        Output("days", "children"),
        Input(choice_id("hours"), "value"),
        Input("window-duration", "value"),
        Input("window-before", "value"),
        Input("data-token", "data"),
        Input("clock-token", "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def update_hours(
        hours: object, duration: object, before: object, _data: str, _clock: str, address: str | None
    ) -> tuple[Any, Any]:
        data = read(address)
        return hours_answer(data, hours, duration, before), days_parts(data)

    in_browser(
        app,
        "chooseHours",
        Output(component_id("options", FORECAST.key), "data"),
        Input(choice_id("hours"), "value"),
        Input("window-duration", "value"),
        Input("window-before", "value"),
        State(component_id("options", FORECAST.key), "data"),
        prevent_initial_call=True,
    )
    keep_choices(app, "hours")
