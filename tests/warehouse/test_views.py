"""The views say what their comments promise."""

from datetime import timedelta

import pandas as pd

from co2_assets.contracts.forecast_spec import QUANTILE_COLUMNS, QUANTILES
from co2_assets.contracts.tables import AGGREGATED_DATA, MODEL_TABLE, NEW_DATA_LOG, PREDICTIONS
from co2_assets.warehouse.database import Warehouse
from tests.support.warehouse_rows import PRICES, T0, filled, models, predictions, prices

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def forecast(version: str, issue_hours: int, leads: int, **more: object) -> list[dict[str, object]]:
    issued = T0 + issue_hours * HOUR
    return [
        {
            "issue_time_utc": issued,
            "target_hour_utc": issued + (lead - 1) * HOUR,
            "model_version": version,
            "lead_hours": lead,
            **more,
        }
        for lead in range(1, leads + 1)
    ]


def test_outcomes_are_joined_and_the_forecast_stays_as_issued(warehouse: Warehouse) -> None:
    issued = predictions(forecast("m1", 0, 3, q50_g_per_kwh=100.0))
    actual = filled(
        AGGREGATED_DATA,
        [
            {"price_area": "DK", "hour_utc": T0, "co2_g_per_kwh": 90.0},
            {"price_area": "DK1", "hour_utc": T0 + HOUR, "co2_g_per_kwh": 1.0},
        ],
    )
    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, issued)
        transaction.upsert(AGGREGATED_DATA, actual)
    outcomes = warehouse.read("SELECT * FROM prediction_outcomes ORDER BY lead_hours")
    assert list(outcomes.columns) == [*PREDICTIONS.column_names, "actual_g_per_kwh", "series"]
    # The second hour has come true in another area only, the third nowhere.
    assert outcomes["actual_g_per_kwh"].iloc[0] == 90.0
    assert outcomes["actual_g_per_kwh"].isna().tolist() == [False, True, True]
    assert outcomes["q50_g_per_kwh"].tolist() == [100.0] * 3


def test_the_champion_is_the_last_one_promoted_in_each_area(warehouse: Warehouse) -> None:
    rows = models(
        [
            {"model_version": "old", "trained_at_utc": T0},
            {"model_version": "good", "trained_at_utc": T0 + DAY},
            {"model_version": "worse", "trained_at_utc": T0 + 2 * DAY, "decision": "rejected"},
            {"model_version": "west", "trained_at_utc": T0, "price_area": "DK1"},
        ]
    )
    with warehouse.open_transaction() as transaction:
        assert transaction.read("SELECT * FROM champions").empty
        transaction.insert_missing(MODEL_TABLE, rows)
    champions = warehouse.read("SELECT price_area, model_version FROM champions ORDER BY price_area")
    assert champions.to_dict("list") == {"price_area": ["DK", "DK1"], "model_version": ["good", "west"]}


def test_the_current_forecast_is_the_newest_live_one(warehouse: Warehouse) -> None:
    issued = predictions(
        [
            *forecast("a", 0, 24),
            *forecast("a", 6, 24),
            *forecast("a", 12, 24, kind="hindcast"),
            *forecast("a", 0, 2, price_area="DK1"),
        ]
    )
    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(PREDICTIONS, issued)
        transaction.insert_missing(MODEL_TABLE, models([{"model_version": "a", "trained_at_utc": T0}]))
    current = warehouse.read("SELECT * FROM current_forecast ORDER BY price_area, lead_hours")
    assert list(current.columns) == list(PREDICTIONS.column_names)
    national = current[current["price_area"] == "DK"]
    assert national["lead_hours"].tolist() == list(range(1, 25))
    assert set(national["issue_time_utc"]) == {pd.Timestamp(T0 + 6 * HOUR)}
    assert current.loc[current["price_area"] == "DK1", "lead_hours"].tolist() == [1, 2]


def test_of_two_models_at_the_same_hour_the_later_trained_is_current(warehouse: Warehouse) -> None:
    trained = models(
        [
            {"model_version": "z-early", "trained_at_utc": T0},
            {"model_version": "a-late", "trained_at_utc": T0 + HOUR},
        ]
    )
    # One whose training nobody recorded comes last.
    issued = predictions([row for v in ("z-early", "a-late", "zz-unknown") for row in forecast(v, 6, 3)])
    with warehouse.open_transaction() as transaction:
        transaction.insert_missing(MODEL_TABLE, trained)
        transaction.insert_missing(PREDICTIONS, issued)
    assert (
        warehouse.read("SELECT model_version FROM current_forecast")["model_version"].tolist()
        == ["a-late"] * 3
    )


def test_freshness_tells_how_far_each_dataset_has_come(warehouse: Warehouse) -> None:
    fetches = [
        {"dataset": "day_ahead_prices", "fetched_at_utc": T0, "outcome": "ok"},
        {"dataset": "day_ahead_prices", "fetched_at_utc": T0 + HOUR, "outcome": "ok"},
        {"dataset": "day_ahead_prices", "fetched_at_utc": T0 + 2 * HOUR, "outcome": "RateLimited"},
        {"dataset": "forecasts_hour", "fetched_at_utc": T0, "outcome": "ServiceDown"},
    ]
    with warehouse.open_transaction() as transaction:
        transaction.upsert(PRICES, prices({T0: 1.0, T0 + DAY: 2.0}))
        transaction.insert_missing(NEW_DATA_LOG, filled(NEW_DATA_LOG, fetches))
    freshness = warehouse.read("SELECT * FROM dataset_freshness").set_index("dataset")
    assert set(freshness.index) == {
        "power_system_right_now",
        "co2_emission",
        "area_production",
        "forecasts_hour",
        "day_ahead_prices",
        "co2_emission_prognosis",
        "weather_forecast",
    }
    rows = freshness["row_count"].to_dict()
    newest = freshness["newest_utc"].dropna().to_dict()
    fetched = freshness["last_ok_fetch_utc"].dropna().to_dict()
    assert {name: n for name, n in rows.items() if n} == {"day_ahead_prices": 2}
    assert newest == {"day_ahead_prices": T0 + DAY}
    assert fetched == {"day_ahead_prices": T0 + HOUR}


def test_quantile_columns_are_named_by_their_level() -> None:
    assert dict(zip(QUANTILES, QUANTILE_COLUMNS, strict=True))[0.05] == "q05_g_per_kwh"
    assert len(set(QUANTILE_COLUMNS)) == len(QUANTILES)
