"""What the code produces has the columns, names and words that the contracts declare."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import DATASETS, POWER_COLUMNS, PRICE_AREAS, areas, forecast_spec, tables
from co2_assets.contracts.area_production import BORDERS
from co2_assets.definitions import build_definitions
from co2_assets.defs.assets import trained_model
from co2_assets.forecasting.inputs.features import aggregate_hours, engineer_features
from co2_assets.forecasting.issue import forecast
from co2_assets.forecasting.network.trained_model import TrainingConfig
from co2_assets.forecasting.score import evaluation
from co2_assets.forecasting.score.comparison import Verdict
from co2_assets.http_service.errors import ServiceError
from co2_assets.settings import Settings
from co2_assets.warehouse.views import VIEWS


def test_measured_columns() -> None:
    assert tuple(column.name for column in POWER_COLUMNS) == forecast_spec.POWERS
    assert tuple(border.flow for border in BORDERS) == forecast_spec.FLOWS
    columns = tables.AGGREGATED_DATA.column_names
    assert columns == (
        "price_area",
        "hour_utc",
        "minutes_observed",
        *forecast_spec.MEASURED,
        *forecast_spec.FLOWS,
    )


def test_price_zones_have_their_columns() -> None:
    names = tables.ENGINEERED_FEATURES.column_names
    assert [forecast_spec.price_column(zone) for zone in PRICE_AREAS] == [
        name for name in names if name.startswith("price_") and name != "price_area"
    ]
    for area in areas.AREAS.values():
        assert set(area.prices) <= set(PRICE_AREAS)
    assert next(iter(areas.AREAS.values())) == areas.DENMARK


@pytest.fixture(scope="module")
def minutes() -> pd.DataFrame:
    """Two days of measurements, the same each minute."""
    times = pd.date_range(datetime(2024, 6, 1), periods=2 * 24 * 60, freq="min", unit="us")
    values = dict.fromkeys(forecast_spec.MEASURED, 100.0)
    return pd.DataFrame({"price_area": "DK", "minute_utc": times, **values, "fetched_at_utc": times})


def test_aggregated_and_engineered_columns_are_the_declared_ones(minutes: pd.DataFrame) -> None:
    hours = aggregate_hours(minutes, datetime(2024, 6, 3))
    assert tuple(hours.columns) == tables.AGGREGATED_DATA.column_names
    empty = {dataset.name: empty_table(dataset.table.name) for dataset in DATASETS}
    produced = engineer_features(
        hours,
        empty["forecasts_hour"],
        empty["day_ahead_prices"],
        empty["co2_emission_prognosis"],
        areas.DENMARK,
    )
    assert set(produced.columns) == set(tables.ENGINEERED_FEATURES.column_names)
    assert len(produced) == 48


def empty_table(name: str) -> pd.DataFrame:
    kinds = {"TIMESTAMP": "datetime64[us]", "DOUBLE": "float64", "VARCHAR": "str", "INTEGER": "int32"}
    (table,) = (table for table in tables.TABLES if table.name == name)
    return pd.DataFrame({column.name: pd.Series(dtype=kinds[column.kind.value]) for column in table.columns})


def test_prediction_columns_are_the_declared_ones_but_kind_and_cadence() -> None:
    given_by_the_caller = ("kind", "cadence")
    assert (*forecast.COLUMNS,) == tuple(
        name for name in tables.PREDICTIONS.column_names if name not in given_by_the_caller
    )


def test_score_columns_are_the_declared_ones() -> None:
    known = {"actual_g_per_kwh": 100.0, **dict.fromkeys(tables.QUANTILE_COLUMNS, 90.0)}
    row = {
        "target_hour_utc": pd.Timestamp(2024, 6, 1),
        "lead_hours": 1,
        "persistence_g_per_kwh": 95.0,
        "energinet_prognosis_g_per_kwh": np.nan,
    }
    with np.errstate(all="ignore"):
        scored = evaluation.score(pd.DataFrame([{**known, **row}]))
    named_by_the_asset = {"evaluation_id", "price_area", "model_version", "kind", "evaluated_at_utc"}
    named_by_the_asset |= {"cadence"}
    assert set(scored.columns) == set(tables.MODEL_EVALUATIONS.column_names) - named_by_the_asset


def test_sizes_named_in_the_run_configuration_are_the_defaults_of_training() -> None:
    config = trained_model.TrainingRunConfig
    near, first, far_sizes = (
        ("hidden", "epochs"),
        ("first_hidden", "first_epochs"),
        ("far_hidden", "far_epochs"),
    )
    assert ("ensemble", *near, *first, "far_ensemble", *far_sizes) == trained_model.SIZES
    for name in trained_model.SIZES:
        default = getattr(TrainingConfig(), name)
        assert f"empty takes {default}," in (config.model_fields[name].description or "")
    assert config().sizes() == {}
    assert config(ensemble=1, hidden=8, epochs=2).sizes() == {"ensemble": 1, "hidden": 8, "epochs": 2}
    far = {"far_ensemble": 1, "far_hidden": 4, "far_epochs": 3}
    assert config(**far).sizes() == far


def test_decisions_are_the_words_that_the_views_look_for() -> None:
    assert {Verdict(True, "").decision, Verdict(False, "").decision} == {"promoted", "rejected"}
    assert "decision = 'promoted'" in VIEWS["champions"]
    assert "kind = 'live'" in VIEWS["current_forecast"]


def test_outcomes_of_fetches_are_told_apart() -> None:
    outcomes = [kind.outcome for kind in _subclasses(ServiceError)]
    assert len(set(outcomes)) == len(outcomes)
    assert "ok" not in outcomes
    assert "empty" in outcomes


def _subclasses(kind: type[ServiceError]) -> list[type[ServiceError]]:
    return [*kind.__subclasses__(), *(deep for sub in kind.__subclasses__() for deep in _subclasses(sub))]


def test_every_table_but_the_bookkeeping_is_an_asset_by_its_name(tmp_path: Path) -> None:
    definitions = build_definitions(Settings(home=tmp_path, source="simulator"))
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    # Written by assets of other names: the trained model's two, and what the fetches leave.
    bookkeeping = {"model_table", "model_training_sets", "new_data_log", "quarantined_values"}
    assert {table.name for table in tables.TABLES} - bookkeeping == keys - {
        "trained_model",
        "published_snapshot",
        "energi_data_service",
        "open_meteo",
        "forecast_pages",
    }
