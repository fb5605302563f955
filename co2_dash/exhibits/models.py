"""The models: how each did, why it was promoted or not, how it learned; and the data it lives on."""

import json
from collections.abc import Hashable, Sequence
from datetime import timedelta
from itertools import cycle

import pandas as pd

from co2_assets.contracts import DATASETS, tables
from co2_dash import queries
from co2_dash.exhibits.base import INKS, Exhibit, Figure, Options, Theme, layout, numbers
from co2_dash.exhibits.predictions import KINDS
from co2_dash.exhibits.scores import ACCURACY_LIMIT
from co2_dash.situation import Situation
from co2_dash.store import View

_MODEL_COLUMNS = (
    "model_version",
    "trained_at_utc",
    "decision",
    "reason",
    "trigger",
    "validation_mae_g_per_kwh",
    "test_mae_g_per_kwh",
    "test_persistence_mae_g_per_kwh",
    "compared_with",
    "compared_from_utc",
    "compared_to_utc",
    "challenger_mae_g_per_kwh",
    "champion_mae_g_per_kwh",
    "architecture",
    "parameters",
    "data_from_utc",
    "data_to_utc",
    "training_seconds",
    "seed",
)
_CURVE_COLUMNS = ("model_version", "network", "epoch", "training_loss", "validation_loss")
# Without the keys that say nothing to a reader.
_EVALUATION_COLUMNS = (
    "leads",
    *(name for name in tables.MODEL_EVALUATIONS.column_names if name not in ("evaluation_id", "price_area")),
)
DASHES = ("solid", "dot", "dash", "dashdot", "longdash")


def model_rows(view: View, situation: Situation, _options: Options) -> pd.DataFrame:
    """Return every model with its decision and reason, newest first."""
    return queries.models(view, situation.price_area)[list(_MODEL_COLUMNS)]


def evaluation_rows(view: View, situation: Situation, _options: Options) -> pd.DataFrame:
    """Return every evaluation, newest first, without its key."""
    rows = queries.evaluations(view, situation.price_area)
    first, last = rows["lead_from_hours"].astype(str), rows["lead_to_hours"].astype(str)
    rows["leads"] = first.where(first == last, first + "–" + last)
    return rows[list(_EVALUATION_COLUMNS)]


def data_log_rows(view: View, _situation: Situation, _options: Options) -> pd.DataFrame:
    """Return the newest fetches."""
    return queries.data_log(view)


def quarantine_rows(view: View, _situation: Situation, _options: Options) -> pd.DataFrame:
    """Return the newest values that broke their contract."""
    return queries.quarantine(view)


def freshness_rows(view: View, situation: Situation, _options: Options) -> pd.DataFrame:
    """Return for each dataset its newest row, how far behind now that is, and whether it is late."""
    late_after = {dataset.name: dataset.late_after for dataset in DATASETS}
    rows = queries.freshness(view)
    behind: pd.Series = pd.Timestamp(situation.now_utc) - rows["newest_utc"]
    limits = rows["dataset"].map(lambda name: late_after.get(name, timedelta(0)))
    rows["hours_behind_now"] = (behind.dt.total_seconds() / 3600).round(1)
    rows["state"] = [
        "no data" if pd.isna(gap) else "late" if gap > limit else "in time"
        for gap, limit in zip(behind, limits, strict=True)
    ]
    return rows


def curve_rows(view: View, situation: Situation, options: Options) -> pd.DataFrame:
    """Return the losses of one model, the champion unless another is chosen.

    Columns: model_version, network (from 1), epoch (from 1), training_loss, validation_loss.
    """
    models = queries.models(view, situation.price_area)
    chosen = models[models["model_version"] == str(options.get("model"))]
    if chosen.empty:
        champion = queries.champion(view, situation.price_area)
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


def curve_figure(rows: pd.DataFrame, _situation: Situation, _options: Options, theme: Theme) -> Figure:
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


def monthly_rows(view: View, situation: Situation, _options: Options) -> pd.DataFrame:
    """Return the accuracy of leads 1-6 by month, model and kind, beside persistence."""
    return queries.monthly_accuracy(view, situation.price_area)


def monthly_summary(rows: pd.DataFrame) -> str:
    """Return the newest month's accuracy in a sentence."""
    last = rows.iloc[-1]
    return (
        f"Chart of accuracy by month for {rows['model_version'].nunique()} models. Newest, "
        f"{last['month_utc']:%B %Y}: {last['accuracy_percent']:.0f} %, persistence "
        f"{last['persistence_accuracy_percent']:.0f} %."
    )


def monthly_figure(rows: pd.DataFrame, _situation: Situation, _options: Options, theme: Theme) -> Figure:
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


CURVES = Exhibit(
    key="curves",
    title="How it learned",
    explanation="Loss by epoch, for each network on what it learned from and on what it was not shown.",
    table=curve_rows,
    columns=_CURVE_COLUMNS,
    foremost=("network", "epoch", "training_loss", "validation_loss"),
    figure=curve_figure,
    summary=curve_summary,
    nothing="No training curve is on record for this model.",
    height=320,
)
MONTHLY = Exhibit(
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
    foremost=("month_utc", "accuracy_percent", "persistence_accuracy_percent", "kind"),
    figure=monthly_figure,
    summary=monthly_summary,
    nothing="No forecast has come true yet.",
    height=340,
)
MODELS = Exhibit(
    key="models",
    title="Every model",
    explanation="Promoted or rejected, and why. A challenger must beat the champion on the same later hours.",
    table=model_rows,
    columns=_MODEL_COLUMNS,
    foremost=("decision", "reason", "trained_at_utc", "model_version", "trigger"),
    nothing="No model has been trained yet.",
)
EVALUATIONS = Exhibit(
    key="evaluations",
    title="Every evaluation",
    explanation="Live forecasts, hindcasts and the test window are scored apart, by lead and over leads 1–6.",
    table=evaluation_rows,
    columns=_EVALUATION_COLUMNS,
    foremost=(
        "kind",
        "leads",
        "mae_g_per_kwh",
        "accuracy_percent",
        "persistence_mae_g_per_kwh",
        "coverage_80_percent",
        "n_hours",
        "window_to_utc",
        "model_version",
    ),
    nothing="Nothing has been evaluated yet.",
)
FRESHNESS = Exhibit(
    key="freshness",
    title="How fresh each dataset is",
    explanation="Forecasts and prices reach past now, so a negative number of hours is good.",
    table=freshness_rows,
    columns=("dataset", "newest_utc", "row_count", "last_ok_fetch_utc", "hours_behind_now", "state"),
    foremost=("dataset", "state", "hours_behind_now", "newest_utc"),
    nothing="No dataset has been fetched yet.",
)
DATA_LOG = Exhibit(
    key="data-log",
    title="Data log",
    explanation="The last 500 fetches: what was asked for and what became of it.",
    table=data_log_rows,
    columns=tables.NEW_DATA_LOG.column_names,
    foremost=("dataset", "outcome", "fetched_at_utc", "rows_new", "message"),
    nothing="Nothing has been fetched yet.",
)
QUARANTINE = Exhibit(
    key="quarantine",
    title="Quarantine",
    explanation="The last 500 values that were kept out because they cannot be true.",
    table=quarantine_rows,
    columns=tables.QUARANTINED_VALUES.column_names,
    foremost=("value", "reason", "column_name", "dataset", "row_key", "quarantined_at_utc"),
    nothing="No value has been kept out.",
)
