"""The tables of the model page: models, evaluations, freshness, data log, quarantine."""

import pandas as pd

from co2_assets.contracts import tables
from co2_dash.charts.chart import DataTable, Options
from co2_dash.charts.style import HEADLINE_TEXT
from co2_dash.data import freshness, queries
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

# Without the keys, which mean nothing to a reader.
_EVALUATION_COLUMNS = (
    "leads",
    *(name for name in tables.MODEL_EVALUATIONS.column_names if name not in ("evaluation_id", "price_area")),
)


def model_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return every model with its decision and reason, newest first."""
    return queries.models(view, state.area.name)[list(_MODEL_COLUMNS)]


def evaluation_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return every evaluation, newest first, without its keys."""
    rows = queries.evaluations(view, state.area.name)
    first, last = rows["lead_from_hours"].astype(str), rows["lead_to_hours"].astype(str)
    rows["leads"] = first.where(first == last, first + "–" + last)
    return rows[list(_EVALUATION_COLUMNS)]


def freshness_rows(view: View, state: DataState, _options: Options) -> pd.DataFrame:
    """Return the newest row of each dataset and whether it is late."""
    return freshness.freshness_rows(view, state)


def data_log_rows(view: View, _state: DataState, _options: Options) -> pd.DataFrame:
    """Return the newest fetches."""
    return queries.data_log(view)


def quarantine_rows(view: View, _state: DataState, _options: Options) -> pd.DataFrame:
    """Return the newest values that did not meet their contract."""
    return queries.quarantine(view)


MODELS = DataTable(
    key="models",
    title="Every model",
    explanation="Promoted or rejected, and why. A challenger must beat the champion on the same later hours.",
    rows=model_rows,
    columns=_MODEL_COLUMNS,
    shown_first=("decision", "reason", "trained_at_utc", "model_version", "trigger"),
    empty_text="No model has been trained yet.",
)

EVALUATIONS = DataTable(
    key="evaluations",
    title="Every evaluation",
    explanation="Live forecasts, forecasts issued afterwards and the test hours are scored separately, by "
    f"lead and over leads {HEADLINE_TEXT}.",
    rows=evaluation_rows,
    columns=_EVALUATION_COLUMNS,
    shown_first=(
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
    empty_text="Nothing has been evaluated yet.",
)

FRESHNESS = DataTable(
    key="freshness",
    title="Freshness of the datasets",
    explanation="Forecasts and prices are for coming hours, so a negative number of hours is good.",
    rows=freshness_rows,
    columns=("dataset", "newest_utc", "row_count", "last_ok_fetch_utc", "hours_behind_now", "state"),
    shown_first=("dataset", "state", "hours_behind_now", "newest_utc"),
    empty_text="No dataset has been fetched yet.",
)

DATA_LOG = DataTable(
    key="data-log",
    title="Data log",
    explanation="The last 500 fetches: what was requested, and with what result.",
    rows=data_log_rows,
    columns=tables.NEW_DATA_LOG.column_names,
    shown_first=("dataset", "outcome", "fetched_at_utc", "rows_new", "message"),
    empty_text="Nothing has been fetched yet.",
)

QUARANTINE = DataTable(
    key="quarantine",
    title="Quarantine",
    explanation="The last 500 values that were kept out because they cannot be true.",
    rows=quarantine_rows,
    columns=tables.QUARANTINED_VALUES.column_names,
    shown_first=("value", "reason", "column_name", "dataset", "row_key", "quarantined_at_utc"),
    empty_text="No value has been kept out.",
)
