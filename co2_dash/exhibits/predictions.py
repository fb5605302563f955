"""What was forecast against what came true: by hour, by lead, by band and over time."""

from datetime import datetime, timedelta

import pandas as pd

from co2_dash import queries
from co2_dash.danish_time import iso_danish
from co2_dash.exhibits.base import (
    INKS,
    DanishAxis,
    Exhibit,
    Figure,
    Options,
    Theme,
    hour_texts,
    layout,
    numbers,
    time_line,
)
from co2_dash.situation import Situation
from co2_dash.store import View
from co2_dash.wording import UNIT

PERIODS = {"7 d": 7, "30 d": 30, "90 d": 90, "1 y": 365}
DEFAULT_PERIOD = "30 d"
ALL_LEADS = "all"
LONGEST_LEAD = 24
KINDS = {"live": "Issued live", "hindcast": "Issued later, as of then"}
MIDDLE = timedelta(minutes=30)
# Fewer scored hours than a day's are no ground for a choice between live and hindcast.
ENOUGH_HOURS = 24


def default_kind(scored: dict[str, int]) -> str:
    """Return the kind to show first: live forecasts, unless only hindcasts have been scored enough."""
    if scored.get("live", 0) < ENOUGH_HOURS and scored.get("hindcast", 0) > scored.get("live", 0):
        return "hindcast"
    return "live"


def lead_of(options: Options) -> int | None:
    """Return the lead asked for in hours, None for all of them and for anything unknown."""
    text = str(options.get("lead", ALL_LEADS))
    return int(text) if text.isdecimal() and 1 <= int(text) <= LONGEST_LEAD else None


def asked(view: View, situation: Situation, options: Options) -> tuple[str, datetime, datetime]:
    """Return the kind of forecast and the span of target hours asked for."""
    kind = str(options.get("kind"))
    if kind not in KINDS:
        kind = default_kind(queries.scored_hours(view, situation.price_area))
    days = PERIODS.get(str(options.get("period")), PERIODS[DEFAULT_PERIOD])
    end = situation.measured_until_utc or situation.now_utc
    return kind, end - timedelta(days=days), end


def outcome_table(view: View, situation: Situation, options: Options) -> pd.DataFrame:
    """Return a row per forecast value that has come true, with its error in g/kWh."""
    kind, start, end = asked(view, situation, options)
    rows = queries.outcomes(view, situation.price_area, kind, start, end)
    lead = lead_of(options)
    if lead is not None:
        rows = rows[rows["lead_hours"] == lead].reset_index(drop=True)
    if rows.empty:
        return rows
    rows.insert(2, "target_hour_danish", [iso_danish(t.to_pydatetime()) for t in rows["target_hour_utc"]])
    rows["error_g_per_kwh"] = rows["q50_g_per_kwh"] - rows["actual_g_per_kwh"]
    rows["kind"] = kind
    return rows


def outcome_summary(rows: pd.DataFrame) -> str:
    """Return number and mean error in a sentence."""
    hours = rows["target_hour_utc"].nunique()
    return (
        f"Chart of {len(rows)} forecast values for {hours} hours against what was measured; on average "
        f"they missed by {rows['error_g_per_kwh'].abs().mean():.0f} {UNIT}."
    )


def outcome_figure(rows: pd.DataFrame, _situation: Situation, options: Options, theme: Theme) -> Figure:
    """Return one lead with its 80 % band, or every issued forecast as a line of its own."""
    ink = INKS[theme]
    truth = rows.drop_duplicates("target_hour_utc").sort_values("target_hour_utc")
    first, last = truth["target_hour_utc"].iloc[0], truth["target_hour_utc"].iloc[-1]
    axis = DanishAxis(first.to_pydatetime(), last.to_pydatetime() + timedelta(hours=1))
    x, y = axis.places(truth["target_hour_utc"] + MIDDLE), numbers(truth["actual_g_per_kwh"])
    actual = {
        "type": "scatter",
        "mode": "lines",
        "name": "Measured",
        "x": x,
        "y": y,
        "line": {"color": ink.measured, "width": 2},
        "hovertemplate": "%{y:.0f}",
    }
    times = time_line(x, y, hour_texts(truth["target_hour_utc"]))
    lead = lead_of(options)
    forecast = _one_lead(rows, axis, theme) if lead is not None else [_every_issue(rows, axis, theme)]
    base = layout(
        ink,
        y_title=f"{UNIT}, Danish time ({axis.zone})",
        key=f"outcomes-{options.get('period')}-{options.get('kind')}",
        xaxis=axis.axis(hoverformat="%a %-d %b"),
    )
    return {"data": [times, *forecast, actual], "layout": base}


def _one_lead(rows: pd.DataFrame, axis: DanishAxis, theme: Theme) -> list[Figure]:
    ink = INKS[theme]
    ordered = rows.sort_values("target_hour_utc")
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "marker": {"size": 4, "color": ink.forecast},
        "x": axis.places(ordered["target_hour_utc"] + MIDDLE),
    }
    edge = {**line, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        {**edge, "y": numbers(ordered["q10_g_per_kwh"])},
        {
            **edge,
            "y": numbers(ordered["q90_g_per_kwh"]),
            "fill": "tonexty",
            "fillcolor": ink.bands[1],
            "name": "80 % band",
        },
        {
            **line,
            "y": numbers(ordered["q50_g_per_kwh"]),
            "name": "Forecast",
            "line": {"color": ink.forecast, "width": 1.5},
            "hovertemplate": "%{y:.0f}",
        },
    ]


def _every_issue(rows: pd.DataFrame, axis: DanishAxis, theme: Theme) -> Figure:
    x: list[str | None] = []
    y: list[float | None] = []
    for _, issued in rows.groupby(["issue_time_utc", "model_version"], sort=False):
        x += [*axis.places(issued["target_hour_utc"] + MIDDLE), None]
        y += [*numbers(issued["q50_g_per_kwh"]), None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "name": "Forecasts, each as issued",
        "line": {"color": INKS[theme].forecast, "width": 1},
        "opacity": 0.75,
        "hoverinfo": "skip",
    }


NOTHING = "No forecast of this kind has come true in this period yet."
OUTCOMES = Exhibit(
    key="outcomes",
    title="What was forecast, and what came true",
    explanation="Choose one lead to see what was said that many hours ahead, with its 80 % band, or all "
    "to see every forecast as it was issued.",
    table=outcome_table,
    figure=outcome_figure,
    summary=outcome_summary,
    nothing=NOTHING,
    height=380,
)
