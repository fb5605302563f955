"""The whole job on the simulator: filled once, never twice, never rewritten, never half."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, QUANTILE_COLUMNS
from co2_assets.contracts.tables import PREDICTIONS, TABLES
from co2_assets.defs.assets import features, forecasts
from co2_assets.defs.assets.all_assets import all_assets
from co2_assets.defs.automation import RETRAIN_JOB, TICK_JOB, UPDATE_JOB
from co2_assets.forecasting.network.model_file import load_model
from co2_assets.pipeline.live_forecast import hindcast_marks
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from tests.support.pipeline_runs import (
    HISTORY_DAYS,
    HOUR,
    SMALL,
    T0,
    differing,
    failures,
    folder,
    materialized,
    published,
    rows_of,
    run,
    simulated,
    tables,
)

Tables = Mapping[str, pd.DataFrame]
ASSETS = [asset.key.to_user_string() for asset in all_assets() if isinstance(asset, dg.AssetsDefinition)]
# How long a request or a training took is another each time.
MEASURED = ("duration_s", "training_seconds")


@pytest.fixture(scope="module")
def first(first_home: Path) -> Tables:
    return tables(simulated(first_home))


@pytest.fixture(scope="module", params=AREAS)
def area(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def second(second_home: Path) -> Tables:
    return tables(simulated(second_home))


def rows_kept(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Return whether every row of ``before`` is still there, value by value."""
    return len(pd.concat([before, after]).drop_duplicates()) == len(after)


def own(rows: pd.DataFrame, area: str) -> pd.DataFrame:
    return rows[rows["price_area"] == area]


def unmeasured(content: Tables) -> Tables:
    return {
        name: rows.drop(columns=[column for column in MEASURED if column in rows])
        for name, rows in content.items()
    }


def test_the_first_run_fills_every_table(first: Tables) -> None:
    assert {name for name, rows in first.items() if rows.empty} <= {"quarantined_values"}
    hours = first["aggregated_data"]["hour_utc"]
    assert set(first["aggregated_data"]["price_area"]) == set(AREAS)
    assert hours.max() == T0 - HOUR
    assert hours.min() == T0 - timedelta(days=HISTORY_DAYS)
    assert first["aggregated_data"]["minutes_observed"].between(45, 60).all()
    assert first["power_system_right_now"]["minute_utc"].max() < T0
    assert first["engineered_features"]["hour_utc"].equals(hours)
    assert first["model_table"]["price_area"].tolist() == list(AREAS)
    assert first["model_table"]["model_version"].nunique() == 1
    assert set(first["model_table"]["decision"]) == {"promoted"}
    assert set(first["model_table"]["trigger"]) == {"first model"}
    assert set(first["model_training_sets"]["split"]) == {"test", "train", "validation"}
    assert len(first["model_training_sets"]) == 3 * len(AREAS)
    assert set(first["new_data_log"]["outcome"]) == {"ok"}
    assert set(first["model_evaluations"]["kind"]) == {"hindcast", "test"}


def test_the_forecast_is_of_the_coming_day(first: Tables, area: str) -> None:
    live = own(first["predictions"], area).query("kind == 'live'").sort_values("lead_hours")
    assert live["lead_hours"].tolist() == list(range(1, HORIZON_HOURS + 1))
    assert live["target_hour_utc"].tolist() == [T0 + n * HOUR for n in range(HORIZON_HOURS)]
    assert set(live["issue_time_utc"]) == set(live["issued_at_utc"]) == {T0}
    assert set(live["model_version"]) == set(first["model_table"]["model_version"])


def test_no_hour_already_past_is_forecast_and_quantiles_are_in_order(second: Tables) -> None:
    rows = second["predictions"]
    assert (rows["target_hour_utc"] >= rows["issued_at_utc"].dt.floor("h")).all()
    assert (rows["target_hour_utc"] - rows["issue_time_utc"] == (rows["lead_hours"] - 1) * HOUR).all()
    quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy()
    assert (quantiles[:, 1:] >= quantiles[:, :-1]).all()
    assert (quantiles >= 0).all()


def test_hindcasts_are_flagged_and_of_hours_the_model_was_not_fitted_to(
    first_home: Path, first: Tables
) -> None:
    hindcast = first["predictions"].query("kind == 'hindcast'")
    issued = sorted(hindcast["issue_time_utc"].unique())
    model = load_model(folder(simulated(first_home)).models, hindcast["model_version"].iloc[0])
    assert issued == [mark for mark in hindcast_marks(T0) if mark >= model.record.fitted_until]
    assert len(issued) >= 12
    assert (hindcast["issued_at_utc"] == hindcast["issue_time_utc"]).all()


def test_hindcast_marks_are_the_six_hour_marks_of_the_last_week() -> None:
    marks = hindcast_marks(T0 + 5 * HOUR)
    assert len(marks) == 28
    assert (marks[0], marks[-1]) == (T0 - timedelta(days=6, hours=18), T0)
    assert {mark.hour for mark in marks} == {0, 6, 12, 18}
    assert hindcast_marks(T0)[-1] == T0 - 6 * HOUR


def test_running_it_again_changes_no_table(home: Path, first: Tables) -> None:
    assert run(simulated(home)).success
    assert differing(first, tables(simulated(home))) == set()


