"""The coming 24 hours: median and bands, with the last 24 measured hours leading into them."""

from datetime import timedelta

import pandas as pd

from co2_assets.contracts.forecast_spec import QUANTILE_COLUMNS
from co2_dash.advice.coming_hours import HEADLINE_HOURS, full_hour
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.style import INKS, Ink, broken_line, layout, numbers, time_line, vertical_mark
from co2_dash.charts.time_axis import DanishAxis, hour_texts
from co2_dash.data import queries
from co2_dash.data.danish_time import clock, iso_danish
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

HOUR = timedelta(hours=1)
PAST_HOURS = 24
MEASURED, PROGNOSIS = "measured_g_per_kwh", "energinet_prognosis_g_per_kwh"
# Widest first, so that the narrower lie on top.
BANDS = (
    ("90 %", "q05_g_per_kwh", "q95_g_per_kwh"),
    ("80 %", "q10_g_per_kwh", "q90_g_per_kwh"),
    ("50 %", "q25_g_per_kwh", "q75_g_per_kwh"),
)
COLUMNS = (
    "hour_utc",
    "hour_danish",
    MEASURED,
    "lead_hours",
    *QUANTILE_COLUMNS,
    PROGNOSIS,
    "issue_time_utc",
    "model_version",
)
MIDDLE = timedelta(minutes=30)


