"""The tables of the model page: models, evaluations, freshness, data log, quarantine."""

import pandas as pd

from co2_assets.contracts import tables
from co2_dash.charts.chart import Chart, Options
from co2_dash.data import queries
from co2_dash.data.freshness import freshness_rows
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

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

# Without the keys that say nothing to a reader.
_EVALUATION_COLUMNS = (
    "leads",
    *(name for name in tables.MODEL_EVALUATIONS.column_names if name not in ("evaluation_id", "price_area")),
)


def model_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return every model with its decision and reason, newest first."""
    return queries.models(view, state.price_area)[list(_MODEL_COLUMNS)]


def evaluation_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return every evaluation, newest first, without its key."""
    rows = queries.evaluations(view, state.price_area)
    first, last = rows["lead_from_hours"].astype(str), rows["lead_to_hours"].astype(str)
    rows["leads"] = first.where(first == last, first + "–" + last)
    return rows[list(_EVALUATION_COLUMNS)]


def data_log_rows(view: View, _situation: DataState, _options: Options) -> pd.DataFrame:
    """Return the newest fetches."""
    return queries.data_log(view)


def quarantine_rows(view: View, _situation: DataState, _options: Options) -> pd.DataFrame:
    """Return the newest values that broke their contract."""
    return queries.quarantine(view)


MODELS = Chart(
    key="models",
    title="Every model",
    explanation="Promoted or rejected, and why. A challenger must beat the champion on the same later hours.",
    table=model_rows,
    columns=_MODEL_COLUMNS,
    first_columns=("decision", "reason", "trained_at_utc", "model_version", "trigger"),
    nothing="No model has been trained yet.",
)

EVALUATIONS = Chart(
    key="evaluations",
    title="Every evaluation",
    explanation="Live forecasts, hindcasts and the test window are scored apart, by lead and over leads 1–6.",
    table=evaluation_rows,
    columns=_EVALUATION_COLUMNS,
    first_columns=(
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

FRESHNESS = Chart(
    key="freshness",
    title="How fresh each dataset is",
    explanation="Forecasts and prices reach past now, so a negative number of hours is good.",
    table=freshness_rows,
    columns=("dataset", "newest_utc", "row_count", "last_ok_fetch_utc", "hours_behind_now", "state"),
    first_columns=("dataset", "state", "hours_behind_now", "newest_utc"),
    nothing="No dataset has been fetched yet.",
)

DATA_LOG = Chart(
    key="data-log",
    title="Data log",
    explanation="The last 500 fetches: what was asked for and what became of it.",
    table=data_log_rows,
    columns=tables.NEW_DATA_LOG.column_names,
    first_columns=("dataset", "outcome", "fetched_at_utc", "rows_new", "message"),
    nothing="Nothing has been fetched yet.",
)

QUARANTINE = Chart(
    key="quarantine",
    title="Quarantine",
    explanation="The last 500 values that were kept out because they cannot be true.",
    table=quarantine_rows,
    columns=tables.QUARANTINED_VALUES.column_names,
    first_columns=("value", "reason", "column_name", "dataset", "row_key", "quarantined_at_utc"),
    nothing="No value has been kept out.",
)
