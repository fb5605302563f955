"""When to train a new model: the rule, its brakes, and the sentence that explains it.

Retraining on a bad day is often no cure (persistence is bad on such days too), so the rule fires
once per evaluation, never beside another training and at most once a day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from co2_assets.contracts.areas import DENMARK, MEASUREMENTS
from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT
from co2_assets.pipeline.fetch_plan import history_left
from co2_assets.pipeline.status import clock
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot

# Four six-hour forecasts of six hours each: fewer hours say more about the weather than the model.
MINIMUM_SCORED_HOURS = 24
AT_MOST_EVERY = timedelta(days=1)
# A model of the first weeks is trained anew once this many times more history is held.
HISTORY_GROWTH = 2.0
# Over a recorded year the rule with a training each month took 4.4 % off the first model's error
# (docs/accuracy.md): the newest weeks teach most.
TRAINED_EVERY = timedelta(days=30)
# What asks for a model that is to score the past and no more.
BACKFILL_TRIGGER = "backfill"
RULE_TRIGGERS = ("accuracy fell", "history grew", "area added", "month passed")
ACCURACY_FELL, HISTORY_GREW, AREA_ADDED, MONTH_PASSED = RULE_TRIGGERS


@dataclass(frozen=True)
class Score:
    """The newest evaluation of the champion's live forecasts, leads 1-6."""

    evaluation_id: str
    n_hours: int
    accuracy_percent: float
    persistence_accuracy_percent: float


