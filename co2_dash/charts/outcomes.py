"""What was forecast against what came true: by hour, by lead, by band and over time."""

from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts.forecast_spec import QUANTILE_COLUMNS
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.style import INKS, broken_line, layout, numbers, time_line
from co2_dash.charts.time_axis import DanishAxis, hour_texts
from co2_dash.data import queries
from co2_dash.data.danish_time import iso_danish
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

PERIODS = {"7 d": 7, "30 d": 30, "90 d": 90, "1 y": 365}
DEFAULT_PERIOD = "30 d"
ALL_LEADS = "all"
LONGEST_LEAD = 24
KINDS = {
    "live": "Issued live",
    "hindcast": "Issued later, as of then",
    "backfill": "Issued later, by a model of then",
}
MIDDLE = timedelta(minutes=30)
COLUMNS = (
    "issue_time_utc",
    "target_hour_utc",
    "target_hour_danish",
    "lead_hours",
    "model_version",
    *QUANTILE_COLUMNS,
    "persistence_g_per_kwh",
    "energinet_prognosis_g_per_kwh",
    "actual_g_per_kwh",
    "error_g_per_kwh",
    "kind",
)
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


def asked(view: View, state: DataState, options: Options) -> tuple[str, datetime, datetime]:
    """Return the kind of forecast and the span of target hours asked for."""
    kind = str(options.get("kind"))
    if kind not in KINDS:
        kind = default_kind(queries.scored_hours(view, state.price_area))
    days = PERIODS.get(str(options.get("period")), PERIODS[DEFAULT_PERIOD])
    end = state.measured_until_utc or state.now_utc
    return kind, end - timedelta(days=days), end


def outcome_table(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return a row per forecast value that has come true, with its error in g/kWh.

    A measured hour among them that was not forecast has a row without a forecast: the truth is
    hourly, however seldom a lead comes by.
    """
    kind, start, end = asked(view, state, options)
    rows = queries.outcomes(view, state.price_area, kind, start, end)
    lead = lead_of(options)
    if lead is not None:
        rows = rows[rows["lead_hours"] == lead]
    if rows.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    first, last = rows["target_hour_utc"].min(), rows["target_hour_utc"].max()
    truth = queries.measured(view, state.price_area, first, last + timedelta(hours=1))
    truth = truth.dropna(subset=["co2_g_per_kwh"]).rename(columns={"hour_utc": "target_hour_utc"})
    rows = rows.merge(truth["target_hour_utc"], on="target_hour_utc", how="right").sort_values(
        ["target_hour_utc", "issue_time_utc", "model_version"], ignore_index=True
    )
    actual = truth.set_index("target_hour_utc")["co2_g_per_kwh"]
    rows["actual_g_per_kwh"] = rows["target_hour_utc"].map(actual)
    danish = {hour: iso_danish(hour.to_pydatetime()) for hour in truth["target_hour_utc"]}
    rows["target_hour_danish"] = rows["target_hour_utc"].map(danish)
    rows["error_g_per_kwh"] = rows["q50_g_per_kwh"] - rows["actual_g_per_kwh"]
    rows["lead_hours"] = rows["lead_hours"].astype("Int64")
    return rows.assign(kind=kind)[list(COLUMNS)]


def outcome_summary(rows: pd.DataFrame) -> str:
    """Return number and mean error in a sentence."""
    rows = rows.dropna(subset=["q50_g_per_kwh"])
    hours = rows["target_hour_utc"].nunique()
    return (
        f"Chart of {len(rows)} forecast values for {hours} hours against what was measured; on average "
        f"they missed by {rows['error_g_per_kwh'].abs().mean():.0f} {UNIT}."
    )


def outcome_figure(rows: pd.DataFrame, _situation: DataState, options: Options, theme: Theme) -> Figure:
    """Return one lead with its 80 % bands, or every issued forecast as a line, over the hourly truth."""
    ink = INKS[theme]
    known = rows.drop_duplicates("target_hour_utc").set_index("target_hour_utc")["actual_g_per_kwh"]
    hours = pd.date_range(known.index.min(), known.index.max(), freq="h")
    axis = DanishAxis(hours[0].to_pydatetime(), hours[-1].to_pydatetime() + timedelta(hours=1))
    x, y = axis.places(list(hours + MIDDLE)), numbers(known.reindex(hours))
    actual = {
        "type": "scatter",
        **broken_line(y, ink.measured),
        "name": "Measured",
        "x": x,
        "line": {"color": ink.measured, "width": 2},
        "hovertemplate": "%{y:.0f}",
    }
    times = time_line(x, y, hour_texts(list(hours), [value is not None for value in y]))
    lead = lead_of(options)
    forecast = _one_lead(rows, axis, theme) if lead is not None else _every_issue(rows, axis, theme)
    base = layout(
        ink,
        y_title=f"{UNIT}, Danish time ({axis.zone})",
        key=f"outcomes-{options.get('period')}-{options.get('kind')}",
        xaxis=axis.axis(hoverformat="%a %-d %b"),
    )
    # One lead's points stand on the truth, issued forecasts run beneath it.
    drawn = [actual, forecast] if lead is not None else [forecast, actual]
    return {"data": [times, *drawn], "layout": base}


def _one_lead(rows: pd.DataFrame, axis: DanishAxis, theme: Theme) -> Figure:
    """Points, each with its band: a lead comes by but a few times a day, and nothing is said between."""
    ink = INKS[theme]
    said = rows.dropna(subset=["q50_g_per_kwh"]).sort_values("target_hour_utc")
    median, low, high = said["q50_g_per_kwh"], said["q10_g_per_kwh"], said["q90_g_per_kwh"]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Forecast with its 80 % band",
        "x": axis.places(said["target_hour_utc"] + MIDDLE),
        "y": numbers(median),
        "marker": {"size": 5, "symbol": "circle", "color": ink.forecast},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": numbers(high - median),
            "arrayminus": numbers(median - low),
            "color": ink.forecast,
            "thickness": 1,
            "width": 0,
        },
        "customdata": [f"{a:.0f} to {b:.0f}" for a, b in zip(low, high, strict=True)],
        "hovertemplate": "%{y:.0f} (%{customdata})",
    }


def _every_issue(rows: pd.DataFrame, axis: DanishAxis, theme: Theme) -> Figure:
    x: list[str | None] = []
    y: list[float | None] = []
    for _, issued in rows.dropna(subset=["q50_g_per_kwh"]).groupby(
        ["issue_time_utc", "model_version"], sort=False
    ):
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
OUTCOMES = Chart(
    key="outcomes",
    title="What was forecast, and what came true",
    explanation="Choose one lead to see what was said that many hours ahead, with its 80 % band, or all "
    "to see every forecast as it was issued.",
    table=outcome_table,
    columns=COLUMNS,
    first_columns=(
        "target_hour_danish",
        "actual_g_per_kwh",
        "q50_g_per_kwh",
        "error_g_per_kwh",
        "lead_hours",
    ),
    figure=outcome_figure,
    summary=outcome_summary,
    nothing=NOTHING,
    height=380,
)
