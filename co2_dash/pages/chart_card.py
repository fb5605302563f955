"""The card of a chart or table on a page, and the callbacks that fill all cards."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import MATCH, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from co2_dash.charts.all_charts import CHARTS_AND_TABLES, csv_of, fingerprint, rows_of
from co2_dash.charts.chart import Chart, DataTable, Theme
from co2_dash.data.state import Reader, clock_token
from co2_dash.pages.components import (
    ADDRESS,
    Part,
    area_in,
    card,
    choice_id,
    dcc,
    heading,
    html,
    in_browser,
    made_for_options,
)
from co2_dash.pages.data_table import grid
from co2_dash.pages.legend import legend


def component_id(kind: str, key: str) -> dict[str, str]:
    """Return the id of one component of the card of a chart or table."""
    return {"type": kind, "chart": key}


def _table_of(identity: Mapping[str, Any]) -> DataTable:
    """Return the chart or table that an id names; Dash changes nothing when there is none."""
    try:
        return CHARTS_AND_TABLES[identity["chart"]]
    except (KeyError, TypeError) as error:
        raise PreventUpdate from error


def kept_zoom(view_changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the part of an x axis that keeps the reader's zoom; ``view_changes`` is ``relayoutData``.

    ``uirevision`` alone does not keep it: `dcc.Graph` writes the zoom into its figure, and the next
    figure replaces that one.
    """
    bounds = [(view_changes or {}).get(f"xaxis.range[{end}]") for end in (0, 1)]
    if not all(isinstance(bound, str | int | float) for bound in bounds):
        return {}
    return {"range": bounds, "autorange": False}


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that fill the figures, the tables and the downloads of all cards."""

    def same_card(kind: str) -> dict[str, Any]:
        return {"type": kind, "chart": MATCH}

    @app.callback(
        Output(same_card("figure"), "figure"),
        Output(same_card("figure"), "relayoutData"),
        Output(same_card("legend"), "children"),
        Output(same_card("chart"), "aria-label"),
        Output(same_card("chart"), "hidden"),
        Output(same_card("nothing"), "children"),
        Output(same_card("shown"), "data"),
        Output(same_card("drawn"), "data-for"),
        Input("data-token", "data"),
        Input("clock-token", "data"),
        Input("theme", "data"),
        Input(same_card("options"), "data"),
        State(same_card("figure"), "relayoutData"),
        State(same_card("figure"), "id"),
        State(same_card("shown"), "data"),
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
        no_change = (no_update,) * 8
        chart = _table_of(identity)
        triggers = set(ctx.triggered_prop_ids)
        only_the_clock = triggers == {"clock-token.data"}
        if scheme is None or not isinstance(chart, Chart) or (only_the_clock and not chart.follows_clock):
            return no_change
        theme: Theme = "dark" if scheme == "dark" else "light"
        view, state = reader.look(area_in(address))
        options = options or {}
        rows = rows_of(chart, view, state, options)
        time = clock_token(state.now_utc) if chart.follows_clock else None
        drawn = fingerprint(rows, state.area.name, sorted(options.items()), theme, time)
        if drawn == shown:
            return no_change
        choices = made_for_options(state, options)["data-for"]
        if rows.empty:
            reason = chart.why_empty(state)
            return no_update, None, [], f"{chart.title}: {reason}", True, reason, drawn, choices
        figure = chart.figure(rows, state, options, theme)
        # After another choice the figure is another one, which is not zoomed.
        keeps_zoom = triggers <= {"data-token.data", "clock-token.data", "theme.data"}
        if keeps_zoom:
            figure["layout"]["xaxis"] |= kept_zoom(view_changes)
        relayout_data = no_update if keeps_zoom else None
        return figure, relayout_data, legend(figure), chart.summary(rows), False, [], drawn, choices

    in_browser(
        app,
        "showUnzoom",
        Output(same_card("unzoom"), "display"),
        Input(same_card("figure"), "relayoutData"),
    )
    in_browser(
        app,
        "unzoom",
        Output(same_card("unzoom"), "n_clicks"),
        Input(same_card("unzoom"), "n_clicks"),
        State(same_card("unzoom"), "id"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "openTable",
        Output(same_card("table-open"), "data"),
        Output(same_card("table-button"), "children"),
        Output(same_card("table-button"), "aria-expanded"),
        Input(same_card("table-button"), "n_clicks"),
    )

    @app.callback(
        Output(same_card("table"), "children"),
        Output(same_card("table-shown"), "data"),
        Input(same_card("table-open"), "data"),
        Input("data-token", "data"),
        Input(same_card("options"), "data"),
        State(same_card("table"), "id"),
        State(same_card("table-shown"), "data"),
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
        table = _table_of(identity)
        view, state = reader.look(area_in(address))
        options = options or {}
        rows = rows_of(table, view, state, options)
        filled = fingerprint(rows, state.area.name, sorted(options.items()))
        if filled == shown:
            return no_update, no_update
        content = (
            dmc.Text(table.why_empty(state), size="sm", c="dimmed")
            if rows.empty
            else grid(table, rows, state.now_utc)
        )
        return html.Div(content, **made_for_options(state, options)), filled

    @app.callback(
        Output(same_card("download"), "data"),
        Input(same_card("csv"), "n_clicks"),
        State(same_card("options"), "data"),
        State(same_card("csv"), "id"),
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
        table = _table_of(identity)
        view, state = reader.look(area_in(address))
        rows = rows_of(table, view, state, options or {})
        source = state.source or "nothing"
        name = f"{table.key}-{source}-{state.area.name}-{state.now_utc:%Y%m%dT%H%MZ}.csv"
        return {"content": csv_of(rows, state), "filename": name, "type": "text/csv"}


GRAPH_CONFIG = {"displayModeBar": False, "responsive": True, "doubleClick": "reset", "showTips": False}


def chart_card(
    table: DataTable, options: Mapping[str, Any] | None = None, *controls: Part, closed: bool = False
) -> Part:
    """Return the card of a chart or table, with a download and ``controls`` for its options.

    A chart has its figure and, on request, its table. A table without a figure is open from the start, unless
    it is to be ``closed``.
    """
    key = table.key
    is_closed = closed or isinstance(table, Chart)
    tools = dmc.Group(
        [
            dmc.Button(
                "Read as table",
                id=component_id("table-button", key),
                # The table is open after an odd number of clicks.
                n_clicks=0 if is_closed else 1,
                variant="subtle",
                size="compact-sm",
                **{"aria-expanded": "false"},
            ),
            *([_unzoom(key)] if isinstance(table, Chart) else []),
            dmc.Button("Download CSV", id=component_id("csv", key), variant="subtle", size="compact-sm"),
        ],
        gap="xs",
        mt="xs",
        className="card-tools",
    )
    return html.Section(
        card(
            heading(table.title, table.explanation),
            *controls,
            *([_figure_area(table)] if isinstance(table, Chart) else []),
            tools,
            html.Div(id=component_id("table", key), className="table"),
            dcc.Store(id=component_id("options", key), data=dict(options or {})),
            # True once the table is opened and the library of the grid has been loaded.
            dcc.Store(id=component_id("table-open", key), data=False),
            dcc.Store(id=component_id("table-shown", key)),
            dcc.Download(id=component_id("download", key)),
        ),
        className="closed" if closed else None,
        **{"aria-label": table.title},
    )


def _unzoom(key: str) -> Part:
    """Return the button that shows all of a figure again; the browser shows it while the figure is zoomed."""
    return dmc.Button(
        "Show all again", id=component_id("unzoom", key), variant="subtle", size="compact-sm", display="none"
    )


def _figure_area(chart: Chart) -> Part:
    """Return the legend and the figure of a chart, or the text that replaces them when there are no rows."""
    loading = {
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
        id=component_id("figure", chart.key),
        figure=loading,
        config=GRAPH_CONFIG,
        style={"height": f"{chart.height}px"},
    )
    figure = html.Div(
        graph,
        id=component_id("chart", chart.key),
        role="img",
        className="chart",
        **{"aria-label": f"{chart.title}: loading"},
    )
    # Outside the figure, so that the text wraps and the place of the figure can be hidden.
    empty_text = html.P(id=component_id("nothing", chart.key), className="nothing")
    # The fingerprint of what is shown, so that only changes are drawn. The table has one of its own.
    shown = dcc.Store(id=component_id("shown", chart.key))
    legend_list = html.Ul(id=component_id("legend", chart.key), className="legend")
    return html.Div([legend_list, figure, empty_text, shown], id=component_id("drawn", chart.key))


def pass_choices(app: Dash, names: Sequence[str], charts: Sequence[Chart]) -> None:
    """Let the browser pass the reader's choices ``names`` to each of ``charts`` as its options."""
    in_browser(
        app,
        "choose",
        [Output(component_id("options", chart.key), "data") for chart in charts],
        [Input(choice_id(name), "value") for name in names],
        prevent_initial_call=True,
    )
