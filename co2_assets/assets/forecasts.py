"""Forecasts: issued once for each hour, never rewritten."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from co2_assets.assets.features import BEGINNING
from co2_assets.assets.metadata import OWNERS, definition_metadata, table_metadata
from co2_assets.assets.picture import forecast_picture
from co2_assets.assets.raw_energy_data import WRITER_POOL
from co2_assets.assets.trained_model import trained_model
from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_assets.contracts.forecast_spec import MARK_HOURS
from co2_assets.contracts.tables import PREDICTIONS
from co2_assets.inputs import measured_areas
from co2_assets.pipeline import Pipeline

if TYPE_CHECKING:
    from co2_assets.forecasting.network.trained_model import TrainedModel

# The first run also forecasts these days' six-hour marks as of then, so that there are scores.
HINDCAST_DAYS = 7


def hindcast_marks(issue_time: datetime) -> list[datetime]:
    """Return the six-hour marks of the last seven days before ``issue_time``, oldest first."""
    midnight = issue_time.replace(hour=0)
    marks = (midnight + timedelta(hours=MARK_HOURS * n) for n in range(-4 * (HINDCAST_DAYS + 1), 4))
    return [mark for mark in marks if issue_time - timedelta(days=HINDCAST_DAYS) <= mark < issue_time]


def _marks_to_hindcast(
    pipeline: Pipeline, area: Area, champion: "TrainedModel | None", issue_time: datetime
) -> list[datetime]:
    """Return the marks to forecast as of then: of the days before a model's first forecast."""
    from co2_assets.forecasting.issue.fallback import VERSION as FALLBACK

    if champion is None:
        return []
    by_models = f"SELECT 1 FROM {PREDICTIONS.name} WHERE price_area = ? AND model_version <> ? LIMIT 1"
    if len(pipeline.warehouse.read(by_models, [area.name, FALLBACK])):
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
    """Issue each area's forecast of the present hour; on the first run also the hindcasts."""
    from co2_assets.forecasting.issue.forecast import NoForecastError

    issue_time = pipeline.now.replace(minute=0, second=0)
    issued: dict[str, pd.DataFrame] = {}
    recent: dict[str, pd.DataFrame] = {}
    errors = []
    ever = [DENMARK, *measured_areas(pipeline.warehouse, since=BEGINNING, until=issue_time)]
    for area in dict.fromkeys(area.name for area in ever):
        try:
            issued[area], recent[area] = _issue(context, pipeline, AREAS[area], issue_time)
        except NoForecastError as error:
            context.log.warning(f"No forecast: {error}. The next run tries again.")
            errors.append(str(error))
    if not issued:
        raise dg.Failure(f"No forecast: {'; '.join(errors)}. The next run tries again.")
    with pipeline.warehouse.open_transaction() as transaction:
        count = transaction.insert_missing(PREDICTIONS, pd.concat(issued.values(), ignore_index=True))
    if not count.new:
        context.log.info(f"The forecast of {issue_time:%Y-%m-%d %H:%M} UTC was issued before and stays.")
    return dg.MaterializeResult(
        metadata={
            **table_metadata(pipeline, PREDICTIONS, "issue_time_utc DESC, target_hour_utc"),
            "rows_new": count.new,
            "issue_time": f"{issue_time:%Y-%m-%d %H:%M} UTC",
            **{
                name if area == DENMARK.name else f"{name}_{area}": value
                for area, rows in issued.items()
                for name, value in _area_metadata(rows[rows["kind"] == "live"], recent[area]).items()
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


def _issue(
    context: dg.AssetExecutionContext, pipeline: Pipeline, area: Area, issue_time: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return an area's rows of `predictions`, and the last day's of `aggregated_data`.

    NoForecastError when there is nothing to go on.
    """
    from co2_assets.forecasting.issue.forecast import NoForecastError, issue_forecasts
    from co2_assets.issuing import issue_live, read_for_issue
    from co2_assets.promotion import load_champion

    champion = load_champion(pipeline.warehouse, pipeline.models, area.name, pipeline.now)
    marks = _marks_to_hindcast(pipeline, area, champion, issue_time)
    data = read_for_issue(pipeline, area, champion, min([*marks, issue_time]))
    live = issue_live(pipeline, champion, data, issue_time)
    recent = data.aggregated.sort_values("hour_utc").tail(24)
    if champion is None or not marks:
        return live, recent
    try:
        hindcasts = issue_forecasts(champion, data, marks).assign(kind="hindcast")
    except NoForecastError as error:
        context.log.warning(f"No hindcast: {error}")
        return live, recent
    except Exception:
        # `issue_live` has found another way already, and said so: what fails here must not lose that.
        context.log.exception(f"{champion.version} failed at the marks of the last days: no hindcasts")
        return live, recent
    return pd.concat([live, hindcasts], ignore_index=True), recent
