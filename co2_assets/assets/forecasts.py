"""Forecasts: issued once for each hour, never rewritten."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from co2_assets.assets.metadata import OWNERS, definition_metadata, table_metadata
from co2_assets.assets.picture import forecast_picture
from co2_assets.assets.raw_energy_data import WRITER_POOL
from co2_assets.assets.trained_model import AREA, trained_model
from co2_assets.pipeline import Pipeline
from co2_assets.warehouse.tables import PREDICTIONS

if TYPE_CHECKING:
    from co2_assets.forecasting.model import TrainedModel

# The first run also forecasts these days' six-hour marks as of then, so that there are scores.
HINDCAST_DAYS = 7
MARK_HOURS = 6


def hindcast_marks(issue_time: datetime) -> list[datetime]:
    """Return the six-hour marks of the last seven days before ``issue_time``, oldest first."""
    midnight = issue_time.replace(hour=0)
    marks = (midnight + timedelta(hours=MARK_HOURS * n) for n in range(-4 * (HINDCAST_DAYS + 1), 4))
    return [mark for mark in marks if issue_time - timedelta(days=HINDCAST_DAYS) <= mark < issue_time]


def _marks_to_hindcast(
    pipeline: Pipeline, champion: "TrainedModel | None", issue_time: datetime
) -> list[datetime]:
    """Return the marks to forecast as of then: of the days before a model's first forecast."""
    from co2_assets.forecasting.fallback import VERSION as FALLBACK

    if champion is None:
        return []
    by_models = f"SELECT 1 FROM {PREDICTIONS.name} WHERE model_version <> ? LIMIT 1"
    if len(pipeline.warehouse.read(by_models, [FALLBACK])):
        return []
    # Of hours the model was fitted to, a hindcast would be no test.
    return [mark for mark in hindcast_marks(issue_time) if mark >= champion.record.fitted_until]


@dg.asset(
    group_name="forecasts",
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
def predictions(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Issue the forecast of the present hour; on the first run also the hindcasts."""
    from co2_assets.forecasting.forecast import NoForecastError, issue_forecasts
    from co2_assets.issuing import issue_live, read_for_issue
    from co2_assets.promotion import load_champion

    champion = load_champion(pipeline.warehouse, pipeline.models, AREA, pipeline.now)
    issue_time = pipeline.now.replace(minute=0, second=0)
    marks = _marks_to_hindcast(pipeline, champion, issue_time)
    data = read_for_issue(pipeline, champion, min([*marks, issue_time]))
    try:
        live = issue_live(pipeline, champion, data, issue_time)
    except NoForecastError as error:
        raise dg.Failure(f"No forecast: {error}. The next run tries again.") from error
    parts = [live]
    if champion is not None and marks:
        try:
            parts.append(issue_forecasts(champion, data, marks).assign(kind="hindcast"))
        except NoForecastError as error:
            context.log.warning(f"No hindcast: {error}")
    with pipeline.warehouse.open_transaction() as transaction:
        count = transaction.insert_missing(PREDICTIONS, pd.concat(parts, ignore_index=True))
    if not count.new:
        context.log.info(f"The forecast of {issue_time:%Y-%m-%d %H:%M} UTC was issued before and stays.")
    actual = data.aggregated.sort_values("hour_utc").tail(24)
    return dg.MaterializeResult(
        metadata={
            **table_metadata(pipeline, PREDICTIONS, "issue_time_utc DESC, target_hour_utc"),
            "rows_new": count.new,
            "issue_time": f"{issue_time:%Y-%m-%d %H:%M} UTC",
            "model_version": live["model_version"].iloc[0],
            "degraded_causes": live["degraded_causes"].iloc[0],
            "forecast": dg.MetadataValue.md(forecast_picture(actual, live)),
        }
    )
