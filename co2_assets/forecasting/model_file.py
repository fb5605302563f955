"""Models on disk: weights as safetensors, all else as JSON beside them, no pickle anywhere."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load

from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.forecasting.model import (
    Part,
    TrainedModel,
    TrainingConfig,
    TrainingRecord,
    sha256,
    weights_bytes,
)
from co2_assets.forecasting.network import AttentionLstm
from co2_assets.forecasting.scaling import InputLayer, Scaler
from co2_assets.forecasting.vocabulary import HORIZON_HOURS, QUANTILES
from co2_assets.forecasting.windows import PAST_HOURS, future_inputs, past_inputs

FORMAT: Final = 1
WEIGHTS_SUFFIX: Final = ".safetensors"
SIDECAR_SUFFIX: Final = ".json"


class ModelFileError(RuntimeError):
    """A model's files are missing, damaged or not of this program; the message names the remedy."""


def save_model(model: TrainedModel, folder: Path) -> Path:
    """Write ``model`` into ``folder`` (made if need be) and return the weights' path.

    Both files are written under temporary names and renamed, the sidecar last: a model without its
    sidecar was never finished. Areas trained together share the weights and have a sidecar each.
    Writing the same model again changes nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{model.version}{WEIGHTS_SUFFIX}"
    _write(weights, weights_bytes(model.networks))
    sidecar = json.dumps(_sidecar(model), indent=1, ensure_ascii=False, allow_nan=False)
    _write(_sidecar_path(folder, model.version, model.area.name), sidecar.encode())
    return weights


def version_of(path: Path) -> str:
    """Name of the model that a file of it belongs to."""
    return path.name.split(".")[0]


def _sidecar_path(folder: Path, version: str, area: str) -> Path:
    return folder / f"{version}.{area}{SIDECAR_SUFFIX}"


def load_model(folder: Path, version: str, area: str = DENMARK.name) -> TrainedModel:
    """Read the model ``version`` as it forecasts ``area``; ModelFileError when it cannot be trusted."""
    sidecar_path = _sidecar_path(folder, version, area)
    weights_path = folder / f"{version}{WEIGHTS_SUFFIX}"
    try:
        sidecar: dict[str, Any] = json.loads(sidecar_path.read_bytes())
        weights = weights_path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(
            f"model {version} is not complete: {error.filename} is missing; restore it or train anew"
        ) from error
    except ValueError as error:
        raise ModelFileError(f"{sidecar_path} is not JSON ({error}); restore it or train anew") from error
    if sidecar.get("format") != FORMAT:
        raise ModelFileError(
            f"{sidecar_path} has format {sidecar.get('format')!r} and this program reads {FORMAT}; train anew"
        )
    if sha256(weights) != sidecar.get("weights_sha256"):
        raise ModelFileError(
            f"{weights_path} is not the file that was trained: its SHA-256 is {sha256(weights)}, "
            f"not {sidecar.get('weights_sha256')}; restore it or train anew"
        )
    try:
        model = _model(sidecar, weights)
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelFileError(f"{sidecar_path} does not describe its weights ({error}); train anew") from error
    if model.version != version:
        raise ModelFileError(f"{sidecar_path} describes {model.version}; restore it or train anew")
    return model


def _sidecar(model: TrainedModel) -> dict[str, Any]:
    record = model.record
    return {
        "format": FORMAT,
        "version": model.version,
        "area": model.area.name,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "seed": model.seed,
        "config": asdict(model.config),
        "windows": {"past_hours": PAST_HOURS, "horizon_hours": HORIZON_HOURS, "quantiles": list(QUANTILES)},
        "features": model.feature_list,
        "scaler": model.scaler.to_json(),
        "offsets": model.offsets.tolist(),
        "widening": dict(model.widening),
        "data_from_utc": record.data_from.isoformat(),
        "data_to_utc": record.data_to.isoformat(),
        "parts": [
            {**asdict(part), "from_utc": part.from_utc.isoformat(), "to_utc": part.to_utc.isoformat()}
            for part in record.parts
        ],
        "metrics": dict(record.metrics),
        "training_curves": [[list(epoch) for epoch in curve] for curve in record.curves],
        "weights_sha256": model.weights_sha256,
        "trained_together": list(model.trained_together),
    }


def _model(sidecar: Mapping[str, Any], weights: bytes) -> TrainedModel:
    """Put the model together; KeyError, TypeError, ValueError or RuntimeError when it does not fit."""
    area = AREAS[sidecar["area"]]
    expected = [
        *(f"past.{i.name}" for i in past_inputs(area)),
        *(f"future.{i.name}" for i in future_inputs(area)),
    ]
    if sidecar["features"] != expected:
        raise ValueError("the feature list is not that of this program")
    windows = {"past_hours": PAST_HOURS, "horizon_hours": HORIZON_HOURS, "quantiles": list(QUANTILES)}
    if sidecar["windows"] != windows:
        raise ValueError("the windows are not those of this program")
    config = TrainingConfig(**sidecar["config"])
    scaler = Scaler.from_json(sidecar["scaler"])
    layer = InputLayer(area, scaler)
    together = tuple(sidecar["trained_together"])
    tensors = load(weights)
    networks = []
    for number in range(config.ensemble):
        network = AttentionLstm(
            layer.past_width, layer.future_width, config.hidden, config.dropout, len(together)
        )
        own = f"{number}."
        network.load_state_dict({n.removeprefix(own): t for n, t in tensors.items() if n.startswith(own)})
        networks.append(network.double().eval())
    parts = tuple(
        Part(
            part["split"],
            datetime.fromisoformat(part["from_utc"]),
            datetime.fromisoformat(part["to_utc"]),
            part["windows"],
        )
        for part in sidecar["parts"]
    )
    record = TrainingRecord(
        data_from=datetime.fromisoformat(sidecar["data_from_utc"]),
        data_to=datetime.fromisoformat(sidecar["data_to_utc"]),
        parts=parts,
        metrics=sidecar["metrics"],
        curves=tuple(tuple((a, b) for a, b in curve) for curve in sidecar["training_curves"]),
    )
    offsets = np.array(sidecar["offsets"], np.float64)
    if offsets.shape != (HORIZON_HOURS, len(QUANTILES)):
        raise ValueError(f"the offsets have the shape {offsets.shape}")
    return TrainedModel(
        version=sidecar["version"],
        area=area,
        config=config,
        seed=sidecar["seed"],
        scaler=scaler,
        networks=tuple(networks),
        offsets=offsets,
        widening=sidecar["widening"],
        record=record,
        weights_sha256=sidecar["weights_sha256"],
        trained_together=together,
    )


def _write(path: Path, content: bytes) -> None:
    """Write ``content`` so that ``path`` is either as before or complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
