"""Compute and store the hourly means of the measurements."""

from co2_assets.contracts import Dataset
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.contracts.forecast_spec import MEASURED
from co2_assets.contracts.tables import AGGREGATED_DATA
from co2_assets.forecasting.inputs.features import LEAST_MINUTES, aggregate_hours, minutes_of
from co2_assets.pipeline.run import Run
from co2_assets.pipeline.stored_series import is_asked_for
from co2_assets.warehouse.transaction import WriteCount


def measurements_to_average(dataset: Dataset) -> str:
    """Return SQL for the measurements of the hours whose means are not stored or have changed.

    Rows that were not asked for do not count: an area is measured by one dataset alone. Means that differ by
    at most 0.001 count as equal, because the order of a sum changes its last bits. A mean over too few
    minutes is null, as in `aggregate_hours`.
    """
    means = [name for name in MEASURED if name in dataset.table.column_names]
    minutes = minutes_of(dataset.step)
    enough = {
        name: f"count({name}) FILTER (co2_g_per_kwh IS NOT NULL) * {minutes} >= {LEAST_MINUTES}"
        for name in means
    }
    mean = {
        name: f"CASE WHEN {enough[name]} THEN avg({name}) FILTER (co2_g_per_kwh IS NOT NULL) END"
        for name in means
    }
    return f"""
        WITH means AS (
            SELECT price_area, date_trunc('hour', minute_utc) AS hour_utc,
                count(co2_g_per_kwh) * {minutes} AS minutes,
                {", ".join(f"{mean[name]} AS {name}" for name in means)}
            FROM {dataset.name} WHERE minute_utc < $now AND {is_asked_for(dataset)} GROUP BY ALL
        ), outdated AS (
            SELECT m.price_area, m.hour_utc FROM means m
            LEFT JOIN {AGGREGATED_DATA.name} a USING (price_area, hour_utc)
            WHERE m.minutes IS DISTINCT FROM a.minutes_observed
                OR {" OR ".join(f"(m.{name} IS NULL) <> (a.{name} IS NULL)" for name in means)}
                OR {" OR ".join(f"abs(m.{name} - a.{name}) > 0.001" for name in means)}
        )
        SELECT r.* FROM {dataset.name} r
        JOIN outdated u ON u.price_area = r.price_area AND u.hour_utc = date_trunc('hour', r.minute_utc)
        WHERE r.minute_utc < $now
    """


def store_hours(run: Run) -> WriteCount:
    """Store the means of the hours that are new or have changed; return how many rows that were."""
    hours = []
    for dataset in MEASUREMENTS:
        rows = run.warehouse.read(measurements_to_average(dataset), {"now": run.now})
        hours.append(aggregate_hours(rows, run.now, step=dataset.step))
    with run.warehouse.open_transaction() as transaction:
        counts = [transaction.upsert(AGGREGATED_DATA, part) for part in hours]
    return WriteCount(new=sum(c.new for c in counts), changed=sum(c.changed for c in counts))
