"""The chart of the forecast: median and bands of the coming hours, after the last measured hours."""

import pandas as pd

from co2_assets.advice.forecast_rows import forecast_hours
from co2_assets.contracts.danish_time import clock, iso_danish
from co2_assets.contracts.forecast_spec import CO2, MEDIAN_COLUMN, NEAR_HOURS, QUANTILE_COLUMNS
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.advice.coming_hours import chosen_span, coming_hours
from co2_dash.advice.last_month import last_month
from co2_dash.advice.window_choice import advice_for
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.forecast_marks import (
    STRIP_HEIGHT,
    level_strip,
    mark_days,
    mark_headline,
    mark_rough,
    mark_window,
)
from co2_dash.charts.style import INKS, Ink, band_texts, broken_line, numbers, time_line, vertical_mark
from co2_dash.charts.time_axis import DanishAxis, hour_texts
from co2_dash.data import queries
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

# However many hours are chosen, a day is shown before now: what the forecast goes on from.
PAST_HOURS = NEAR_HOURS
MEASURED, PROGNOSIS = "measured_g_per_kwh", "energinet_prognosis_g_per_kwh"
# The word of the hour on the scale, and whether it is one of the hours that the page advises.
LEVEL, ADVISED = "level", "cleanest_time"
COLUMNS = (
    "hour_utc",
    "hour_danish",
    MEASURED,
    "lead_hours",
    *QUANTILE_COLUMNS,
    LEVEL,
    ADVISED,
    PROGNOSIS,
    "issue_time_utc",
    "model_version",
)


