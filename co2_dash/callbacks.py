"""What happens on the pages: drawing, refreshing, tables, downloads, choices."""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import dash
import dash_mantine_components as dmc
from dash import ALL, MATCH, ClientsideFunction, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from co2_dash.exhibits.base import Exhibit, Theme
from co2_dash.exhibits.catalogue import EXHIBITS, csv_of, fingerprint, rows_of
from co2_dash.pages import emissions, frame, home, models, predictions
from co2_dash.pages.grid import grid
from co2_dash.pages.parts import legend, listed
from co2_dash.reader import Reader
from co2_dash.situation import area_named

_log = logging.getLogger(__name__)
# Where Dash keeps the address's query: the area is read there, so that a link to a page keeps it.
LOCATION = ("_pages_location", "search")
ADDRESS = State(*LOCATION)


def area_in(address: str | None) -> str:
    """Return the area that an address's query names; the whole country where it names none."""
    return area_named(parse_qs((address or "").removeprefix("?")).get("area", [None])[0])


def register(app: Dash, reader: Reader) -> None:
    """Add every callback to ``app``."""
    _register_refresh(app)
    _register_area(app)
    _register_exhibits(app, reader)
    _register_parts(app, reader)


def report_failure(error: Exception) -> None:
    """Log what went wrong in a callback and say on the page that a part of it is missing."""
    _log.error("a part of a page could not be drawn", exc_info=error)
    dash.set_props(
        "failure",
        {
            "children": dmc.Alert(
                "The rest of the page stands. It is tried again with the next data.",
                title="A part of this page could not be drawn",
                color="yellow",
                radius="lg",
                className="notice",
            )
        },
    )


def in_browser(app: Any, function: str, *arguments: Any, **more: Any) -> None:
    """Add a callback that the browser answers: a function of ``assets/clientside.js``."""
    app.clientside_callback(ClientsideFunction("pages", function), *arguments, **more)


def _register_refresh(app: Dash) -> None:
    in_browser(app, "theme", Output("theme", "data"), Input("theme", "id"))
    in_browser(app, "markTitle", Output("title-mark", "data"), Input("origin", "children"))
    in_browser(
        app,
        "poll",
        Output("data-token", "data"),
        Output("clock-token", "data"),
        Output("offline", "children"),
        Input("poll", "n_intervals"),
        State("data-token", "data"),
        State("clock-token", "data"),
        prevent_initial_call=True,
    )


def _register_area(app: Dash) -> None:
    """Let the choice of area set the address, and the links between pages keep it."""
    in_browser(
        app, "chooseArea", Output(*LOCATION), Input("area", "value"), ADDRESS, prevent_initial_call=True
    )
    in_browser(
        app,
        "keepArea",
        Output({"type": "nav", "path": ALL, "place": ALL}, "href"),
        Input(*LOCATION),
        State({"type": "nav", "path": ALL, "place": ALL}, "id"),
    )


def _exhibit_of(identity: Mapping[str, Any]) -> Exhibit:
    try:
        return EXHIBITS[identity["exhibit"]]
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


def _register_exhibits(app: Dash, reader: Reader) -> None:
    """Serve the chart, the table and the download of every exhibit."""

    def mine(kind: str) -> dict[str, Any]:
        return {"type": kind, "exhibit": MATCH}

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
        exhibit = _exhibit_of(identity)
        triggers = set(ctx.triggered_prop_ids)
        only_the_clock = triggers == {"clock-token.data"}
        if scheme is None or exhibit.figure is None or (only_the_clock and not exhibit.follows_clock):
            return as_it_is
        theme: Theme = "dark" if scheme == "dark" else "light"
        view, situation = reader.look(area_in(address))
        rows = rows_of(exhibit, view, situation, options or {})
        time = frame.clock_token(situation.now_utc) if exhibit.follows_clock else None
        drawn = fingerprint(rows, situation.price_area, sorted((options or {}).items()), theme, time)
        if drawn == shown:
            return as_it_is
        if rows.empty:
            nothing = exhibit.why_nothing(situation)
            return no_update, None, [], f"{exhibit.title}: {nothing}", True, nothing, drawn
        label = exhibit.summary(rows) if exhibit.summary else exhibit.title
        figure = exhibit.figure(rows, situation, options or {}, theme)
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
        exhibit = _exhibit_of(identity)
        view, situation = reader.look(area_in(address))
        rows = rows_of(exhibit, view, situation, options or {})
        listed_rows = fingerprint(rows, situation.price_area)
        if listed_rows == shown:
            return no_update, no_update
        if rows.empty:
            return dmc.Text(exhibit.why_nothing(situation), size="sm", c="dimmed"), listed_rows
        return grid(exhibit, rows), listed_rows

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
        exhibit = _exhibit_of(identity)
        view, situation = reader.look(area_in(address))
        rows = rows_of(exhibit, view, situation, options or {})
        source = situation.source or "nothing"
        name = f"{exhibit.key}-{source}-{situation.price_area}-{situation.now_utc:%Y%m%dT%H%MZ}.csv"
        return {"content": csv_of(rows, situation), "filename": name, "type": "text/csv"}


def _register_parts(app: Dash, reader: Reader) -> None:
    """Keep the words of the frame and of each page up to date."""

    @app.callback(
        Output("notices", "children"),
        Output("origin", "children"),
        Output("failure", "children"),
        Input("data-token", "data"),
        Input(*LOCATION),
        prevent_initial_call=True,
    )
    def say_state(_data: str, address: str | None) -> tuple[Any, Any, Any]:
        _, situation = reader.look(area_in(address))
        return frame.banners(situation), frame.origin_badge(situation), []

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
        view, situation = reader.look(area_in(address))
        return (
            home.now_parts(view, situation),
            home.strip_parts(view, situation),
            home.fact_parts(view, situation),
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
        view, situation = reader.look(area_in(address))
        length = int(duration) if str(duration).isdecimal() else home.DEFAULT_DURATION
        deadlines = home.deadline_choices(view, situation, length, before)
        chosen = before if before in dict(deadlines) else home.FORECAST_END
        return listed(deadlines), chosen, home.window_parts(view, situation, duration, before)

    @app.callback(
        Output("tiles", "children"),
        Input("data-token", "data"),
        Input({"type": "choice", "name": "range"}, "value"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def say_short(_data: str, length: str, address: str | None) -> Any:
        return emissions.tile_parts(*reader.look(area_in(address)), length)

    @app.callback(
        Output("scored", "children"), Input("data-token", "data"), ADDRESS, prevent_initial_call=True
    )
    def say_scored(_data: str, address: str | None) -> Any:
        return predictions.scored_parts(*reader.look(area_in(address)))

    @app.callback(
        Output("champion", "children"),
        Output({"type": "choice", "name": "model"}, "data"),
        Input("data-token", "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def say_champion(_data: str, address: str | None) -> tuple[Any, Any]:
        view, situation = reader.look(area_in(address))
        return models.champion_parts(view, situation), listed(models.model_choices(view, situation))

    for names, keys in (
        (("range",), ("intensity", "production")),
        (("period", "kind"), ("leads", "calibration", "rolling")),
        (("period", "kind", "lead"), ("outcomes",)),
        (("model",), ("curves",)),
    ):
        # Every exhibit that a choice is about is handed the whole set of choices.
        in_browser(
            app,
            "choose",
            [Output({"type": "options", "exhibit": key}, "data") for key in keys],
            [Input({"type": "choice", "name": name}, "value") for name in names],
            prevent_initial_call=True,
        )
