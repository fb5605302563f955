"""Asset checks: a broken contract stops the assets downstream; late data and poor skill only warn."""

import itertools
from datetime import datetime, timedelta

import dagster as dg
import pandas as pd

from co2_assets.contracts import DATASETS, Dataset, Table
from co2_assets.contracts.areas import AREAS, DENMARK, MEASURED_WITHIN
from co2_assets.contracts.datasets import dataset_named
from co2_assets.contracts.forecast_spec import (
    ACCURACY_THRESHOLD_PERCENT,
    CLOCK_TOLERANCE,
    QUANTILE_COLUMNS,
)
from co2_assets.contracts.schema import BEGINNING
from co2_assets.contracts.tables import AGGREGATED_DATA, ENGINEERED_FEATURES, PREDICTIONS
from co2_assets.forecasting.inputs.features import LEAST_MINUTES
from co2_assets.pipeline.quarantine import breaks_contract
from co2_assets.pipeline.run import Run
from co2_assets.pipeline.stored_series import is_asked_for, newest_by_series
from co2_assets.warehouse.sql import text_literal

COVERAGE_80_BOUNDS_PERCENT = (72.0, 88.0)


def _counts(run: Run, *queries: str) -> list[int]:
    """Return what each query counts, all of one state of the file."""
    columns = ", ".join(f"({query}) AS n{number}" for number, query in enumerate(queries))
    return [int(count) for count in run.warehouse.read(f"SELECT {columns}").to_numpy()[0]]


def _warning(passed: bool, description: str, **metadata: dg.MetadataValue) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=bool(passed),
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


def repeated_keys(table: Table, condition: str = "true") -> str:
    """Return SQL that counts the rows whose key is that of another row, among those of ``condition``."""
    key = ", ".join(table.key)
    return f"SELECT count(*) - count(DISTINCT ({key})) FROM {table.name} WHERE {condition}"


def _is_computed() -> str:
    """Return the SQL condition for the hours that the assets compute. No asset mends any other."""
    areas = ", ".join(text_literal(area_name) for area_name in AREAS)
    return f"(price_area IN ({areas}) AND hour_utc >= TIMESTAMP '{BEGINNING}')"


