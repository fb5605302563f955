"""The frame around every page: name, navigation, state of the data, and what keeps it fresh."""

from datetime import datetime

import dash
import dash_mantine_components as dmc

from co2_dash.components import dcc, html
from co2_dash.pages.parts import Part
from co2_dash.situation import Situation
from co2_dash.wording import ATTRIBUTION, notices, origin

NAME = "CO₂ in the socket"
POLL_SECONDS = 30
# What moves with the clock alone (ages, the mark of now) is drawn again this often.
CLOCK_MINUTES = 10

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


def clock_token(now_utc: datetime) -> str:
    """Return what changes every ten minutes."""
    return f"{now_utc:%Y%m%d%H}{now_utc.minute // CLOCK_MINUTES}"


def tokens(situation: Situation) -> dict[str, str]:
    """Return what a page compares to know whether to draw again: one for data, one for time."""
    return {"data": situation.token, "clock": clock_token(situation.now_utc)}


def frame(situation: Situation) -> Part:
    """Return the layout that holds the pages."""
    now = tokens(situation)
    return dmc.MantineProvider(
        [
            html.A("Skip to the content", href="#main", className="skip-link"),
            # It stays in sight as one scrolls, so that a replay is never taken for live.
            html.Header(html.Div(_header(situation), className="top-row"), className="top"),
            html.Nav(_links(), className="nav", **{"aria-label": "Pages"}),
            html.Div(
                [
                    html.Div(banners(situation), id="notices", role="status"),
                    html.Div(id="failure"),
                    # Filled by the browser when the server no longer answers it.
                    html.Div(id="offline", role="alert"),
                    html.Main(dash.page_container, id="main", tabIndex=-1),
                ],
                className="content",
            ),
            html.Footer(_footer(), className="bottom"),
            dcc.Store(id="theme"),
            dcc.Store(id="title-mark"),
            dcc.Store(id="data-token", data=now["data"]),
            dcc.Store(id="clock-token", data=now["clock"]),
            dcc.Interval(id="poll", interval=POLL_SECONDS * 1000),
        ],
        defaultColorScheme="auto",
        theme=THEME,
    )


def origin_badge(situation: Situation) -> Part:
    """Return the badge that says on every page where its data come from."""
    believable = situation.live and not situation.stale
    return html.Span(origin(situation), className="origin", **{"data-live": str(believable).lower()})


def banners(situation: Situation) -> list[Part]:
    """Return a banner for each thing to be said about the data."""
    return [
        dmc.Alert(
            notice.text,
            title=notice.title,
            id=f"notice-{notice.name}",
            color="yellow" if notice.grave else "teal",
            variant="light",
            radius="lg",
            className="notice",
        )
        for notice in notices(situation)
    ]


def _header(situation: Situation) -> list[Part]:
    return [
        html.A(
            [html.Img(src="/assets/favicon.svg", alt="", width=28, height=28), html.Span(NAME)],
            id={"type": "nav", "path": "/", "place": "brand"},
            href="/",
            className="brand",
        ),
        html.Span(origin_badge(situation), id="origin"),
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
            href=path,
            active="exact",
            variant="light",
            className="nav-link",
        )
        for path, name in NAVIGATION
    ]


def _footer() -> list[Part]:
    return [
        html.P(["Danish power. ", ATTRIBUTION]),
        html.P(
            [
                html.A("API for programs", href="/docs"),
                " · ",
                html.A("State of the data", href="/models"),
            ]
        ),
    ]
