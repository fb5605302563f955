"""The parts that pages are put together from: cards, exhibits, facts, choices."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc

from co2_assets.contracts.areas import AREAS, DENMARK
from co2_dash import queries
from co2_dash.components import dcc, html
from co2_dash.exhibits.base import Exhibit, Figure
from co2_dash.situation import Situation
from co2_dash.store import View

Part = Any  # A Dash component; the libraries that make them have no types.

GRAPH_CONFIG = {"displayModeBar": False, "responsive": True, "doubleClick": "reset", "showTips": False}


def part_id(kind: str, exhibit: str) -> dict[str, str]:
    """Return the id of one part of an exhibit, for the callbacks that serve them all."""
    return {"type": kind, "exhibit": exhibit}


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


def area_chooser(view: View | None, situation: Situation) -> list[Part]:
    """Return the choice of area; nothing where there are data of the whole country alone."""
    there = [] if view is None else queries.areas(view)
    names = [name for name in AREAS if name in (*there, situation.price_area)]
    if len(names) < 2:
        return []
    return [
        choice("area", "Area", [(name, area_words(name)) for name in names], situation.price_area, maw=280)
    ]


def area_words(name: str) -> str:
    """Return an area by title, and by code where that is not the whole country's."""
    return AREAS[name].title if name == DENMARK.name else f"{AREAS[name].title} ({name})"


def exhibit_card(exhibit: Exhibit, options: Mapping[str, Any] | None = None, *controls: Part) -> Part:
    """Return an exhibit's card: its chart, its table, which opens on request, and the download.

    The table stands open where there is no chart.
    """
    key = exhibit.key
    chart = [] if exhibit.figure is None else [_chart(exhibit)]
    tools = dmc.Group(
        [
            dmc.Button(
                "Read as table",
                id=part_id("table-button", key),
                # An odd number of clicks is an open table.
                n_clicks=1 if exhibit.figure is None else 0,
                variant="subtle",
                size="compact-sm",
                **{"aria-expanded": "false"},
            ),
            dmc.Button("Download CSV", id=part_id("csv", key), variant="subtle", size="compact-sm"),
        ],
        gap="xs",
        mt="xs",
    )
    return html.Section(
        card(
            heading(exhibit.title, exhibit.explanation),
            *controls,
            *chart,
            tools,
            html.Div(id=part_id("table", key), className="table"),
            dcc.Store(id=part_id("options", key), data=dict(options or {})),
            # True once the table is wanted and the grid's library has been loaded.
            dcc.Store(id=part_id("table-open", key), data=False),
            dcc.Store(id=part_id("table-shown", key)),
            dcc.Download(id=part_id("download", key)),
        ),
        **{"aria-label": exhibit.title},
    )


def _chart(exhibit: Exhibit) -> Part:
    waiting = {
        "data": [],
        "layout": {
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "annotations": [
                {"text": "Loading …", "showarrow": False, "font": {"size": 14, "color": "#7a8a87"}}
            ],
        },
    }
    graph = dcc.Graph(
        id=part_id("figure", exhibit.key),
        figure=waiting,
        config=GRAPH_CONFIG,
        style={"height": f"{exhibit.height}px"},
    )
    drawn = html.Div(
        graph,
        id=part_id("chart", exhibit.key),
        role="img",
        className="chart",
        **{"aria-label": f"{exhibit.title}: loading"},
    )
    # Why there is nothing to see is said in words of the page, which wrap, and takes no more room.
    nothing = html.P(id=part_id("nothing", exhibit.key), className="nothing")
    # What is shown, so that only what has changed is drawn again; a table has one too.
    shown = dcc.Store(id=part_id("shown", exhibit.key))
    return html.Div([html.Ul(id=part_id("legend", exhibit.key), className="legend"), drawn, nothing, shown])


_BORDERS = {"solid": "solid", "dash": "dashed", "dot": "dotted"}
_SIGNS = {
    "diamond": "◆",
    "circle": "●",
    "circle-open": "○",
    "square-open": "□",
    "x-thin-open": "×",
    "cross-thin-open": "+",
    "asterisk-open": "✳",
}


def legend(figure: Figure) -> list[Part]:
    """Return the entries of a figure's legend, one for each name, unless there is but one."""
    traces: dict[str, Figure] = {}
    for trace in figure["data"]:
        if "name" in trace:
            traces.setdefault(trace["name"], trace)
    if len(traces) < 2:
        return []
    return [html.Li([_swatch(trace), name]) for name, trace in traces.items()]


def _swatch(trace: Figure) -> Part:
    marker, line = trace.get("marker", {}), trace.get("line", {})
    if "fillcolor" in trace or trace["type"] == "bar":
        colour = trace.get("fillcolor") or marker["color"]
        return html.Span(className="swatch", style={"background": colour})
    if trace["mode"] == "markers" or "symbol" in marker:
        return html.Span(_SIGNS[marker["symbol"]], className="sign", style={"color": marker["color"]})
    border = f"{max(2, line['width'])}px {_BORDERS[line.get('dash', 'solid')]} {line['color']}"
    return html.Span(className="stroke", style={"borderTop": border})


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
