"""Compute and store the hourly means of the measurements."""

import pandas as pd

from co2_assets.contracts import AREA_PRODUCTION, Dataset
from co2_assets.contracts.area_production import (
    BORDERS,
    BORNHOLM,
    GREAT_BELT,
    NET_EXCHANGE,
    PRODUCTION_COLUMNS,
    SWEDEN,
)
from co2_assets.contracts.areas import DENMARK, MEASUREMENTS
from co2_assets.contracts.forecast_spec import FLOWS, MEASURED
from co2_assets.contracts.tables import AGGREGATED_DATA
from co2_assets.forecasting.inputs.features import LEAST_MINUTES, aggregate_hours, minutes_of
from co2_assets.pipeline.run import Run
from co2_assets.pipeline.stored_series import is_asked_for
from co2_assets.warehouse.sql import text_literal
from co2_assets.warehouse.transaction import Transaction, WriteCount

# The order of a sum changes the last bits of a mean. Means that differ by at most this much are equal.
EQUAL_WITHIN = 0.001
# Decimals of the means of production: more than were measured, and fewer than the order of a sum changes. A
# mean of twelve values of six decimals never lies halfway between two numbers of nine.
DECIMALS = 9
_PRODUCTION = tuple(column.name for column in PRODUCTION_COLUMNS)
# What the rows of a price area have from `area_production`; those of the country have the flows only.
_OF_AREAS = (*_PRODUCTION, NET_EXCHANGE, *FLOWS)


def measurements_to_average(dataset: Dataset) -> str:
    """Return SQL for the measurements of the hours whose means are not stored or have changed.

    Rows that were not asked for do not count: an area is measured by one dataset alone. A mean over too few
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
                OR {" OR ".join(_differs(f"m.{name}", f"a.{name}") for name in means)}
        )
        SELECT r.* FROM {dataset.name} r
        JOIN outdated u ON u.price_area = r.price_area AND u.hour_utc = date_trunc('hour', r.minute_utc)
        WHERE r.minute_utc < $now
    """


def hours_with_other_production() -> str:
    """Return SQL for the rows of `aggregated_data` whose production or flows are not those measured.

    An hour's mean needs `LEAST_MINUTES`. What was never measured of an hour, or is not held any more, is left
    as it is. The flow of the whole country is the sum over its areas, null where one of them is not known.
    """
    minutes = minutes_of(AREA_PRODUCTION.step)
    mean = {
        name: f"CASE WHEN count({name}) * {minutes} >= {LEAST_MINUTES} THEN avg({name}) END"
        for name in (*_PRODUCTION, *FLOWS, BORNHOLM.name)
    }
    # Without its value nothing else is in doubt: it carries a hundredth of what the others do.
    mean[SWEDEN] = f"{mean[SWEDEN]} + coalesce({mean[BORNHOLM.name]}, 0)"
    for border in BORDERS:
        areas = ", ".join(map(text_literal, border.areas))
        there = f"price_area IN ({areas}) AND hour_utc >= TIMESTAMP '{border.since}'"
        mean[border.flow] = f"coalesce({mean[border.flow]}, CASE WHEN NOT ({there}) THEN 0 END)"
    areas = ", ".join(text_literal(name) for name in AREA_PRODUCTION.endpoints[0].areas)
    count = len(AREA_PRODUCTION.endpoints[0].areas)
    total = {name: f"CASE WHEN count({name}) = {count} THEN sum({name}) END" for name in FLOWS}
    # What flows out of one half flows into the other.
    total[GREAT_BELT] = f"CASE WHEN count({GREAT_BELT}) = {count} THEN 0 END"
    kept = [name for name in AGGREGATED_DATA.column_names if name not in _OF_AREAS]
    rounded = {name: f"round(p.{name}, {DECIMALS})" for name in _OF_AREAS}
    own = {
        name: value if name in FLOWS else f"CASE WHEN a.price_area = $country THEN a.{name} ELSE {value} END"
        for name, value in rounded.items()
    }
    taken = [f"{value} AS {name}" for name, value in own.items()]
    return f"""
        WITH five_minutes AS (
            SELECT *, date_trunc('hour', minute_utc) AS hour_utc FROM {AREA_PRODUCTION.name}
            WHERE minute_utc < date_trunc('hour', $now::TIMESTAMP) AND {is_asked_for(AREA_PRODUCTION)}
        ), means AS (
            SELECT price_area, hour_utc, {", ".join(f"{mean[n]} AS {n}" for n in (*_PRODUCTION, *FLOWS))}
            FROM five_minutes GROUP BY price_area, hour_utc
        ), known AS (
            SELECT *, {" + ".join(FLOWS)} AS {NET_EXCHANGE} FROM means
            UNION ALL BY NAME
            SELECT $country AS price_area, hour_utc, {", ".join(f"{total[n]} AS {n}" for n in FLOWS)}
            FROM means WHERE price_area IN ({areas}) GROUP BY hour_utc
        ), present AS (
            SELECT {", ".join(f"a.{name}" for name in kept)}, {", ".join(taken)}
            FROM {AGGREGATED_DATA.name} a JOIN known p USING (price_area, hour_utc)
        )
        SELECT {", ".join(f"r.{name}" for name in AGGREGATED_DATA.column_names)}
        FROM present r JOIN {AGGREGATED_DATA.name} a USING (price_area, hour_utc)
        WHERE {" OR ".join(_differs(f"r.{name}", f"a.{name}") for name in _OF_AREAS)}
    """


def _differs(one: str, other: str) -> str:
    return f"({one} IS NULL) <> ({other} IS NULL) OR abs({one} - {other}) > {EQUAL_WITHIN}"


def store_hours(run: Run) -> WriteCount:
    """Store the means of the hours that are new or have changed; return how many rows that were."""
    hours = []
    for dataset in MEASUREMENTS:
        rows = run.warehouse.read(measurements_to_average(dataset), {"now": run.now})
        hours.append(aggregate_hours(rows, run.now, step=dataset.step))
    given = pd.concat(hours, ignore_index=True)
    with run.warehouse.open_transaction() as transaction:
        count = transaction.upsert(AGGREGATED_DATA, _with_stored(given, transaction))
        others = transaction.read(hours_with_other_production(), {"now": run.now, "country": DENMARK.name})
        transaction.upsert(AGGREGATED_DATA, others)
    counted = given.merge(others, how="right", on=list(AGGREGATED_DATA.key), indicator=True)["_merge"]
    return WriteCount(new=count.new, changed=count.changed + int((counted == "right_only").sum()))


def _with_stored(hours: pd.DataFrame, transaction: Transaction) -> pd.DataFrame:
    """Return ``hours`` with what is stored of them and was not measured by the same dataset."""
    if hours.empty:
        return hours
    key = list(AGGREGATED_DATA.key)
    stored = transaction.read(
        f"SELECT {', '.join((*key, *_OF_AREAS))} FROM {AGGREGATED_DATA.name} WHERE hour_utc >= ?",
        [hours["hour_utc"].min()],
    )
    before = hours[key].merge(stored, how="left", on=key)
    of_areas = (hours["price_area"] != DENMARK.name).to_numpy()
    result = hours.copy()
    for name in _OF_AREAS:
        rows = of_areas | (name in FLOWS)
        result[name] = hours[name].where(~rows, before[name].to_numpy()).astype("float64")
    return result
