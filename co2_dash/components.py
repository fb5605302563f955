"""Dash's own components, untyped: their stubs know no ``aria-`` attributes."""

from typing import Any

import dash

html: Any = dash.html
dcc: Any = dash.dcc
