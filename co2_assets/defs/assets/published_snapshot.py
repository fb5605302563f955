"""The published snapshot: the read-only copy of the tables that readers open."""

import dagster as dg

from co2_assets.defs.assets.evaluations import model_evaluations
from co2_assets.defs.assets.forecasts import predictions
from co2_assets.defs.assets.metadata import FORECAST, OWNERS
from co2_assets.pipeline.run import Run


@dg.asset(
    group_name=FORECAST,
    deps=[predictions, model_evaluations, "engineered_features"],
    description="A read-only copy of the tables for the pages and the API. Each copy has a new name, so "
    "readers never wait for a run. A run that fails before this step, or does not include it, publishes "
    "what it committed when it ends.",
    kinds={"duckdb"},
    owners=OWNERS,
)
def published_snapshot(pipeline: dg.ResourceParam[Run]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Publish what this run and earlier runs have committed."""
    snapshot = pipeline.publish()
    return dg.MaterializeResult(
        metadata={
            "version": snapshot.version,
            "source": snapshot.source,
            "as_of": f"{snapshot.as_of_utc:%Y-%m-%d %H:%M} UTC",
            "size_mb": round(snapshot.path.stat().st_size / 1e6, 2),
        }
    )
