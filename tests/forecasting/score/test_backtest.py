"""Backtests and scores, on the small world and on the recorded one."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.forecast_spec import CO2, HORIZON_HOURS, MEASURED
from co2_assets.contracts.time import hour_of
from co2_assets.forecasting import metrics
from co2_assets.forecasting.inputs.baselines import persistence
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue.forecast import issue_forecasts
from co2_assets.forecasting.network.trained_model import TrainedModel
from co2_assets.forecasting.score.backtest import backtest, report
from co2_assets.forecasting.score.evaluation import LEAD_RANGES, score

START, END = datetime(2024, 4, 2), datetime(2024, 4, 8)
EVERY = timedelta(hours=6)


@pytest.fixture(scope="module")
def outcomes(model: TrainedModel, data: KnownData) -> pd.DataFrame:
    return backtest(model, data, START, END, EVERY)


def test_a_backtest_is_what_production_would_have_said(
    model: TrainedModel, data: KnownData, outcomes: pd.DataFrame
):
    issue = START + 7 * EVERY
    then = issue_forecasts(model, data.cut(issue), [issue])
    assert len(then) == HORIZON_HOURS
    rows = outcomes[outcomes["issue_time_utc"] == issue].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[list(then.columns)], then, check_exact=True)


def test_truth_is_joined_by_hour_and_ends_with_the_backtest(data: KnownData, outcomes: pd.DataFrame):
    known = data.aggregated.set_index("hour_utc")[CO2]
    in_time = outcomes["target_hour_utc"] < END
    expected = known.reindex(outcomes.loc[in_time, "target_hour_utc"]).to_numpy()
    np.testing.assert_array_equal(outcomes.loc[in_time, "actual_g_per_kwh"], expected)
    assert outcomes.loc[~in_time, "actual_g_per_kwh"].isna().all()
    assert outcomes["issue_time_utc"].nunique() == 24


def test_a_backtest_on_training_hours_is_refused(model: TrainedModel, data: KnownData):
    with pytest.raises(ValueError, match="on its own training"):
        backtest(model, data, datetime(2024, 3, 20), END)


def test_report_has_every_lead_and_the_headline(model: TrainedModel, outcomes: pd.DataFrame):
    content = json.loads(json.dumps(report(outcomes, model, EVERY), allow_nan=False))
    assert [entry["lead"] for entry in content["leads"]] == list(range(1, HORIZON_HOURS + 1))
    for entry in (*content["leads"], content["headline"]):
        for name in ("model", "persistence", "same_hour_yesterday", "energinet_prognosis"):
            assert {"mae", "mape", "rmse", "r2"} <= set(entry[name])
        assert {"pinball_loss", "coverage_80", "coverage_90", "skill_persistence"} <= set(entry["model"])
    assert (content["from"], content["to"]) == (START.isoformat(), END.isoformat())
    assert content["train_until"] == "2024-04-01T00:00:00"
    assert content["n_issues"] == 24
    rows = outcomes[outcomes["lead_hours"].between(1, 6)].dropna(subset=["actual_g_per_kwh"])
    assert content["headline"]["n"] == len(rows)
    error = np.abs(rows["q50_g_per_kwh"] - rows["actual_g_per_kwh"]).mean()
    assert content["headline"]["model"]["mae"] == pytest.approx(error)


def test_the_prognosis_is_compared_where_it_was_known(model: TrainedModel, data: KnownData):
    hours = data.prognosis["minute_utc"].dt.floor("h")
    sparse = replace(data, prognosis=data.prognosis[hours.dt.hour % 2 == 0])
    rows = backtest(model, sparse, START, END, EVERY)
    there = rows[(rows["lead_hours"] == 1)].dropna()
    entry = report(rows, model, EVERY)["leads"][0]
    assert entry["energinet_prognosis"]["n"] == len(there) == entry["n"]
    second = report(rows, model, EVERY)["leads"][1]
    assert second["energinet_prognosis"]["n"] == 0
    assert second["energinet_prognosis"]["mae"] is None


def test_score_by_lead_and_range_against_a_loop(outcomes: pd.DataFrame):
    table, records = score(outcomes), outcomes.to_dict("records")
    assert list(zip(table["lead_from_hours"], table["lead_to_hours"], strict=True)) == list(LEAD_RANGES)
    for row in table.to_dict("records"):
        errors, naive, inside = [], [], []
        for outcome in records:
            actual = outcome["actual_g_per_kwh"]
            if row["lead_from_hours"] <= outcome["lead_hours"] <= row["lead_to_hours"] and actual == actual:
                errors.append(abs(actual - outcome["q50_g_per_kwh"]))
                naive.append(abs(actual - outcome["persistence_g_per_kwh"]))
                inside.append(outcome["q10_g_per_kwh"] <= actual <= outcome["q90_g_per_kwh"])
        assert row["n_forecasts"] == len(errors)
        assert row["mae_g_per_kwh"] == pytest.approx(np.mean(errors))
        assert row["persistence_mae_g_per_kwh"] == pytest.approx(np.mean(naive))
        assert row["skill_persistence"] == pytest.approx(1 - np.mean(errors) / np.mean(naive))
        assert row["coverage_80_percent"] == pytest.approx(100 * np.mean(inside))
        assert row["accuracy_percent"] == pytest.approx(100 - row["mape_percent"])
        assert row["rmse_g_per_kwh"] ** 2 == pytest.approx(row["mse"])


def test_score_is_in_grams_once(outcomes: pd.DataFrame):
    # A forecast ten grams off everywhere scores ten grams: nothing is scaled back a second time.
    off = outcomes.assign(q50_g_per_kwh=outcomes["actual_g_per_kwh"] + 10)
    assert score(off)["mae_g_per_kwh"].to_numpy() == pytest.approx(10)
    assert score(off)["rmse_g_per_kwh"].to_numpy() == pytest.approx(10)


def test_scores_of_nothing_are_no_rows(outcomes: pd.DataFrame):
    assert score(outcomes.iloc[:0]).empty
    assert score(outcomes.assign(actual_g_per_kwh=np.nan)).empty


def test_persistence_on_the_recorded_half_year(archive: KnownData):
    # MAE by lead as measured with a plain script on the same hours.
    expected = {1: 11.6, 2: 18.6, 3: 24.1, 4: 28.3, 5: 31.2, 6: 33.3}
    issues = np.arange(hour_of(datetime(2024, 6, 1)), hour_of(datetime(2024, 11, 29)))
    last = persistence(archive, issues)
    truth = archive.measured_at(issues[:, None] + np.arange(HORIZON_HOURS))[..., MEASURED.index(CO2)]
    for lead, figure in expected.items():
        known = ~np.isnan(truth[:, lead - 1]) & ~np.isnan(last)
        assert metrics.mae(truth[known, lead - 1], last[known]) == pytest.approx(figure, rel=0.02)
