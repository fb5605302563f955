"""The hourly means of the measurements, and the features of each hour."""

from datetime import timedelta

import dagster as dg
import pandas as pd

from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW
from co2_assets.contracts.areas import AVERAGED
from co2_assets.contracts.forecast_spec import LAG_HOURS, ROLLING_HOURS, Cadence
from co2_assets.contracts.schema import BEGINNING
from co2_assets.contracts.tables import AGGREGATED_DATA, ENGINEERED_FEATURES
from co2_assets.defs.assets.metadata import FORECAST, OWNERS, definition_metadata, table_metadata
from co2_assets.defs.assets.raw_energy_data import WRITER_POOL
from co2_assets.defs.cadence import cadence_of
from co2_assets.forecasting.inputs.features import features_of
from co2_assets.pipeline.fetch_plan import LATE_FOR
from co2_assets.pipeline.forecast_inputs import read_areas
from co2_assets.pipeline.hourly import store_hours
from co2_assets.pipeline.run import Run

# Rows of the service are fetched again for a week.
LAST_DAYS = LATE_FOR + timedelta(days=2)
LONGEST_LOOK_BACK = timedelta(hours=max(*LAG_HOURS, *ROLLING_HOURS))


@dg.asset(
    group_name=FORECAST,
    deps=[dataset.name for dataset in AVERAGED],
    description=AGGREGATED_DATA.description,
    kinds={"pandas", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(AGGREGATED_DATA),
    pool=WRITER_POOL,
)
def aggregated_data(pipeline: dg.ResourceParam[Run]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Average the minutes of each hour that has ended and has enough measurements."""
    count = store_hours(pipeline)
    metadata = table_metadata(pipeline, AGGREGATED_DATA, "hour_utc")
    if metadata["dagster/row_count"].value == 0:
        raise dg.Failure(
            "No hour has enough measurements, so nothing can be forecast. The check "
            f"{POWER_SYSTEM_RIGHT_NOW.name}_fetched shows the result of the last fetch."
        )
    return dg.MaterializeResult(metadata={**metadata, "rows_new": count.new, "rows_changed": count.changed})


@dg.asset(
    group_name=FORECAST,
    deps=[aggregated_data, *(d.name for d in DATASETS if d not in AVERAGED)],
    description=ENGINEERED_FEATURES.description,
    kinds={"pandas", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(ENGINEERED_FEATURES),
    pool=WRITER_POOL,
)
def engineered_features(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Run]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Compute lags, rolling statistics, calendar values and the published forecasts.

    An hourly run does so for the last days, in which rows may have changed, and for hours that have none yet;
    every other run for all hours.
    """
    first = BEGINNING
    if cadence_of(context.run) is Cadence.HOURLY:
        missing = pipeline.warehouse.read(
            f"SELECT min(hour_utc) AS t FROM {AGGREGATED_DATA.name} "
            f"ANTI JOIN {ENGINEERED_FEATURES.name} USING (price_area, hour_utc)"
        )["t"].iloc[0]
        recent = pipeline.now - LAST_DAYS
        first = recent if pd.isna(missing) else min(missing.to_pydatetime(), recent)
    areas = read_areas(pipeline.warehouse, since=first - LONGEST_LOOK_BACK, until=pipeline.now)
    features = pd.concat([features_of(data) for data in areas.values()], ignore_index=True)
    features = features[features["hour_utc"] >= first]
    with pipeline.warehouse.open_transaction() as transaction:
        count = transaction.upsert(ENGINEERED_FEATURES, features)
    return dg.MaterializeResult(
        metadata={
            **table_metadata(pipeline, ENGINEERED_FEATURES, "hour_utc"),
            "rows_new": count.new,
            "rows_changed": count.changed,
        }
    )
