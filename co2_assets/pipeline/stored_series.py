"""What is stored of each series of a dataset: its newest row, and the oldest hour with a hole."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts import Dataset
from co2_assets.contracts.forecast_spec import CO2
from co2_assets.contracts.series import series_of, series_values
from co2_assets.contracts.time import hour_containing
from co2_assets.pipeline.fetch_plan import LATE_FOR
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.sql import text_literal

# One value for each text column of the key.
Series = Sequence[tuple[str, ...]]

# An hour has a hole if at least this much of it is missing: less does not move its mean by much.
LEAST_HOLE = timedelta(minutes=15)


def is_asked_for(dataset: Dataset) -> str:
    """Return the SQL condition for rows of the dataset's series, from the time when the dataset begins."""
    conditions = [
        f"{name} IN ({', '.join(map(text_literal, values))})"
        for name, values in series_values(dataset).items()
    ]
    conditions.append(f"{dataset.time_column} >= TIMESTAMP '{dataset.begins}'")
    return f"coalesce({' AND '.join(conditions)}, false)"


def newest_by_series(
    warehouse: Warehouse, dataset: Dataset, series: Series | None = None
) -> "pd.Series[pd.Timestamp]":
    """Return the time of the newest row of every series, by its name; not a time where there is none.

    ``series`` are those that the source has, where it does not have all.
    """
    rows = warehouse.read(
        f"SELECT {_name(dataset)} AS series, max({dataset.time_column}) AS newest_utc "
        f"FROM {dataset.name} WHERE {is_asked_for(dataset)} GROUP BY ALL"
    )
    names = [" ".join(values) for values in (series_of(dataset) if series is None else series)]
    return rows.set_index("series")["newest_utc"].reindex(names)


def oldest_hole(
    warehouse: Warehouse,
    dataset: Dataset,
    now: datetime,
    earliest: datetime | None,
    series: Series | None = None,
) -> datetime | None:
    """Return the start of the oldest hour of the last `LATE_FOR` that some series has a hole in, or None.

    Hours from before ``earliest`` are passed over. An hour of a measured dataset counts the rows with a
    carbon intensity. ``series`` are those that the source has, where it does not have all.
    """
    since = max(now - LATE_FOR, dataset.begins, earliest or dataset.begins)
    first = hour_containing(since)
    if first < since:
        first += timedelta(hours=1)
    last = hour_containing(now)
    if first >= last:
        return None
    time = dataset.time_column
    measured = CO2 if CO2 in dataset.table.column_names else time
    names = [" ".join(values) for values in (series_of(dataset) if series is None else series)]
    if not names:
        return None
    hours = warehouse.read(
        f"""
        WITH hours AS (
            SELECT unnest(range($first::TIMESTAMP, $last::TIMESTAMP, INTERVAL 1 HOUR)) AS hour_utc
        ), series AS (SELECT unnest($series::VARCHAR[]) AS series), held AS (
            SELECT {_name(dataset)} AS series, date_trunc('hour', {time}) AS hour_utc,
                count(DISTINCT {time}) AS row_count
            FROM {dataset.name} WHERE {time} >= $first AND {time} < $last AND {measured} IS NOT NULL
            GROUP BY ALL
        )
        SELECT hour_utc, min(coalesce(row_count, 0)) AS row_count
        FROM hours CROSS JOIN series LEFT JOIN held USING (series, hour_utc) GROUP BY ALL
        """,
        {"first": first, "last": last, "series": names},
    )
    lasts = hours["hour_utc"].map(
        lambda hour: dataset.step_of(dataset.endpoint_at(hour)) / timedelta(hours=1)
    )
    missing = 1 - hours["row_count"] * lasts
    holes = hours.loc[missing >= LEAST_HOLE / timedelta(hours=1), "hour_utc"]
    return None if holes.empty else holes.min().to_pydatetime()


def _name(dataset: Dataset) -> str:
    return f"concat_ws(' ', {', '.join(series_values(dataset))})"