def table(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return a row for every hour of the last 24 and as far as the forecast reaches.

    What was not measured or not forecast is null.
    """
    forecast = queries.current_forecast(view, state.price_area).rename(
        columns={"target_hour_utc": "hour_utc"}
    )
    now = full_hour(state.now_utc)
    start = now - PAST_HOURS * HOUR
    measured = queries.measured(view, state.price_area, start, state.now_utc)
    measured = measured[["hour_utc", "co2_g_per_kwh"]].rename(columns={"co2_g_per_kwh": MEASURED})
    if forecast.empty and measured.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    ends = [hour.max() for hour in (measured["hour_utc"], forecast["hour_utc"]) if len(hour)]
    hours = pd.DataFrame(
        {"hour_utc": pd.date_range(start, max(now - HOUR, *ends), freq="h").astype("datetime64[us]")}
    )
    rows = hours.merge(measured, on="hour_utc", how="left").merge(
        forecast[[name for name in COLUMNS if name in forecast]], on="hour_utc", how="left"
    )
    if rows[[MEASURED, "q50_g_per_kwh"]].isna().all(axis=None):
        return pd.DataFrame(columns=list(COLUMNS))
    rows["lead_hours"] = rows["lead_hours"].astype("Int64")
    rows.insert(1, "hour_danish", [iso_danish(hour.to_pydatetime()) for hour in rows["hour_utc"]])
    return rows


def summary(rows: pd.DataFrame) -> str:
    """Return the forecast in a sentence: where it begins, its least and its greatest hour."""
    ahead = rows.dropna(subset=["q50_g_per_kwh"])
    if ahead.empty:
        return "Chart of measured carbon intensity; there is no forecast."
    least, most = ahead.iloc[ahead["q50_g_per_kwh"].argmin()], ahead.iloc[ahead["q50_g_per_kwh"].argmax()]
    return (
        f"Chart of carbon intensity: measured for {rows[MEASURED].count()} hours, forecast for "
        f"{len(ahead)} hours. The forecast is lowest at {clock(least['hour_utc'].to_pydatetime())} "
        f"({least['q50_g_per_kwh']:.0f} {UNIT}) and highest at {clock(most['hour_utc'].to_pydatetime())} "
        f"({most['q50_g_per_kwh']:.0f} {UNIT})."
    )


def figure(rows: pd.DataFrame, state: DataState, _options: Options, theme: Theme) -> Figure:
    """Return the chart: an hour's value stands at the middle of the hour."""
    ink = INKS[theme]
    first = rows["hour_utc"].iloc[0].to_pydatetime()
    axis = DanishAxis(first, rows["hour_utc"].iloc[-1].to_pydatetime() + HOUR)
    shown = rows.assign(x=axis.places(rows["hour_utc"] + MIDDLE), when=_when(rows, state))
    measured = shown.dropna(subset=[MEASURED])
    ahead = shown.dropna(subset=["q50_g_per_kwh"])
    either = shown["q50_g_per_kwh"].fillna(shown[MEASURED])
    traces = _bands(ahead, ink)
    if len(measured) and len(ahead):
        traces.append(_join(measured.iloc[-1], ahead, ink))
    traces.append(
        _line(shown, PROGNOSIS, "Energinet’s prognosis", {"color": ink.other, "width": 1.5, "dash": "dot"})
    )
    traces.append(_line(ahead, "q50_g_per_kwh", "Forecast", {"color": ink.forecast, "width": 3}))
    traces.append(_line(shown, MEASURED, "Measured", {"color": ink.measured, "width": 2.5}))
    traces.append(time_line(list(shown["x"]), numbers(either), list(shown["when"])))
    base = layout(
        ink,
        y_title=f"{UNIT}, Danish time ({axis.zone})",
        key="forecast",
        xaxis=axis.axis(hoverformat="%a %-d %b"),
    )
    if len(ahead):
        _mark_headline(base, state, ahead, axis, ink)
    line, label = vertical_mark(axis.place(state.now_utc), "now", ink, y=0.06)
    base["shapes"].append(line)
    base["annotations"].append(label)
    return {"data": traces, "layout": base}


def _when(rows: pd.DataFrame, state: DataState) -> list[str]:
    """Return the hover's times; an hour that is over and has no measurement says so."""
    ahead = rows["hour_utc"] + HOUR > state.now_utc
    return hour_texts(rows["hour_utc"], list(rows[MEASURED].notna() | ahead))


def _line(rows: pd.DataFrame, column: str, name: str, style: Figure) -> Figure:
    return {
        "type": "scatter",
        **broken_line(numbers(rows[column]), style["color"]),
        "name": name,
        "x": list(rows["x"]),
        "line": style,
        "hovertemplate": "%{y:.0f}",
    }


def _bands(ahead: pd.DataFrame, ink: Ink) -> list[Figure]:
    traces: list[Figure] = []
    for (name, low, high), colour in zip(BANDS, ink.bands, strict=True):
        edge = {"type": "scatter", "mode": "lines", "x": list(ahead["x"]), "line": {"width": 0}}
        lows, highs = numbers(ahead[low], 0), numbers(ahead[high], 0)
        traces += [
            {**edge, "y": numbers(ahead[low]), "hoverinfo": "skip"},
            {
                **edge,
                "y": numbers(ahead[high]),
                "fill": "tonexty",
                "fillcolor": colour,
                "name": f"{name} band",
                "customdata": [f"{a:.0f} to {b:.0f}" for a, b in zip(lows, highs, strict=True)],
                "hovertemplate": "%{customdata}",
            },
        ]
    return traces


def _join(last: pd.Series, ahead: pd.DataFrame, ink: Ink) -> Figure:
    """A thin line from the last measured hour to the first forecast one after it."""
    after = ahead[ahead["hour_utc"] > last["hour_utc"]]
    near = len(after) and after["hour_utc"].iloc[0] - last["hour_utc"] <= 2 * HOUR
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [last["x"], after["x"].iloc[0]] if near else [],
        "y": [last[MEASURED], after["q50_g_per_kwh"].iloc[0]] if near else [],
        "line": {"color": ink.forecast, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _mark_headline(base: Figure, state: DataState, ahead: pd.DataFrame, axis: DanishAxis, ink: Ink) -> None:
    """Bracket the next six hours, as far as the forecast covers them.

    No shade: the lightest band would vanish in it.
    """
    start = max(full_hour(state.now_utc), ahead["hour_utc"].iloc[0].to_pydatetime())
    end = min(start + HEADLINE_HOURS * HOUR, ahead["hour_utc"].iloc[-1].to_pydatetime() + HOUR)
    if end <= start:
        return
    for begin, low, width in ((start, 1, 4.0), (end, 0, 1.0)):
        base["shapes"].append(
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": axis.place(begin),
                "x1": axis.place(end),
                "y0": low,
                "y1": 1,
                "line": {"color": ink.mark, "width": width},
            }
        )
    base["annotations"].append(
        {
            "text": "next 6 h",
            "x": axis.place(start + (end - start) / 2),
            "y": 1,
            "xref": "x",
            "yref": "paper",
            "yanchor": "top",
            "showarrow": False,
            "bgcolor": ink.ground,
            "font": {"size": 12, "color": ink.text},
        }
    )


def _why_nothing(state: DataState) -> str:
    if state.empty:
        return "No forecast and no measurements yet."
    return "Nothing was measured in the last 24 hours, and no forecast reaches this far."


FORECAST = Chart(
    key="forecast",
    title="The last and the coming 24 hours",
    explanation="The line is the middle of what is expected. The truth should fall inside the narrowest "
    "band half of the time, inside the middle one 8 times in 10, inside the widest 9 times in 10.",
    table=table,
    columns=COLUMNS,
    first_columns=("hour_danish", MEASURED, "q50_g_per_kwh", "q10_g_per_kwh", "q90_g_per_kwh", PROGNOSIS),
    figure=figure,
    summary=summary,
    nothing=_why_nothing,
    height=420,
    follows_clock=True,
)
