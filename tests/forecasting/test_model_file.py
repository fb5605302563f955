"""Models on disk."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from co2_assets.forecasting.forecast import issue_forecasts
from co2_assets.forecasting.known import KnownData
from co2_assets.forecasting.model import TrainedModel
from co2_assets.forecasting.model_file import ModelFileError, load_model, save_model

ISSUE = datetime(2024, 4, 5, 6)


def test_a_saved_model_forecasts_the_same(model: TrainedModel, data: KnownData, tmp_path: Path):
    weights = save_model(model, tmp_path / "models")
    loaded = load_model(tmp_path / "models", model.version)
    assert weights.name == f"{model.version}.safetensors"
    pd.testing.assert_frame_equal(
        issue_forecasts(loaded, data, [ISSUE]), issue_forecasts(model, data, [ISSUE]), check_exact=True
    )
    assert loaded.record == model.record
    assert loaded.config == model.config
    assert loaded.scaler.to_json() == model.scaler.to_json()
    np.testing.assert_array_equal(loaded.offsets, model.offsets)


def test_the_sidecar_says_what_the_model_is(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    sidecar = json.loads((tmp_path / f"{model.version}.DK.json").read_text())
    assert {
        "format",
        "architecture",
        "features",
        "scaler",
        "windows",
        "seed",
        "data_from_utc",
        "data_to_utc",
        "parts",
        "metrics",
        "training_curves",
        "weights_sha256",
    } <= set(sidecar)
    assert sidecar["weights_sha256"] == model.weights_sha256
    assert sidecar["features"] == model.feature_list


def test_saving_twice_changes_nothing_and_leaves_no_temporary_files(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    save_model(model, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert sorted(before) == [f"{model.version}.DK.json", f"{model.version}.safetensors"]


def test_tampered_weights_are_refused(model: TrainedModel, tmp_path: Path):
    weights = save_model(model, tmp_path)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelFileError, match="is not the file that was trained"):
        load_model(tmp_path, model.version)


@pytest.mark.parametrize("suffix", [".DK.json", ".safetensors"])
def test_a_missing_file_is_named(model: TrainedModel, tmp_path: Path, suffix: str):
    save_model(model, tmp_path)
    (tmp_path / f"{model.version}{suffix}").unlink()
    with pytest.raises(ModelFileError, match=f"{suffix} is missing; restore it or train anew"):
        load_model(tmp_path, model.version)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 99, "format 99"),
        ("features", ["past.something_else"], "feature list"),
        ("windows", {"past_hours": 48}, "windows"),
        ("config", {"hidden": 8}, "does not describe its weights"),
        ("area", "SE3", "does not describe its weights"),
        ("offsets", [[0.0]], "offsets"),
        ("version", "another", "describes another"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused(
    model: TrainedModel, tmp_path: Path, key: str, value: object, message: str
):
    save_model(model, tmp_path)
    path = tmp_path / f"{model.version}.DK.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path, model.version)


def test_a_broken_sidecar_is_refused(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    (tmp_path / f"{model.version}.DK.json").write_text("{")
    with pytest.raises(ModelFileError, match="is not JSON"):
        load_model(tmp_path, model.version)
