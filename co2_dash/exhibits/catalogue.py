"""Every exhibit by its key, and what may be asked of any of them."""

import hashlib

import pandas as pd

from co2_dash.exhibits import emissions, forecast, models, predictions, scores
from co2_dash.exhibits.base import Exhibit, Options
from co2_dash.situation import Situation
from co2_dash.store import View

EXHIBITS: dict[str, Exhibit] = {
    exhibit.key: exhibit
    for exhibit in (
        forecast.FORECAST,
        emissions.INTENSITY,
        emissions.PRODUCTION,
        predictions.OUTCOMES,
        scores.LEADS,
        scores.CALIBRATION,
        scores.ROLLING,
        models.MONTHLY,
        models.CURVES,
        models.MODELS,
        models.EVALUATIONS,
        models.FRESHNESS,
        models.DATA_LOG,
        models.QUARANTINE,
    )
}


def rows_of(exhibit: Exhibit, view: View | None, situation: Situation, options: Options) -> pd.DataFrame:
    """Return what an exhibit shows; no row, but its columns, when there is nothing."""
    rows = pd.DataFrame() if view is None else exhibit.table(view, situation, options)
    return rows if len(rows) else pd.DataFrame(columns=list(exhibit.columns))


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


def csv_of(rows: pd.DataFrame, situation: Situation) -> str:
    """Return rows as CSV, each saying where its data come from."""
    source = "replay" if situation.recorded else situation.source
    return readable(rows).assign(data_source=source).to_csv(index=False)
