"""The frame around every page: name, navigation, banners, and the callbacks that refresh the page."""

import logging
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State

from co2_assets.contracts.weather import WEATHER_ATTRIBUTION_URL
from co2_dash.data.notices import measurement_notes, notices, origin, source_of, weather_notes
from co2_dash.data.state import DataState, Reader, tokens
from co2_dash.pages.components import LOCATION, Part, area_in, dcc, html, in_browser, page
from co2_dash.path_prefix import linked

_log = logging.getLogger(__name__)

NAME = "CO₂ in the socket"
POLL_SECONDS = 30

THEME = {
    "primaryColor": "teal",
    "primaryShade": {"light": 9, "dark": 4},
    "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif",
    "defaultRadius": "md",
}

NAVIGATION = (
    ("/", "Next 6h forecast"),
    ("/emissions", "Last 24h emissions"),
    ("/predictions", "Recent predictions vs actual"),
    ("/models", "Model performance"),
)


def frame(state: DataState) -> Part:
    """Return the layout that holds the pages."""
    now = tokens(state)
    return dmc.MantineProvider(
        [
            html.A("Skip to the content", href="#main", className="skip-link"),
            # It stays visible while the page is scrolled, so that nobody takes a replay for live data.
            html.Header(
                [
                    html.Div(_header(state), className="top-row"),
                    # Filled by the browser when the server no longer answers, in view wherever the reader is.
                    html.Div(id="offline", role="alert"),
                ],
                className="top",
            ),
            html.Nav(_links(), className="nav", **{"aria-label": "Pages"}),
            html.Div(
                [
                    html.Div(banners(state), id="notices", role="status"),
                    html.Div(id="failure"),
                    html.Main(dash.page_container, id="main", tabIndex=-1),
                ],
                className="content",
            ),
            html.Footer(_footer(state), className="bottom"),
            dcc.Store(id="theme"),
            dcc.Store(id="title-mark"),
            dcc.Store(id="data-token", data=now["data"]),
            dcc.Store(id="clock-token", data=now["clock"]),
            dcc.Interval(id="poll", interval=POLL_SECONDS * 1000),
        ],
        defaultColorScheme="auto",
        theme=THEME,
    )


def origin_badge(state: DataState) -> Part:
    """Return the badge with the source of the data, which is on every page."""
    is_live = state.live and not state.stale
    return html.Span(origin(state), className="origin", **{"data-live": str(is_live).lower()})


def banners(state: DataState) -> list[Part]:
    """Return a banner for each notice about the data: one line, which opens."""
    return [
        html.Details(
            [html.Summary(notice.title), html.P(notice.text)],
            id=f"notice-{notice.name}",
            className="notice" if notice.grave else "notice mild",
        )
        for notice in notices(state)
    ]


def with_fault(fault: str, laid_out: Part) -> Part:
    """Return a page under the words that say what is wrong with its address."""
    alert = dmc.Alert(
        fault,
        title="This address cannot be followed",
        color="yellow",
        variant="light",
        radius="lg",
        className="notice address-fault",
    )
    return html.Div([alert, laid_out])


def _header(state: DataState) -> list[Part]:
    return [
        html.A(
            [html.Img(src=linked("/assets/favicon.svg"), alt="", width=28, height=28), html.Span(NAME)],
            id={"type": "nav", "path": "/", "place": "brand"},
            href=linked("/"),
            className="brand",
        ),
        html.Span(origin_badge(state), id="origin"),
        dmc.ColorSchemeToggle(
            id="scheme",
            lightIcon=html.Span("☀", className="scheme-icon"),
            darkIcon=html.Span("☾", className="scheme-icon"),
            variant="subtle",
            size="lg",
            **{"aria-label": "Switch between light and dark"},
        ),
    ]


def _links() -> list[Part]:
    return [
        dmc.NavLink(
            id={"type": "nav", "path": path, "place": "bar"},
            label=name,
            href=linked(path),
            active="exact",
            variant="light",
            className="nav-link",
        )
        for path, name in NAVIGATION
    ]


def attributions(state: DataState) -> list[Part]:
    """Return whose data the pages show."""
    weather, *made = weather_notes(state) or [""]
    link = [" ", html.A(weather, href=WEATHER_ATTRIBUTION_URL)] if weather else []
    notes = [*measurement_notes(state), *made]
    return ["Danish power. ", source_of(state), *link, *(f" {note}" for note in notes)]


def _footer(state: DataState) -> list[Part]:
    return [
        html.P(attributions(state), id="attributions"),
        html.P(
            [
                html.A("API for programs", href=linked("/docs")),
                " · ",
                html.A(
                    "State of the data",
                    id={"type": "nav", "path": "/models", "place": "footer"},
                    href=linked("/models"),
                ),
            ]
        ),
    ]


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks of the frame."""
    _register_refresh(app)
    _register_area(app)
    _register_state(app, reader)


def report_failure(error: Exception) -> None:
    """Log the error of a callback, and show on the page that a part of it is missing."""
    _log.error("a part of a page could not be drawn", exc_info=error)
    dash.set_props(
        "failure",
        {
            "children": dmc.Alert(
                "The rest of the page works. This part is drawn again when new data arrive.",
                title="A part of this page could not be drawn",
                color="yellow",
                radius="lg",
                className="notice",
            )
        },
    )


def _register_refresh(app: Dash) -> None:
    in_browser(app, "theme", Output("theme", "data"), Input("theme", "id"))
    in_browser(app, "markTitle", Output("title-mark", "data"), Input("origin", "children"))
    in_browser(
        app,
        "poll",
        Output("data-token", "data"),
        Output("clock-token", "data"),
        Input("poll", "n_intervals"),
        State("data-token", "data"),
        State("clock-token", "data"),
        prevent_initial_call=True,
    )


def _register_area(app: Dash) -> None:
    """Write the chosen area into the address, and keep it in the links between the pages."""
    in_browser(
        app,
        "chooseArea",
        Output(*LOCATION),
        Input("area", "value"),
        State("area", "data"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "keepArea",
        Output({"type": "nav", "path": ALL, "place": ALL}, "href"),
        Input(*LOCATION),
        State({"type": "nav", "path": ALL, "place": ALL}, "id"),
    )


def _register_state(app: Dash, reader: Reader) -> None:
    """Keep the banners and the badge up to date."""

    @app.callback(
        Output("notices", "children"),
        Output("origin", "children"),
        Output("failure", "children"),
        Output("attributions", "children"),
        Input("data-token", "data"),
        Input(*LOCATION),
        prevent_initial_call=True,
    )
    def update_state(_data: str, address: str | None) -> tuple[Any, Any, Any, Any]:
        _, state = reader.look(area_in(address))
        return banners(state), origin_badge(state), [], attributions(state)


def not_found(**_parameters: str) -> Part:
    """Return the page for an unknown address."""
    home = {"type": "nav", "path": "/", "place": "nowhere"}
    return page("No such page", "", dmc.Text(html.A("Go to the forecast", id=home, href=linked("/"))))
