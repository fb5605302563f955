"""The charts of the models: accuracy by month, and the loss during training."""

import json
from collections.abc import Hashable, Sequence
from itertools import cycle

import pandas as pd

from co2_assets.contracts.forecast_spec import ForecastKind
from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.outcome_choices import SERIES
from co2_dash.charts.style import HEADLINE_TEXT, INKS, accuracy_axis, axis_title, layout, numbers
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

_CURVE_COLUMNS = ("model_version", "network", "epoch", "training_loss", "validation_loss")
DASHES = ("solid", "dot", "dash", "dashdot", "longdash")


def curve_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return the losses of the chosen model, or of the champion when none is chosen.

    Columns: model_version, network (from 1), epoch (from 1), training_loss, validation_loss.
    """
    models = queries.models(view, state.area.name)
    chosen = models[models["model_version"] == str(options.get("model"))]
    if chosen.empty:
        champion = queries.champion(view, state.area.name)
        chosen = models[models["model_version"] == (champion or {}).get("model_version")]
    if chosen.empty or pd.isna(chosen["training_curve"].iloc[0]):
        return pd.DataFrame(columns=list(_CURVE_COLUMNS))
    # A list by network of lists by epoch of (training loss, validation loss).
    networks: Sequence[Sequence[tuple[float, float]]] = json.loads(chosen["training_curve"].iloc[0])
    return pd.DataFrame(
        [
            (chosen["model_version"].iloc[0], network, epoch, training, validation)
            for network, losses in enumerate(networks, start=1)
            for epoch, (training, validation) in enumerate(losses, start=1)
        ],
        columns=list(_CURVE_COLUMNS),
    )


def curve_summary(rows: pd.DataFrame) -> str:
    """Return the number of networks and epochs and the lowest validation loss in a sentence."""
    return (
        f"Chart of training and validation loss of {rows['network'].nunique()} networks over up to "
        f"{rows['epoch'].max()} epochs; the lowest validation loss is {rows['validation_loss'].min():.3g}."
    )


def curve_figure(rows: pd.DataFrame, _state: DataState, _options: Options, theme: Theme) -> Figure:
    """Return two lines for each network: training loss thin, validation loss thick."""
    ink = INKS[theme]
    traces = []
    for index, (network, losses) in enumerate(rows.groupby("network")):
        for column, name, colour, width in (
            ("training_loss", "Training", ink.other, 1.5),
            ("validation_loss", "Validation", ink.forecast, 2.5),
        ):
            traces.append(
                {
                    "type": "scatter",
                    # A single epoch is no line.
                    "mode": "lines+markers",
                    "marker": {"size": 4},
                    "name": name,
                    "x": [int(epoch) for epoch in losses["epoch"]],
                    "y": numbers(losses[column], 4),
                    "line": {"color": colour, "width": width, "dash": DASHES[index % len(DASHES)]},
                    "hovertemplate": f"{name.lower()}, network {network}: %{{y:.4f}}<extra></extra>",
                }
            )
    last_epoch = int(rows["epoch"].max())
    base = layout(
        ink,
        y_title="loss; one line style per network",
        key=f"curves-{rows['model_version'].iloc[0]}",
        xaxis={
            "title": axis_title("epoch", ink),
            "hoverformat": "d",
            # Half epochs there are none.
            "tick0": 1,
            "dtick": max(1, round(last_epoch / 10)),
            "range": [0.5, last_epoch + 0.5],
        },
        yaxis={"rangemode": "normal"},
        dragmode=False,
    )
    return {"data": traces, "layout": base}


def monthly_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return the accuracy of the headline leads by month, model and series, with that of persistence."""
    return queries.monthly_accuracy(view, state.area.name)


def monthly_summary(rows: pd.DataFrame) -> str:
    """Return the accuracy of the newest month in a sentence."""
    last = rows.iloc[-1]
    return (
        f"Chart of accuracy by month for {rows['model_version'].nunique()} models. Newest, "
        f"{last['month_utc']:%B %Y}: {last['accuracy_percent']:.0f} %, persistence "
        f"{last['persistence_accuracy_percent']:.0f} %."
    )


def monthly_figure(rows: pd.DataFrame, _state: DataState, _options: Options, theme: Theme) -> Figure:
    """Return a line for each model and series over the months, with persistence on the same hours."""
    ink = INKS[theme]
    colours = (ink.forecast, ink.other, ink.third, ink.faint)
    live, hindcast, backfill = ForecastKind.LIVE, ForecastKind.HINDCAST, ForecastKind.BACKFILL
    symbols: dict[Hashable, str] = {live: "circle", hindcast: "circle-open", backfill: "square-open"}
    crosses: dict[Hashable, str] = {live: "x-thin-open", hindcast: "cross-thin-open"}
    colour_of: dict[Hashable, str] = dict(zip(rows["model_version"].unique(), cycle(colours), strict=False))
    traces = []
    for (version, series), months in rows.groupby(["model_version", "series"]):
        by_month = {
            "type": "scatter",
            "x": [f"{month:%Y-%m-01}" for month in months["month_utc"]],
            "hovertemplate": "%{y:.1f} %",
        }
        colour = colour_of[version]
        series_text = SERIES.get(str(series), str(series)).lower()
        traces.append(
            {
                **by_month,
                "mode": "lines+markers",
                "name": f"{version} ({series_text})",
                "y": numbers(months["accuracy_percent"]),
                "line": {"color": colour, "width": 2.5},
                "marker": {"size": 9, "symbol": symbols.get(series, "square-open"), "color": colour},
            }
        )
        traces.append(
            {
                **by_month,
                "mode": "markers",
                "name": f"persistence on the same hours ({series_text})",
                "y": numbers(months["persistence_accuracy_percent"]),
                "marker": {"size": 9, "symbol": crosses.get(series, "asterisk-open"), "color": ink.measured},
            }
        )
    base = layout(
        ink,
        y_title=f"% accuracy, leads {HEADLINE_TEXT}",
        key="monthly",
        xaxis={
            "type": "date",
            "dtick": "M1" if rows["month_utc"].nunique() <= 8 else "M3",
            "tickformat": "%b %Y",
            "hoverformat": "%B %Y",
            "fixedrange": True,
        },
        yaxis=accuracy_axis(rows),
        dragmode=False,
    )
    return {"data": traces, "layout": base}


CURVES = Chart(
    key="curves",
    title="Training loss",
    explanation="Loss by epoch of each network, on the hours it was trained on and on other hours.",
    rows=curve_rows,
    columns=_CURVE_COLUMNS,
    shown_first=("network", "epoch", "training_loss", "validation_loss"),
    figure=curve_figure,
    summary=curve_summary,
    empty_text="No training curve is on record for this model.",
    height=240,
)
MONTHLY = Chart(
    key="monthly",
    title="Accuracy by month",
    explanation=f"Accuracy is 100 minus the mean percentage error of leads {HEADLINE_TEXT}, by UTC month. "
    "A model that gets out of date comes closer to persistence from month to month.",
    rows=monthly_rows,
    columns=(
        "month_utc",
        "model_version",
        "series",
        "n_forecasts",
        "n_hours",
        "accuracy_percent",
        "persistence_accuracy_percent",
    ),
    shown_first=("month_utc", "accuracy_percent", "persistence_accuracy_percent", "series"),
    figure=monthly_figure,
    summary=monthly_summary,
    empty_text="No forecast can be compared with measurements yet.",
    height=240,
)
