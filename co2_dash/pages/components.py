"""The small components that pages are made of: cards, headings, facts, choices."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Input, Output, State

from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_dash.data import queries
from co2_dash.data.asked_area import asked_area_in
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

# Dash's own components, untyped: their stubs do not have the ``aria-`` attributes.
html: Any = dash.html
dcc: Any = dash.dcc
# Where Dash keeps the query of the address. The area is in it, so that a link to a page keeps the area.
LOCATION = ("_pages_location", "search")
ADDRESS = State(*LOCATION)

Part = Any  # A Dash component; the libraries that make them have no types.


def card(*children: Part, **more: Any) -> Part:
    """Return a card."""
    return dmc.Paper(list(children), className="card", p={"base": "md", "sm": "lg"}, radius="lg", **more)


def heading(text: str, explanation: str = "") -> Part:
    """Return the heading of a card, with an explanation under it."""
    parts: list[Part] = [dmc.Title(text, order=2, className="card-title")]
    if explanation:
        parts.append(dmc.Text(explanation, size="sm", c="dimmed", className="explanation"))
    return dmc.Stack(parts, gap=4, mb="sm")


def page(title: str, lead: str, *children: Part) -> Part:
    """Return a page: its title (the only h1), the sentence ``lead``, then its cards."""
    top = html.Div(
        [
            dmc.Title(title, order=1, className="page-title"),
            dmc.Text(lead, c="dimmed", className="page-lead"),
        ]
    )
    return dmc.Stack([top, *children], gap="md", className="page")


def area_chooser(view: View | None, state: DataState) -> list[Part]:
    """Return the choice of area; nothing when there are data of one area only."""
    names_with_data = [] if view is None else queries.areas(view)
    areas = [area for area in AREAS.values() if area.name in (*names_with_data, state.area.name)]
    if len(areas) < 2:
        return []
    options = [(area.name, area_title(area)) for area in areas]
    chooser = choice("area", "Area", options, state.area.name, maw=280)
    # What follows on the page is of this area.
    return [html.Div(chooser, className="area-choice", **made_for(state))]


def area_title(area: Area) -> str:
    """Return the title of an area, with its name unless it is the whole country."""
    return area.title if area == DENMARK else f"{area.title} ({area.name})"


def choice(identity: Any, label: str, options: Sequence[tuple[str, str]], value: str, **more: Any) -> Part:
    """Return a list to choose one option from; ``options`` are pairs of value and text."""
    return dmc.Select(
        id=identity,
        label=label,
        data=select_data(options),
        value=value,
        allowDeselect=False,
        **more,
    )


def choice_id(name: str) -> dict[str, str]:
    """Return the id of the component that holds a choice for the charts of a page."""
    return {"type": "choice", "name": name}


def made_for(state: DataState, choices: Mapping[str, object] | None = None) -> dict[str, str]:
    """Return the attribute that says which choices of the reader a part of a page was made for.

    ``choices`` are the values by the ids of the components that hold them. The browser hides the part while
    another choice is shown there.
    """
    return {"data-for": json.dumps({"area": state.area.name, **(choices or {})})}


def made_for_options(state: DataState, options: Mapping[str, object]) -> dict[str, str]:
    """Return the attribute of `made_for` for the options of a chart, by the names of the choices."""
    # As Dash writes such an id into the document.
    ids = {name: json.dumps(choice_id(name), sort_keys=True, separators=(",", ":")) for name in options}
    return made_for(state, {ids[name]: value for name, value in options.items()})


def select_data(options: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Return pairs of value and text as the ``data`` of a `choice`."""
    return [{"value": value, "label": text} for value, text in options]


def fact(name: str, *value: Part, wide: bool = False) -> Part:
    """Return a name with its value under it, with ``wide`` in the room of two."""
    return html.Div([html.Dt(name), html.Dd(list(value))], className="fact wide" if wide else "fact")


def facts(*items: Part) -> Part:
    """Return facts side by side, as many in a row as there is room for."""
    return html.Dl(list(items), className="facts")


def tile(name: str, value: str, unit: str, note: str = "") -> Part:
    """Return a number with its name above it and a note below it."""
    return card(
        dmc.Text(name, size="sm", c="dimmed"),
        html.Div([html.Span(value, className="tile-number"), html.Span(f" {unit}", className="tile-unit")]),
        dmc.Text(note, size="sm", c="dimmed"),
    )


def one_of(values: Sequence[str], asked: object, usual: str) -> str:
    """Return what the address asks for if it is one of ``values``; what is ``usual`` for anything else."""
    return asked if isinstance(asked, str) and asked in values else usual


def usual_choices(**values: str) -> Part:
    """Return what a page shows where its address says nothing else, for `keep_choices`."""
    return dcc.Store(id="usual-choices", data=values)


def keep_choices(app: Any, *names: str) -> None:
    """Let the browser write the reader's choices ``names`` into the address, so that a link leads to them."""
    in_browser(
        app,
        "keepChoices",
        Output({"type": "nav", "path": ALL, "place": ALL}, "href", allow_duplicate=True),
        [Input(choice_id(name), "value") for name in names],
        State({"type": "nav", "path": ALL, "place": ALL}, "id"),
        State("usual-choices", "data"),
        prevent_initial_call=True,
    )


def area_in(address: str | None) -> str:
    """Return the name of the area in the query of an address; the whole country when there is none."""
    return asked_area_in(address).name


def in_browser(app: Any, function: str, *arguments: Any, **more: Any) -> None:
    """Add a callback that runs in the browser: a function of ``assets/clientside.js``."""
    app.clientside_callback(ClientsideFunction("pages", function), *arguments, **more)
