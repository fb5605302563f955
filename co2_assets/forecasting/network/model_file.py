"""Models on disk: weights as safetensors, all else as JSON beside them, no pickle anywhere."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load

from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_assets.contracts.forecast_spec import DAYS_AHEAD, HORIZON_HOURS, QUANTILES
from co2_assets.forecasting.forecaster import ModelFileError, TrainingRecord, TrainingSplit
from co2_assets.forecasting.inputs.input_lists import past_inputs
from co2_assets.forecasting.inputs.windows import PAST_HOURS
from co2_assets.forecasting.network.scaling import FAR, NEAR, REACHES, InputLayer, Reach, Scaler
from co2_assets.forecasting.network.trained_model import (
    Ensemble,
    Network,
    TrainedModel,
    TrainingConfig,
    feature_list,
    sha256,
    weights_bytes,
)

FORMAT: Final = 3
WEIGHTS_SUFFIX: Final = ".safetensors"
SIDECAR_SUFFIX: Final = ".json"
# Within the sidecar, so that one rename puts both in place.
_OWN_HASH: Final = "content_sha256"


T = TypeVar("T")


def save_model(model: TrainedModel, folder: Path) -> Path:
    """Write ``model`` into ``folder`` (made if need be) and return the weights' path.

    Both files are written under temporary names and renamed, the sidecar last: a model without its
    sidecar was never finished. Areas trained together share the weights and have a sidecar each.
    Writing the same model again changes nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{model.version}{WEIGHTS_SUFFIX}"
    _write(weights, weights_bytes(_networks(model)))
    sidecar = json.dumps(_sidecar(model), indent=1, ensure_ascii=False, allow_nan=False)
    _write(_sidecar_path(folder, model.version, model.area.name), sidecar.encode())
    return weights


def _networks(model: TrainedModel) -> dict[str, tuple[Network, ...]]:
    return {ensemble.layer.reach.name: ensemble.networks for ensemble in model.ensembles}


def _sidecar_path(folder: Path, version: str, area_name: str) -> Path:
    return folder / f"{version}.{area_name}{SIDECAR_SUFFIX}"


def load_model(folder: Path, version: str, area_name: str = DENMARK.name) -> TrainedModel:
    """Read the model ``version`` as it forecasts an area; ModelFileError when it cannot be trusted."""
    sidecar_path = _sidecar_path(folder, version, area_name)
    weights_path = folder / f"{version}{WEIGHTS_SUFFIX}"
    try:
        content = sidecar_path.read_bytes()
        weights = weights_path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(
            f"model {version} is not complete: {error.filename} is missing; restore it or train anew"
        ) from error
    except OSError as error:
        raise ModelFileError(
            f"model {version} cannot be read: {error}; see to the disk and to who may read it, or train anew"
        ) from error
    sidecar = _parsed(content, sidecar_path)
    if sha256(weights) != sidecar.get("weights_sha256"):
        raise ModelFileError(
            f"{weights_path} is not the file that was trained: its SHA-256 is {sha256(weights)}, "
            f"not {sidecar.get('weights_sha256')}; restore it or train anew"
        )
    try:
        model = _model(sidecar, weights)
    except MemoryError as error:
        raise ModelFileError(f"there is no memory for model {version}: make some, or train anew") from error
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        SafetensorError,
    ) as error:
        raise ModelFileError(
            f"{sidecar_path} does not describe its weights ({error!r}); train anew"
        ) from error
    if model.version != version or model.area.name != area_name:
        raise ModelFileError(
            f"{sidecar_path} describes {model.version} of {model.area.name}; restore it or train anew"
        )
    return model


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    """Return what a sidecar says; ModelFileError when it is none of ours or not as it was written."""
    try:
        sidecar = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is not JSON ({error}); restore it or train anew") from error
    if not isinstance(sidecar, dict):
        raise ModelFileError(f"{path} holds no JSON object; restore it or train anew")
    if sidecar.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} has format {sidecar.get('format')!r} and this program reads {FORMAT}; train anew"
        )
    # Sidecars that earlier versions wrote have no such hash.
    if _OWN_HASH in sidecar and sidecar[_OWN_HASH] != _content_sha256(sidecar):
        raise ModelFileError(
            f"{path} is not as it was written: its content does not have the SHA-256 that it names; "
            "restore it or train anew"
        )
    return sidecar


def _content_sha256(sidecar: Mapping[str, Any]) -> str:
    """SHA-256 of the content of a sidecar without this hash; its layout does not matter."""
    said = {name: value for name, value in sidecar.items() if name != _OWN_HASH}
    return sha256(json.dumps(said, sort_keys=True).encode())