def _contract_check(dataset: Dataset) -> dg.AssetChecksDefinition:
    table = dataset.table

    @dg.asset_check(
        asset=table.name,
        name=f"{table.name}_contract",
        blocking=True,
        description="No key is missing or repeated, and every value is within its declared range.",
    )
    def contract(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
        own = is_asked_for(dataset)
        out_of_range, repeated, rows = _counts(
            pipeline,
            f"SELECT count(*) FROM {table.name} WHERE {own} AND {breaks_contract(table)}",
            repeated_keys(table, own),
            f"SELECT count(*) FROM {table.name}",
        )
        broken = out_of_range + repeated
        return dg.AssetCheckResult(
            passed=broken == 0,
            description=f"{broken:,} of {rows:,} rows break the contract.",
            metadata={"rows": rows, "rows_broken": broken},
        )

    return contract


def _on_time_description(dataset: Dataset) -> str:
    if not dataset.late_after:
        return "The newest row of each series is for a time that has not passed yet, and not too far ahead."
    hours = dataset.late_after / timedelta(hours=1)
    if hours < 0:
        return f"The newest row of each series is for {-hours:g} h from now or later, and not too far ahead."
    return f"The newest row of each series is at most {hours:g} h old, and not ahead of the clock."


def _freshness_check(dataset: Dataset) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dataset.name,
        name=f"{dataset.name}_on_time",
        description=_on_time_description(dataset),
    )
    def on_time(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
        if reason := pipeline.service.why_not(dataset):
            return _warning(True, f"{reason[0].upper()}{reason[1:]}.")
        end = pipeline.service.end_of(dataset)
        if end is not None and pipeline.now - end > dataset.late_after:
            return _warning(True, f"The recording of this dataset ends at {end:%Y-%m-%d %H:%M} UTC.")
        series = pipeline.service.series_of(dataset, pipeline.now)
        newest = newest_by_series(pipeline.warehouse, dataset, series)
        if newest.isna().all():
            return _warning(False, "The table has no rows.")
        behind = pipeline.now - newest
        ahead = -dataset.reach - CLOCK_TOLERANCE
        late = newest[~((behind >= ahead) & (behind <= dataset.late_after))]
        oldest: datetime = newest.min().to_pydatetime()
        return _warning(
            late.empty,
            "; ".join(
                f"{name} has no rows"
                if pd.isna(time)
                else f"The newest row of {name} is for {time:%Y-%m-%d %H:%M} UTC"
                for name, time in late.items()
            )
            or f"The newest row of each series is for {oldest:%Y-%m-%d %H:%M} UTC or later.",
            newest=dg.MetadataValue.text(f"{oldest:%Y-%m-%d %H:%M} UTC"),
            hours_behind=dg.MetadataValue.float(round((pipeline.now - oldest) / timedelta(hours=1), 2)),
            series_late=dg.MetadataValue.int(len(late)),
        )

    return on_time


@dg.asset_check(
    asset=AGGREGATED_DATA.name,
    blocking=True,
    description=f"Every stored hour begins on the hour and has measurements of at least {LEAST_MINUTES} "
    "minutes.",
)
def complete_hours(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
    (broken,) = _counts(
        pipeline,
        f"""
        SELECT count(*) FROM {AGGREGATED_DATA.name}
        WHERE {_is_computed()}
            AND (minutes_observed < {LEAST_MINUTES} OR hour_utc <> date_trunc('hour', hour_utc))
        """,
    )
    return dg.AssetCheckResult(
        passed=broken == 0,
        description=f"{broken} hours are incomplete.",
        metadata={"hours_broken": broken, "least_minutes": LEAST_MINUTES},
    )


@dg.asset_check(
    asset=ENGINEERED_FEATURES.name,
    blocking=True,
    description="Every aggregated hour has a row of features.",
)
def features_for_every_hour(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
    (missing,) = _counts(
        pipeline,
        f"""
        SELECT count(*) FROM {AGGREGATED_DATA.name} a
        ANTI JOIN {ENGINEERED_FEATURES.name} f USING (price_area, hour_utc)
        WHERE {_is_computed()}
        """,
    )
    return dg.AssetCheckResult(
        passed=missing == 0,
        description=f"{missing} hours have no features.",
        metadata={"hours_without_features": missing},
    )


@dg.asset_check(
    asset="predictions",
    blocking=True,
    description="All quantiles are finite, not negative and in ascending order; no hour is forecast twice "
    "in one forecast; no forecast is for an hour that was already over when it was issued.",
)
def forecast_contract(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
    disorder = " OR ".join(f"{low} > {high}" for low, high in itertools.pairwise(QUANTILE_COLUMNS))
    unusable = " OR ".join(
        f"{name} IS NULL OR NOT isfinite({name}) OR {name} < 0" for name in QUANTILE_COLUMNS
    )
    unfit, repeated, rows = _counts(
        pipeline,
        f"""
        SELECT count(*) FROM predictions
        WHERE {disorder} OR {unusable} OR target_hour_utc < issue_time_utc OR issue_time_utc > issued_at_utc
        """,
        repeated_keys(PREDICTIONS),
        "SELECT count(*) FROM predictions",
    )
    broken = unfit + repeated
    return dg.AssetCheckResult(
        passed=broken == 0,
        description=f"{broken:,} of {rows:,} forecast rows are unusable.",
        metadata={"rows": rows, "rows_broken": broken},
    )


def _may_be_forecast(run: Run, area_name: str) -> bool:
    """Return whether the source still measures an area: a recording of its measurements may have ended."""
    end = run.service.end_of(dataset_named(AREAS[area_name].measured_in))
    return end is None or end > run.now - MEASURED_WITHIN


@dg.asset_check(
    asset="predictions",
    description="Each area has a live forecast that is not stale: no two hourly forecasts were missed after "
    "it, or no six-hour one where the hourly ones are switched off.",
)
def forecast_on_time(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
    newest = pipeline.warehouse.read(
        "SELECT price_area, max(issued_at_utc) AS t FROM predictions "
        "WHERE kind = 'live' AND issued_at_utc <= ? GROUP BY price_area",
        [pipeline.now],
    ).set_index("price_area")["t"]
    if DENMARK.name not in newest:
        return _warning(False, f"No live forecast of {DENMARK.title} was ever issued.")
    newest = newest[newest.index.isin([name for name in AREAS if _may_be_forecast(pipeline, name)])]
    late = newest[[not pipeline.timetable.is_fresh(at.to_pydatetime(), pipeline.now) for at in newest]]
    return _warning(
        late.empty,
        "; ".join(
            f"The newest forecast of {area_name} was issued at {at:%Y-%m-%d %H:%M} UTC"
            for area_name, at in late.items()
        )
        or f"The newest forecasts were issued at {newest.max():%Y-%m-%d %H:%M} UTC.",
        **{
            f"hours_since_issue_{area_name}": dg.MetadataValue.float(
                round((pipeline.now - at) / timedelta(hours=1), 2)
            )
            for area_name, at in newest.items()
        },
    )


@dg.asset_check(asset="predictions", description="The newest forecast of each area had all of its inputs.")
def forecast_not_degraded(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
    rows = pipeline.warehouse.read(
        "SELECT DISTINCT price_area, degraded_causes FROM current_forecast "
        "WHERE degraded_causes <> '[]' ORDER BY price_area"
    )
    degraded = [
        f"{row.price_area}: {row.degraded_causes}" for row in rows.itertuples() if row.price_area in AREAS
    ]
    return _warning(
        not degraded,
        "; ".join(degraded) or "No input was missing.",
        areas_degraded=dg.MetadataValue.int(len(degraded)),
    )


def _skill_check(
    name: str, description: str, column: str, unit: str, low: float, high: float
) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset="model_evaluations", name=name, description=description)
    def check(pipeline: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
        newest = pipeline.warehouse.read(
            f"""
            SELECT kind, n_hours, {column} AS value, mae_g_per_kwh, persistence_mae_g_per_kwh
            FROM model_evaluations
            WHERE price_area = '{DENMARK.name}' AND kind IN ('live', 'hindcast') AND cadence = 'six_hour'
                AND lead_from_hours = 1 AND lead_to_hours = 6
            ORDER BY window_to_utc DESC, kind DESC LIMIT 1
            """
        )
        if newest.empty or newest["value"].isna().all():
            return _warning(True, "No forecast hour has passed yet.")
        row = newest.iloc[0]
        return _warning(
            low <= row["value"] <= high,
            f"{row['value']:.2f}{unit} over {row['n_hours']} hours ({row['kind']}, leads 1-6).",
            **{
                column: dg.MetadataValue.float(float(row["value"])),
                "passes_from": dg.MetadataValue.float(low),
                "hours": dg.MetadataValue.int(int(row["n_hours"])),
                "mae_g_per_kwh": dg.MetadataValue.float(float(row["mae_g_per_kwh"])),
                "persistence_mae_g_per_kwh": dg.MetadataValue.float(float(row["persistence_mae_g_per_kwh"])),
            },
        )

    return check


skill_checks = [
    _skill_check(
        "accuracy_above_threshold",
        "The accuracy (100 - MAPE) of the last seven days, leads 1-6, is at least "
        f"{ACCURACY_THRESHOLD_PERCENT:g} %.",
        "accuracy_percent",
        " %",
        ACCURACY_THRESHOLD_PERCENT,
        float("inf"),
    ),
    _skill_check(
        "better_than_persistence",
        "The error of the last seven days, leads 1-6, is no larger than that of persistence.",
        "skill_persistence",
        "",
        0.0,
        float("inf"),
    ),
    _skill_check(
        "coverage_of_80_percent_band",
        "The 80 % band contained "
        f"{COVERAGE_80_BOUNDS_PERCENT[0]:g} to {COVERAGE_80_BOUNDS_PERCENT[1]:g} % of the measured hours of "
        "the last seven days.",
        "coverage_80_percent",
        " %",
        *COVERAGE_80_BOUNDS_PERCENT,
    ),
]

all_checks = [
    *(_contract_check(dataset) for dataset in DATASETS),
    *(_freshness_check(dataset) for dataset in DATASETS),
    complete_hours,
    features_for_every_hour,
    forecast_contract,
    forecast_on_time,
    forecast_not_degraded,
    *skill_checks,
]
