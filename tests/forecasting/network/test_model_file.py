"""Models on disk."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load, save

from co2_assets.contracts.forecast_spec import HORIZON_HOURS, QUANTILES
from co2_assets.forecasting.forecaster import ModelFileError
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue.forecast import issue_forecasts
from co2_assets.forecasting.network import model_file
from co2_assets.forecasting.network.model_file import load_model, save_model
from co2_assets.forecasting.network.trained_model import TrainedModel, sha256

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
    for own, other in zip(loaded.ensembles, model.ensembles, strict=True):
        assert own.layer.reach is other.layer.reach
        assert own.scaler.to_json() == other.scaler.to_json()
        assert len(own.networks) == len(other.networks)
        for network, trained in zip(own.networks, other.networks, strict=True):
            state, expected = network.state_dict(), trained.state_dict()
            assert list(state) == list(expected)
            assert all(torch.equal(state[name], expected[name]) for name in expected)
    np.testing.assert_array_equal(loaded.offsets, model.offsets)
    assert loaded.widening == model.widening
    assert loaded.standing_causes == model.standing_causes


def test_the_sidecar_says_what_the_model_is(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    sidecar = json.loads((tmp_path / f"{model.version}.DK.json").read_text())
    assert {
        "format",
        "architecture",
        "features",
        "scalers",
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


def rewritten(folder: Path, version: str, changes: dict[str, object], *, as_before: bool = True) -> None:
    """Change what a sidecar says; ``as_before``: one without a hash of itself, which has to be read."""
    path = folder / f"{version}.DK.json"
    content = json.loads(path.read_text()) | changes
    if as_before:
        del content["content_sha256"]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 99, "format 99"),
        ("features", ["past.something_else"], "feature list"),
        ("windows", {"past_hours": 48}, "windows"),
        ("config", {"hidden": 8}, "does not describe its weights"),
        ("config", {"ensemble": 1, "hidden": 8}, "not those of the networks far.0, far.1, near.0'"),
        (
            "config",
            {"ensemble": 2, "far_ensemble": 1, "hidden": 8},
            "not those of the networks far.0, near.0",
        ),
        ("config", {"ensemble": 2, "hidden": 8}, "does not describe its weights"),
        ("config", {"ensemble": 2, "hidden": 8, "far_hidden": "8"}, "far_hidden is '8'"),
        ("config", {"ensemble": 2, "hidden": "8"}, "hidden is '8'"),
        ("config", None, "does not describe its weights"),
        ("area", "SE3", "does not describe its weights"),
        ("area", ["DK"], "does not describe its weights"),
        ("area", "DK1", "does not describe its weights"),
        ("offsets", [[0.0]], "offsets"),
        ("offsets", [[0.0] * 7] * 24, r"offsets have the shape \(24, 7\), not \(72, 7\)"),
        ("offsets", [[None] * len(QUANTILES)] * HORIZON_HOURS, "offsets are not all numbers"),
        ("version", "another", "describes another"),
        ("version", 3, "version is 3"),
        ("seed", "3", "seed is '3'"),
        ("scalers", [], "does not describe its weights"),
        ("scalers", {"near": []}, "does not describe its weights"),
        ("scalers", {"near": {"past_center": [1.0]}}, "past_center have the shape"),
        ("widening", [1.5], "does not describe its weights"),
        ("widening", {"power_system_right_now": "wide"}, "does not describe its weights"),
        ("widening", {"power_system_right_now": 1.5}, "widening power_system_right_now have the shape"),
        ("widening", {"weather_forecast": [1.5, 2.0]}, r"have the shape \(2,\), not \(3,\)"),
        ("widening", {"weather_forecast": [1.5, 2.0, None]}, "are not all numbers"),
        ("widening", {"weather_forecast": [1.5, 0.5, 2.0]}, "below 1 would narrow the bands"),
        ("metrics", [], "does not describe its weights"),
        ("parts", [], "no part says"),
        ("parts", 7, "does not describe its weights"),
        ("parts", [{"split": "train"}], "does not describe its weights"),
        ("data_from_utc", 20240101, "does not describe its weights"),
        ("data_from_utc", "2024-01-01T00:00:00+01:00", "not in naive UTC"),
        ("training_curves", [[1.0]], "does not describe its weights"),
        ("trained_together", "DK", "does not describe its weights"),
        ("trained_together", [["DK"]], "does not describe its weights"),
        ("weights_sha256", 5, "is not the file that was trained"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused(
    model: TrainedModel, tmp_path: Path, key: str, value: object, message: str
):
    save_model(model, tmp_path)
    rewritten(tmp_path, model.version, {key: value})
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path, model.version)


@pytest.mark.parametrize("reach", ["near", "far"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scaler: scaler.pop("change_scale"), "does not describe its weights"),
        (lambda scaler: scaler["change_scale"].append(1.0), "change_scale have the shape"),
        (lambda scaler: scaler["future_center"].pop(), "future_center have the shape"),
        (lambda scaler: scaler["future_used"].pop(), "future_used have the shape"),
        (lambda scaler: scaler["past_scale"].pop(), "past_scale have the shape"),
        (lambda scaler: scaler["past_change_scale"].append(1.0), "past_change_scale have the shape"),
        (lambda scaler: scaler["future_scale"].__setitem__(3, 0.0), "what nothing can be divided by"),
        (lambda scaler: scaler["future_center"].__setitem__(3, None), "are not all numbers"),
        (lambda scaler: scaler.update(more=[1.0]), "does not describe its weights"),
    ],
)
def test_a_scaler_of_either_reach_that_does_not_fit_is_refused(
    model: TrainedModel,
    tmp_path: Path,
    reach: str,
    change: Callable[[dict[str, list[float]]], None],
    message: str,
):
    save_model(model, tmp_path)
    scalers = json.loads((tmp_path / f"{model.version}.DK.json").read_text())["scalers"]
    change(scalers[reach])
    rewritten(tmp_path, model.version, {"scalers": scalers})
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path, model.version)


@pytest.mark.parametrize("network", ["near.0.", "near.1.", "far.0.", "far.1."])
@pytest.mark.parametrize("damage", ["a tensor less", "a tensor more", "a shorter tensor", "no network"])
def test_weights_that_lack_a_part_of_a_network_are_refused(
    model: TrainedModel, tmp_path: Path, network: str, damage: str
):
    path = save_model(model, tmp_path)
    tensors = load(path.read_bytes())
    own = [name for name in tensors if name.startswith(network)]
    assert own
    if damage == "a tensor less":
        del tensors[own[0]]
    elif damage == "a tensor more":
        tensors[f"{network}other.weight"] = torch.zeros(1)
    elif damage == "a shorter tensor":
        tensors[own[0]] = tensors[own[0]][:-1].clone()
    else:
        tensors = {name: tensor for name, tensor in tensors.items() if name not in own}
    content = save(tensors)
    path.write_bytes(content)
    # As if they had been written together.
    rewritten(tmp_path, model.version, {"weights_sha256": sha256(content)})
    with pytest.raises(ModelFileError, match=r"does not describe its weights .*; train anew"):
        load_model(tmp_path, model.version)


def test_a_model_of_the_format_before_is_passed_over(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    rewritten(tmp_path, model.version, {"format": 2})
    with pytest.raises(ModelFileError, match="has format 2 and this program reads 3; train anew"):
        load_model(tmp_path, model.version)


def test_no_field_can_be_missing(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    path = tmp_path / f"{model.version}.DK.json"
    whole = json.loads(path.read_text())
    # What it says of itself for people to read.
    told = {"content_sha256", "architecture", "parameters"}
    for name in set(whole) - told:
        path.write_text(json.dumps({n: v for n, v in whole.items() if n not in (name, "content_sha256")}))
        with pytest.raises(ModelFileError):
            load_model(tmp_path, model.version)


def test_a_sidecar_that_was_changed_is_told_by_its_hash(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    # Another number of the same kind, which nothing else would tell.
    rewritten(tmp_path, model.version, {"widening": {"day_ahead_prices": 9.5}}, as_before=False)
    with pytest.raises(ModelFileError, match=r"\.DK\.json is not as it was written.*train anew"):
        load_model(tmp_path, model.version)


def test_a_sidecar_of_before_is_read_without_its_hash(model: TrainedModel, tmp_path: Path):
    save_model(model, tmp_path)
    rewritten(tmp_path, model.version, {})
    assert load_model(tmp_path, model.version).version == model.version


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b"\xff\x00\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[1]", "holds no JSON object"),
        (b"null", "holds no JSON object"),
        (b"{}", "format None"),
    ],
)
def test_a_broken_sidecar_is_refused(model: TrainedModel, tmp_path: Path, content: bytes, message: str):
    save_model(model, tmp_path)
    (tmp_path / f"{model.version}.DK.json").write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path, model.version)


@pytest.mark.parametrize("suffix", [".DK.json", ".safetensors"])
def test_a_file_that_cannot_be_read_is_refused(model: TrainedModel, tmp_path: Path, suffix: str):
    save_model(model, tmp_path)
    # Refused to root as well.
    (tmp_path / f"{model.version}{suffix}").unlink()
    (tmp_path / f"{model.version}{suffix}").mkdir()
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model(tmp_path, model.version)


def test_no_memory_for_a_model_is_a_model_that_cannot_be_used(
    model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_model(model, tmp_path)

    def full(_: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(model_file, "load", full)
    with pytest.raises(ModelFileError, match="no memory for model"):
        load_model(tmp_path, model.version)
