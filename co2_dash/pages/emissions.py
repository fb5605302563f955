"""Last 24h emissions: what was measured, and what made it."""

from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Dash, Input, Output

from co2_dash.charts.emissions import DEFAULT_RANGE, INTENSITY, PRODUCTION, RANGES, table
from co2_dash.data.danish_time import day_and_clock
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card, hand_choices
from co2_dash.pages.components import ADDRESS, Part, area_chooser, area_in, html, page, tile

# Of CO2, as the page says above; a tile on a phone has no room for more.
TILE_UNIT = "g/kWh"
PRODUCTION_COLUMNS = (
    "production_ge_100_mw",
    "production_lt_100_mw",
    "solar_mw",
    "offshore_wind_mw",
    "onshore_wind_mw",
)


def layout(view: View | None, state: DataState) -> Part:
    """Return the page."""
    options = {"range": DEFAULT_RANGE}
    return page(
        "Last 24h emissions",
        "How much CO₂ each kilowatt-hour carried, and which plants and borders the power came from.",
        *area_chooser(view, state),
        dmc.SegmentedControl(
            id={"type": "choice", "name": "range"},
            data=list(RANGES),
            value=DEFAULT_RANGE,
            className="range",
            **{"aria-label": "How far back"},
        ),
        html.Section(
            html.Div(tile_parts(view, state, DEFAULT_RANGE), id="tiles"), **{"aria-label": "In short"}
        ),
        chart_card(INTENSITY, options),
        chart_card(PRODUCTION, options),
    )


def tile_parts(view: View | None, state: DataState, length: str) -> Part:
    """Return mean, least, greatest, and the share of sun and wind, for a range of the page."""
    rows = pd.DataFrame() if view is None else table(view, state, {"range": length})
    values = rows["co2_g_per_kwh"].dropna() if len(rows) else pd.Series(dtype=float)
    if values.empty:
        return dmc.Text("Nothing has been measured yet.", c="dimmed")
    known = rows.dropna(subset=["co2_g_per_kwh"])
    least, most = known.iloc[values.argmin()], known.iloc[values.argmax()]
    missing = len(rows) - len(values)
    return dmc.SimpleGrid(
        [
            tile(
                "On average",
                f"{values.mean():.0f}",
                TILE_UNIT,
                f"{missing} of {len(rows)} hours missing" if missing else f"{len(rows)} hours",
            ),
            tile("Lowest", f"{least['co2_g_per_kwh']:.0f}", TILE_UNIT, _when(least, state)),
            tile("Highest", f"{most['co2_g_per_kwh']:.0f}", TILE_UNIT, _when(most, state)),
            *_green_tile(rows),
        ],
        cols={"base": 2, "md": 4},
        spacing="md",
    )


def _when(row: pd.Series, state: DataState) -> str:
    return f"at {day_and_clock(row['hour_utc'].to_pydatetime(), state.now_utc)}"


def _green_tile(rows: pd.DataFrame) -> list[Part]:
    """Return the share of sun and wind, where production is measured: for the whole country."""
    known = rows[list(PRODUCTION_COLUMNS)].dropna()
    if known.empty:
        return []
    return [tile("Sun and wind", f"{_sun_and_wind(known):.0f}", "%", "of what Denmark produced")]


def _sun_and_wind(known: pd.DataFrame) -> float:
    """Share of solar and wind in Danish production, in percent, over hours that have all kinds."""
    known = known.clip(lower=0)
    total = float(known.sum().sum())
    green = float(known[["solar_mw", "offshore_wind_mw", "onshore_wind_mw"]].sum().sum())
    return 100 * green / total if total > 0 else 0.0


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep the words of this page up to date."""

    @app.callback(
        Output("tiles", "children"),
        Input("data-token", "data"),
        Input({"type": "choice", "name": "range"}, "value"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def say_short(_data: str, length: str, address: str | None) -> Any:
        return tile_parts(*reader.look(area_in(address)), length)

    hand_choices(app, ("range",), ("intensity", "production"))
