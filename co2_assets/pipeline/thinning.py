"""Thinning out the versions of rows that the service overwrites.

With a fetch each hour, a row of Energinet's prognosis gets up to thirty versions. After eight days only those
stay that a forecast at a six-hour mark, or the model's view of the row's own hour, may have used; those in
between only mattered to the hourly forecasts, which are issued by then.
"""

from datetime import timedelta

from co2_assets.contracts import CO2_MAXIMUM, FETCHED_AT, Dataset
from co2_assets.contracts.forecast_spec import CO2, MARK_HOURS
from co2_assets.contracts.schema import VINTAGE, Column
from co2_assets.contracts.timetable import RUN_TIME
from co2_assets.pipeline.run import Run
from co2_assets.warehouse.sql import interval

# Versions of younger rows are all kept: scores of the last week, and hindcasts, look back so far.
WHOLE_FOR = timedelta(days=8)
# Each run looks this far back from there. If no run is made for longer, some versions stay on disk.
LOOKED_AT = timedelta(days=30)


def thin_versions(run: Run, dataset: Dataset) -> int:
    """Remove the versions that no six-hour mark and no beginning of the row's hour sees; return how many.

    A reader takes for each value the newest version that has one, and some rules look at the first. So
    each column counts by itself, and among its versions the first stays, and the newest known at each mark,
    at the beginning of the row's hour, and now.
    """
    table, time = dataset.name, dataset.time_column
    same = ", ".join(name for name in dataset.table.key if name != VINTAGE)
    values = [
        column
        for column in dataset.table.columns
        if column.name not in dataset.table.key and column != FETCHED_AT
    ]
    series = ["true", *(_has_value(column) for column in values)]
    ranked = ", ".join(
        f"({condition}) AS counts_{n}, row_number() OVER series_{n} = 1 AS is_first_{n}, "
        f"lead({VINTAGE}) OVER series_{n} AS until_{n}"
        for n, condition in enumerate(series)
    )
    windows = ", ".join(
        f"series_{n} AS (PARTITION BY {same}, ({condition}) ORDER BY {VINTAGE})"
        for n, condition in enumerate(series)
    )
    kept = " OR ".join(
        f"(counts_{n} AND (is_first_{n} OR until_{n} IS NULL OR {_is_seen(VINTAGE, f'until_{n}')} "
        # What is read up to an instant is cut there to the microsecond, and then looked up by the second.
        f"OR {_is_seen(_second(VINTAGE), _second(f'until_{n}'))} "
        # A run fetches after its mark, and forecasts from what it fetched.
        f"OR {_is_seen(_run_before(VINTAGE), _run_before(f'until_{n}'))}))"
        for n in range(len(series))
    )
    until = (run.now - WHOLE_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    condition = f"""
        ({same}, {VINTAGE}) IN (
            WITH versions AS (
                SELECT *, date_trunc('hour', {time}) AS began
                FROM {table} WHERE {time} >= $first AND {time} < $until
            ), ranked AS (SELECT *, {ranked} FROM versions WINDOW {windows})
            SELECT ({same}, {VINTAGE}) FROM ranked WHERE NOT ({kept}) AND {_may_be_thinned(dataset)}
        )
    """
    with run.warehouse.open_transaction() as transaction:
        return transaction.remove(dataset.table, condition, {"first": until - LOOKED_AT, "until": until})


def _is_seen(since: str, until: str) -> str:
    """Return the SQL condition for versions that are the newest at a six-hour mark or when the hour began."""
    mark = f"INTERVAL {MARK_HOURS} HOUR"
    next_mark = f"time_bucket({mark}, {since} + {mark} - INTERVAL 1 MICROSECOND)"
    return f"{until} > {next_mark} OR ({since} <= began AND {until} > began)"


def _run_before(instant: str) -> str:
    return f"({instant} - {interval(RUN_TIME)})"


def _second(instant: str) -> str:
    return f"date_trunc('second', {instant})"


def _has_value(column: Column) -> str:
    """Return the SQL condition under which readers take the value of ``column`` for one."""
    if column.name == CO2:
        # A prognosis of zero stands for none.
        return f"{column.name} > 0 AND {column.name} <= {CO2_MAXIMUM}"
    return f"{column.name} IS NOT NULL"


def _may_be_thinned(dataset: Dataset) -> str:
    """Return the SQL condition for rows whose versions are independent of those of other rows.

    A zero for onshore wind says that zeros of other kinds published near it are none (`zeros_for_nulls`).
    """
    if dataset.name != "forecasts_hour":
        return "true"
    columns = [c.name for c in dataset.table.columns if c.name.endswith("_mw")]
    zero = " OR ".join(f"z.{name} = 0" for name in columns)
    return (
        "(price_area, hour_utc) NOT IN (SELECT (z.price_area, z.hour_utc) FROM versions z "
        f"WHERE z.forecast_type = 'Onshore Wind' AND ({zero}))"
    )
