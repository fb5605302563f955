"""How good the forecasts were: by lead, by band and over time, beside the baselines."""

import pandas as pd

from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.outcomes import NOTHING, asked
from co2_dash.charts.style import INKS, layout, numbers
from co2_dash.charts.time_axis import DanishAxis
from co2_dash.data import queries
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

# Under this accuracy a retraining is asked for.
ACCURACY_LIMIT = 65.0


def lead_table(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return mean absolute errors by lead, beside the baselines on the same hours."""
    kind, start, end = asked(view, state, options)
    return queries.errors_by_lead(view, state.price_area, kind, start, end).assign(kind=kind)


def lead_summary(rows: pd.DataFrame) -> str:
    """Return the first and the last lead's errors in a sentence."""
    first, last = rows.iloc[0], rows.iloc[-1]
    return "Chart of the mean error by lead. " + " ".join(
        f"{row['lead_hours']:.0f} h ahead: {row['mae_g_per_kwh']:.0f} {UNIT}, persistence "
        f"{row['persistence_mae_g_per_kwh']:.0f}."
        for row in (first, last)
    )


def lead_figure(rows: pd.DataFrame, _situation: DataState, options: Options, theme: Theme) -> Figure:
    """Return lines of mean absolute error over the lead.

    Where Energinet had no prognosis for some of the hours, a line of ours on the others stands
    beside its own.
    """
    ink = INKS[theme]
    apart = (rows["n_prognosis"] != rows["n_forecasts"]) & (rows["n_prognosis"] > 0)
    series = (
        ("persistence_mae_g_per_kwh", "Persistence", ink.third, "dash"),
        ("prognosis_mae_g_per_kwh", "Energinet", ink.other, "dot"),
        *(
            (("mae_with_prognosis_g_per_kwh", "This forecast, on Energinet’s hours", ink.forecast, "dot"),)
            if apart.any()
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
            "marker": {"size": 6 if dash == "solid" else 4},
            "hovertemplate": "%{y:.1f}",
        }
        for column, name, colour, dash in series
    ]
    base = layout(
        ink,
        y_title=f"mean error, {UNIT}",
        key=f"leads-{options.get('period')}-{options.get('kind')}",
        xaxis={
            "title": {"text": "hours ahead", "font": {"size": 12, "color": ink.faint}},
            "tickvals": [1, 3, 6, 9, 12, 15, 18, 21, 24],
            "fixedrange": True,
            "hoverformat": "d",
            "ticksuffix": "",
        },
        dragmode=False,
    )
    return {"data": traces, "layout": base}


PROMISED = (
    ("50 % band", "covered_50_percent", 50),
    ("80 % band", "covered_80_percent", 80),
    ("90 % band", "covered_90_percent", 90),
)


def calibration_table(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return how often the truth fell in each band, by range of leads."""
    kind, start, end = asked(view, state, options)
    return queries.coverage(view, state.price_area, kind, start, end).assign(kind=kind)


def calibration_summary(rows: pd.DataFrame) -> str:
    """Return the covered shares of the first range of leads in a sentence."""
    first = rows.iloc[0]
    shares = ", ".join(f"{name}: {first[column]:.0f} %" for name, column, _ in PROMISED)
    return f"Chart of how often the truth fell in each band. Leads {first['leads']}: {shares}."


def calibration_figure(rows: pd.DataFrame, _situation: DataState, options: Options, theme: Theme) -> Figure:
    """Return bars of the covered share by band and range of leads, with the promise as a line."""
    ink = INKS[theme]
    traces = [
        {
            "type": "bar",
            "name": f"{row['leads']} ahead",
            "x": [name for name, _, _ in PROMISED],
            "y": [round(float(row[column]), 1) for _, column, _ in PROMISED],
            "marker": {"color": colour},
            "hovertemplate": "%{y:.0f} %",
        }
        for (_, row), colour in zip(rows.iterrows(), (ink.forecast, ink.third, ink.other), strict=False)
    ]
    promises = [
        {
            "type": "line",
            "xref": "x",
            "yref": "y",
            "x0": place - 0.45,
            "x1": place + 0.45,
            "y0": promised,
            "y1": promised,
            "line": {"color": ink.measured, "width": 2.5},
        }
        for place, (_, _, promised) in enumerate(PROMISED)
    ]
    base = layout(
        ink,
        y_title="% of hours; line: promised",
        key=f"calibration-{options.get('period')}-{options.get('kind')}",
        barmode="group",
        bargap=0.25,
        xaxis={"fixedrange": True},
        yaxis={"range": [0, 100], "ticksuffix": " %"},
        dragmode=False,
    )
    base["shapes"] = promises
    return {"data": traces, "layout": base}


def rolling_table(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return the accuracy of leads 1-6 over seven days, by day, with the models trained that day."""
    kind, start, end = asked(view, state, options)
    rows = queries.rolling_accuracy(view, state.price_area, kind, start, end)
    trained = queries.models(view, state.price_area)
    by_day: dict[pd.Timestamp, list[str]] = {}
    for model in queries.records(trained):
        words = f"{model['trained_at_utc']:%H:%M} UTC, {model['decision']}"
        by_day.setdefault(model["trained_at_utc"].floor("D"), []).append(words)
    days = (rows["day_end_utc"] - pd.Timedelta(microseconds=1)).dt.floor("D")
    rows["retrained"] = ["; ".join(by_day.get(day, [])) for day in days]
    rows["kind"] = kind
    return rows


def rolling_summary(rows: pd.DataFrame) -> str:
    """Return the newest value and the days under the limit in a sentence."""
    last = rows.iloc[-1]
    under = int((rows["accuracy_percent"] < ACCURACY_LIMIT).sum())
    return (
        f"Chart of accuracy over the last 7 days, by day. Newest: {last['accuracy_percent']:.0f} %, "
        f"persistence {last['persistence_accuracy_percent']:.0f} %. "
        f"Days under {ACCURACY_LIMIT:.0f} %: {under}."
    )


def rolling_figure(rows: pd.DataFrame, _situation: DataState, options: Options, theme: Theme) -> Figure:
    """Return accuracy by day beside persistence, the limit, and the retrainings as marks."""
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
    least = min(rows["accuracy_percent"].min(), rows["persistence_accuracy_percent"].min(), ACCURACY_LIMIT)
    base = layout(
        ink,
        y_title="% accuracy over 7 days, leads 1–6",
        key=f"rolling-{options.get('period')}-{options.get('kind')}",
        xaxis=axis.axis(hoverformat="to %a %-d %b %H:%M"),
        yaxis={"range": [max(-100, least - 5), 100], "ticksuffix": " %"},
    )
    base["shapes"].append(
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": ACCURACY_LIMIT,
            "y1": ACCURACY_LIMIT,
            "line": {"color": ink.other, "width": 1.5, "dash": "dash"},
        }
    )
    base["annotations"].append(
        {
            "text": f"{ACCURACY_LIMIT:.0f} % limit",
            "xref": "paper",
            "x": 1,
            "y": ACCURACY_LIMIT,
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
    explanation="Mean absolute error. Persistence says that the last measured value stays; it is scored on "
    "the same hours as ours. Energinet’s prognosis is taken as it was known when ours was issued, usually "
    "about a day old; where it had none for some hours, a dotted line gives our error on its hours alone.",
    table=lead_table,
    columns=(
        "lead_hours",
        "n_forecasts",
        "mae_g_per_kwh",
        "persistence_mae_g_per_kwh",
        "n_prognosis",
        "prognosis_mae_g_per_kwh",
        "mae_with_prognosis_g_per_kwh",
        "kind",
    ),
    first_columns=("lead_hours", "mae_g_per_kwh", "persistence_mae_g_per_kwh", "prognosis_mae_g_per_kwh"),
    figure=lead_figure,
    summary=lead_summary,
    nothing=NOTHING,
    height=340,
)
CALIBRATION = Chart(
    key="calibration",
    title="Are the bands honest?",
    explanation="How often the truth fell inside the band. A bar under its line: the forecast was too sure "
    "of itself; above: too careful.",
    table=calibration_table,
    columns=("leads", "n_forecasts", *(column for _, column, _ in PROMISED), "kind"),
    first_columns=("leads", *(column for _, column, _ in PROMISED)),
    figure=calibration_figure,
    summary=calibration_summary,
    nothing=NOTHING,
    height=340,
)
ROLLING = Chart(
    key="rolling",
    title="Accuracy over time",
    explanation="Accuracy is 100 minus the mean percentage error of the first six hours. Persistence on "
    "the same hours shows whether the days were hard. Below the limit a retraining is asked for.",
    table=rolling_table,
    columns=(
        "day_end_utc",
        "n_forecasts",
        "n_hours",
        "accuracy_percent",
        "persistence_accuracy_percent",
        "retrained",
        "kind",
    ),
    first_columns=("day_end_utc", "accuracy_percent", "persistence_accuracy_percent", "retrained"),
    figure=rolling_figure,
    summary=rolling_summary,
    nothing=NOTHING,
    height=340,
)
