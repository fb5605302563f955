"""Hours from minutes, and what was known of each hour."""

from datetime import datetime

import dagster as dg
import pandas as pd

from co2_assets.assets.metadata import OWNERS, definition_metadata, table_metadata
from co2_assets.assets.raw_energy_data import WRITER_POOL
from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW, Dataset
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.contracts.forecast_spec import MEASURED
from co2_assets.contracts.tables import AGGREGATED_DATA, ENGINEERED_FEATURES
from co2_assets.forecasting.inputs.features import aggregate_hours, features_of, minutes_of
from co2_assets.inputs import read_areas
from co2_assets.pipeline import Pipeline
from co2_assets.warehouse.database import WriteCount

GROUP = "features"
# Before the first measurement there is.
BEGINNING = datetime(2000, 1, 1)


def measurements_to_average(dataset: Dataset) -> str:
    """Return SQL of the rows of hours whose means are not stored yet, or are no longer what the rows say.

    All others are settled. Means are compared to a thousandth, since sums differ in their last bits.
    """
    means = [name for name in MEASURED if name in dataset.table.column_names]
    return f"""
        WITH means AS (
            SELECT price_area, date_trunc('hour', minute_utc) AS hour_utc,
                count(co2_g_per_kwh) * {minutes_of(dataset.step)} AS minutes,
                {", ".join(f"avg({name}) FILTER (co2_g_per_kwh IS NOT NULL) AS {name}" for name in means)}
            FROM {dataset.name} WHERE minute_utc < $now GROUP BY ALL
        ), unsettled AS (
            SELECT m.price_area, m.hour_utc FROM means m
            LEFT JOIN {AGGREGATED_DATA.name} a USING (price_area, hour_utc)
            WHERE m.minutes IS DISTINCT FROM a.minutes_observed
                OR {" OR ".join(f"abs(m.{name} - a.{name}) > 0.001" for name in means)}
        )
        SELECT r.* FROM {dataset.name} r
        JOIN unsettled u ON u.price_area = r.price_area AND u.hour_utc = date_trunc('hour', r.minute_utc)
        WHERE r.minute_utc < $now
    """


def store_hours(pipeline: Pipeline) -> WriteCount:
    """Average the measurements that are not settled yet and store their hours."""
    hours = []
    for dataset in MEASUREMENTS:
        rows = pipeline.warehouse.read(measurements_to_average(dataset), {"now": pipeline.now})
        hours.append(aggregate_hours(rows, pipeline.now, step=dataset.step))
    with pipeline.warehouse.open_transaction() as transaction:
        counts = [transaction.upsert(AGGREGATED_DATA, part) for part in hours]
    return WriteCount(new=sum(c.new for c in counts), changed=sum(c.changed for c in counts))


@dg.asset(
    group_name=GROUP,
    deps=[dataset.name for dataset in MEASUREMENTS],
    description=AGGREGATED_DATA.description,
    kinds={"pandas", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(AGGREGATED_DATA),
    pool=WRITER_POOL,
)
def aggregated_data(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Average the minutes of hours that are over and well enough observed."""
    count = store_hours(pipeline)
    metadata = table_metadata(pipeline, AGGREGATED_DATA, "hour_utc")
    if metadata["dagster/row_count"].value == 0:
        raise dg.Failure(
            "There is not one complete hour of measurements, so nothing can be forecast. The check "
            f"{POWER_SYSTEM_RIGHT_NOW.name}_fetched says what became of the last fetch."
        )
    return dg.MaterializeResult(metadata={**metadata, "rows_new": count.new, "rows_changed": count.changed})


@dg.asset(
    group_name=GROUP,
    deps=[aggregated_data, *(d.name for d in DATASETS if d not in MEASUREMENTS)],
    description=ENGINEERED_FEATURES.description,
    kinds={"pandas", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(ENGINEERED_FEATURES),
    pool=WRITER_POOL,
)
def engineered_features(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Compute lags, rolling statistics, calendar and what was forecast, over the whole history."""
    areas = read_areas(pipeline.warehouse, since=BEGINNING, until=pipeline.now)
    features = pd.concat([features_of(data) for data in areas.values()], ignore_index=True)
    with pipeline.warehouse.open_transaction() as transaction:
        count = transaction.upsert(ENGINEERED_FEATURES, features)
    return dg.MaterializeResult(
        metadata={
            **table_metadata(pipeline, ENGINEERED_FEATURES, "hour_utc"),
            "rows_new": count.new,
            "rows_changed": count.changed,
        }
    )
