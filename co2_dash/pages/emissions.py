"""Last 24h emissions: what was measured, and what made it."""

import dash_mantine_components as dmc
import pandas as pd

from co2_dash.components import html
from co2_dash.danish_time import day_and_clock
from co2_dash.exhibits.emissions import DEFAULT_RANGE, INTENSITY, PRODUCTION, RANGES, table
from co2_dash.pages.parts import Part, area_chooser, exhibit_card, page, tile
from co2_dash.situation import Situation
from co2_dash.store import View

# Of CO2, as the page says above; a tile on a phone has no room for more.
TILE_UNIT = "g/kWh"
PRODUCTION_COLUMNS = (
    "production_ge_100_mw",
    "production_lt_100_mw",
    "solar_mw",
    "offshore_wind_mw",
    "onshore_wind_mw",
)


def layout(view: View | None, situation: Situation) -> Part:
    """Return the page."""
    options = {"range": DEFAULT_RANGE}
    return page(
        "Last 24h emissions",
        "How much CO₂ each kilowatt-hour carried, and which plants and borders the power came from.",
        *area_chooser(view, situation),
        dmc.SegmentedControl(
            id={"type": "choice", "name": "range"},
            data=list(RANGES),
            value=DEFAULT_RANGE,
            className="range",
            **{"aria-label": "How far back"},
        ),
        html.Section(
            html.Div(tile_parts(view, situation, DEFAULT_RANGE), id="tiles"), **{"aria-label": "In short"}
        ),
        exhibit_card(INTENSITY, options),
        exhibit_card(PRODUCTION, options),
    )


def tile_parts(view: View | None, situation: Situation, length: str) -> Part:
    """Return mean, least, greatest, and the share of sun and wind, for a range of the page."""
    rows = pd.DataFrame() if view is None else table(view, situation, {"range": length})
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
            tile("Lowest", f"{least['co2_g_per_kwh']:.0f}", TILE_UNIT, _when(least, situation)),
            tile("Highest", f"{most['co2_g_per_kwh']:.0f}", TILE_UNIT, _when(most, situation)),
            *_green_tile(rows),
        ],
        cols={"base": 2, "md": 4},
        spacing="md",
    )


def _when(row: pd.Series, situation: Situation) -> str:
    return f"at {day_and_clock(row['hour_utc'].to_pydatetime(), situation.now_utc)}"


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
