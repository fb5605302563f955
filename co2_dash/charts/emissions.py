"""What was measured: the carbon intensity, and the production and exchange that made it."""

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from co2_assets.contracts.areas import DENMARK
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.style import INKS, layout, numbers, time_line, unbroken
from co2_dash.charts.time_axis import DanishAxis, hour_texts
from co2_dash.data import queries
from co2_dash.data.danish_time import iso_danish
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

RANGES = {"24 h": 24, "7 d": 24 * 7, "30 d": 24 * 30}
DEFAULT_RANGE = "24 h"
MIDDLE = timedelta(minutes=30)

# From the ground up: what burns something first, then sun and wind, import on top. Okabe and Ito's
# palette (https://jfly.uni-koeln.de/color/), which is told apart by all kinds of colour vision.
STACK = (
    ("production_ge_100_mw", "Central plants", "#7f7f7f"),
    ("production_lt_100_mw", "Decentral plants", "#cc79a7"),
    ("solar_mw", "Solar", "#f0e442"),
    ("onshore_wind_mw", "Onshore wind", "#56b4e9"),
    ("offshore_wind_mw", "Offshore wind", "#0072b2"),
    ("import", "Import", "#d55e00"),
)
EXPORT_COLOUR = "#e69f00"


def hours_of(options: Options) -> int:
    """Return the length asked for, in hours; the default for anything unknown."""
    return RANGES.get(str(options.get("range")), RANGES[DEFAULT_RANGE])


