"""A broken row stops what is downstream; lateness and poor skill only warn."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.defs.checks import all_checks
from co2_assets.defs.resources import PipelineResource
from co2_assets.settings import Settings
from tests.support.pipeline_runs import (
    HOUR,
    T0,
    checks,
    differing,
    materialized,
    rows_of,
    run,
    simulated,
    tables,
    warehouse,
)

SKILL = {"accuracy_above_threshold", "better_than_persistence", "coverage_of_80_percent_band"}
LATE = ("power_system_right_now_on_time", "forecast_on_time")


def alter(settings: Settings, sql: str) -> None:
    with warehouse(settings).session() as connection:
        connection.execute(sql)


def test_a_broken_price_is_set_apart_and_the_forecast_goes_on(home: Path) -> None:
    settings = simulated(home, T0 + HOUR)
    alter(
        settings,
        "UPDATE day_ahead_prices SET price_eur_per_mwh = -2000 "
        f"WHERE price_area = 'SE3' AND time_utc = '{T0 - timedelta(days=20)}'",
    )
    result = run(settings, assets=["day_ahead_prices", "engineered_features", "predictions"])
    assert result.success
    assert checks(result)["day_ahead_prices_contract"].passed
    (value,) = rows_of(settings, "quarantined_values").to_dict("records")
    assert (value["dataset"], value["value"]) == ("day_ahead_prices", "-2000.0")
    assert value["row_key"] == f"price_area=SE3, time_utc={T0 - timedelta(days=20)}"
    assert (
        len(rows_of(settings, "predictions").query("issue_time_utc == @settings.as_of"))
        == len(AREAS) * HORIZON_HOURS
    )


def test_a_doubled_row_stops_the_forecast(home: Path) -> None:
    settings = simulated(home, T0 + HOUR)
    alter(
        settings,
        "INSERT INTO day_ahead_prices SELECT * REPLACE (1 AS price_eur_per_mwh) FROM day_ahead_prices "
        f"WHERE price_area = 'SE3' AND time_utc = '{T0 - timedelta(days=20)}'",
    )
    before = tables(settings)
    result = run(settings, assets=["day_ahead_prices", "engineered_features", "predictions"])
    assert not result.success
    evaluation = checks(result)["day_ahead_prices_contract"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert evaluation.metadata["rows_broken"].value == 1
    assert materialized(result) == {"day_ahead_prices"}
    assert differing(before, tables(settings)) == {"new_data_log"}


def test_a_crooked_forecast_is_not_scored(home: Path) -> None:
    settings = simulated(home)
    alter(settings, "UPDATE predictions SET q90_g_per_kwh = 1 WHERE kind = 'live' AND lead_hours = 3")
    result = run(settings, assets=["predictions", "model_evaluations"])
    assert not result.success
    assert not checks(result)["forecast_contract"].passed
    assert materialized(result) == {"predictions"}


@pytest.mark.parametrize(
    ("asset", "check", "sql"),
    [
        (
            "power_system_right_now",
            "power_system_right_now_contract",
            "INSERT INTO power_system_right_now SELECT * FROM power_system_right_now "
            f"WHERE minute_utc = '{T0 - HOUR}'",
        ),
        (
            "aggregated_data",
            "complete_hours",
            "INSERT INTO aggregated_data BY NAME "
            "SELECT * REPLACE (hour_utc + INTERVAL 30 MINUTE AS hour_utc) "
            f"FROM aggregated_data WHERE hour_utc = '{T0 - HOUR}'",
        ),
    ],
)
def test_every_blocking_check_sees_its_broken_row(home: Path, asset: str, check: str, sql: str) -> None:
    settings = simulated(home)
    alter(settings, sql)
    evaluation = checks(run(settings, assets=[asset]))[check]
    assert (evaluation.passed, evaluation.blocking) == (False, True)


def test_a_mean_that_is_not_what_its_minutes_say_is_mended(home: Path) -> None:
    settings = simulated(home)
    before = rows_of(settings, "aggregated_data")
    alter(settings, f"UPDATE aggregated_data SET minutes_observed = 44 WHERE hour_utc = '{T0 - 9 * HOUR}'")
    alter(
        settings,
        f"UPDATE aggregated_data SET solar_mw = 1e4 WHERE price_area = 'DK' AND hour_utc = '{T0 - 8 * HOUR}'",
    )
    assert run(settings, assets=["aggregated_data"]).success
    # Sums taken in another order differ in their last bits.
    pd.testing.assert_frame_equal(rows_of(settings, "aggregated_data"), before, rtol=1e-12)


def test_an_unusable_forecast_row_is_seen(home: Path) -> None:
    settings = simulated(home)
    unusable = (
        "q05_g_per_kwh = -1",
        "q50_g_per_kwh = 'nan'",
        "q50_g_per_kwh = NULL",
        "target_hour_utc = issue_time_utc - INTERVAL 1 HOUR",
    )
    for lead, change in enumerate(unusable, start=1):
        alter(settings, f"UPDATE predictions SET {change} WHERE kind = 'live' AND lead_hours = {lead}")
    evaluation = evaluated(settings, "forecast_contract")["forecast_contract"]
    assert (evaluation.passed, evaluation.blocking) == (False, True)
    # Each of them, in every area.
    assert evaluation.metadata["rows_broken"].value == len(unusable) * len(AREAS)


def test_an_hour_without_features_is_seen(home: Path) -> None:
    settings = simulated(home)
    alter(settings, f"DELETE FROM engineered_features WHERE hour_utc = '{T0 - HOUR}'")
    (evaluation,) = evaluated(settings, "features_for_every_hour").values()
    assert not evaluation.passed
    assert evaluation.blocking


def test_poor_skill_warns_and_stops_nothing(home: Path) -> None:
    settings = simulated(home)
    alter(
        settings,
        "UPDATE model_evaluations "
        "SET accuracy_percent = 20, skill_persistence = -3, coverage_80_percent = 30",
    )
    result = run(settings)
    assert result.success
    by_name = checks(result)
    assert {check.check_key.name for check in all_checks} <= by_name.keys()
    # All else is green after a good run.
    assert {name for name, evaluation in by_name.items() if not evaluation.passed} == SKILL
    assert {by_name[name].severity for name in SKILL} == {dg.AssetCheckSeverity.WARN}


def test_a_late_feed_warns(home: Path) -> None:
    by_name = evaluated(simulated(home, T0 + 8 * HOUR), *LATE)
    assert {name: evaluation.passed for name, evaluation in by_name.items()} == dict.fromkeys(LATE, False)
    assert {evaluation.severity for evaluation in by_name.values()} == {dg.AssetCheckSeverity.WARN}


def evaluated(settings: Settings, *names: str) -> dict[str, dg.AssetCheckEvaluation]:
    """Evaluate checks by themselves, without the assets."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            dg.Definitions(
                asset_checks=[check for check in all_checks if check.check_key.name in names],
                resources={"pipeline": PipelineResource.from_settings(settings)},
            )
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(instance=instance, raise_on_error=False)
        )
    return checks(result)


