"""The charts of how good the forecasts were: by lead, by band and over time, with the baselines."""

import itertools

import pandas as pd

from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT, NEAR_HOURS
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.outcome_choices import NO_OUTCOMES, chosen_outcomes, zoom_key
from co2_dash.charts.style import HEADLINE_TEXT, INKS, accuracy_axis, axis_title, layout, numbers
from co2_dash.charts.time_axis import DanishAxis
from co2_dash.data import queries
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


def lead_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return mean absolute errors by lead, with those of the baselines on the same hours."""
    series, start, end = chosen_outcomes(view, state, options)
    return queries.errors_by_lead(view, state.area.name, series, start, end).assign(series=series)


def lead_summary(rows: pd.DataFrame) -> str:
    """Return the errors of the first and the last lead in a sentence."""
    first, last = rows.iloc[0], rows.iloc[-1]
    return "Chart of the mean error by lead. " + " ".join(
        f"{row['lead_hours']:.0f} h ahead: {row['mae_g_per_kwh']:.0f} {UNIT}, persistence "
        f"{row['persistence_mae_g_per_kwh']:.0f}."
        for row in (first, last)
    )


def lead_ticks(last_lead: int) -> list[int]:
    """Return the leads that are written on the axis: the first, and as many as a phone has room for."""
    step = 3 if last_lead <= NEAR_HOURS else 6 if last_lead <= 2 * NEAR_HOURS else 12
    return [1, *range(step, last_lead + 1, step)]


def lead_figure(rows: pd.DataFrame, _state: DataState, options: Options, theme: Theme) -> Figure:
    """Return lines of mean absolute error over the lead.

    Where Energinet had no prognosis for some of the hours, another line shows our error on the hours
    that it had one for.
    """
    ink = INKS[theme]
    last_lead = int(rows["lead_hours"].max())
    far = last_lead > NEAR_HOURS
    partly = (rows["n_prognosis"] != rows["n_forecasts"]) & (rows["n_prognosis"] > 0)
    series = (
        ("persistence_mae_g_per_kwh", "Persistence", ink.third, "dash"),
        ("prognosis_mae_g_per_kwh", "Energinet", ink.other, "dot"),
        *(
            (("mae_with_prognosis_g_per_kwh", "This forecast, on Energinet’s hours", ink.forecast, "dot"),)
            if partly.any()
            else ()
        ),
        ("mae_g_per_kwh", "This forecast", ink.forecast, "solid"),
    )
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": [int(lead) for lead in rows["lead_hours"]],
            "y": numbers(rows[column]),
            "line": {"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash},
            "marker": {"size": (6 if dash == "solid" else 4) // (2 if far else 1)},
            "hovertemplate": "%{y:.1f}",
        }
        for column, name, colour, dash in series
    ]
    base = layout(
        ink,
        y_title=f"mean error, {UNIT}",
        key=zoom_key("leads", options),
        xaxis={
            "title": axis_title("hours ahead", ink),
            "tickvals": lead_ticks(last_lead),
            "fixedrange": True,
            "hoverformat": "d",
            "ticksuffix": "",
        },
        dragmode=False,
    )
    return {"data": traces, "layout": base}


# By the share of hours, in percent, that should be inside: the column with the share that was.
COVERED = {share: queries.covered_column(share) for share in queries.BANDS}


def calibration_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return how often the measured value was inside each band, by range of leads."""
    series, start, end = chosen_outcomes(view, state, options)
    return queries.coverage(view, state.area.name, series, start, end).assign(series=series)


def calibration_summary(rows: pd.DataFrame) -> str:
    """Return the shares inside the bands, for the first range of leads, in a sentence."""
    first = rows.iloc[0]
    shares = ", ".join(f"{share} % band: {first[column]:.0f} %" for share, column in COVERED.items())
    return f"Chart of how often the measured value was inside each band. Leads {first['leads']}: {shares}."


def calibration_figure(rows: pd.DataFrame, _state: DataState, options: Options, theme: Theme) -> Figure:
    """Return bars of the share inside each band by range of leads, with a line at the expected share."""
    ink = INKS[theme]
    colours = itertools.cycle((ink.forecast, ink.third, ink.other, ink.mark, ink.bands[-1]))
    traces = [
        {
            "type": "bar",
            "name": f"{row['leads']} ahead",
            "x": [f"{share} % band" for share in COVERED],
            "y": [round(float(row[column]), 1) for column in COVERED.values()],
            "marker": {"color": colour},
            "hovertemplate": "%{y:.0f} %",
        }
        for (_, row), colour in zip(rows.iterrows(), colours, strict=False)
    ]
    expected = [
        {
            "type": "line",
            "xref": "x",
            "yref": "y",
            "x0": place - 0.45,
            "x1": place + 0.45,
            "y0": share,
            "y1": share,
            "line": {"color": ink.measured, "width": 2.5},
        }
        for place, share in enumerate(COVERED)
    ]
    base = layout(
        ink,
        y_title="% of hours; line: expected",
        key=zoom_key("calibration", options),
        barmode="group",
        bargap=0.25,
        xaxis={"fixedrange": True},
        yaxis={"range": [0, 100], "ticksuffix": " %"},
        dragmode=False,
    )
    base["shapes"] = expected
    return {"data": traces, "layout": base}


