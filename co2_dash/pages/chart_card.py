"""A chart on a page: its card with table and download, its legend, and the callbacks that serve them all."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import MATCH, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from co2_dash.charts.all_charts import CHARTS, csv_of, fingerprint, rows_of
from co2_dash.charts.chart import Chart, Figure, Theme
from co2_dash.data.state import Reader, clock_token
from co2_dash.pages.components import ADDRESS, Part, area_in, card, dcc, heading, html, in_browser
from co2_dash.pages.data_table import grid


def _chart_of(identity: Mapping[str, Any]) -> Chart:
    try:
        return CHARTS[identity["chart"]]
    except (KeyError, TypeError) as error:
        raise PreventUpdate from error


def kept_zoom(view_changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what keeps the reader's zoom, from the last change that a chart has told of.

    ``uirevision`` alone does not: `dcc.Graph` writes a zoom into its figure, and the next figure
    takes its place.
    """
    bounds = [(view_changes or {}).get(f"xaxis.range[{end}]") for end in (0, 1)]
    if not all(isinstance(bound, str | int | float) for bound in bounds):
        return {}
    return {"range": bounds, "autorange": False}


def register(app: Dash, reader: Reader) -> None:
    """Serve the chart, the table and the download of every chart."""

    def mine(kind: str) -> dict[str, Any]:
        return {"type": kind, "chart": MATCH}

    @app.callback(
        Output(mine("figure"), "figure"),
        Output(mine("figure"), "relayoutData"),
        Output(mine("legend"), "children"),
        Output(mine("chart"), "aria-label"),
        Output(mine("chart"), "hidden"),
        Output(mine("nothing"), "children"),
        Output(mine("shown"), "data"),
        Input("data-token", "data"),
        Input("clock-token", "data"),
        Input("theme", "data"),
        Input(mine("options"), "data"),
        State(mine("figure"), "relayoutData"),
        State(mine("figure"), "id"),
        State(mine("shown"), "data"),
        ADDRESS,
    )
    def draw(
        _data: str,
        _clock: str,
        scheme: str | None,
        options: dict[str, Any] | None,
        view_changes: dict[str, Any] | None,
        identity: dict[str, str],
        shown: str | None,
        address: str | None,
    ) -> tuple[Any, ...]:
        as_it_is = (no_update,) * 7
        chart = _chart_of(identity)
        triggers = set(ctx.triggered_prop_ids)
        only_the_clock = triggers == {"clock-token.data"}
        if scheme is None or chart.figure is None or (only_the_clock and not chart.follows_clock):
            return as_it_is
        theme: Theme = "dark" if scheme == "dark" else "light"
        view, state = reader.look(area_in(address))
        rows = rows_of(chart, view, state, options or {})
        time = clock_token(state.now_utc) if chart.follows_clock else None
        drawn = fingerprint(rows, state.price_area, sorted((options or {}).items()), theme, time)
        if drawn == shown:
            return as_it_is
        if rows.empty:
            nothing = chart.why_nothing(state)
            return no_update, None, [], f"{chart.title}: {nothing}", True, nothing, drawn
        label = chart.summary(rows) if chart.summary else chart.title
        figure = chart.figure(rows, state, options or {}, theme)
        # Other choices give another chart, which begins unzoomed.
        same_chart = triggers <= {"data-token.data", "clock-token.data", "theme.data"}
        if same_chart:
            figure["layout"]["xaxis"] |= kept_zoom(view_changes)
        return figure, no_update if same_chart else None, legend(figure), label, False, [], drawn

    in_browser(
        app,
        "openTable",
        Output(mine("table-open"), "data"),
        Output(mine("table-button"), "children"),
        Output(mine("table-button"), "aria-expanded"),
        Input(mine("table-button"), "n_clicks"),
    )

    @app.callback(
        Output(mine("table"), "children"),
        Output(mine("table-shown"), "data"),
        Input(mine("table-open"), "data"),
        Input("data-token", "data"),
        Input(mine("options"), "data"),
        State(mine("table"), "id"),
        State(mine("table-shown"), "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def fill_table(
        is_open: bool,
        _data: str,
        options: dict[str, Any] | None,
        identity: dict[str, str],
        shown: str | None,
        address: str | None,
    ) -> tuple[Any, Any]:
        if not is_open:
            return [], None
        chart = _chart_of(identity)
        view, state = reader.look(area_in(address))
        rows = rows_of(chart, view, state, options or {})
        listed_rows = fingerprint(rows, state.price_area)
        if listed_rows == shown:
            return no_update, no_update
        if rows.empty:
            return dmc.Text(chart.why_nothing(state), size="sm", c="dimmed"), listed_rows
        return grid(chart, rows), listed_rows

    @app.callback(
        Output(mine("download"), "data"),
        Input(mine("csv"), "n_clicks"),
        State(mine("options"), "data"),
        State(mine("csv"), "id"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def download(
        n_clicks: int | None,
        options: dict[str, Any] | None,
        identity: dict[str, str],
        address: str | None,
    ) -> Any:
        if not n_clicks:
            return no_update
        chart = _chart_of(identity)
        view, state = reader.look(area_in(address))
        rows = rows_of(chart, view, state, options or {})
        source = state.source or "nothing"
        name = f"{chart.key}-{source}-{state.price_area}-{state.now_utc:%Y%m%dT%H%MZ}.csv"
        return {"content": csv_of(rows, state), "filename": name, "type": "text/csv"}


GRAPH_CONFIG = {"displayModeBar": False, "responsive": True, "doubleClick": "reset", "showTips": False}


def part_id(kind: str, chart: str) -> dict[str, str]:
    """Return the id of one part of a chart, for the callbacks that serve them all."""
    return {"type": kind, "chart": chart}


def chart_card(chart: Chart, options: Mapping[str, Any] | None = None, *controls: Part) -> Part:
    """Return a chart's card: its chart, its table, which opens on request, and the download.

    The table stands open where there is no chart.
    """
    key = chart.key
    drawing = [] if chart.figure is None else [_chart(chart)]
    tools = dmc.Group(
        [
            dmc.Button(
                "Read as table",
                id=part_id("table-button", key),
                # An odd number of clicks is an open table.
                n_clicks=1 if chart.figure is None else 0,
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
            heading(chart.title, chart.explanation),
            *controls,
            *drawing,
            tools,
            html.Div(id=part_id("table", key), className="table"),
            dcc.Store(id=part_id("options", key), data=dict(options or {})),
            # True once the table is wanted and the grid's library has been loaded.
            dcc.Store(id=part_id("table-open", key), data=False),
            dcc.Store(id=part_id("table-shown", key)),
            dcc.Download(id=part_id("download", key)),
        ),
        **{"aria-label": chart.title},
    )


def _chart(chart: Chart) -> Part:
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
        id=part_id("figure", chart.key),
        figure=waiting,
        config=GRAPH_CONFIG,
        style={"height": f"{chart.height}px"},
    )
    drawn = html.Div(
        graph,
        id=part_id("chart", chart.key),
        role="img",
        className="chart",
        **{"aria-label": f"{chart.title}: loading"},
    )
    # Why there is nothing to see is said in words of the page, which wrap, and takes no more room.
    nothing = html.P(id=part_id("nothing", chart.key), className="nothing")
    # What is shown, so that only what has changed is drawn again; a table has one too.
    shown = dcc.Store(id=part_id("shown", chart.key))
    return html.Div([html.Ul(id=part_id("legend", chart.key), className="legend"), drawn, nothing, shown])


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


def hand_choices(app: Dash, names: Sequence[str], charts: Sequence[str]) -> None:
    """Let the browser hand the choices called ``names``, all together, to each of ``charts``."""
    in_browser(
        app,
        "choose",
        [Output(part_id("options", key), "data") for key in charts],
        [Input({"type": "choice", "name": name}, "value") for name in names],
        prevent_initial_call=True,
    )
