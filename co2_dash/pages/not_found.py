"""What is shown at an address that is no page."""

import dash_mantine_components as dmc

from co2_dash.components import html
from co2_dash.pages.parts import Part, page


def layout(**_parameters: str) -> Part:
    """Return the page."""
    return page("No such page", "", dmc.Text(html.A("Go to the forecast", href="/")))
