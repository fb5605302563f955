"""Every chart by its key, and what may be asked of any of them."""

import hashlib

import pandas as pd

from co2_dash.charts import emissions, forecast, outcomes, scores, tables, training
from co2_dash.charts.chart import Chart, Options
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

CHARTS: dict[str, Chart] = {
    chart.key: chart
    for chart in (
        forecast.FORECAST,
        emissions.INTENSITY,
        emissions.PRODUCTION,
        outcomes.OUTCOMES,
        scores.LEADS,
        scores.CALIBRATION,
        scores.ROLLING,
        training.MONTHLY,
        training.CURVES,
        tables.MODELS,
        tables.EVALUATIONS,
        tables.FRESHNESS,
        tables.DATA_LOG,
        tables.QUARANTINE,
    )
}


def rows_of(chart: Chart, view: View | None, state: DataState, options: Options) -> pd.DataFrame:
    """Return what a chart shows; no row, but its columns, when there is nothing."""
    rows = pd.DataFrame() if view is None else chart.table(view, state, options)
    return rows if len(rows) else pd.DataFrame(columns=list(chart.columns))


def fingerprint(rows: pd.DataFrame, *beside: object) -> str:
    """Return what is equal exactly when rows and whatever else decides a picture are equal."""
    digest = hashlib.sha256(repr((list(rows), *beside)).encode())
    digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def readable(rows: pd.DataFrame, times: str = "%Y-%m-%dT%H:%M:%SZ") -> pd.DataFrame:
    """Return rows fit for a reader: times as text in UTC, numbers rounded to the third place."""
    shown = rows.copy()
    for name in shown:
        if pd.api.types.is_datetime64_any_dtype(shown[name]):
            shown[name] = shown[name].dt.strftime(times)
        elif pd.api.types.is_float_dtype(shown[name]):
            shown[name] = shown[name].round(3)
    return shown


def csv_of(rows: pd.DataFrame, state: DataState) -> str:
    """Return rows as CSV, each saying where its data come from."""
    source = "replay" if state.recorded else state.source
    return readable(rows).assign(data_source=source).to_csv(index=False)