def _sidecar(model: TrainedModel) -> dict[str, Any]:
    record = model.record
    said = {
        "format": FORMAT,
        "version": model.version,
        "area": model.area.name,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "seed": model.seed,
        "config": asdict(model.config),
        "windows": {"past_hours": PAST_HOURS, "horizon_hours": HORIZON_HOURS, "quantiles": list(QUANTILES)},
        "features": model.feature_list,
        "scalers": {ensemble.layer.reach.name: ensemble.scaler.to_json() for ensemble in model.ensembles},
        "offsets": model.offsets.tolist(),
        "widening": {feed: list(factors) for feed, factors in model.widening.items()},
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
    # Hashed as they are read again: JSON has lists instead of tuples.
    return {**said, _OWN_HASH: _content_sha256(json.loads(json.dumps(said)))}


def _model(sidecar: Mapping[str, Any], weights: bytes) -> TrainedModel:
    """Put the model together; LookupError, TypeError, ValueError or RuntimeError when it does not fit."""
    area = AREAS[sidecar["area"]]
    if sidecar["features"] != feature_list(area):
        raise ValueError("the feature list is not that of this program")
    windows = {"past_hours": PAST_HOURS, "horizon_hours": HORIZON_HOURS, "quantiles": list(QUANTILES)}
    if sidecar["windows"] != windows:
        raise ValueError("the windows are not those of this program")
    config = _config(sidecar["config"])
    together = tuple(
        _a(str, name, "trained_together") for name in _a(list, sidecar["trained_together"], "it")
    )
    tensors = load(weights)
    expected = {f"{reach.name}.{n}" for reach in REACHES for n in range(config.networks_of(reach))}
    if {".".join(name.split(".")[:2]) for name in tensors} != expected:
        raise ValueError(f"the weights are not those of the networks {', '.join(sorted(expected))}")
    ensembles = {}
    for reach in REACHES:
        scaler = _scaler(sidecar["scalers"][reach.name], area, reach)
        layer = InputLayer(area, scaler, reach, together.index(area.name))
        networks = []
        for number in range(config.networks_of(reach)):
            network = config.network(layer, len(together))
            own = f"{reach.name}.{number}."
            network.load_state_dict({n.removeprefix(own): t for n, t in tensors.items() if n.startswith(own)})
            networks.append(network.double().eval())
        ensembles[reach.name] = Ensemble(layer, tuple(networks))
    return TrainedModel(
        version=_a(str, sidecar["version"], "version"),
        area=area,
        config=config,
        seed=_a(int, sidecar["seed"], "seed"),
        near=ensembles[NEAR.name],
        far=ensembles[FAR.name],
        offsets=_array(sidecar["offsets"], (HORIZON_HOURS, len(QUANTILES)), "offsets"),
        widening=_widening(sidecar["widening"]),
        record=_record(sidecar),
        weights_sha256=sidecar["weights_sha256"],
        trained_together=together,
    )


def _widening(said: Any) -> dict[str, tuple[float, ...]]:
    factors = {
        feed: tuple(_array(days, (len(DAYS_AHEAD),), f"widening {feed}").tolist())
        for feed, days in _a(dict, said, "widening").items()
    }
    if any(factor < 1 for days in factors.values() for factor in days):
        raise ValueError("a widening below 1 would narrow the bands")
    return factors


def _config(said: Any) -> TrainingConfig:
    config = TrainingConfig(**said)
    for field in fields(TrainingConfig):
        _a(type(field.default), getattr(config, field.name), field.name)
    return config


def _scaler(said: Any, area: Area, reach: Reach) -> Scaler:
    widths = {
        "past": (len(past_inputs(area)),),
        "future": (len(reach.inputs(area)),),
        "change": (reach.hours,),
    }
    for name, values in _a(dict, said, "scaler").items():
        width = (1,) if name == "past_change_scale" else widths[name.partition("_")[0]]
        array = _array(values, width, name)
        if name.endswith("_scale") and not (array > 0).all():
            raise ValueError(f"{name} holds what nothing can be divided by")
    return Scaler.from_json(said)


def _record(sidecar: Mapping[str, Any]) -> TrainingRecord:
    parts = tuple(
        TrainingSplit(
            _a(str, part["split"], "split"),
            _instant(part["from_utc"]),
            _instant(part["to_utc"]),
            _a(int, part["windows"], "windows"),
        )
        for part in sidecar["parts"]
    )
    if all(part.split == "test" for part in parts):
        raise ValueError("no part says what the weights were fitted to")
    return TrainingRecord(
        data_from=_instant(sidecar["data_from_utc"]),
        data_to=_instant(sidecar["data_to_utc"]),
        parts=parts,
        metrics=_numbers(sidecar["metrics"], "metrics"),
        curves=tuple(
            tuple((_a(float, a, "a loss"), _a(float, b, "a loss")) for a, b in curve)
            for curve in sidecar["training_curves"]
        ),
    )


def _a(kind: type[T], value: Any, what: str) -> T:
    """Return ``value``, which JSON must have given as ``kind``; a whole number may stand for a float."""
    if isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool):
        return cast(T, value)
    raise TypeError(f"{what} is {value!r}, not of type {kind.__name__}")


def _numbers(said: Any, what: str) -> dict[str, float]:
    return {name: _a(float, value, f"{what} {name}") for name, value in _a(dict, said, what).items()}


def _instant(said: Any) -> datetime:
    instant = datetime.fromisoformat(said)
    if instant.tzinfo is not None:
        raise ValueError(f"{said} is not in naive UTC")
    return instant


def _array(said: Any, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    array = np.array(said, np.float64)
    if array.shape != shape:
        raise ValueError(f"the {what} have the shape {array.shape}, not {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"the {what} are not all numbers")
    return array


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