def rolling_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return the accuracy of the headline leads over 7 days, by day, with the models trained that day."""
    series, start, end = chosen_outcomes(view, state, options)
    rows = queries.rolling_accuracy(view, state.area.name, series, start, end)
    trained = queries.models(view, state.area.name)
    by_day: dict[pd.Timestamp, list[str]] = {}
    for model in queries.records(trained):
        text = f"{model['trained_at_utc']:%H:%M} UTC, {model['decision']}"
        by_day.setdefault(model["trained_at_utc"].floor("D"), []).append(text)
    days = (rows["day_end_utc"] - pd.Timedelta(microseconds=1)).dt.floor("D")
    rows["retrained"] = ["; ".join(by_day.get(day, [])) for day in days]
    rows["series"] = series
    return rows


def rolling_summary(rows: pd.DataFrame) -> str:
    """Return the newest value and the number of days below the limit in a sentence."""
    last = rows.iloc[-1]
    below = int((rows["accuracy_percent"] < ACCURACY_THRESHOLD_PERCENT).sum())
    return (
        f"Chart of accuracy over the last 7 days, by day. Newest: {last['accuracy_percent']:.0f} %, "
        f"persistence {last['persistence_accuracy_percent']:.0f} %. "
        f"Days below {ACCURACY_THRESHOLD_PERCENT:.0f} %: {below}."
    )


def rolling_figure(rows: pd.DataFrame, _state: DataState, options: Options, theme: Theme) -> Figure:
    """Return accuracy by day with that of persistence, the limit, and a mark for each retraining."""
    ink = INKS[theme]
    axis = DanishAxis(
        rows["day_end_utc"].iloc[0].to_pydatetime(), rows["day_end_utc"].iloc[-1].to_pydatetime()
    )
    x = axis.places(rows["day_end_utc"])
    line = {"type": "scatter", "mode": "lines+markers", "x": x, "hovertemplate": "%{y:.1f} %"}
    traces = [
        {
            **line,
            "name": "Persistence",
            "y": numbers(rows["persistence_accuracy_percent"]),
            "line": {"color": ink.third, "width": 2, "dash": "dash"},
            "marker": {"size": 4},
        },
        {
            **line,
            "name": "This forecast",
            "y": numbers(rows["accuracy_percent"]),
            "line": {"color": ink.forecast, "width": 3},
            "marker": {"size": 6},
        },
    ]
    retrained = rows[rows["retrained"] != ""]
    if len(retrained):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "Retrained",
                "x": axis.places(retrained["day_end_utc"]),
                "y": numbers(retrained["accuracy_percent"]),
                "customdata": list(retrained["retrained"]),
                "marker": {"symbol": "diamond", "size": 12, "color": ink.other},
                "hovertemplate": "%{customdata}",
            }
        )
    base = layout(
        ink,
        y_title=f"% accuracy over 7 days, leads {HEADLINE_TEXT}",
        key=zoom_key("rolling", options),
        xaxis=axis.axis(hoverformat="to %a %-d %b %H:%M"),
        yaxis=accuracy_axis(rows),
    )
    base["shapes"].append(
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": ACCURACY_THRESHOLD_PERCENT,
            "y1": ACCURACY_THRESHOLD_PERCENT,
            "line": {"color": ink.other, "width": 1.5, "dash": "dash"},
        }
    )
    base["annotations"].append(
        {
            "text": f"{ACCURACY_THRESHOLD_PERCENT:.0f} % limit",
            "xref": "paper",
            "x": 1,
            "y": ACCURACY_THRESHOLD_PERCENT,
            "xanchor": "right",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 11, "color": ink.faint},
        }
    )
    return {"data": traces, "layout": base}


LEADS = Chart(
    key="leads",
    title="Error by lead",
    explanation="Mean absolute error; the lead is how many hours ahead it was forecast. "
    "Persistence is the last measured value, kept for all hours; it is "
    "scored on the same hours as ours. Energinet’s prognosis is the one that was known when ours was issued, "
    "usually about a day old. Where it is missing for some hours, a dotted line shows our error on the rest.",
    rows=lead_rows,
    columns=(
        "lead_hours",
        "n_forecasts",
        "mae_g_per_kwh",
        "persistence_mae_g_per_kwh",
        "n_prognosis",
        "prognosis_mae_g_per_kwh",
        "mae_with_prognosis_g_per_kwh",
        "series",
    ),
    shown_first=("lead_hours", "mae_g_per_kwh", "persistence_mae_g_per_kwh", "prognosis_mae_g_per_kwh"),
    figure=lead_figure,
    summary=lead_summary,
    empty_text=NO_OUTCOMES,
    height=340,
)
CALIBRATION = Chart(
    key="calibration",
    title="Coverage of the bands",
    explanation="How often the measured value was inside the band. A bar below its line means that the band "
    "was too narrow; above it, too wide.",
    rows=calibration_rows,
    columns=("leads", "n_forecasts", *COVERED.values(), "series"),
    shown_first=("leads", *COVERED.values()),
    figure=calibration_figure,
    summary=calibration_summary,
    empty_text=NO_OUTCOMES,
    height=340,
)
ROLLING = Chart(
    key="rolling",
    title="Accuracy over time",
    explanation=f"Accuracy is 100 minus the mean percentage error of leads {HEADLINE_TEXT}. Persistence on "
    "the same hours shows how difficult the days were. Below the limit a new model is trained.",
    rows=rolling_rows,
    columns=(
        "day_end_utc",
        "n_forecasts",
        "n_hours",
        "accuracy_percent",
        "persistence_accuracy_percent",
        "retrained",
        "series",
    ),
    shown_first=("day_end_utc", "accuracy_percent", "persistence_accuracy_percent", "retrained"),
    figure=rolling_figure,
    summary=rolling_summary,
    empty_text=NO_OUTCOMES,
    height=340,
)
