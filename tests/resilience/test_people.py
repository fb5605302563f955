"""What people do while it runs, or instead of what was foreseen."""

import itertools
import shutil
from typing import Any
from unittest.mock import patch

import dagster as dg
import pandas as pd

from co2_assets.contracts import DATASETS
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, QUANTILE_COLUMNS
from co2_assets.definitions import build_definitions
from co2_assets.defs.assets import features
from co2_assets.defs.automation import RETRAIN_JOB, TICK_JOB
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from tests.support.resilience_runs import (
    COUNTRY,
    HOUR,
    SIZES,
    T0,
    at,
    differing,
    everything,
    folder,
    rows,
    tick,
    warehouse,
)

NOW = T0 + 6 * HOUR
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def materialize(settings: Settings, job: str, *assets: str, **config: Any) -> dg.ExecuteInProcessResult:
    """Materialize some assets of a job, as from the UI."""
    chosen = [dg.AssetKey(name) for name in assets] or None
    with dg.DagsterInstance.ephemeral() as instance:
        return (
            build_definitions(settings)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={**QUIET, **config},
                asset_selection=chosen,
                raise_on_error=False,
            )
        )


def asset_names(settings: Settings) -> list[str]:
    graph = build_definitions(settings).resolve_asset_graph()
    return [key.to_user_string() for key in graph.executable_asset_keys]


# What follows from what, the last first.
BACKWARDS = (
    ("published_snapshot",),
    ("model_evaluations",),
    ("predictions",),
    ("trained_model",),
    ("engineered_features",),
    ("aggregated_data",),
    tuple(dataset.name for dataset in DATASETS),
)


def test_assets_materialized_in_the_wrong_order_end_where_a_run_does(
    home: Settings, second: Settings
) -> None:
    settings = at(home, NOW)
    assert sorted(asset_names(settings)) == sorted(itertools.chain(*BACKWARDS))
    for names in BACKWARDS:
        assert tick(settings, assets=names), names
    assert tick(settings)
    # A forecast issued before its newest inputs were fetched stays as it was issued; a better one follows.
    changed = differing(everything(settings), everything(second))
    assert changed <= {"predictions", "model_evaluations"}
    live, usual = (
        rows(home, "predictions").query("issue_time_utc == @NOW and kind == 'live'")
        for home in (settings, second)
    )
    newest = live[live["issued_at_utc"] == live["issued_at_utc"].max()]
    assert newest["degraded_causes"].unique().tolist() == ["[]"]
    values = ["target_hour_utc", "model_version", *QUANTILE_COLUMNS]
    assert newest[values].reset_index(drop=True).equals(usual[values].reset_index(drop=True))


def test_the_folder_deleted_during_a_run_is_made_anew_by_the_next(home: Settings) -> None:
    settings = at(home, NOW)
    store = features.store_hours

    def delete_first(pipeline: Any) -> Any:
        shutil.rmtree(folder(settings).root)
        return store(pipeline)

    with patch.object(features, "store_hours", delete_first):
        assert not tick(settings, assets=COUNTRY)
    later = at(home, NOW + 6 * HOUR)
    assert tick(later, assets=COUNTRY)
    live = rows(later, "predictions").query("kind == 'live'")
    assert set(live["issue_time_utc"]) == {pd.Timestamp(NOW + 6 * HOUR)}
    assert len(live) == HORIZON_HOURS


def test_a_run_is_not_held_up_by_a_training(home: Settings) -> None:
    settings = at(home, NOW)
    from co2_assets.forecasting.network import training

    train = training.train_together
    ticked = []

    def tick_meanwhile(*arguments: Any, **named: Any) -> Any:
        ticked.append(tick(settings, assets=COUNTRY))
        return train(*arguments, **named)

    config = {"ops": {"trained_model": {"config": {**SIZES, "trigger": "by hand"}}}}
    with patch.object(training, "train_together", tick_meanwhile):
        assert materialize(settings, RETRAIN_JOB, **config).success
    assert ticked == [True]
    live = rows(settings, "predictions").query("issue_time_utc == @NOW and kind == 'live'")
    assert len(live) == HORIZON_HOURS
    assert "by hand" in set(rows(settings, "model_table")["trigger"])


def test_a_run_whose_readers_see_nothing_of_it_is_red(home: Settings) -> None:
    before = snapshots.current(folder(home).snapshots)
    full = OSError(28, "No space left on device")
    with patch("co2_assets.warehouse.snapshots.publish", side_effect=full):
        result = materialize(at(home, NOW), TICK_JOB, "predictions", "published_snapshot")
    assert not result.success
    assert [event.step_key for event in result.get_step_failure_events()] == ["published_snapshot"]
    assert snapshots.current(folder(home).snapshots) == before
    # What was issued is kept, and published by the next run.
    assert (
        len(warehouse(home).read("SELECT * FROM predictions WHERE issue_time_utc = ?", [NOW]))
        == HORIZON_HOURS
    )
    assert tick(at(home, NOW), assets=["predictions", "published_snapshot"])
    after = snapshots.current(folder(home).snapshots)
    assert after is not None
    issued = snapshots.query(after, "SELECT DISTINCT issue_time_utc AS t FROM current_forecast")
    assert issued["t"].tolist() == [pd.Timestamp(NOW)]