def test_the_next_run_appends_and_never_rewrites(first: Tables, second: Tables) -> None:
    for name in (table.name for table in TABLES):
        assert rows_kept(first[name], second[name]), name
    added = {name: len(second[name]) - len(first[name]) for name in first}
    assert added["power_system_right_now"] <= 6 * 60
    assert added["co2_emission"] <= 2 * 6 * 12
    assert added["aggregated_data"] == added["engineered_features"] == 6 * len(AREAS)
    assert added["predictions"] == HORIZON_HOURS * len(AREAS)
    assert added["model_table"] == added["model_training_sets"] == 0
    assert added["new_data_log"] == len(DATASETS)
    new = second["predictions"].query("issue_time_utc > @T0")
    assert set(new["kind"]) == {"live"}


def test_the_next_run_scores_the_six_hours_that_came_true(first: Tables, second: Tables, area: str) -> None:
    assert first["model_evaluations"].query("kind == 'live'").empty
    (headline,) = (
        own(second["model_evaluations"], area)
        .query("kind == 'live' and lead_from_hours == 1 and lead_to_hours == 6")
        .to_dict("records")
    )
    assert (headline["n_hours"], headline["n_forecasts"]) == (6, 6)
    assert (headline["window_from_utc"], headline["window_to_utc"]) == (T0, T0 + 6 * HOUR)
    issued = own(second["predictions"], area).query("kind == 'live' and issue_time_utc == @T0")
    outcome = issued.merge(
        own(second["aggregated_data"], area),
        left_on="target_hour_utc",
        right_on="hour_utc",
        validate="one_to_one",
    )
    errors = (outcome["q50_g_per_kwh"] - outcome["co2_g_per_kwh"]).abs()
    assert headline["mae_g_per_kwh"] == pytest.approx(errors.mean())
    assert headline["accuracy_percent"] == pytest.approx(
        100 - 100 * (errors / outcome["co2_g_per_kwh"]).mean()
    )


def test_each_asset_alone_makes_what_the_whole_job_makes(home: Path, second: Tables) -> None:
    settings = simulated(home, T0 + 6 * HOUR)
    # The datasets know nothing of one another.
    datasets = [dataset.name for dataset in DATASETS]
    for names in (datasets, *([name] for name in ASSETS if name not in datasets)):
        result = run(settings, assets=names)
        assert result.success, failures(result)
        assert materialized(result) == set(names)
    assert differing(unmeasured(second), tables(settings, but=MEASURED)) == set()


def test_the_same_training_again_makes_no_new_model(home: Path, first: Tables) -> None:
    result = run(simulated(home), RETRAIN_JOB, training=SMALL)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["trained_in_this_run"].value is True
    assert differing(first, tables(simulated(home))) == set()


def test_a_run_that_dies_amid_leaves_the_last_good_state_and_the_next_completes(
    next_tick: Settings, second: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(next_tick)
    with monkeypatch.context() as patch:
        patch.setattr(features, "features_of", _die)
        result = run(next_tick)
        assert not result.success
        assert list(failures(result)) == ["engineered_features"]
    after = tables(next_tick)
    downstream = {"engineered_features", "predictions", "model_evaluations", "model_table"}
    assert not downstream & differing(before, after)
    # What was committed is kept and shown, beside the forecast there was.
    snapshot = published(next_tick)
    assert snapshot.as_of_utc == next_tick.as_of
    shown = snapshots.query(snapshot, "SELECT max(issue_time_utc) AS t FROM current_forecast")["t"]
    assert shown.tolist() == [T0]

    assert run(next_tick).success
    assert differing(unmeasured(second), tables(next_tick, but=MEASURED)) == set()


def test_a_run_that_dies_after_its_forecast_issues_no_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = simulated(home, T0 + HOUR)
    with monkeypatch.context() as patch:
        patch.setattr(forecasts, "forecast_picture", _die)
        assert not run(settings, assets=[PREDICTIONS.name]).success
    issued = rows_of(settings, PREDICTIONS.name)
    assert (issued["issue_time_utc"] == T0 + HOUR).sum() == HORIZON_HOURS * len(AREAS)
    assert run(settings, assets=[PREDICTIONS.name]).success
    assert rows_of(settings, PREDICTIONS.name).equals(issued)


def _die(*_: object, **__: object) -> None:
    raise RuntimeError("the machine went away")


def test_an_earlier_clock_is_refused_whoever_launches_the_run(home: Path) -> None:
    earlier = simulated(home, T0 - 24 * HOUR)
    before, shown = tables(earlier), published(earlier)
    for job in (TICK_JOB, UPDATE_JOB):
        result = run(earlier, job)
        assert not result.success
        assert any("has published already" in str(event) for event in result.all_events)
    assert differing(before, tables(earlier)) == set()
    assert published(earlier) == shown


def test_a_recorded_model_says_how_it_was_trained(first: Tables) -> None:
    (row,) = first["model_table"].query("price_area == 'DK'").to_dict("records")
    assert row["architecture"].startswith("1 x (attention LSTM(8) to 24 h, with a plain network(")
    # A network of the first day with its plain one, and one of the days beyond.
    curves = json.loads(row["training_curve"])
    assert len(curves) == 3
    assert all(1 <= len(curve) <= 2 for curve in curves)
    assert row["data_to_utc"] == row["trained_at_utc"] == T0
    assert row["validation_mae_g_per_kwh"] > 0
    assert row["test_persistence_mae_g_per_kwh"] > 0
