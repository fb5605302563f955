"""Recent predictions vs actual: what was forecast against what came true."""

import dash_mantine_components as dmc

from co2_dash import queries
from co2_dash.components import html
from co2_dash.exhibits.predictions import (
    ALL_LEADS,
    DEFAULT_PERIOD,
    KINDS,
    LONGEST_LEAD,
    OUTCOMES,
    PERIODS,
    default_kind,
)
from co2_dash.exhibits.scores import CALIBRATION, LEADS, ROLLING
from co2_dash.pages.parts import Part, area_chooser, card, choice, exhibit_card, page
from co2_dash.situation import Situation
from co2_dash.store import View


def layout(view: View | None, situation: Situation) -> Part:
    """Return the page."""
    scored = {} if view is None else queries.scored_hours(view, situation.price_area)
    kind = default_kind(scored)
    options = {"period": DEFAULT_PERIOD, "kind": kind}
    return page(
        "Recent predictions vs actual",
        "Every forecast is kept as it was issued and held against what was measured afterwards.",
        *area_chooser(view, situation),
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
            html.Div(scored_parts(view, situation), id="scored"),
        ),
        exhibit_card(OUTCOMES, {**options, "lead": ALL_LEADS}),
        dmc.SimpleGrid(
            [exhibit_card(LEADS, options), exhibit_card(CALIBRATION, options)],
            cols={"base": 1, "lg": 2},
            spacing="lg",
            className="side-by-side",
        ),
        exhibit_card(ROLLING, options),
    )


def scored_parts(view: View | None, situation: Situation) -> Part:
    """Return how many hours have been scored, each kind apart."""
    scored = {} if view is None else queries.scored_hours(view, situation.price_area)
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
