"""The charts of what was measured: the carbon intensity, and the production and exchange of power."""

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.danish_time import iso_danish
from co2_assets.contracts.forecast_spec import CO2, POWERS
from co2_assets.contracts.time import HOUR
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.style import INKS, numbers, time_line, unbroken
from co2_dash.charts.time_axis import DanishAxis, hour_texts
from co2_dash.data import queries
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

RANGES = {"24 h": 24, "7 d": 24 * 7, "30 d": 24 * 30}
DEFAULT_RANGE = "24 h"

# From the bottom: plants that burn fuel, then sun and wind, import on top. The colours are the palette of
# Okabe and Ito (https://jfly.uni-koeln.de/color/), made for every kind of colour vision.
STACK = (
    ("production_ge_100_mw", "Central plants", "#7f7f7f"),
    ("production_lt_100_mw", "Decentral plants", "#cc79a7"),
    ("solar_mw", "Solar", "#f0e442"),
    ("onshore_wind_mw", "Onshore wind", "#56b4e9"),
    ("offshore_wind_mw", "Offshore wind", "#0072b2"),
    ("import", "Import", "#d55e00"),
)
EXPORT_COLOUR = "#e69f00"


def chosen_hours(options: Options) -> int:
    """Return the length of the chosen range in hours; the default for anything unknown."""
    return RANGES.get(str(options.get("range")), RANGES[DEFAULT_RANGE])


def measured_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return a row for every hour of the chosen range, null where nothing was measured."""
    end = state.measured_until_utc
    if end is None:
        return pd.DataFrame()
    start = end - timedelta(hours=chosen_hours(options))
    hours = pd.DataFrame(
        {"hour_utc": pd.date_range(start, end, freq="h", inclusive="left").astype("datetime64[us]")}
    )
    rows = hours.merge(queries.measured(view, state.area.name, start, end), on="hour_utc", how="left")
    rows.insert(1, "hour_danish", [iso_danish(hour.to_pydatetime()) for hour in rows["hour_utc"]])
    return rows


def intensity_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return the carbon intensity by hour."""
    rows = measured_rows(view, state, options)
    return rows if rows.empty else rows[["hour_utc", "hour_danish", CO2]]


