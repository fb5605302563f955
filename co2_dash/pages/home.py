"""The page "Next 6h forecast": how clean power is, how clean it will be, and when it is best used."""

from datetime import datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output

from co2_dash.advice.coming_hours import HEADLINE_HOURS
from co2_dash.charts.forecast import FORECAST
from co2_dash.data.danish_time import date_and_clock, day_and_clock, span
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card
from co2_dash.pages.components import (
    ADDRESS,
    Part,
    area_chooser,
    area_in,
    card,
    fact,
    facts,
    heading,
    html,
    page,
    select_data,
)
from co2_dash.pages.home_data import HomeData
from co2_dash.pages.home_now import now_parts, strip_parts
from co2_dash.pages.home_window import (
    FORECAST_END,
    chosen_duration,
    deadline_choices,
    window_answer,
    window_card,
)


def layout(view: View | None, state: DataState) -> Part:
    """Return the page."""
    data = HomeData.read(view, state)
    return page(
        "Next 6h forecast",
        "How clean the power in Danish sockets is now and in the coming hours.",
        *area_chooser(view, state),
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
        chart_card(FORECAST),
        html.Section(card(heading("About this forecast"), html.Div(fact_parts(data), id="facts"))),
    )


def fact_parts(data: HomeData) -> Part:
    """Return when and by which model the forecast was made, and why it is degraded if it is."""
    state = data.state
    issued_at, until, due = state.issued_at_utc, state.measured_until_utc, state.next_due_utc
    if issued_at is None:
        return dmc.Text("No forecast has been issued yet.")
    end = day_and_clock(data.forecast_end_utc, state.now_utc)
    causes = "; ".join(state.degraded_causes)
    return facts(
        fact("Issued", _time_and_age(issued_at, state)),
        *([fact("Next due", date_and_clock(due))] if due else []),
        fact("Data up to", _time_and_age(until, state) if until else "nothing measured"),
        fact("Model", html.Code(state.model_version)),
        fact("Covers", f"{len(data.forecast)} hours, until {end}"),
        fact("Degraded", causes or "No: every input was available"),
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
        is_possible = any(before == value for value, _ in deadlines)
        shown = before if is_possible else FORECAST_END
        return select_data(deadlines), shown, window_answer(data, hours, before, shown)