def forecast_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return a row for every hour of the last `PAST_HOURS` and of the coming hours that are chosen.

    What was not measured or not forecast is null. The cleanest time is that of the choices of the page,
    wherever it lies within the whole forecast.
    """
    forecast = queries.current_forecast(view, state.area.name).rename(columns={"target_hour_utc": "hour_utc"})
    now = hour_containing(state.now_utc)
    forecast = forecast[forecast["hour_utc"] < now + chosen_span(options.get("hours")) * HOUR]
    start = now - PAST_HOURS * HOUR
    measured = queries.measured(view, state.area.name, start, state.now_utc)
    measured = measured[["hour_utc", CO2]].rename(columns={CO2: MEASURED})
    if forecast.empty and measured.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    ends = [hour.max() for hour in (measured["hour_utc"], forecast["hour_utc"]) if len(hour)]
    hours = pd.DataFrame(
        {"hour_utc": pd.date_range(start, max(now - HOUR, *ends), freq="h").astype("datetime64[us]")}
    )
    rows = hours.merge(measured, on="hour_utc", how="left").merge(
        forecast[[name for name in COLUMNS if name in forecast]], on="hour_utc", how="left"
    )
    if rows[[MEASURED, MEDIAN_COLUMN]].isna().all(axis=None):
        return pd.DataFrame(columns=list(COLUMNS))
    rows["lead_hours"] = rows["lead_hours"].astype("Int64")
    rows.insert(1, "hour_danish", [iso_danish(hour.to_pydatetime()) for hour in rows["hour_utc"]])
    scale = last_month(view, state)
    rows[LEVEL] = [
        None if scale is None or pd.isna(median) else scale.step(median).word
        for median in rows[MEDIAN_COLUMN]
    ]
    coming = forecast_hours(coming_hours(view, state))
    advice = advice_for(coming, state.now_utc, options.get("duration"), options.get("before"))
    rows[ADVISED] = [
        "yes" if advice and hour < advice.best.end_utc and hour + HOUR > advice.best.start_utc else None
        for hour in rows["hour_utc"]
    ]
    return rows[list(COLUMNS)]


def forecast_summary(rows: pd.DataFrame) -> str:
    """Return the number of hours, and the lowest and the highest forecast hour, in a sentence."""
    ahead = rows.dropna(subset=[MEDIAN_COLUMN])
    if ahead.empty:
        return "Chart of measured carbon intensity; there is no forecast."
    lowest, highest = ahead.iloc[ahead[MEDIAN_COLUMN].argmin()], ahead.iloc[ahead[MEDIAN_COLUMN].argmax()]
    return (
        f"Chart of carbon intensity: measured for {rows[MEASURED].count()} hours, forecast for "
        f"{len(ahead)} hours. The forecast is lowest at {clock(lowest['hour_utc'].to_pydatetime())} "
        f"({lowest[MEDIAN_COLUMN]:.0f} {UNIT}) and highest at {clock(highest['hour_utc'].to_pydatetime())} "
        f"({highest[MEDIAN_COLUMN]:.0f} {UNIT})."
    )


def forecast_figure(rows: pd.DataFrame, state: DataState, options: Options, theme: Theme) -> Figure:
    """Return lines for measured, forecast and Energinet's prognosis, over the bands of the forecast.

    Below them is a strip with the level of each hour that is still to come.
    """
    ink = INKS[theme]
    axis = DanishAxis.over(rows["hour_utc"])
    shown = rows.assign(x=axis.middles(rows["hour_utc"]), hover=_hover_texts(rows, state))
    measured = shown.dropna(subset=[MEASURED])
    ahead = shown.dropna(subset=[MEDIAN_COLUMN])
    heights = shown[MEDIAN_COLUMN].fillna(shown[MEASURED])
    coming = ahead[ahead["hour_utc"] >= hour_containing(state.now_utc)]
    traces = [*level_strip(coming, LEVEL, theme), *_bands(ahead, ink)]
    if len(measured) and len(ahead):
        traces.append(_connection(measured.iloc[-1], ahead, ink))
    traces.append(
        _line(shown, PROGNOSIS, "Energinet’s prognosis", {"color": ink.other, "width": 1.5, "dash": "dot"})
    )
    traces.append(_line(ahead, MEDIAN_COLUMN, "Forecast", {"color": ink.forecast, "width": 3}))
    traces.append(_line(shown, MEASURED, "Measured", {"color": ink.measured, "width": 2.5}))
    traces.append(time_line(list(shown["x"]), numbers(heights), list(shown["hover"])))
    base = axis.layout(ink, unit=UNIT, key=f"forecast-{chosen_span(options.get('hours'))}")
    base["yaxis"]["domain"] = [1.5 * STRIP_HEIGHT, 1]
    base["xaxis"]["anchor"] = "y2"
    base["yaxis2"] = {"domain": [0, STRIP_HEIGHT], "range": [0, 1], "visible": False, "fixedrange": True}
    mark_days(base, axis, ink)
    mark_window(base, state, coming[coming[ADVISED].notna()], options, axis, ink)
    if len(ahead):
        mark_headline(base, state, ahead, axis, ink)
        mark_rough(base, ahead, options, axis, ink)
    line, label = vertical_mark(axis.place(state.now_utc), "now", ink, y=0.13)
    base["shapes"].append(line)
    base["annotations"].append(label)
    return {"data": traces, "layout": base}


def _hover_texts(rows: pd.DataFrame, state: DataState) -> list[str]:
    """Return the times for the hover text; those of a past hour say if it was not measured."""
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
    # The widest first, so that the narrower ones are drawn on top of it.
    widest_first = sorted(queries.BANDS.items(), reverse=True)
    for (share, (low, high)), colour in zip(widest_first, ink.bands, strict=True):
        edge = {"type": "scatter", "mode": "lines", "x": list(ahead["x"]), "line": {"width": 0}}
        traces += [
            {**edge, "y": numbers(ahead[low]), "hoverinfo": "skip"},
            {
                **edge,
                "y": numbers(ahead[high]),
                "fill": "tonexty",
                "fillcolor": colour,
                "name": f"{share} % band",
                "customdata": band_texts(ahead[low], ahead[high]),
                "hovertemplate": "%{customdata}",
            },
        ]
    return traces


def _connection(last: pd.Series, ahead: pd.DataFrame, ink: Ink) -> Figure:
    """Return a thin line from the last measured hour to the first forecast hour after it."""
    after = ahead[ahead["hour_utc"] > last["hour_utc"]]
    near = len(after) and after["hour_utc"].iloc[0] - last["hour_utc"] <= 2 * HOUR
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [last["x"], after["x"].iloc[0]] if near else [],
        "y": [last[MEASURED], after[MEDIAN_COLUMN].iloc[0]] if near else [],
        "line": {"color": ink.forecast, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _why_empty(state: DataState) -> str:
    if state.empty:
        return "No forecast and no measurements yet."
    return f"Nothing was measured in the last {PAST_HOURS} hours, and no forecast reaches this far."


FORECAST = Chart(
    key="forecast",
    title="The last day and the coming hours",
    explanation="The line is the median of the forecast. The measured value should be inside the narrowest "
    "band half of the time, inside the middle one 8 times in 10, inside the widest one 9 times in 10. "
    "The colours at the bottom are the levels of the hours.",
    rows=forecast_rows,
    columns=COLUMNS,
    shown_first=("hour_danish", MEASURED, MEDIAN_COLUMN, LEVEL, *queries.BANDS[80], PROGNOSIS),
    figure=forecast_figure,
    summary=forecast_summary,
    empty_text=_why_empty,
    height=420,
    follows_clock=True,
)