def test_a_series_that_is_late_is_named_beside_those_that_are_not(home: Path) -> None:
    settings = simulated(home)
    names = "co2_emission_on_time", "forecasts_hour_on_time"
    for name, evaluation in evaluated(settings, *names).items():
        assert evaluation.passed, name
        assert "each series" in (evaluation.description or "")
    alter(settings, f"DELETE FROM co2_emission WHERE price_area = 'DK1' AND minute_utc >= '{T0 - 48 * HOUR}'")
    alter(settings, "DELETE FROM forecasts_hour WHERE price_area = 'DK2' AND forecast_type = 'Solar'")
    late = evaluated(settings, *names)
    assert not late["co2_emission_on_time"].passed
    assert late["co2_emission_on_time"].description == "The newest row of DK1 is for 2024-05-29 23:55 UTC"
    assert late["co2_emission_on_time"].metadata["hours_behind"].value > 48
    assert not late["forecasts_hour_on_time"].passed
    assert late["forecasts_hour_on_time"].description == "DK2 Solar has no rows"


def test_rows_that_no_asset_owns_are_not_judged(home: Path) -> None:
    """They would stop every forecast, and no run would mend them."""
    settings = simulated(home)
    for table, time in (("co2_emission", "minute_utc"), ("aggregated_data", "hour_utc")):
        for area, moment in (("DK3", time), ("DK1", f"{time} - INTERVAL 45000 DAY")):
            # Each one twice, out of range, and of too few minutes.
            values = f"'{area}' AS price_area, {moment} AS {time}, -5 AS co2_g_per_kwh"
            if table == "aggregated_data":
                values += ", 3 AS minutes_observed"
            for _ in range(2):
                alter(
                    settings,
                    f"INSERT INTO {table} SELECT * REPLACE ({values}) FROM {table} "
                    f"WHERE price_area = 'DK2' AND {time} >= '{T0 - 5 * HOUR}'",
                )
    names = "co2_emission_contract", "complete_hours", "features_for_every_hour"
    found = evaluated(settings, *names)
    assert set(found) == set(names)
    assert {name: evaluation.passed for name, evaluation in found.items()} == dict.fromkeys(names, True)


def test_an_area_that_is_no_longer_forecast_is_named(home: Path) -> None:
    settings = simulated(home, T0 + 12 * HOUR)
    alter(settings, "DELETE FROM co2_emission WHERE price_area = 'DK2'")
    alter(settings, "DELETE FROM aggregated_data WHERE price_area = 'DK2'")
    evaluation = checks(run(settings, assets=["predictions"]))["forecast_on_time"]
    assert not evaluation.passed
    assert evaluation.description == "The newest forecast of DK2 was issued at 2024-06-01 00:00 UTC"


def test_what_blocks_and_what_warns() -> None:
    blocking = {spec.name for check in all_checks for spec in check.check_specs if spec.blocking}
    assert blocking == {
        *(f"{dataset.name}_contract" for dataset in DATASETS),
        "complete_hours",
        "features_for_every_hour",
        "forecast_contract",
    }
