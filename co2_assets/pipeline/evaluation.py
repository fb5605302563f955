"""Score the stored forecasts against the measurements: the rows of `model_evaluations`."""

import logging
from datetime import timedelta

import pandas as pd

from co2_assets.contracts.forecast_spec import MARK, Cadence, ForecastKind, series_name
from co2_assets.contracts.tables import MODEL_EVALUATIONS, MODEL_TRAINING_SETS
from co2_assets.forecasting.forecaster import ModelFileError
from co2_assets.forecasting.issue.forecast import history_needed
from co2_assets.forecasting.score.backtest import backtest
from co2_assets.forecasting.score.evaluation import score
from co2_assets.pipeline.forecast_inputs import read_known_data
from co2_assets.pipeline.run import Run

logger = logging.getLogger(__name__)

# Long enough to have all kinds of weather in it, short enough to show a change soon.
SCORED_DAYS = 7


def evaluation_rows(
    outcomes: pd.DataFrame,
    area_name: str,
    model: str,
    kind: ForecastKind,
    run: Run,
    *,
    cadence: Cadence = Cadence.SIX_HOUR,
) -> pd.DataFrame:
    """Return the rows of `model_evaluations` for one model's outcomes of one kind and cadence."""
    end = outcomes["target_hour_utc"].max() + timedelta(hours=1)
    return score(outcomes).assign(
        evaluation_id=f"{area_name}:{model}:{series_name(kind, cadence)}:{end:%Y%m%dT%H%M}",
        cadence=cadence.value,
        price_area=area_name,
        model_version=model,
        kind=kind.value,
        evaluated_at_utc=run.now,
    )


def evaluate(run: Run, *, log: logging.Logger = logger) -> int:
    """Score the last days' forecasts, each kind and cadence by itself, and each model's test window once.

    Return how many rows of `model_evaluations` are new. ``log`` gets a warning for each test window that
    cannot be scored.
    """
    outcomes = run.warehouse.read(
        """
        SELECT * FROM prediction_outcomes
        WHERE actual_g_per_kwh IS NOT NULL AND target_hour_utc >= ? AND target_hour_utc < ?
            AND issued_at_utc <= ? AND kind <> ?
        """,
        [run.now - timedelta(days=SCORED_DAYS), run.now, run.now, ForecastKind.BACKFILL.value],
    )
    rows = [
        evaluation_rows(
            scored,
            str(area_name),
            str(model),
            ForecastKind(str(kind)),
            run,
            cadence=Cadence(str(cadence)),
        )
        for (area_name, model, kind, cadence), scored in outcomes.groupby(
            ["price_area", "model_version", "kind", "cadence"]
        )
    ]
    rows += _test_windows(run, log)
    if not rows:
        return 0
    with run.warehouse.open_transaction() as transaction:
        return transaction.insert_missing(MODEL_EVALUATIONS, pd.concat(rows, ignore_index=True)).new


def _test_windows(run: Run, log: logging.Logger) -> list[pd.DataFrame]:
    """Return the evaluations of test windows that are not stored yet, one for each usable model."""
    unscored = run.warehouse.read(
        f"""
        SELECT s.price_area, s.model_version, s.from_utc, s.to_utc
        FROM {MODEL_TRAINING_SETS.name} s
        WHERE s.split = 'test' AND NOT EXISTS (
            SELECT 1 FROM {MODEL_EVALUATIONS.name} e
            WHERE e.price_area = s.price_area AND e.model_version = s.model_version AND e.kind = 'test'
        )
        """
    )
    if unscored.empty:
        return []
    parts = []
    for row in unscored.to_dict("records"):
        try:
            model = run.forecaster.load(run.models, row["model_version"], row["price_area"])
        except ModelFileError as error:
            log.warning(f"The test window of {row['model_version']} is not scored: {error}")
            continue
        start, end = row["from_utc"].to_pydatetime(), row["to_utc"].to_pydatetime()
        data = read_known_data(
            run.warehouse, since=start - history_needed(model), until=run.now, area=model.area
        )
        outcomes = backtest(model, data, start, end, MARK)
        parts.append(evaluation_rows(outcomes, model.area.name, model.version, ForecastKind.TEST, run))
    return parts