@dataclass(frozen=True)
class RetrainingInputs:
    """What the rule looks at. Times are UTC; ``None`` where there is nothing yet.

    ``fired`` holds the names of the requests made before, ``last_fired_at`` the time of the newest.
    ``learnt_history`` is the most history that any model was trained on, ``history`` how much is
    held now; ``history_complete`` says that no more is on its way. ``last_trained_at`` is when the newest
    model was trained, promoted or not. ``areas_without_model`` are measured, but were not when the
    champion was trained.
    """

    now: datetime
    champion: str | None
    score: Score | None
    training_running: bool
    last_fired_at: datetime | None
    fired: frozenset[str]
    learnt_history: timedelta | None
    history: timedelta | None
    history_complete: bool
    last_trained_at: datetime | None = None
    areas_without_model: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Whether to train, why in one sentence, and what the request is named after."""

    train: bool
    sentence: str
    trigger: str = ""
    name: str = ""


def decide(inputs: RetrainingInputs) -> Decision:
    """Apply the rule, with its brakes: accuracy under 65 % over at least 24 scored hours, or a model that
    no longer is what could be had (an area, twice the history or a month that it does not know)."""
    if inputs.champion is None:
        return Decision(False, "There is no model yet; the next six-hour run trains the first.")
    reasons = (_area_added(inputs), _history_grew(inputs), _month_passed(inputs))
    fresh = (reason for reason in reasons if reason is not None and reason.name not in inputs.fired)
    wanted = next(fresh, None) or _accuracy_fell(inputs)
    if not wanted.train:
        return wanted
    if inputs.training_running:
        return Decision(False, f"A training is running already. {wanted.sentence}")
    if wanted.name in inputs.fired:
        return Decision(False, f"Already retrained for this evaluation. {wanted.sentence}")
    # A request of the future was made under a clock since set back: it holds nothing back.
    if inputs.last_fired_at is not None and (
        timedelta(0) <= inputs.now - inputs.last_fired_at < AT_MOST_EVERY
    ):
        return Decision(
            False,
            f"The last retraining was at {inputs.last_fired_at:%Y-%m-%d %H:%M} UTC, less than a "
            f"day ago. {wanted.sentence}",
        )
    return wanted


def _area_added(inputs: RetrainingInputs) -> Decision | None:
    if not inputs.areas_without_model:
        return None
    areas = ", ".join(inputs.areas_without_model)
    return Decision(
        True,
        f"The champion does not know {areas}, measured by now.",
        trigger=AREA_ADDED,
        name=f"areas-{inputs.champion}-{areas}",
    )


def _history_grew(inputs: RetrainingInputs) -> Decision | None:
    held, trained_on = inputs.history, inputs.learnt_history
    if not inputs.history_complete or held is None or trained_on is None:
        return None
    if held < HISTORY_GROWTH * trained_on:
        return None
    return Decision(
        True,
        f"No model was trained on more than {trained_on.days} days of history and {held.days} are held now.",
        trigger=HISTORY_GREW,
        name=_daily("history", inputs),
    )


def _month_passed(inputs: RetrainingInputs) -> Decision | None:
    trained = inputs.last_trained_at
    if trained is None or inputs.now - trained <= TRAINED_EVERY:
        return None
    return Decision(
        True,
        f"The newest model was trained at {trained:%Y-%m-%d %H:%M} UTC, over {TRAINED_EVERY.days} days ago.",
        trigger=MONTH_PASSED,
        name=_daily("month", inputs),
    )


def _daily(reason: str, inputs: RetrainingInputs) -> str:
    """A name by the day, so that a training that failed or was cancelled is asked for again."""
    return f"{reason}-{inputs.now:%Y-%m-%d}"


def _accuracy_fell(inputs: RetrainingInputs) -> Decision:
    score = inputs.score
    if score is None:
        return Decision(False, "No live forecast of the champion has come true yet.")
    if score.n_hours < MINIMUM_SCORED_HOURS:
        return Decision(
            False,
            f"Only {score.n_hours} hours of live forecasts are scored; the rule needs "
            f"{MINIMUM_SCORED_HOURS}.",
        )
    beside = f"persistence {score.persistence_accuracy_percent:.1f} %, {score.n_hours} hours"
    if score.accuracy_percent >= ACCURACY_THRESHOLD_PERCENT:
        return Decision(
            False,
            f"Accuracy is {score.accuracy_percent:.1f} %, not under {ACCURACY_THRESHOLD_PERCENT:g} % "
            f"({beside}).",
        )
    return Decision(
        True,
        f"Accuracy fell to {score.accuracy_percent:.1f} %, under {ACCURACY_THRESHOLD_PERCENT:g} % "
        f"({beside}).",
        trigger=ACCURACY_FELL,
        name=score.evaluation_id,
    )


def read_retraining_inputs(
    snapshot: Snapshot, settings: Settings, *, now: datetime, training_running: bool, memory: dict[str, Any]
) -> RetrainingInputs:
    """Gather from the published tables and the sensor's memory what the retraining rule looks at."""
    champion = snapshots.query(
        snapshot,
        "SELECT model_version FROM champions WHERE price_area = ?",
        [DENMARK.name],
    )
    held = snapshots.query(
        snapshot,
        "SELECT min(hour_utc) AS first, max(hour_utc) AS last FROM aggregated_data WHERE price_area = ?",
        [DENMARK.name],
    ).iloc[0]
    version = champion["model_version"].iloc[0] if len(champion) else None
    scores = snapshots.query(
        snapshot,
        """
        SELECT evaluation_id, n_hours, accuracy_percent, persistence_accuracy_percent
        FROM model_evaluations
        WHERE price_area = ? AND kind = 'live' AND model_version = ?
            AND lead_from_hours = 1 AND lead_to_hours = 6
        ORDER BY window_to_utc DESC LIMIT 1
        """,
        [DENMARK.name, version],
    )
    trained = snapshots.query(
        snapshot,
        "SELECT max(trained_at_utc) AS at, max(data_to_utc - data_from_utc) AS history FROM model_table "
        "WHERE price_area = ? AND trigger <> ?",
        [DENMARK.name, BACKFILL_TRIGGER],
    ).iloc[0]
    without_model = snapshots.query(
        snapshot,
        "SELECT DISTINCT price_area FROM aggregated_data ANTI JOIN champions USING (price_area) ORDER BY ALL",
    )
    fired_at = memory.get("fired_at")
    return RetrainingInputs(
        now=now,
        champion=version,
        score=_score(scores),
        training_running=training_running,
        last_fired_at=datetime.fromisoformat(fired_at) if fired_at else None,
        fired=frozenset(memory.get("fired", ())),
        learnt_history=None if pd.isna(trained["history"]) else trained["history"].to_pytimedelta(),
        history=(held["last"] - held["first"]).to_pytimedelta() if pd.notna(held["first"]) else None,
        history_complete=history_left(snapshot, settings, now, MEASUREMENTS) == 0,
        last_trained_at=None if pd.isna(trained["at"]) else trained["at"].to_pydatetime(),
        areas_without_model=tuple(without_model["price_area"]),
    )


def _score(rows: pd.DataFrame) -> Score | None:
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Score(
        evaluation_id=row["evaluation_id"],
        n_hours=int(row["n_hours"]),
        accuracy_percent=float(row["accuracy_percent"]),
        persistence_accuracy_percent=float(row["persistence_accuracy_percent"]),
    )


def decide_now(settings: Settings, snapshot: Snapshot) -> Decision:
    """Apply the retraining rule outside the daemon, as `co2 train --if-needed` does.

    In place of the sensor's memory stands the table of models: the last one trained by the rule.
    """
    asked = snapshots.query(
        snapshot, "SELECT max(trained_at_utc) AS at FROM model_table WHERE trigger IN ?", [RULE_TRIGGERS]
    )["at"].iloc[0]
    memory = {} if asked is None or asked != asked else {"fired_at": asked.isoformat()}
    return decide(
        read_retraining_inputs(
            snapshot, settings, now=clock(snapshot, settings), training_running=False, memory=memory
        )
    )
