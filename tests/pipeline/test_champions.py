"""Which model forecasts: the better one on the same later hours, and one whose files are whole."""

import logging
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.contracts.tables import MODEL_TABLE
from co2_assets.forecasting.forecaster import Model
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.score import comparison
from co2_assets.forecasting.score.comparison import Verdict, judge, judge_together
from tests.support.pipeline_runs import HOUR, T0, folder, rows_of, simulated, warehouse
from tests.support.pipeline_runs import champion as champion_of

FITTED_UNTIL = T0 - timedelta(days=6)
# Between what a model was fitted to and what it is measured on.
GAP = timedelta(hours=HORIZON_HOURS)
TRUTH = 100.0


def model(version: str, error: float, fitted_until: datetime = FITTED_UNTIL) -> Model:
    """A model whose median is off by ``error`` for ever."""
    record = SimpleNamespace(fitted_until=fitted_until)
    return cast(Model, SimpleNamespace(version=version, error=error, record=record))


def data(until: datetime = T0) -> KnownData:
    hours = pd.date_range(T0 - timedelta(days=10), until, freq="h", inclusive="left")
    rows = pd.DataFrame({"hour_utc": hours, "co2_g_per_kwh": TRUTH})
    return cast(KnownData, SimpleNamespace(aggregated=rows))


@pytest.fixture(autouse=True)
def _forecasts_by_error(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake models forecast; real ones where a test asks for a home."""
    if {"home", "retrained_home"} & set(request.fixturenames):
        return

    def issue(model: Any, _data: KnownData, issue_times: list[datetime]) -> pd.DataFrame:
        assert min(issue_times) >= model.record.fitted_until, "scored on what it was fitted to"
        frame = pd.DataFrame({"issue_time_utc": np.repeat(issue_times, 24)})
        frame["lead_hours"] = np.tile(np.arange(1, 25), len(issue_times))
        frame["target_hour_utc"] = frame["issue_time_utc"] + pd.to_timedelta(frame["lead_hours"] - 1, "h")
        # Leads past the sixth are none of the comparison's business.
        wrong = np.where(frame["lead_hours"] <= 6, model.error, 0.0)
        return frame.assign(q50_g_per_kwh=TRUTH + wrong)

    monkeypatch.setattr(comparison, "issue_forecasts", issue)


def test_the_first_model_is_promoted() -> None:
    verdict = judge(model("new", 5), None, data(), T0)
    assert (verdict.promoted, verdict.decision) == (True, "promoted")
    assert verdict.reason == "There was no model before."


def test_the_better_challenger_is_promoted_with_both_errors() -> None:
    verdict = judge(model("new", 5), model("old", -8), data(), T0)
    assert verdict == Verdict(
        True,
        verdict.reason,
        compared_with="old",
        compared_from=FITTED_UNTIL + GAP,
        compared_to=T0,
        challenger_mae=5.0,
        champion_mae=8.0,
    )
    assert "5.00 g/kWh against the champion's 8.00" in verdict.reason


@pytest.mark.parametrize("error", [8.0, 9.0], ids=["draw", "worse"])
def test_a_challenger_that_is_not_better_is_rejected(error: float) -> None:
    verdict = judge(model("new", error), model("old", 8), data(), T0)
    assert (verdict.promoted, verdict.decision, verdict.compared_with) == (False, "rejected", "old")
    assert (verdict.challenger_mae, verdict.champion_mae) == (error, 8.0)


def test_both_are_measured_on_hours_later_than_what_either_was_fitted_to() -> None:
    later = T0 - GAP - timedelta(days=2)
    for challenger, champion in ((later, FITTED_UNTIL), (FITTED_UNTIL, later)):
        verdict = judge(model("new", 1, challenger), model("old", 2, champion), data(), T0)
        assert verdict.compared_from == later + GAP


def test_without_later_hours_the_champion_stays() -> None:
    for before in (timedelta(0), timedelta(days=1), GAP, GAP + timedelta(days=1.5)):
        fitted = T0 - before
        verdict = judge(model("new", 1, fitted), model("old", 50), data(), T0)
        assert not verdict.promoted
        assert "hours lie after what both models were fitted to" in verdict.reason
        assert verdict.compared_with == "old"
        assert verdict.challenger_mae is None


@pytest.mark.parametrize(("west", "promoted"), [(9.0, True), (12.0, False)])
def test_areas_that_learnt_together_are_promoted_together(west: float, promoted: bool) -> None:
    errors = {"DK": (8.0, 10.0), "DK1": (west, 10.0)}
    areas = {name: SimpleNamespace(name=name) for name in (*errors, "DK2")}

    def trained(version: str, error: float, area: str) -> Model:
        made = cast(SimpleNamespace, model(version, error))
        made.area = areas[area]
        return cast(Model, made)

    challengers = [trained("new", own, name) for name, (own, _) in errors.items()]
    champions = {name: trained("old", other, name) for name, (_, other) in errors.items()}
    challengers.append(trained("new", 1.0, "DK2"))
    verdicts = judge_together(challengers, champions, dict.fromkeys(areas, data()), T0)
    # 80 % and 90 % of the champion's error, or 80 % and 120 %, which is no gain.
    assert {name: verdict.promoted for name, verdict in verdicts.items()} == dict.fromkeys(areas, promoted)
    assert f"DK 80.0 %, DK1 {10 * west:.1f} %" in verdicts["DK"].reason


def test_hours_without_a_measurement_count_for_nobody() -> None:
    verdict = judge(model("new", 1), model("old", 2), data(until=FITTED_UNTIL + GAP + timedelta(days=1)), T0)
    assert not verdict.promoted
    assert "Only 24 hours" in verdict.reason


def test_a_retraining_is_recorded_whatever_comes_of_it(retrained_home: Path) -> None:
    settings = simulated(retrained_home, T0 + HOUR)
    rows = rows_of(settings, MODEL_TABLE.name).query("price_area == 'DK'").set_index("model_version")
    old, new = rows.sort_values("trained_at_utc").index
    row = rows.loc[new]
    assert (row["trigger"], row["seed"], row["compared_with"]) == ("accuracy fell", 2, old)
    better = row["challenger_mae_g_per_kwh"] < row["champion_mae_g_per_kwh"]
    assert row["decision"] == ("promoted" if better else "rejected")
    assert row["reason"].startswith("MAE of leads 1-6 was")
    assert (folder(settings).models / row["weights_file"]).exists()
    champion = champion_of(settings)
    assert champion is not None
    assert champion.version == (new if better else old)


def test_a_damaged_champion_gives_way_to_the_one_before(
    retrained_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = simulated(shutil.copytree(retrained_home, tmp_path / "home"), T0 + HOUR)
    rows = rows_of(settings, MODEL_TABLE.name)
    old = rows.sort_values("trained_at_utc")["model_version"].iloc[0]
    with warehouse(settings).open_transaction() as transaction:
        transaction.upsert(MODEL_TABLE, rows.assign(decision="promoted"))
    models = folder(settings).models
    champion = champion_of(settings)
    assert champion is not None
    assert champion.version != old
    weights = models / f"{champion.version}.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        fallback = champion_of(settings)
    assert fallback is not None
    assert fallback.version == old
    assert champion.version in caplog.text
    assert "cannot be used" in caplog.text

    (models / f"{old}.DK.json").unlink()
    assert champion_of(settings) is None


def test_a_model_trained_later_is_no_champion_yet(home: Path) -> None:
    settings = simulated(home)
    assert champion_of(settings) is not None
    assert champion_of(settings, now=T0 - timedelta(hours=1)) is None
    assert champion_of(settings, "DK9") is None
