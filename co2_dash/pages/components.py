"""The parts that pages are put together from: cards, charts, facts, choices."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, State

from co2_assets.contracts.areas import AREAS, DENMARK
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, area_named

# Dash's own components, untyped: their stubs know no ``aria-`` attributes.
html: Any = dash.html
dcc: Any = dash.dcc
# Where Dash keeps the address's query: the area is read there, so that a link to a page keeps it.
LOCATION = ("_pages_location", "search")
ADDRESS = State(*LOCATION)

Part = Any  # A Dash component; the libraries that make them have no types.


def card(*children: Part, **more: Any) -> Part:
    """Return a card."""
    return dmc.Paper(list(children), className="card", p={"base": "md", "sm": "lg"}, radius="lg", **more)


def heading(text: str, explanation: str = "") -> Part:
    """Return a card's heading with a sentence under it."""
    parts: list[Part] = [dmc.Title(text, order=2, className="card-title")]
    if explanation:
        parts.append(dmc.Text(explanation, size="sm", c="dimmed", className="explanation"))
    return dmc.Stack(parts, gap=4, mb="sm")


def page(title: str, lead: str, *children: Part) -> Part:
    """Return a page: its one h1, a sentence, then its cards."""
    top = html.Div(
        [
            dmc.Title(title, order=1, className="page-title"),
            dmc.Text(lead, c="dimmed", className="page-lead"),
        ]
    )
    return dmc.Stack([top, *children], gap="lg")


def area_chooser(view: View | None, state: DataState) -> list[Part]:
    """Return the choice of area; nothing where there are data of the whole country alone."""
    there = [] if view is None else queries.areas(view)
    names = [name for name in AREAS if name in (*there, state.price_area)]
    if len(names) < 2:
        return []
    return [choice("area", "Area", [(name, area_words(name)) for name in names], state.price_area, maw=280)]


def area_words(name: str) -> str:
    """Return an area by title, and by code where that is not the whole country's."""
    return AREAS[name].title if name == DENMARK.name else f"{AREAS[name].title} ({name})"


def choice(identity: Any, label: str, options: Sequence[tuple[str, str]], value: str, **more: Any) -> Part:
    """Return a labelled list to choose one of; ``options`` are pairs of value and words."""
    return dmc.Select(
        id=identity,
        label=label,
        data=listed(options),
        value=value,
        allowDeselect=False,
        withCheckIcon=False,
        **more,
    )


def listed(options: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Return pairs of value and words as the component wants them."""
    return [{"value": value, "label": words} for value, words in options]


def fact(name: str, *value: Part) -> Part:
    """Return a small heading with what it is about under it."""
    return html.Div([html.Dt(name), html.Dd(list(value))], className="fact")


def facts(*items: Part) -> Part:
    """Return facts side by side, as many as there is room for."""
    return html.Dl(list(items), className="facts")


def tile(name: str, value: str, unit: str, note: str = "") -> Part:
    """Return one number with its name over it and a note under it."""
    return card(
        dmc.Text(name, size="sm", c="dimmed"),
        html.Div([html.Span(value, className="tile-number"), html.Span(f" {unit}", className="tile-unit")]),
        dmc.Text(note, size="sm", c="dimmed"),
    )


def area_in(address: str | None) -> str:
    """Return the area that an address's query names; the whole country where it names none."""
    return area_named(parse_qs((address or "").removeprefix("?")).get("area", [None])[0])


def in_browser(app: Any, function: str, *arguments: Any, **more: Any) -> None:
    """Add a callback that the browser answers: a function of ``assets/clientside.js``."""
    app.clientside_callback(ClientsideFunction("pages", function), *arguments, **more)
