"""The models: how each did, why it was promoted or not, how it learned; and the data it lives on."""

import json
from collections.abc import Hashable, Sequence
from itertools import cycle

import pandas as pd

from co2_dash.charts.chart import Chart, Figure, Options, Theme
from co2_dash.charts.outcomes import KINDS
from co2_dash.charts.scores import ACCURACY_LIMIT
from co2_dash.charts.style import INKS, layout, numbers
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

_CURVE_COLUMNS = ("model_version", "network", "epoch", "training_loss", "validation_loss")
DASHES = ("solid", "dot", "dash", "dashdot", "longdash")


def curve_rows(view: View, state: DataState, options: Options) -> pd.DataFrame:
    """Return the losses of one model, the champion unless another is chosen.

    Columns: model_version, network (from 1), epoch (from 1), training_loss, validation_loss.
    """
    models = queries.models(view, state.price_area)
    chosen = models[models["model_version"] == str(options.get("model"))]
    if chosen.empty:
        champion = queries.champion(view, state.price_area)
        chosen = models[models["model_version"] == (champion or {}).get("model_version")]
    if chosen.empty or pd.isna(chosen["training_curve"].iloc[0]):
        return pd.DataFrame(columns=list(_CURVE_COLUMNS))
    # By network, by epoch: the pair of training and validation loss.
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
    """Return networks, epochs and the best validation loss in a sentence."""
    return (
        f"Chart of training and validation loss of {rows['network'].nunique()} networks over up to "
        f"{rows['epoch'].max()} epochs; the least validation loss is {rows['validation_loss'].min():.3g}."
    )


def curve_figure(rows: pd.DataFrame, _situation: DataState, _options: Options, theme: Theme) -> Figure:
    """Return a pair of lines per network: training loss thin, validation loss thick."""
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
                    "mode": "lines",
                    "name": name,
                    "x": [int(epoch) for epoch in losses["epoch"]],
                    "y": numbers(losses[column], 4),
                    "line": {"color": colour, "width": width, "dash": DASHES[index % len(DASHES)]},
                    "hovertemplate": f"{name.lower()}, network {network}: %{{y:.4f}}<extra></extra>",
                }
            )
    base = layout(
        ink,
        y_title="loss; a kind of line per network",
        key=f"curves-{rows['model_version'].iloc[0]}",
        xaxis={"title": {"text": "epoch", "font": {"size": 12, "color": ink.faint}}, "hoverformat": "d"},
        yaxis={"rangemode": "normal"},
        dragmode=False,
    )
    return {"data": traces, "layout": base}


def monthly_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return the accuracy of leads 1-6 by month, model and kind, beside persistence."""
    return queries.monthly_accuracy(view, state.price_area)


def monthly_summary(rows: pd.DataFrame) -> str:
    """Return the newest month's accuracy in a sentence."""
    last = rows.iloc[-1]
    return (
        f"Chart of accuracy by month for {rows['model_version'].nunique()} models. Newest, "
        f"{last['month_utc']:%B %Y}: {last['accuracy_percent']:.0f} %, persistence "
        f"{last['persistence_accuracy_percent']:.0f} %."
    )


def monthly_figure(rows: pd.DataFrame, _situation: DataState, _options: Options, theme: Theme) -> Figure:
    """Return a line per model and kind over the months, with persistence on the same hours."""
    ink = INKS[theme]
    colours = (ink.forecast, ink.other, ink.third, ink.faint)
    symbols: dict[Hashable, str] = {"live": "circle", "hindcast": "circle-open", "backfill": "square-open"}
    crosses: dict[Hashable, str] = {"live": "x-thin-open", "hindcast": "cross-thin-open"}
    colour_of: dict[Hashable, str] = dict(zip(rows["model_version"].unique(), cycle(colours), strict=False))
    traces = []
    for (version, kind), months in rows.groupby(["model_version", "kind"]):
        mark = {
            "type": "scatter",
            "x": [f"{month:%Y-%m-01}" for month in months["month_utc"]],
            "hovertemplate": "%{y:.1f} %",
        }
        colour = colour_of[version]
        kind_words = KINDS.get(str(kind), str(kind)).lower()
        traces.append(
            {
                **mark,
                "mode": "lines+markers",
                "name": f"{version} ({kind_words})",
                "y": numbers(months["accuracy_percent"]),
                "line": {"color": colour, "width": 2.5},
                "marker": {"size": 9, "symbol": symbols.get(kind, "square-open"), "color": colour},
            }
        )
        traces.append(
            {
                **mark,
                "mode": "markers",
                "name": f"persistence on the same hours ({kind_words})",
                "y": numbers(months["persistence_accuracy_percent"]),
                "marker": {"size": 9, "symbol": crosses.get(kind, "asterisk-open"), "color": ink.measured},
            }
        )
    least = min(rows["accuracy_percent"].min(), rows["persistence_accuracy_percent"].min(), ACCURACY_LIMIT)
    base = layout(
        ink,
        y_title="% accuracy, leads 1–6",
        key="monthly",
        xaxis={
            "type": "date",
            "dtick": "M1" if rows["month_utc"].nunique() <= 8 else "M3",
            "tickformat": "%b %Y",
            "hoverformat": "%B %Y",
            "fixedrange": True,
        },
        yaxis={"range": [max(-100, least - 5), 100], "ticksuffix": " %"},
        dragmode=False,
    )
    return {"data": traces, "layout": base}


CURVES = Chart(
    key="curves",
    title="How it learned",
    explanation="Loss by epoch, for each network on what it learned from and on what it was not shown.",
    table=curve_rows,
    columns=_CURVE_COLUMNS,
    first_columns=("network", "epoch", "training_loss", "validation_loss"),
    figure=curve_figure,
    summary=curve_summary,
    nothing="No training curve is on record for this model.",
    height=320,
)
MONTHLY = Chart(
    key="monthly",
    title="Accuracy by month",
    explanation="Accuracy is 100 minus the mean percentage error of the first six hours, by UTC month. "
    "A model that drifts loses ground to persistence from month to month.",
    table=monthly_rows,
    columns=(
        "month_utc",
        "model_version",
        "kind",
        "n_forecasts",
        "n_hours",
        "accuracy_percent",
        "persistence_accuracy_percent",
    ),
    first_columns=("month_utc", "accuracy_percent", "persistence_accuracy_percent", "kind"),
    figure=monthly_figure,
    summary=monthly_summary,
    nothing="No forecast has come true yet.",
    height=340,
)
