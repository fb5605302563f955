"""How forecasts did against what came true."""

from datetime import timedelta

import dagster as dg
import pandas as pd

from co2_assets.assets.forecasts import predictions
from co2_assets.assets.metadata import OWNERS, definition_metadata, markdown_table, table_metadata
from co2_assets.assets.raw_energy_data import WRITER_POOL
from co2_assets.contracts.forecast_spec import MARK
from co2_assets.contracts.tables import MODEL_EVALUATIONS, MODEL_TRAINING_SETS
from co2_assets.forecasting.score.evaluation import score
from co2_assets.inputs import HISTORY_NEEDED, read_known_data
from co2_assets.pipeline import Pipeline
from co2_assets.retraining import BACKFILL

# Long enough to see every weather, short enough to see a change.
SCORED_DAYS = 7
# As in production.
TEST_ISSUED_EVERY = MARK


@dg.asset(
    group_name="evaluations",
    deps=[predictions, "aggregated_data", "trained_model"],
    description=MODEL_EVALUATIONS.description,
    kinds={"pandas", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(MODEL_EVALUATIONS),
    pool=WRITER_POOL,
)
def model_evaluations(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Score the last seven days, live and hindcast apart, and each model's test window once."""
    outcomes = pipeline.warehouse.read(
        """
        SELECT * FROM prediction_outcomes
        WHERE actual_g_per_kwh IS NOT NULL AND target_hour_utc >= ? AND target_hour_utc < ?
            AND issue_time_utc <= ? AND kind <> ?
        """,
        [pipeline.now - timedelta(days=SCORED_DAYS), pipeline.now, pipeline.now, BACKFILL],
    )
    parts = [
        evaluation_rows(rows, str(area), str(model), str(kind), pipeline)
        for (area, model, kind), rows in outcomes.groupby(["price_area", "model_version", "kind"])
    ]
    parts += _test_windows(pipeline)
    with pipeline.warehouse.open_transaction() as transaction:
        new = (
            transaction.insert_missing(MODEL_EVALUATIONS, pd.concat(parts, ignore_index=True)).new
            if parts
            else 0
        )
    newest = pipeline.warehouse.read(
        f"""
        SELECT kind, n_hours, mae_g_per_kwh, persistence_mae_g_per_kwh, prognosis_mae_g_per_kwh,
            accuracy_percent, coverage_80_percent, model_version
        FROM {MODEL_EVALUATIONS.name} WHERE lead_from_hours = 1 AND lead_to_hours = 6
        ORDER BY evaluated_at_utc DESC, kind LIMIT 5
        """
    )
    return dg.MaterializeResult(
        metadata={
            **table_metadata(pipeline, MODEL_EVALUATIONS, "evaluated_at_utc"),
            "rows_new": new,
            "headline": dg.MetadataValue.md(markdown_table(newest)),
        }
    )


def evaluation_rows(
    outcomes: pd.DataFrame, area: str, model: str, kind: str, pipeline: Pipeline
) -> pd.DataFrame:
    """Return the rows of `model_evaluations` for one model's outcomes of one kind."""
    end = outcomes["target_hour_utc"].max() + timedelta(hours=1)
    return score(outcomes).assign(
        evaluation_id=f"{area}:{model}:{kind}:{end:%Y%m%dT%H%M}",
        price_area=area,
        model_version=model,
        kind=kind,
        evaluated_at_utc=pipeline.now,
    )


def _test_windows(pipeline: Pipeline) -> list[pd.DataFrame]:
    """Return the evaluations of test windows that are not stored yet, one for each usable model."""
    unscored = pipeline.warehouse.read(
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
    from co2_assets.forecasting.network.model_file import ModelFileError, load_model
    from co2_assets.forecasting.score.backtest import backtest

    parts = []
    for row in unscored.to_dict("records"):
        try:
            model = load_model(pipeline.models, row["model_version"], row["price_area"])
        except ModelFileError as error:
            dg.get_dagster_logger().warning(
                f"The test window of {row['model_version']} is not scored: {error}"
            )
            continue
        start, end = row["from_utc"].to_pydatetime(), row["to_utc"].to_pydatetime()
        data = read_known_data(
            pipeline.warehouse, since=start - HISTORY_NEEDED, until=pipeline.now, area=model.area
        )
        outcomes = backtest(model, data, start, end, TEST_ISSUED_EVERY)
        parts.append(evaluation_rows(outcomes, model.area.name, model.version, "test", pipeline))
    return parts
