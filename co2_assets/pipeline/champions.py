"""The champion of each area, the training of a challenger, and the decision that promotes it."""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.schema import BEGINNING
from co2_assets.contracts.tables import MODEL_TABLE, MODEL_TRAINING_SETS, PROMOTED
from co2_assets.forecasting.forecaster import Model, ModelFileError, TooLittleDataError
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.score.comparison import Verdict, judge_together
from co2_assets.pipeline.forecast_inputs import read_areas, still_measured
from co2_assets.pipeline.progress import Progress
from co2_assets.pipeline.run import Run
from co2_assets.warehouse.views import NEWEST_CHAMPION_FIRST

logger = logging.getLogger(__name__)


def newest_promoted(run: Run, area_name: str) -> str | None:
    """Return the version of the last model promoted by the run's clock, whether it can be used or not."""
    versions = _promoted(run, area_name)
    return versions[0] if versions else None


def load_champion(run: Run, area_name: str) -> Model | None:
    """Return the last model promoted by the run's clock whose files can be used; None when there is none.

    A model that was trained later is not taken, because it knows later data. If the files of a champion are
    missing or damaged, a warning is logged and the champion before it is taken.
    """
    return next(_usable(run, area_name, _promoted(run, area_name)), None)


def champions_before(run: Run, champion: Model) -> Iterator[Model]:
    """Yield the models whose place ``champion`` took, newest first, each loaded when it is asked for.

    As in `load_champion`, those whose files cannot be used are passed over.
    """
    versions = _promoted(run, champion.area.name)
    older = versions[versions.index(champion.version) + 1 :] if champion.version in versions else []
    return _usable(run, champion.area.name, older)


def _usable(run: Run, area_name: str, versions: Iterable[str]) -> Iterator[Model]:
    for version in versions:
        try:
            yield run.forecaster.load(run.models, version, area_name)
        except ModelFileError as error:
            logger.warning("Champion %s cannot be used, taking the one before it: %s", version, error)


def load_champions(run: Run) -> dict[str, Model]:
    """Return `load_champion` of every area that has one."""
    found = {area_name: load_champion(run, area_name) for area_name in AREAS}
    return {area_name: model for area_name, model in found.items() if model is not None}


def _promoted(run: Run, area_name: str) -> list[str]:
    """Return the versions promoted by the run's clock, newest first."""
    rows = run.warehouse.read(
        "SELECT model_version FROM model_table WHERE price_area = ? AND decision = ? "
        f"AND trained_at_utc <= ? ORDER BY {NEWEST_CHAMPION_FIRST}",
        [area_name, PROMOTED, run.now],
    )
    return list(rows["model_version"])


def model_row(
    model: Model, verdict: Verdict, *, now: datetime, seconds: float, trigger: str, weights_file: str
) -> pd.DataFrame:
    """Return the model's row of `model_table`."""
    record = model.record
    return pd.DataFrame(
        [
            {
                "model_version": model.version,
                "price_area": model.area.name,
                "trained_at_utc": now,
                "architecture": model.architecture,
                "parameters": model.parameters,
                "seed": model.seed,
                "feature_list": json.dumps(model.feature_list),
                "data_from_utc": record.data_from,
                "data_to_utc": record.data_to,
                "validation_mae_g_per_kwh": record.metrics.get("validation_mae_g_per_kwh"),
                "test_mae_g_per_kwh": record.metrics.get("test_mae_g_per_kwh"),
                "test_persistence_mae_g_per_kwh": record.metrics.get("test_persistence_mae_g_per_kwh"),
                "training_seconds": round(seconds, 1),
                "training_curve": json.dumps(record.curves),
                "weights_file": weights_file,
                "weights_sha256": model.weights_sha256,
                "decision": verdict.decision,
                "reason": verdict.reason,
                "compared_with": verdict.compared_with,
                "compared_from_utc": verdict.compared_from,
                "compared_to_utc": verdict.compared_to,
                "challenger_mae_g_per_kwh": verdict.challenger_mae,
                "champion_mae_g_per_kwh": verdict.champion_mae,
                "trigger": trigger,
            }
        ]
    )


def training_set_rows(model: Model) -> pd.DataFrame:
    """Return the model's rows of `model_training_sets`."""
    return pd.DataFrame(
        [
            {
                "price_area": model.area.name,
                "model_version": model.version,
                "split": part.split,
                "from_utc": part.from_utc,
                "to_utc": part.to_utc,
                "windows": part.windows,
            }
            for part in model.record.parts
        ]
    )


@dataclass(frozen=True)
class Challenger:
    """Models that were trained together, one for each area, with the data they were trained on, by area."""

    models: Sequence[Model]
    data: Mapping[str, KnownData]
    until: datetime
    seconds: float

    @property
    def version(self) -> str:
        """The version that all of its models share."""
        return self.models[0].version


def train_challenger(
    run: Run,
    *,
    until: datetime,
    since: datetime = BEGINNING,
    sizes: Mapping[str, int] | None = None,
    seed: int | None = None,
    with_test: bool = True,
    progress: Progress = logger.info,
) -> Challenger:
    """Train one model of all areas on what was known at ``until`` of the hours from ``since`` on.

    Areas that are no longer measured are left out.

    ``sizes`` are those of the run's forecaster; ``seed`` is the run's unless given. Without ``with_test`` no
    part of the history is set aside for a test. ``progress`` gets a line from time to time. Nothing is
    stored. Raises TooLittleDataError where there is too little to learn from.
    """
    data = still_measured(read_areas(run.warehouse, since=since, until=until))
    if not data:
        raise TooLittleDataError(
            f"No hour from {since:%Y-%m-%d} to {until:%Y-%m-%d} UTC is held, so there is nothing to learn "
            "from: run the six-hour job first (`co2 tick`), or choose a longer window."
        )
    started = time.perf_counter()
    models = run.forecaster.train(
        list(data.values()),
        until=until,
        seed=run.seed if seed is None else seed,
        sizes=sizes or {},
        with_test=with_test,
        progress=progress,
    )
    return Challenger(models, data, until, time.perf_counter() - started)


def promote_if_better(
    run: Run, challenger: Challenger, champions: Mapping[str, Model], *, trigger: str
) -> dict[str, Verdict]:
    """Compare a challenger with the champions and record it with the verdict; return that by area.

    ``champions`` are by area. Where the training gave a champion again, bit by bit, nothing is recorded
    and the answer is empty.
    """
    if challenger.version in {champion.version for champion in champions.values()}:
        return {}
    verdicts = judge_together(challenger.models, champions, challenger.data, challenger.until)
    record_models(run, challenger, verdicts, trigger=trigger if champions else "first model")
    return verdicts


def record_models(run: Run, challenger: Challenger, verdicts: Mapping[str, Verdict], *, trigger: str) -> None:
    """Store the files and the rows of a challenger's models; ``verdicts`` are by area."""
    rows = [
        model_row(
            model,
            verdicts[model.area.name],
            now=run.now,
            seconds=challenger.seconds,
            trigger=trigger,
            weights_file=run.forecaster.save(model, run.models).name,
        )
        for model in challenger.models
    ]
    sets = [training_set_rows(model) for model in challenger.models]
    with run.warehouse.open_transaction() as transaction:
        transaction.insert_missing(MODEL_TABLE, pd.concat(rows, ignore_index=True))
        transaction.insert_missing(MODEL_TRAINING_SETS, pd.concat(sets, ignore_index=True))
