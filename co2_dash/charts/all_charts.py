"""All charts and tables by their keys, and what can be done with each of them."""

import hashlib

import pandas as pd

from co2_dash.charts import emissions, forecast, outcomes, scores, tables, training
from co2_dash.charts.chart import DataTable, Options
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

CHARTS_AND_TABLES: dict[str, DataTable] = {
    each.key: each
    for each in (
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


def rows_of(table: DataTable, view: View | None, state: DataState, options: Options) -> pd.DataFrame:
    """Return the rows of a chart or table; a frame of its columns without a row when there are none."""
    rows = pd.DataFrame() if view is None else table.rows(view, state, options)
    return rows if len(rows) else pd.DataFrame(columns=list(table.columns))


def fingerprint(rows: pd.DataFrame, *beside: object) -> str:
    """Return text that is the same exactly when the rows and all of ``beside`` are the same."""
    digest = hashlib.sha256(repr((list(rows), *beside)).encode())
    digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def readable(rows: pd.DataFrame, times: str = "%Y-%m-%dT%H:%M:%SZ") -> pd.DataFrame:
    """Return rows with times as text in UTC (format ``times``) and numbers rounded to three decimals."""
    shown = rows.copy()
    for name in shown:
        if pd.api.types.is_datetime64_any_dtype(shown[name]):
            shown[name] = shown[name].dt.strftime(times)
        elif pd.api.types.is_float_dtype(shown[name]):
            shown[name] = shown[name].round(3)
    return shown


def csv_of(rows: pd.DataFrame, state: DataState) -> str:
    """Return rows as CSV; each row names the source of its data."""
    source = "replay" if state.recorded else state.source
    return readable(rows).assign(data_source=source).to_csv(index=False)
