"""Recent predictions vs actual: what was forecast against what came true."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output

from co2_dash.charts.outcomes import (
    ALL_LEADS,
    DEFAULT_PERIOD,
    KINDS,
    LONGEST_LEAD,
    OUTCOMES,
    PERIODS,
    default_kind,
)
from co2_dash.charts.scores import CALIBRATION, LEADS, ROLLING
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card, hand_choices
from co2_dash.pages.components import ADDRESS, Part, area_chooser, area_in, card, choice, html, page


def layout(view: View | None, state: DataState) -> Part:
    """Return the page."""
    scored = {} if view is None else queries.scored_hours(view, state.price_area)
    kind = default_kind(scored)
    options = {"period": DEFAULT_PERIOD, "kind": kind}
    return page(
        "Recent predictions vs actual",
        "Every forecast is kept as it was issued and held against what was measured afterwards.",
        *area_chooser(view, state),
        card(
            dmc.Group(
                [
                    _choice("period", "Over the last", [(name, name) for name in PERIODS], DEFAULT_PERIOD),
                    _choice("kind", "Forecasts", list(KINDS.items()), kind),
                    _choice("lead", "Lead", _leads(), ALL_LEADS),
                ],
                gap="md",
                className="choices",
            ),
            html.Div(scored_parts(view, state), id="scored"),
        ),
        chart_card(OUTCOMES, {**options, "lead": ALL_LEADS}),
        dmc.SimpleGrid(
            [chart_card(LEADS, options), chart_card(CALIBRATION, options)],
            cols={"base": 1, "lg": 2},
            spacing="lg",
            className="side-by-side",
        ),
        chart_card(ROLLING, options),
    )


def scored_parts(view: View | None, state: DataState) -> Part:
    """Return how many hours have been scored, each kind apart."""
    scored = {} if view is None else queries.scored_hours(view, state.price_area)
    backfilled = f", {scored['backfill']} by a model of then" if "backfill" in scored else ""
    return dmc.Text(
        f"Scored so far: {scored.get('live', 0)} hours of live forecasts, {scored.get('hindcast', 0)} of "
        f"those issued later, as of then{backfilled}. What was issued later was made with only what was "
        "known at its issue time; the kinds are never counted together.",
        size="sm",
        c="dimmed",
        mt="sm",
    )


def _choice(name: str, label: str, options: list[tuple[str, str]], value: str) -> Part:
    return choice({"type": "choice", "name": name}, label, options, value)


def _leads() -> list[tuple[str, str]]:
    return [(ALL_LEADS, "all"), *((str(h), f"{h} h ahead") for h in range(1, LONGEST_LEAD + 1))]


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep the words of this page up to date."""

    @app.callback(
        Output("scored", "children"), Input("data-token", "data"), ADDRESS, prevent_initial_call=True
    )
    def say_scored(_data: str, address: str | None) -> Any:
        return scored_parts(*reader.look(area_in(address)))

    hand_choices(app, ("period", "kind"), ("leads", "calibration", "rolling"))
    hand_choices(app, ("period", "kind", "lead"), ("outcomes",))
