"""The forecasts: one is issued in each hour and area, another if it is better; none is changed."""

import json

import dagster as dg
import pandas as pd

from co2_assets.contracts.areas import AREAS, DENMARK, MEASURED_WITHIN
from co2_assets.contracts.tables import PREDICTIONS
from co2_assets.contracts.time import hour_containing
from co2_assets.defs.assets.metadata import FORECAST, OWNERS, definition_metadata, table_metadata
from co2_assets.defs.assets.picture import forecast_picture
from co2_assets.defs.assets.raw_energy_data import WRITER_POOL
from co2_assets.defs.assets.trained_model import trained_model
from co2_assets.defs.cadence import cadence_of
from co2_assets.forecasting.issue.forecast import NoForecastError
from co2_assets.pipeline.forecast_inputs import measured_areas
from co2_assets.pipeline.live_forecast import Issued, issue_area
from co2_assets.pipeline.run import Run


@dg.asset(
    group_name=FORECAST,
    deps=[
        trained_model,
        "aggregated_data",
        "engineered_features",
        "forecasts_hour",
        "day_ahead_prices",
        "co2_emission_prognosis",
    ],
    description=PREDICTIONS.description,
    kinds={"pytorch", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(PREDICTIONS),
    pool=WRITER_POOL,
)
def predictions(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Run]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Issue the forecast of each area for the present hour; the first six-hour run also makes the hindcasts.

    In an hour that has one already, another is issued only if it is better, or the first of the six-hour job.
    """
    issue_time = hour_containing(pipeline.now)
    cadence = cadence_of(context.run)
    issued: dict[str, Issued] = {}
    errors = []
    measured = [
        DENMARK,
        *measured_areas(pipeline.warehouse, since=issue_time - MEASURED_WITHIN, until=issue_time),
    ]
    for area_name in dict.fromkeys(area.name for area in measured):
        try:
            issued[area_name] = issue_area(pipeline, AREAS[area_name], issue_time, cadence, log=context.log)
        except NoForecastError as error:
            context.log.warning(f"No forecast: {error}. The next run tries again.")
            errors.append(str(error))
    if not issued:
        raise dg.Failure(f"No forecast: {'; '.join(errors)}. The next run tries again.")
    with pipeline.warehouse.open_transaction() as transaction:
        rows = pd.concat([each.rows for each in issued.values()], ignore_index=True)
        count = transaction.insert_missing(PREDICTIONS, rows)
    for area_name, each in issued.items():
        if each.rows.empty:
            context.log.info(
                f"The forecast of {area_name} of {issue_time:%Y-%m-%d %H:%M} UTC was issued before, and one "
                "made now is not better."
            )
    return dg.MaterializeResult(
        metadata={
            **table_metadata(pipeline, PREDICTIONS, "issued_at_utc DESC, target_hour_utc"),
            "rows_new": count.new,
            "issue_time": f"{issue_time:%Y-%m-%d %H:%M} UTC",
            **{
                name if area_name == DENMARK.name else f"{name}_{area_name}": value
                for area_name, each in issued.items()
                for name, value in _area_metadata(each.live, each.recent).items()
            },
        }
    )


def _area_metadata(live: pd.DataFrame, recent: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    newest = live.iloc[0]
    return {
        "model_version": dg.MetadataValue.text(newest["model_version"]),
        "degraded_causes": dg.MetadataValue.text("; ".join(json.loads(newest["degraded_causes"])) or "none"),
        "forecast": dg.MetadataValue.md(forecast_picture(recent, live)),
    }