def production_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return production by kind of plant and net exchange, in MW; positive exchange is import."""
    rows = measured_rows(view, state, options)
    any_measured = not rows.empty and rows[list(POWERS)].notna().any(axis=None)
    return rows.drop(columns=CO2) if any_measured else pd.DataFrame()


def intensity_summary(rows: pd.DataFrame) -> str:
    """Return the mean, the lowest and the highest value in a sentence."""
    values = rows[CO2].dropna()
    return (
        f"Chart of measured carbon intensity over {len(rows)} hours: {values.mean():.0f} {UNIT} on average, "
        f"between {values.min():.0f} and {values.max():.0f}."
    )


def production_summary(rows: pd.DataFrame) -> str:
    """Return the mean of each kind of production in a sentence."""
    means = rows.mean(numeric_only=True)
    parts = [f"{name.lower()} {means[column]:.0f}" for column, name, _ in STACK if column in means]
    net = means["net_exchange_mw"]
    direction = "import" if net >= 0 else "export"
    return (
        f"Stacked area of production over {len(rows)} hours, mean in MW: {', '.join(parts)}, "
        f"net {direction} {abs(net):.0f}."
    )


def intensity_figure(rows: pd.DataFrame, _state: DataState, _options: Options, theme: Theme) -> Figure:
    """Return the line of measured carbon intensity; a missing hour breaks the line and the area under it."""
    ink = INKS[theme]
    axis = DanishAxis.over(rows["hour_utc"])
    values = numbers(rows[CO2])
    measured = [value is not None for value in values]
    # Plotly breaks a line at a gap but fills the area across it, so each run is a trace of its own.
    runs = [
        {
            "type": "scatter",
            "mode": "lines",
            **_points(rows[run], values[run], axis),
            "line": {"color": ink.forecast, "width": 2.5},
            "fill": "tozeroy",
            "fillcolor": ink.bands[1],
            "hovertemplate": "%{y:.0f} " + UNIT + "<extra></extra>",
        }
        for run in unbroken(measured)
    ]
    times = time_line(axis.middles(rows["hour_utc"]), values, hour_texts(rows["hour_utc"], measured))
    return {"data": [times, *runs], "layout": axis.layout(ink, unit=UNIT, key=f"intensity-{len(rows)}")}


def production_figure(rows: pd.DataFrame, _state: DataState, _options: Options, theme: Theme) -> Figure:
    """Return production and import stacked upwards from zero, export downwards.

    Only hours in which every kind was measured are drawn, because other hours have no sum. Plotly draws
    a gap in a stack as zero, so each run of hours without a gap is a stack of its own.
    """
    ink = INKS[theme]
    axis = DanishAxis.over(rows["hour_utc"])
    parts = rows.assign(
        **{"import": rows["net_exchange_mw"].clip(lower=0), "export": rows["net_exchange_mw"].clip(upper=0)}
    )
    kinds = [kind for kind in STACK if parts[kind[0]].notna().any()]
    measured = list(parts[[column for column, _, _ in kinds]].notna().all(axis=1))
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "hovertemplate": "%{y:,.0f} MW",
            **_points(parts[run], numbers(values[run], 0), axis),
            "name": name,
            "stackgroup": f"{direction}-{number}",
            "line": {"width": 0.5, "color": colour},
            "fillcolor": colour,
        }
        for number, run in enumerate(unbroken(measured))
        for direction, values, name, colour in (
            *(("up", parts[column].clip(lower=0), name, colour) for column, name, colour in kinds),
            ("down", parts["export"].fillna(0), "Export", EXPORT_COLOUR),
        )
    ]
    hover_texts = hour_texts(rows["hour_utc"], measured)
    traces.append(time_line(axis.middles(rows["hour_utc"]), [0.0] * len(rows), hover_texts))
    base = axis.layout(
        ink,
        unit="MW",
        key=f"production-{len(rows)}",
        yaxis={"zeroline": True, "zerolinecolor": ink.faint, "tickformat": ",d"},
    )
    return {"data": traces, "layout": base}


def _points(run: pd.DataFrame, values: Sequence[float | None], axis: DanishAxis) -> Figure:
    """Return the points of a run of hours: the middle of each hour, or all of the hour if it is only one."""
    hours = run["hour_utc"]
    if len(run) > 1:
        return {"x": axis.middles(hours), "y": list(values)}
    return {"x": axis.places([hours.iloc[0] + HOUR / 2 * part for part in range(3)]), "y": [*values] * 3}


def no_production(state: DataState) -> str:
    """Return why no production is shown: a recording has none for a part of the country."""
    if state.area.measured_in != DENMARK.measured_in:
        return (
            "No production of this area was measured in these hours. "
            "A recording has it for the whole of Denmark only."
        )
    return "No production was measured in these hours."


INTENSITY = Chart(
    key="intensity",
    title="Carbon intensity of the power used",
    explanation="Hourly means of what was measured. A break in the line is an hour without data.",
    rows=intensity_rows,
    columns=("hour_utc", "hour_danish", CO2),
    shown_first=("hour_danish", CO2),
    figure=intensity_figure,
    summary=intensity_summary,
    empty_text="Nothing has been measured yet.",
    height=320,
)
PRODUCTION = Chart(
    key="production",
    title="Production and exchange",
    explanation="Production by kind of plant, with import on top; export is drawn below zero. Central "
    "plants have 100 MW or more, decentral plants less. A gap is an hour without data.",
    rows=production_rows,
    columns=("hour_utc", "hour_danish", *POWERS),
    shown_first=("hour_danish", *POWERS),
    figure=production_figure,
    summary=production_summary,
    empty_text=no_production,
    height=420,
)
