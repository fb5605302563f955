"""A model that raises, or forecasts what cannot be: the one before it forecasts, then the rule."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, QUANTILE_COLUMNS
from co2_assets.contracts.tables import MODEL_TABLE
from co2_assets.forecasting.issue.fallback import CAUSE, VERSION
from co2_assets.forecasting.issue.forecast import NoForecastError, issue_forecasts
from co2_assets.forecasting.network.model_file import save_model
from co2_assets.forecasting.network.trained_model import TrainedModel
from co2_assets.pipeline import live_forecast as issuing
from co2_assets.pipeline.champions import load_champion
from co2_assets.pipeline.live_forecast import HIGHEST_G_PER_KWH, issue_live, read_for_issue
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from tests.support.resilience_runs import HOUR, T0, at, folder, rows, tick, warehouse

NOW = T0 + HOUR
NEWER = "DK-newer"

Spoil = Callable[[pd.DataFrame], pd.DataFrame]


def raising(error: Exception) -> Spoil:
    def spoil(_: pd.DataFrame) -> pd.DataFrame:
        raise error

    return spoil


def valued(value: float) -> Spoil:
    return lambda live: live.assign(**dict.fromkeys(QUANTILE_COLUMNS, value))


def spoilt(monkeypatch: pytest.MonkeyPatch, spoil: Spoil, versions: set[str]) -> None:
    """Let the forecasts of these models come out as ``spoil`` makes them."""

    def issue(model: TrainedModel, *args: object, **kwargs: object) -> pd.DataFrame:
        live = issue_forecasts(model, *args, **kwargs)  # type: ignore[arg-type]
        return spoil(live) if model.version in versions else live

    monkeypatch.setattr(issuing, "issue_forecasts", issue)


def promoted(home: Settings) -> list[str]:
    """Promote a copy of the champion under a name of its own; return the versions, newest first."""
    held = rows(home, MODEL_TABLE.name).query("price_area == 'DK'")
    (row,) = held.to_dict("records")
    with open_run(at(home, T0)) as pipeline:
        old = load_champion(pipeline, DENMARK.name)
    assert isinstance(old, TrainedModel)
    save_model(replace(old, version=NEWER), folder(home).models)
    newer = row | {"model_version": NEWER, "trained_at_utc": T0 + HOUR / 2}
    with warehouse(home).open_transaction() as transaction:
        transaction.upsert(MODEL_TABLE, pd.DataFrame([newer]))
    return [NEWER, old.version]


def issued(home: Settings) -> tuple[pd.DataFrame, list[str]]:
    """Issue a live forecast as a run does; return it and its causes."""
    with open_run(at(home, NOW)) as pipeline:
        champion = load_champion(pipeline, DENMARK.name)
        data = read_for_issue(pipeline, DENMARK, champion, NOW)
        live = issue_live(pipeline, champion, data, NOW)
    (causes,) = live["degraded_causes"].unique()
    assert len(live) == HORIZON_HOURS
    assert set(live["kind"]) == {"live"}
    return live, json.loads(causes)


SPOILT: list[tuple[Spoil, str]] = [
    (raising(MemoryError()), "MemoryError"),
    (
        raising(RuntimeError("mat1 and mat2\n  cannot be multiplied")),
        "mat1 and mat2 cannot be multiplied",
    ),
    (raising(KeyError("x" * 5000)), "KeyError: 'xxx"),
    (valued(np.nan), "it gives no numbers"),
    (valued(np.inf), "it gives no numbers"),
    (valued(HIGHEST_G_PER_KWH + 1), f"it gives {HIGHEST_G_PER_KWH + 1:.0f} to"),
    (valued(-5.0), "it gives -5 to"),
]


def test_the_model_before_forecasts_and_what_failed_is_named(
    home: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    newer, old = promoted(home)
    live, causes = issued(home)
    assert set(live["model_version"]) == {newer}
    assert not any("failed" in cause for cause in causes)

    for spoil, reason in SPOILT:
        caplog.clear()
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            spoilt(patch, spoil, {newer})
            live, causes = issued(home)
        assert set(live["model_version"]) == {old}, reason
        assert causes[0].startswith(f"model: {newer} failed (")
        assert reason in causes[0]
        assert len(causes[0]) < 300
        assert causes[1] == f"model: {newer} cannot be used, {old} forecasts in its place"
        (record,) = [record for record in caplog.records if "is passed over" in record.message]
        assert record.exc_info is not None


def test_when_all_models_fail_the_rule_forecasts_and_names_them(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, old = promoted(home)
    spoilt(monkeypatch, raising(MemoryError()), {newer, old})
    live, causes = issued(home)
    assert set(live["model_version"]) == {VERSION}
    assert causes[:3] == [
        f"model: {newer} failed (MemoryError)",
        f"model: {old} failed (MemoryError)",
        CAUSE,
    ]


def test_a_model_before_is_loaded_only_when_it_is_needed(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    _, old = promoted(home)
    (folder(home).models / f"{old}.DK.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        issued(home)
    assert old not in caplog.text


def test_where_nothing_was_measured_no_model_is_blamed(
    home: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    newer, _ = promoted(home)
    spoilt(monkeypatch, raising(NoForecastError("nothing was measured")), {newer})
    with pytest.raises(NoForecastError, match="nothing was measured"):
        issued(home)
    assert "passed over" not in caplog.text


def test_a_run_whose_model_fails_publishes_a_forecast(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = set(rows(home, MODEL_TABLE.name)["model_version"])
    spoilt(monkeypatch, raising(MemoryError()), versions)
    now = T0 + 6 * HOUR
    assert tick(at(home, now), assets=["predictions", "published_snapshot"])
    live = rows(home, "predictions").query("issue_time_utc == @now and kind == 'live'")
    assert set(live["model_version"]) == {VERSION}
    assert "failed (MemoryError)" in live["degraded_causes"].iloc[0]
