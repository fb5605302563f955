"""Hours from minutes, and what was known of each hour."""

from datetime import datetime

import dagster as dg

from co2_assets.assets.metadata import OWNERS, definition_metadata, table_metadata
from co2_assets.assets.raw_energy_data import WRITER_POOL
from co2_assets.contracts import DATASETS, POWER_COLUMNS, POWER_SYSTEM_RIGHT_NOW
from co2_assets.forecasting.features import aggregate_hours, engineer_features
from co2_assets.inputs import read_known_data
from co2_assets.pipeline import Pipeline
from co2_assets.warehouse.database import WriteCount
from co2_assets.warehouse.tables import AGGREGATED_DATA, ENGINEERED_FEATURES

GROUP = "features"
# Before the first measurement there is.
BEGINNING = datetime(2000, 1, 1)

# Minutes of the hours whose means are not stored yet or are no longer what the minutes say: all
# others are settled. Means are compared to a thousandth, since sums differ in their last bits.
_MEANS = ("co2_g_per_kwh", *(column.name for column in POWER_COLUMNS))
MINUTES_TO_AGGREGATE = f"""
WITH means AS (
    SELECT price_area, date_trunc('hour', minute_utc) AS hour_utc, count(co2_g_per_kwh) AS minutes,
        {", ".join(f"avg({name}) FILTER (co2_g_per_kwh IS NOT NULL) AS {name}" for name in _MEANS)}
    FROM {POWER_SYSTEM_RIGHT_NOW.name} WHERE minute_utc < $now GROUP BY ALL
), unsettled AS (
    SELECT m.price_area, m.hour_utc FROM means m
    LEFT JOIN {AGGREGATED_DATA.name} a USING (price_area, hour_utc)
    WHERE m.minutes IS DISTINCT FROM a.minutes_observed
        OR {" OR ".join(f"abs(m.{name} - a.{name}) > 0.001" for name in _MEANS)}
)
SELECT r.* FROM {POWER_SYSTEM_RIGHT_NOW.name} r
JOIN unsettled u ON u.price_area = r.price_area AND u.hour_utc = date_trunc('hour', r.minute_utc)
WHERE r.minute_utc < $now
"""


def store_hours(pipeline: Pipeline) -> WriteCount:
    """Average the minutes that are not settled yet and store their hours."""
    minutes = pipeline.warehouse.read(MINUTES_TO_AGGREGATE, {"now": pipeline.now})
    hours = aggregate_hours(minutes, pipeline.now)
    with pipeline.warehouse.open_transaction() as transaction:
        return transaction.upsert(AGGREGATED_DATA, hours)


@dg.asset(
    group_name=GROUP,
    deps=[POWER_SYSTEM_RIGHT_NOW.name],
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
    deps=[aggregated_data, *(d.name for d in DATASETS if d is not POWER_SYSTEM_RIGHT_NOW)],
    description=ENGINEERED_FEATURES.description,
    kinds={"pandas", "duckdb"},
    owners=OWNERS,
    metadata=definition_metadata(ENGINEERED_FEATURES),
    pool=WRITER_POOL,
)
def engineered_features(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Compute lags, rolling statistics, calendar and what was forecast, over the whole history."""
    data = read_known_data(pipeline.warehouse, since=BEGINNING, until=pipeline.now)
    features = engineer_features(data.aggregated, data.wind_solar, data.prices, data.prognosis, data.area)
    with pipeline.warehouse.open_transaction() as transaction:
        count = transaction.upsert(ENGINEERED_FEATURES, features)
    return dg.MaterializeResult(
        metadata={
            **table_metadata(pipeline, ENGINEERED_FEATURES, "hour_utc"),
            "rows_new": count.new,
            "rows_changed": count.changed,
        }
    )
