"""The chart that compares forecasts with what was measured, hour by hour."""

import pandas as pd

from co2_assets.contracts.danish_time import iso_danish
from co2_assets.contracts.forecast_spec import CO2, MEDIAN_COLUMN, QUANTILE_COLUMNS
from co2_assets.contracts.time import HOUR
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.outcome_choices import NO_OUTCOMES, chosen_lead, chosen_leads, chosen_outcomes, zoom_key
from co2_dash.charts.style import INKS, band_texts, broken_line, numbers, time_line
from co2_dash.charts.time_axis import DanishAxis, hour_texts
from co2_dash.data import queries
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

COLUMNS = (
    "issue_time_utc",
    "issued_at_utc",
    "target_hour_utc",
    "target_hour_danish",
    "lead_hours",
    "model_version",
    *QUANTILE_COLUMNS,
    "persistence_g_per_kwh",
    "energinet_prognosis_g_per_kwh",
    "actual_g_per_kwh",
    "error_g_per_kwh",
    "series",
)


def outcome_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return a row for each forecast value whose hour was measured, with its error in g/kWh.

    A measured hour between them that was not forecast has a row without a forecast, so that every hour
    is there also when only one lead is chosen.
    """
    series, start, end = chosen_outcomes(view, state, options)
    rows = queries.outcomes(view, state.area.name, series, start, end, chosen_leads(options))
    if rows.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    first, last = rows["target_hour_utc"].min(), rows["target_hour_utc"].max()
    measured = queries.measured(view, state.area.name, first, last + HOUR)
    measured = measured.dropna(subset=[CO2]).rename(columns={"hour_utc": "target_hour_utc"})
    rows = rows.merge(measured["target_hour_utc"], on="target_hour_utc", how="right").sort_values(
        ["target_hour_utc", "issued_at_utc", "model_version"], ignore_index=True
    )
    actual = measured.set_index("target_hour_utc")[CO2]
    rows["actual_g_per_kwh"] = rows["target_hour_utc"].map(actual)
    danish = {hour: iso_danish(hour.to_pydatetime()) for hour in measured["target_hour_utc"]}
    rows["target_hour_danish"] = rows["target_hour_utc"].map(danish)
    rows["error_g_per_kwh"] = rows[MEDIAN_COLUMN] - rows["actual_g_per_kwh"]
    rows["lead_hours"] = rows["lead_hours"].astype("Int64")
    return rows.assign(series=series)[list(COLUMNS)]


def outcome_summary(rows: pd.DataFrame) -> str:
    """Return the number of values and their mean error in a sentence."""
    rows = rows.dropna(subset=[MEDIAN_COLUMN])
    hours = rows["target_hour_utc"].nunique()
    return (
        f"Chart of {len(rows)} forecast values for {hours} hours against what was measured; on average "
        f"they missed by {rows['error_g_per_kwh'].abs().mean():.0f} {UNIT}."
    )


def outcome_figure(rows: pd.DataFrame, _state: DataState, options: Options, theme: Theme) -> Figure:
    """Return one lead with its 80 % bands, or each issued forecast as a line, with the measured hours."""
    ink = INKS[theme]
    known = rows.drop_duplicates("target_hour_utc").set_index("target_hour_utc")["actual_g_per_kwh"]
    hours = pd.Series(pd.date_range(known.index.min(), known.index.max(), freq="h"))
    axis = DanishAxis.over(hours)
    x, y = axis.middles(hours), numbers(known.reindex(hours))
    actual = {
        "type": "scatter",
        **broken_line(y, ink.measured),
        "name": "Measured",
        "x": x,
        "line": {"color": ink.measured, "width": 2},
        "hovertemplate": "%{y:.0f}",
    }
    times = time_line(x, y, hour_texts(hours, [value is not None for value in y]))
    one_lead = chosen_lead(options) is not None
    forecast = (_one_lead if one_lead else _every_issue)(rows, axis, theme)
    # The points of one lead are drawn above the measured line, the lines of issued forecasts below it.
    lines = [actual, forecast] if one_lead else [forecast, actual]
    return {
        "data": [times, *lines],
        "layout": axis.layout(ink, unit=UNIT, key=zoom_key("outcomes", options)),
    }


def _one_lead(rows: pd.DataFrame, axis: DanishAxis, theme: Theme) -> Figure:
    """Return points with their bands; no line, because one lead has only a few hours of a day."""
    ink = INKS[theme]
    forecast = rows.dropna(subset=[MEDIAN_COLUMN]).sort_values("target_hour_utc")
    median, low, high = (forecast[column] for column in (MEDIAN_COLUMN, *queries.BANDS[80]))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Forecast with its 80 % band",
        "x": axis.middles(forecast["target_hour_utc"]),
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
        "customdata": band_texts(low, high),
        "hovertemplate": "%{y:.0f} (%{customdata})",
    }


def _every_issue(rows: pd.DataFrame, axis: DanishAxis, theme: Theme) -> Figure:
    """Return one trace with a line for each issued forecast."""
    x: list[str | None] = []
    y: list[float | None] = []
    for _, issued in rows.dropna(subset=[MEDIAN_COLUMN]).groupby(
        ["issued_at_utc", "model_version"], sort=False
    ):
        x += [*axis.middles(issued["target_hour_utc"]), None]
        y += [*numbers(issued[MEDIAN_COLUMN]), None]
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


OUTCOMES = Chart(
    key="outcomes",
    title="What was forecast, and what was measured",
    explanation="Choose one lead to see what was forecast that many hours ahead, with its 80 % band. "
    "A choice of “all” shows every forecast as it was issued.",
    rows=outcome_rows,
    columns=COLUMNS,
    shown_first=(
        "target_hour_danish",
        "actual_g_per_kwh",
        MEDIAN_COLUMN,
        "error_g_per_kwh",
        "lead_hours",
    ),
    figure=outcome_figure,
    summary=outcome_summary,
    empty_text=NO_OUTCOMES,
    height=380,
)
