"""The page "Last 24h emissions": the measured carbon intensity, production and exchange."""

from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Dash, Input, Output

from co2_assets.contracts.danish_time import day_and_clock
from co2_assets.contracts.forecast_spec import CO2, POWERS, WIND_SOLAR_MEASURED
from co2_dash.charts.emissions import DEFAULT_RANGE, INTENSITY, PRODUCTION, RANGES, measured_rows
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card, pass_choices
from co2_dash.pages.components import (
    ADDRESS,
    Part,
    area_chooser,
    area_in,
    choice_id,
    html,
    keep_choices,
    made_for_options,
    one_of,
    page,
    tile,
    usual_choices,
)

# Without "CO₂", which the page says above: a tile on a phone has no room for it.
TILE_UNIT = "g/kWh"
PRODUCTION_COLUMNS = [name for name in POWERS if name != "net_exchange_mw"]


def layout(view: View | None, state: DataState, range: object = None) -> Part:  # noqa: A002 -- as in the address
    """Return the page; ``range`` is how far back it looks, as in the address."""
    shown = one_of(list(RANGES), range, DEFAULT_RANGE)
    options = {"range": shown}
    return page(
        "Measured emissions",
        "How much CO₂ was emitted per kilowatt-hour, and which plants and imports the power came from.",
        *area_chooser(view, state),
        dmc.SegmentedControl(
            id=choice_id("range"),
            data=list(RANGES),
            value=shown,
            className="range",
            **{"aria-label": "How far back"},
        ),
        html.Section(html.Div(tiles(view, state, shown), id="tiles"), **{"aria-label": "In short"}),
        chart_card(INTENSITY, options),
        chart_card(PRODUCTION, options),
        usual_choices(range=DEFAULT_RANGE),
    )


def tiles(view: View | None, state: DataState, chosen_range: str) -> Part:
    """Return the tiles of a range with the choice they are for."""
    return html.Div(tile_parts(view, state, chosen_range), **made_for_options(state, {"range": chosen_range}))


def tile_parts(view: View | None, state: DataState, chosen_range: str) -> Part:
    """Return the mean, the lowest and the highest value, and the share of sun and wind, of a range."""
    rows = pd.DataFrame() if view is None else measured_rows(view, state, {"range": chosen_range})
    values = rows[CO2].dropna() if len(rows) else pd.Series(dtype=float)
    if values.empty:
        return dmc.Text("Nothing has been measured yet.", c="dimmed")
    known = rows.dropna(subset=[CO2])
    lowest, highest = known.iloc[values.argmin()], known.iloc[values.argmax()]
    missing = len(rows) - len(values)
    return dmc.SimpleGrid(
        [
            tile(
                "On average",
                f"{values.mean():.0f}",
                TILE_UNIT,
                f"{missing} of {len(rows)} hours missing" if missing else f"{len(rows)} hours",
            ),
            tile("Lowest", f"{lowest[CO2]:.0f}", TILE_UNIT, _when(lowest, state)),
            tile("Highest", f"{highest[CO2]:.0f}", TILE_UNIT, _when(highest, state)),
            *_green_tile(rows, state.area.title),
        ],
        cols={"base": 2, "md": 4},
        spacing="md",
    )


def _when(row: pd.Series, state: DataState) -> str:
    return f"at {day_and_clock(row['hour_utc'].to_pydatetime(), state.now_utc)}"


def _green_tile(rows: pd.DataFrame, title: str) -> list[Part]:
    """Return the tile of sun and wind in the area with this title; none where production is not measured."""
    known = rows[PRODUCTION_COLUMNS].dropna()
    if known.empty:
        return []
    return [tile("Sun and wind", f"{_sun_and_wind(known):.0f}", "%", f"of what {title} produced")]


def _sun_and_wind(known: pd.DataFrame) -> float:
    """Return the percentage of solar and wind power in production, over hours in which all were measured."""
    known = known.clip(lower=0)
    total = float(known.sum().sum())
    green = float(known[list(WIND_SOLAR_MEASURED)].sum().sum())
    return 100 * green / total if total > 0 else 0.0


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep this page up to date."""

    @app.callback(
        Output("tiles", "children"),
        Input("data-token", "data"),
        Input(choice_id("range"), "value"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def update_tiles(_data: str, chosen_range: str, address: str | None) -> Any:
        return tiles(*reader.look(area_in(address)), chosen_range)

    pass_choices(app, ("range",), (INTENSITY, PRODUCTION))
    keep_choices(app, "range")
