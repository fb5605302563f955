"""A feed that is down gives a degraded forecast that says so; all down at first gives none at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from co2_assets.contracts import (
    AREA_PRODUCTION,
    CO2_EMISSION,
    CO2_EMISSION_PROGNOSIS,
    DATASETS,
    DAY_AHEAD_PRICES,
    FORECASTS_HOUR,
    POWER_SYSTEM_RIGHT_NOW,
    WEATHER_FORECAST,
    Dataset,
)
from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import DAYS_AHEAD, HORIZON_HOURS
from co2_assets.contracts.tables import TABLES
from co2_assets.forecasting.inputs.input_lists import POWER_FEED
from co2_assets.forecasting.issue.forecast import history_needed, issue_forecasts
from co2_assets.forecasting.network.trained_model import TrainedModel
from co2_assets.pipeline.forecast_inputs import read_known_data
from co2_assets.pipeline.status import read_status
from tests.support.pipeline_runs import (
    HOUR,
    T0,
    Fault,
    champion,
    checks,
    failures,
    published,
    refusing,
    rows_of,
    run,
    simulated,
    tables,
    warehouse,
)

Inject = Callable[[Fault | None], None]
# In the evening tomorrow's forecasts and prices are due.
EVENING = T0 + 18 * HOUR


def newest_forecast(home: Path, area: str) -> pd.DataFrame:
    rows = rows_of(simulated(home, EVENING), "predictions")
    rows = rows[(rows["issue_time_utc"] == EVENING) & (rows["kind"] == "live")]
    return rows[rows["price_area"] == area].sort_values("lead_hours")


def mean_width(forecast: pd.DataFrame, first: int = 1, last: int = HORIZON_HOURS) -> float:
    """The mean width of the 80 % band of the leads ``first`` to ``last``."""
    assert len(forecast) == HORIZON_HOURS
    forecast = forecast[forecast["lead_hours"].between(first, last)]
    return float((forecast["q90_g_per_kwh"] - forecast["q10_g_per_kwh"]).mean())


def without_widening(home: Path, area: str, feed: str) -> pd.DataFrame:
    """The same forecast by a model that does not know what this feed costs when it is missing."""
    settings = simulated(home, EVENING)
    model = champion(settings, area)
    assert isinstance(model, TrainedModel)
    since = EVENING - history_needed(model)
    data = read_known_data(warehouse(settings), since=since, until=EVENING, area=AREAS[area])
    widening = {**model.widening, feed: tuple(1.0 for _ in model.widening[feed])}
    return issue_forecasts(replace(model, widening=widening), data, [EVENING])


def causes_of(home: Path, area: str) -> list[str]:
    """The causes of the newest forecast, in their order."""
    (causes,) = newest_forecast(home, area)["degraded_causes"].unique()
    named: list[str] = json.loads(causes)
    return named


def test_with_every_feed_up_nothing_is_degraded(second_home: Path) -> None:
    live = rows_of(simulated(second_home), "predictions").query("kind == 'live'")
    assert set(live["degraded_causes"]) == {"[]"}


# Those of a row fail at once: none of them hides what another does. Each dataset is in one of the rows.
DOWN = [
    (POWER_SYSTEM_RIGHT_NOW, CO2_EMISSION_PROGNOSIS),
    (AREA_PRODUCTION, DAY_AHEAD_PRICES, WEATHER_FORECAST),
    (CO2_EMISSION, FORECASTS_HOUR),
]


def test_every_dataset_is_tried() -> None:
    assert sorted(dataset.name for row in DOWN for dataset in row) == sorted(
        dataset.name for dataset in DATASETS
    )


@pytest.mark.parametrize("down", DOWN, ids=lambda down: "-".join(dataset.name for dataset in down))
def test_a_feed_down_degrades_the_forecast_and_names_the_cause(
    home: Path, inject: Inject, down: tuple[Dataset, ...]
) -> None:
    settings = simulated(home, EVENING)
    inject(refusing(*(endpoint.dataset for dataset in down for endpoint in dataset.endpoints)))
    result = run(settings)
    assert result.success, failures(result)
    by_name = checks(result)
    for dataset in DATASETS:
        fetched = by_name[f"{dataset.name}_fetched"]
        assert fetched.passed is (dataset not in down)
        if dataset in down:
            assert "wait an hour" in (fetched.description or "")
    assert not by_name["forecast_not_degraded"].passed

    for dataset in down:
        # What is measured in one area alone is of no concern to the others.
        area = "DK1" if dataset is CO2_EMISSION else "DK"
        assert any(cause.startswith(f"{dataset.name}:") for cause in causes_of(home, area)), dataset.name
        # The weather was fetched 18 hours before, for three days: only of the last day is any missing.
        leads = DAYS_AHEAD[-1] if dataset is WEATHER_FORECAST else (1, HORIZON_HOURS)
        # Late measurements cost the same in whichever area.
        feed = POWER_FEED if dataset is CO2_EMISSION else dataset.name
        forecast, usual = newest_forecast(home, area), without_widening(home, area, feed)
        assert mean_width(forecast, *leads) > 1.01 * mean_width(usual, *leads), dataset.name
        assert mean_width(forecast) > mean_width(usual), dataset.name
    status = read_status(published(settings), settings)
    assert json.loads(status.degraded_causes) == causes_of(home, "DK")
    assert not any(cause.startswith(f"{CO2_EMISSION.name}:") for cause in causes_of(home, "DK"))
    assert sorted(status.failed_fetches["dataset"]) == sorted(dataset.name for dataset in down)
    assert not status.overdue

    # Without its production an area is forecast from what is measured of it; that of the country is no
    # concern of an area that has its own.
    if CO2_EMISSION not in down:
        produced = (f"{POWER_SYSTEM_RIGHT_NOW.name}:", f"{AREA_PRODUCTION.name}:")
        assert [cause for cause in causes_of(home, "DK2") if cause.startswith(produced)] == (
            ["area_production: production of 18 of the last 24 hours is missing"]
            if AREA_PRODUCTION in down
            else []
        )


def test_everything_down_at_the_first_run_fails_with_a_remedy_and_fills_nothing(
    tmp_path: Path, inject: Inject
) -> None:
    settings = simulated(tmp_path / "home")
    inject(refusing())
    result = run(settings)
    assert not result.success
    messages = failures(result)
    # Without measurements there is nothing to forecast; without another feed there would be.
    assert list(messages) == ["power_system_right_now"]
    assert "holds no rows and could not be fetched" in messages["power_system_right_now"]
    assert "wait an hour, check the proxy, or use --source simulator" in messages["power_system_right_now"]
    by_name = checks(result)
    for dataset in DATASETS[1:]:
        assert not by_name[f"{dataset.name}_fetched"].passed
    content = tables(settings)
    assert {table.name for table in TABLES if len(content[table.name])} == {"new_data_log"}
    assert set(content["new_data_log"]["outcome"]) == {"refused"}

    inject(None)
    assert run(settings, assets=["power_system_right_now", "aggregated_data"]).success


def test_a_feed_down_at_the_first_run_is_named_and_the_forecast_issued(
    tmp_path: Path, inject: Inject
) -> None:
    settings = simulated(tmp_path / "home")
    inject(refusing("CO2EmisProg"))
    # Scores and pages would add nothing to it.
    names = [*(dataset.name for dataset in DATASETS), "aggregated_data", "engineered_features"]
    result = run(settings, assets=[*names, "trained_model", "predictions"])
    assert result.success, failures(result)
    live = rows_of(settings, "predictions").query("kind == 'live'")
    assert len(live) == HORIZON_HOURS * len(AREAS)
    assert live["energinet_prognosis_g_per_kwh"].isna().all()
    assert "co2_emission_prognosis: missing" in live["degraded_causes"].iloc[0]
