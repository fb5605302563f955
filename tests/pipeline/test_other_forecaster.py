"""The model can be changed: the real assets with a forecaster of a few lines in place of the network."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS, Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, MEDIAN, NEAR_HOURS, QUANTILE_COLUMNS, QUANTILES
from co2_assets.contracts.tables import MODEL_EVALUATIONS, MODEL_TABLE, MODEL_TRAINING_SETS, PREDICTIONS
from co2_assets.contracts.time import hour_of, times_of
from co2_assets.defs.resources import PipelineResource
from co2_assets.forecasting.forecaster import (
    Forecaster,
    Model,
    ModelFileError,
    Progress,
    TooLittleDataError,
    TrainingRecord,
    TrainingSplit,
)
from co2_assets.forecasting.inputs.input_lists import Input, far_inputs, future_inputs
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.inputs.windows import REACH_BACK_HOURS, Windows, build_windows
from co2_assets.pipeline.backfill import score_the_past
from co2_assets.pipeline.run import open_run
from co2_assets.pipeline.run_backtest import BacktestError, run_backtest
from co2_assets.settings import Settings
from tests.support.pipeline_runs import HOUR, T0, failures, folder, rows_of, run, simulated, warehouse

INPUTS = (
    "day_before_change",
    "change_over_1h",
    "prognosis_g_per_kwh_change",
    "onshore_wind_forecast_mw_change",
)
# What is given of the days beyond the first instead.
FAR_INPUTS = ("level_over_24h_change", "level_over_168h_change", *INPUTS[2:])
# A challenger of six days later is compared on what is left of them after its horizon.
TEST_HOURS = 144
FIRST = "linear-20240601T0000-s1"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class LinearModel:
    """By lead: the change from the last value, a line in some inputs, and quantiles of its errors."""

    area: Area
    version: str
    seed: int
    weights: np.ndarray  # (HORIZON_HOURS, 1 + inputs)
    errors: np.ndarray  # (HORIZON_HOURS, quantiles)
    record: TrainingRecord

    architecture: ClassVar[str] = "one line for each lead"
    feature_list: ClassVar[list[str]] = [f"future.{name}" for name in INPUTS]
    widening: ClassVar[Mapping[str, tuple[float, ...]]] = {}
    offsets: ClassVar[np.ndarray] = np.zeros((HORIZON_HOURS, len(QUANTILES)))
    reach_back: ClassVar[timedelta] = timedelta(hours=REACH_BACK_HOURS)
    standing_causes: ClassVar[tuple[str, ...]] = ()

    @property
    def parameters(self) -> int:
        return self.weights.size

    @property
    def weights_sha256(self) -> str:
        return hashlib.sha256(self.weights.tobytes() + self.errors.tobytes()).hexdigest()

    def quantiles(self, windows: Windows, data: KnownData) -> np.ndarray:  # noqa: ARG002
        change = np.einsum("nhk,hk->nh", shown(self.area, windows), self.weights)
        result: np.ndarray = windows.last_value[:, None, None] + change[..., None] + self.errors
        return result


def shown(area: Area, windows: Windows) -> np.ndarray:
    """Inputs of each coming hour and a constant: (N, HORIZON_HOURS, 1 + inputs), 0 where unknown."""

    def chosen(values: np.ndarray, given: Sequence[Input], names: Sequence[str]) -> np.ndarray:
        every = [i.name for i in given]
        return values[..., [every.index(name) for name in names]]

    near = chosen(windows.future[:, :NEAR_HOURS], future_inputs(area), INPUTS)
    far = chosen(windows.far, far_inputs(area), FAR_INPUTS)
    known = np.nan_to_num(np.concatenate([near, far], axis=1).astype(np.float64))
    return np.concatenate([np.ones((*known.shape[:2], 1)), known], axis=-1)


class LinearForecaster:
    """Least squares for each lead; every area by itself."""

    def train(
        self,
        data: Sequence[KnownData],
        *,
        until: datetime,
        seed: int,
        sizes: Mapping[str, int],
        with_test: bool,
        progress: Progress,
    ) -> list[LinearModel]:
        if sizes:
            raise ValueError(f"a line has no {', '.join(sizes)}")
        models = [self._line(known.cut(until), until, seed, with_test) for known in data]
        progress(f"drew {len(models)} lines")
        return models

    def _line(self, known: KnownData, until: datetime, seed: int, with_test: bool) -> LinearModel:
        end = hour_of(until) - HORIZON_HOURS - (TEST_HOURS if with_test else 0)
        windows = build_windows(known, np.arange(known.first_hour + REACH_BACK_HOURS, end))
        if not len(windows):
            raise TooLittleDataError("not even one window")
        weights, errors = [], []
        for inputs, target in zip(
            shown(known.area, windows).swapaxes(0, 1),
            (windows.target - windows.last_value[:, None]).T,
            strict=True,
        ):
            there = ~np.isnan(target)
            weights.append(np.linalg.lstsq(inputs[there], target[there])[0])
            errors.append(np.quantile(target[there] - inputs[there] @ weights[-1], QUANTILES))
            errors[-1] -= errors[-1][MEDIAN]
        first, last = (times_of(windows.issue_hours)[n].to_pydatetime() for n in (0, -1))
        fitted_until = last + HORIZON_HOURS * HOUR
        parts = [TrainingSplit("train", first, fitted_until, len(windows))]
        if with_test:
            parts.append(TrainingSplit("test", fitted_until, until, TEST_HOURS - HORIZON_HOURS))
        return LinearModel(
            known.area,
            f"linear-{until:%Y%m%dT%H%M}-s{seed}",
            seed,
            np.array(weights),
            np.array(errors),
            TrainingRecord(first, until, tuple(parts), {}, ()),
        )

    def was_trained_with(self, model: Model, *, sizes: Mapping[str, int], with_test: bool) -> bool:
        return not sizes and with_test == any(part.split == "test" for part in model.record.parts)

    def save(self, model: Model, folder: Path) -> Path:
        assert isinstance(model, LinearModel)
        folder.mkdir(exist_ok=True)
        path = folder / f"{model.version}.{model.area.name}.json"
        said = {
            "seed": model.seed,
            "weights": model.weights.tolist(),
            "errors": model.errors.tolist(),
            "data": [model.record.data_from.isoformat(), model.record.data_to.isoformat()],
            "parts": [
                [part.split, part.from_utc.isoformat(), part.to_utc.isoformat(), part.windows]
                for part in model.record.parts
            ],
        }
        path.write_text(json.dumps(said))
        return path

    def load(self, folder: Path, version: str, area_name: str) -> LinearModel:
        try:
            said = json.loads((folder / f"{version}.{area_name}.json").read_text())
        except (OSError, ValueError) as error:
            raise ModelFileError(f"{version} cannot be read: {error}; train anew") from error
        instant = datetime.fromisoformat
        parts = [TrainingSplit(name, instant(a), instant(b), n) for name, a, b, n in said["parts"]]
        data_from, data_to = (instant(text) for text in said["data"])
        record = TrainingRecord(data_from, data_to, tuple(parts), {}, ())
        weights, errors = np.array(said["weights"]), np.array(said["errors"])
        return LinearModel(AREAS[area_name], version, said["seed"], weights, errors, record)


class LinearPipeline(PipelineResource):
    forecaster: ClassVar[Forecaster] = LinearForecaster()


def job(
    settings: Settings, *, assets: Sequence[str] | None = None, training: Mapping[str, object] | None = None
) -> None:
    """Run the six-hour job, or some of its assets, with lines in place of networks."""
    training = training or {"only_if_missing": True}
    result = run(settings, assets=assets, training=training, resource=LinearPipeline)
    assert result.success, failures(result)


@pytest.fixture(scope="module")
def linear_home(tmp_path_factory: pytest.TempPathFactory, first_home: Path) -> Path:
    """The home after two runs of the six-hour job with lines in place of networks."""
    home = shutil.copytree(first_home, tmp_path_factory.mktemp("linear") / "home")
    settings = simulated(home)
    # What the network's first run fetched and computed is the same, and all that it learnt goes.
    shutil.rmtree(folder(settings).models)
    with warehouse(settings).session() as connection:
        for table in (MODEL_TABLE, MODEL_TRAINING_SETS, PREDICTIONS, MODEL_EVALUATIONS):
            connection.execute(f"DELETE FROM {table.name}")
    job(settings, assets=["trained_model", "predictions", "model_evaluations"])
    job(simulated(home, T0 + 6 * HOUR))
    return home


def test_it_is_trained_promoted_and_recorded(linear_home: Path) -> None:
    settings = simulated(linear_home)
    models = rows_of(settings, "model_table").set_index("price_area")
    assert set(models.index) == set(AREAS)
    assert set(models["model_version"]) == {FIRST}
    assert set(models["decision"]) == {"promoted"}
    assert set(models["architecture"]) == {LinearModel.architecture}
    for area_name, row in models.iterrows():
        assert (folder(settings).models / row["weights_file"]).exists()
        model = LinearForecaster().load(folder(settings).models, row["model_version"], str(area_name))
        assert model.weights_sha256 == row["weights_sha256"]
        assert row["parameters"] == HORIZON_HOURS * (1 + len(INPUTS))


def test_it_forecasts_live_and_as_of_the_last_days(linear_home: Path) -> None:
    rows = rows_of(simulated(linear_home), "predictions")
    assert set(rows["model_version"]) == {FIRST}
    assert set(rows["degraded_causes"]) == {"[]"}
    live = rows.query("kind == 'live'")
    assert set(live.groupby(["price_area", "issue_time_utc"]).size()) == {HORIZON_HOURS}
    assert set(live["issue_time_utc"]) == {T0, T0 + 6 * HOUR}
    assert (rows["kind"] == "hindcast").any()
    quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_it_is_scored_and_better_than_nothing(linear_home: Path) -> None:
    scores = rows_of(simulated(linear_home), "model_evaluations")
    assert set(scores["kind"]) == {"live", "hindcast", "test"}
    headline = scores.query("kind == 'test' and lead_from_hours == 1 and lead_to_hours == 24")
    assert len(headline) == len(AREAS)
    assert (headline["skill_persistence"] > 0).all()


def later(home: Path, tmp_path: Path, as_of: datetime) -> Settings:
    """A copy of a home, to go on with at ``as_of``."""
    return simulated(shutil.copytree(home, tmp_path / "home"), as_of)


def test_a_challenger_is_compared_with_the_champion(linear_home: Path, tmp_path: Path) -> None:
    settings = later(linear_home, tmp_path, T0 + 6 * DAY)
    names = [*(dataset.name for dataset in DATASETS), "aggregated_data", "trained_model"]
    job(settings, assets=names, training={"trigger": "accuracy fell"})
    models = rows_of(settings, "model_table").query("trigger == 'accuracy fell'")
    assert set(models["model_version"]) == {"linear-20240607T0000-s1"}
    assert set(models["compared_with"]) == {FIRST}
    assert models["challenger_mae_g_per_kwh"].notna().all()


def test_it_scores_the_past_and_goes_on_where_it_was(
    linear_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = later(linear_home, tmp_path, T0 + 6 * HOUR)
    for _ in range(2):
        with open_run(settings, forecaster=LinearForecaster()) as opened, caplog.at_level(logging.INFO):
            scores = score_the_past(opened, days=5)
    assert set(scores) == set(AREAS)
    assert rows_of(settings, "model_table").query("trigger == 'backfill'")["model_version"].nunique() == 1
    assert "going on with linear-20240527T0000-s1" in caplog.text


def test_it_is_backtested(linear_home: Path, tmp_path: Path) -> None:
    settings = later(linear_home, tmp_path, T0 + 6 * HOUR)
    start = T0 - 3 * DAY
    made = partial(
        run_backtest,
        settings,
        start=start,
        end=T0,
        every_hours=6,
        progress=print,
        forecaster=LinearForecaster(),
    )
    report = made(train_until=start - DAY)
    assert report["model_version"] == "linear-20240528T0000-s1"
    assert report["headline"]["model"]["mae"] < report["headline"]["persistence"]["mae"]
    with pytest.raises(BacktestError, match="was fitted to hours until"):
        made(train_until=None, start=start - 9 * DAY)