def table(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return a row for every hour of the range, null where nothing was measured."""
    end = state.measured_until_utc
    if end is None:
        return pd.DataFrame()
    start = end - timedelta(hours=hours_of(options))
    hours = pd.DataFrame(
        {"hour_utc": pd.date_range(start, end, freq="h", inclusive="left").astype("datetime64[us]")}
    )
    rows = hours.merge(queries.measured(view, state.price_area, start, end), on="hour_utc", how="left")
    rows.insert(1, "hour_danish", [iso_danish(hour.to_pydatetime()) for hour in rows["hour_utc"]])
    return rows


def intensity_table(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return the carbon intensity alone."""
    rows = table(view, state, options)
    return rows if rows.empty else rows[["hour_utc", "hour_danish", "co2_g_per_kwh"]]


def production_table(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return production by kind and net exchange, in MW; positive exchange is import."""
    rows = table(view, state, options)
    measured = not rows.empty and rows[list(queries.POWER)].notna().any(axis=None)
    return rows.drop(columns="co2_g_per_kwh") if measured else pd.DataFrame()


def intensity_summary(rows: pd.DataFrame) -> str:
    """Return mean, least and greatest in a sentence."""
    values = rows["co2_g_per_kwh"].dropna()
    return (
        f"Chart of measured carbon intensity over {len(rows)} hours: {values.mean():.0f} {UNIT} on average, "
        f"between {values.min():.0f} and {values.max():.0f}."
    )


def production_summary(rows: pd.DataFrame) -> str:
    """Return the mean of each kind in a sentence."""
    means = rows.mean(numeric_only=True)
    parts = [f"{name.lower()} {means[column]:.0f}" for column, name, _ in STACK if column in means]
    net = means["net_exchange_mw"]
    way = "import" if net >= 0 else "export"
    return (
        f"Stacked area of production over {len(rows)} hours, mean in MW: {', '.join(parts)}, "
        f"net {way} {abs(net):.0f}."
    )


def intensity_figure(rows: pd.DataFrame, _situation: DataState, _options: Options, theme: Theme) -> Figure:
    """Return the line of measured carbon intensity; a missing hour breaks it and what it stands on."""
    ink = INKS[theme]
    axis = _axis(rows)
    values = numbers(rows["co2_g_per_kwh"])
    measured = [value is not None for value in values]
    # Plotly breaks a line at a gap, but fills across it: so each run is a trace of its own.
    runs = [
        {
            "type": "scatter",
            "mode": "lines",
            **_drawn(rows[run], values[run], axis),
            "line": {"color": ink.forecast, "width": 2.5},
            "fill": "tozeroy",
            "fillcolor": ink.bands[1],
            "hovertemplate": "%{y:.0f} " + UNIT + "<extra></extra>",
        }
        for run in unbroken(measured)
    ]
    times = time_line(axis.places(rows["hour_utc"] + MIDDLE), values, hour_texts(rows["hour_utc"], measured))
    base = layout(
        ink,
        y_title=f"{UNIT}, Danish time ({axis.zone})",
        key=f"intensity-{len(rows)}",
        xaxis=axis.axis(hoverformat="%a %-d %b"),
    )
    return {"data": [times, *runs], "layout": base}


def production_figure(rows: pd.DataFrame, _situation: DataState, _options: Options, theme: Theme) -> Figure:
    """Return production and import stacked upwards from zero, export downwards.

    A sum lacks what was not measured, so only hours with every kind are drawn. Plotly takes a gap in
    a stack for nought: so each unbroken run of hours is a stack of its own.
    """
    ink = INKS[theme]
    axis = _axis(rows)
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
            **_drawn(parts[run], numbers(values[run], 0), axis),
            "name": name,
            "stackgroup": f"{way}-{number}",
            "line": {"width": 0.5, "color": colour},
            "fillcolor": colour,
        }
        for number, run in enumerate(unbroken(measured))
        for way, values, name, colour in (
            *(("up", parts[column].clip(lower=0), name, colour) for column, name, colour in kinds),
            ("down", parts["export"].fillna(0), "Export", EXPORT_COLOUR),
        )
    ]
    x = axis.places(rows["hour_utc"] + MIDDLE)
    traces.append(time_line(x, [0.0] * len(rows), hour_texts(rows["hour_utc"], measured)))
    base = layout(
        ink,
        y_title=f"MW, Danish time ({axis.zone})",
        key=f"production-{len(rows)}",
        xaxis=axis.axis(hoverformat="%a %-d %b"),
        yaxis={"zeroline": True, "zerolinecolor": ink.faint, "tickformat": ",d"},
    )
    return {"data": traces, "layout": base}


def _drawn(run: pd.DataFrame, values: Sequence[float | None], axis: DanishAxis) -> Figure:
    """Return where a run of hours is drawn: at their middles, an hour that stands alone over its length."""
    hours = run["hour_utc"]
    if len(run) > 1:
        return {"x": axis.places(hours + MIDDLE), "y": list(values)}
    return {"x": axis.places([hours.iloc[0] + MIDDLE * part for part in range(3)]), "y": [*values] * 3}


def no_production(state: DataState) -> str:
    """Return why there is no production to see: none is measured of a part of the country."""
    if state.area.measured_in != DENMARK.measured_in:
        return "No production here: it is measured for the whole of Denmark only."
    return "No production was measured in these hours."


def _axis(rows: pd.DataFrame) -> DanishAxis:
    first, last = rows["hour_utc"].iloc[0], rows["hour_utc"].iloc[-1]
    return DanishAxis(first.to_pydatetime(), last.to_pydatetime() + timedelta(hours=1))


INTENSITY = Chart(
    key="intensity",
    title="Carbon intensity of the power used",
    explanation="Hourly means of what Energinet measured. A break in the line is an hour without data.",
    table=intensity_table,
    columns=("hour_utc", "hour_danish", "co2_g_per_kwh"),
    first_columns=("hour_danish", "co2_g_per_kwh"),
    figure=intensity_figure,
    summary=intensity_summary,
    nothing="Nothing has been measured yet.",
    height=320,
)
PRODUCTION = Chart(
    key="production",
    title="What made it",
    explanation="Production by kind of plant, with import on top; export is drawn below zero. Central "
    "plants have 100 MW and more, decentral ones less. A gap is an hour without data.",
    table=production_table,
    columns=("hour_utc", "hour_danish", *queries.POWER),
    first_columns=("hour_danish", *queries.POWER),
    figure=production_figure,
    summary=production_summary,
    nothing=no_production,
    height=420,
)
