"""The scores of forecasts whose hours have passed."""

import dagster as dg

from co2_assets.contracts.forecast_spec import HEADLINE_LEADS
from co2_assets.contracts.tables import MODEL_EVALUATIONS
from co2_assets.defs.assets.forecasts import predictions
from co2_assets.defs.assets.metadata import FORECAST, OWNERS, definition_metadata, frame_value, row_count
from co2_assets.defs.assets.raw_energy_data import WRITER_POOL
from co2_assets.pipeline.evaluation import evaluate
from co2_assets.pipeline.run import Run


@dg.asset(
    group_name=FORECAST,
    deps=[predictions, "aggregated_data", "trained_model"],
    description=MODEL_EVALUATIONS.description,
    kinds={"pandas", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(MODEL_EVALUATIONS),
    pool=WRITER_POOL,
)
def model_evaluations(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Run]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Score the last seven days, live and hindcast forecasts separately, and each model's test part once."""
    new = evaluate(pipeline, log=context.log)
    newest = pipeline.warehouse.read(
        f"""
        SELECT price_area, kind, n_hours, mae_g_per_kwh, persistence_mae_g_per_kwh,
            prognosis_mae_g_per_kwh, accuracy_percent, coverage_80_percent, model_version
        FROM {MODEL_EVALUATIONS.name} WHERE lead_from_hours = ? AND lead_to_hours = ?
        QUALIFY row_number() OVER (
            PARTITION BY price_area, kind
            ORDER BY evaluated_at_utc DESC, window_to_utc DESC, model_version DESC
        ) = 1
        ORDER BY price_area, kind
        """,
        list(HEADLINE_LEADS),
    )
    return dg.MaterializeResult(
        metadata={
            **row_count(pipeline.warehouse, MODEL_EVALUATIONS),
            "rows_new": new,
            "headline": frame_value(newest),
        }
    )
