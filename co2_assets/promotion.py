"""Which model forecasts: the champion, and whether a challenger takes its place."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import CO2, HEADLINE_LEADS, HORIZON_HOURS, MEDIAN_COLUMN
from co2_assets.forecasting.forecast import issue_forecasts
from co2_assets.forecasting.known import KnownData
from co2_assets.forecasting.model import TrainedModel
from co2_assets.forecasting.model_file import ModelFileError, load_model
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.views import NEWEST_CHAMPION_FIRST

logger = logging.getLogger(__name__)

PROMOTED, REJECTED = "promoted", "rejected"
# Time between the issues that two models are compared on.
COMPARED_EVERY = timedelta(hours=3)
# Fewer hours than two days' say more about the weather than about the models.
LEAST_COMPARED_HOURS = 48


@dataclass(frozen=True)
class Verdict:
    """Whether a model was promoted, why, and what it was measured on (None for a first model)."""

    promoted: bool
    reason: str
    compared_with: str | None = None
    compared_from: datetime | None = None
    compared_to: datetime | None = None
    challenger_mae: float | None = None
    champion_mae: float | None = None

    @property
    def decision(self) -> str:
        return PROMOTED if self.promoted else REJECTED


def newest_promoted(warehouse: Warehouse, area: str, now: datetime) -> str | None:
    """Return the version of the last model promoted by ``now``, whether it can be used or not."""
    versions = _promoted(warehouse, area, now)
    return versions[0] if versions else None


def load_champion(warehouse: Warehouse, folder: Path, area: str, now: datetime) -> TrainedModel | None:
    """Return the last model promoted by ``now`` whose files can be used; None when there is none.

    A model trained later knows what came after ``now``. A champion with missing or damaged files is
    passed over for the one before it, with a warning.
    """
    return next(_usable(folder, area, _promoted(warehouse, area, now)), None)


def champions_before(
    warehouse: Warehouse, folder: Path, champion: TrainedModel, now: datetime
) -> Iterator[TrainedModel]:
    """Yield the models whose place ``champion`` took, newest first, each loaded when it is asked for.

    As in `load_champion`, those whose files cannot be used are passed over.
    """
    versions = _promoted(warehouse, champion.area.name, now)
    older = versions[versions.index(champion.version) + 1 :] if champion.version in versions else []
    return _usable(folder, champion.area.name, older)


def _usable(folder: Path, area: str, versions: Iterable[str]) -> Iterator[TrainedModel]:
    for version in versions:
        try:
            yield load_model(folder, version, area)
        except ModelFileError as error:
            logger.warning("Champion %s cannot be used, taking the one before it: %s", version, error)


def load_champions(warehouse: Warehouse, folder: Path, now: datetime) -> dict[str, TrainedModel]:
    """Return `load_champion` of every area that has one."""
    found = {name: load_champion(warehouse, folder, name, now) for name in AREAS}
    return {name: model for name, model in found.items() if model is not None}


def _promoted(warehouse: Warehouse, area: str, now: datetime) -> list[str]:
    """Return the versions promoted by ``now``, newest first."""
    rows = warehouse.read(
        "SELECT model_version FROM model_table WHERE price_area = ? AND decision = ? "
        f"AND trained_at_utc <= ? ORDER BY {NEWEST_CHAMPION_FIRST}",
        [area, PROMOTED, now],
    )
    return list(rows["model_version"])


def judge(challenger: TrainedModel, champion: TrainedModel | None, data: KnownData, now: datetime) -> Verdict:
    """Measure a challenger against the champion on hours later than what either was fitted to.

    Both forecast leads 1-6 every three hours from the end of their fitting to ``now``; the smaller
    mean absolute error of the median wins, a draw keeps the champion.
    """
    if champion is None:
        return Verdict(True, "There was no model before.")
    start = max(champion.record.fitted_until, challenger.record.fitted_until) + timedelta(hours=HORIZON_HOURS)
    issue_times = pd.date_range(pd.Timestamp(start).ceil("h"), now, freq=COMPARED_EVERY, inclusive="left")
    errors = _paired_errors(challenger, champion, data, list(issue_times))
    hours = errors.index.get_level_values("target_hour_utc").nunique() if len(errors) else 0
    if hours < LEAST_COMPARED_HOURS:
        return Verdict(
            False,
            f"Only {hours} hours lie after what both models were fitted to; a comparison needs "
            f"{LEAST_COMPARED_HOURS}.",
            compared_with=champion.version,
        )
    own, other = float(errors["challenger"].mean()), float(errors["champion"].mean())
    better = own < other
    return Verdict(
        better,
        f"MAE of leads 1-6 was {own:.2f} g/kWh against the champion's {other:.2f} over {hours} hours "
        "later than what either was fitted to.",
        compared_with=champion.version,
        compared_from=start,
        compared_to=now,
        challenger_mae=own,
        champion_mae=other,
    )


def judge_together(
    challengers: Sequence[TrainedModel],
    champions: Mapping[str, TrainedModel],
    data: Mapping[str, KnownData],
    now: datetime,
) -> dict[str, Verdict]:
    """Return a verdict for each area, all with one decision; ``champions`` and ``data`` are by area.

    The mean over areas of the challenger's error as a share of the champion's decides. An area that
    has no champion yet goes with the others.
    """
    verdicts = {
        model.area.name: judge(model, champions.get(model.area.name), data[model.area.name], now)
        for model in challengers
    }
    if len(verdicts) == 1 or not champions:
        return verdicts
    shares = {
        name: verdict.challenger_mae / verdict.champion_mae
        for name, verdict in verdicts.items()
        if verdict.challenger_mae is not None and verdict.champion_mae
    }
    better = bool(shares) and sum(shares.values()) / len(shares) < 1
    listed = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items()) or "none compared"
    return {
        name: replace(
            verdict, promoted=better, reason=f"{verdict.reason} Of the champion's error, by area: {listed}."
        )
        for name, verdict in verdicts.items()
    }


def _paired_errors(
    challenger: TrainedModel, champion: TrainedModel, data: KnownData, issue_times: list[datetime]
) -> pd.DataFrame:
    """Absolute errors of both models on the same issue and target hours of leads 1-6, g/kWh."""
    if not issue_times:
        return pd.DataFrame(columns=["challenger", "champion"])
    key = ["issue_time_utc", "target_hour_utc"]
    actual = data.aggregated.set_index("hour_utc")[CO2]
    columns = {}
    for name, model in (("challenger", challenger), ("champion", champion)):
        issued = issue_forecasts(model, data, issue_times)
        issued = issued[issued["lead_hours"].between(*HEADLINE_LEADS)]
        truth = issued["target_hour_utc"].map(actual).to_numpy()
        columns[name] = pd.Series(
            abs(issued[MEDIAN_COLUMN].to_numpy() - truth), index=pd.MultiIndex.from_frame(issued[key])
        )
    return pd.DataFrame(columns).dropna()


def model_row(
    model: TrainedModel, verdict: Verdict, *, now: datetime, seconds: float, trigger: str, weights_file: str
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


def training_set_rows(model: TrainedModel) -> pd.DataFrame:
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
