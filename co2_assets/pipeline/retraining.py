"""The retraining rule: when to train a new model, its limits, and the sentence that explains a decision.

A new model often does not help on a bad day, because persistence is bad on such days too. So the rule
requests one training per evaluation, none while another training runs, and at most one a day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pandas as pd

from co2_assets.contracts.area_production import AREA_PRODUCTION
from co2_assets.contracts.areas import AVERAGED, DENMARK, MEASURED_WITHIN
from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT, HEADLINE_LEADS
from co2_assets.contracts.tables import FETCH_OK
from co2_assets.pipeline.fetch_plan import history_left
from co2_assets.pipeline.status import clock
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot
from co2_assets.warehouse.sql import interval

# Four forecasts, six hours of each: fewer hours tell more about the weather than about the model.
MINIMUM_SCORED_HOURS = 24
AT_MOST_EVERY = timedelta(days=1)
# A new model is trained once this many times as much history is stored as any model was trained on.
HISTORY_GROWTH = 2.0
# Over a recorded year, the rule with a training each month had a 4.4 % smaller error than the first model
# (docs/accuracy.md): a model learns most from the newest weeks.
TRAINED_EVERY = timedelta(days=30)


class Trigger(StrEnum):
    """What requested a training; stored with the model by its value."""

    ACCURACY_FELL = "accuracy fell"
    HISTORY_GREW = "history grew"
    AREA_ADDED = "area added"
    MONTH_PASSED = "month passed"
    REQUESTED = "asked for"  # by a person
    BACKFILL = "backfill"  # such a model only scores the past


RULE_TRIGGERS = (Trigger.ACCURACY_FELL, Trigger.HISTORY_GREW, Trigger.AREA_ADDED, Trigger.MONTH_PASSED)


@dataclass(frozen=True)
class Score:
    """The newest evaluation of the champion's live forecasts, leads 1-6."""

    evaluation_id: str
    n_hours: int
    accuracy_percent: float
    persistence_accuracy_percent: float


@dataclass(frozen=True)
class RetrainingInputs:
    """What the rule needs to know. Times are naive UTC; ``None`` means that there is no such thing yet.

    ``fired`` has the names of the earlier requests, ``last_fired_at`` the time of the newest one.
    ``learnt_history`` is the longest history that any model was trained on, ``history`` is what is stored
    now, and ``history_complete`` tells that nothing older is still to be fetched. ``last_trained_at`` is when
    the newest model was trained, promoted or not. ``areas_without_model`` are the names of the areas that
    are measured but have no champion. ``production_came_at`` is when older production of the price areas was
    fetched last.
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
    production_came_at: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """Whether to train, the reason in one sentence, what triggers it, and the name of the request."""

    train: bool
    sentence: str
    trigger: str = ""
    name: str = ""


def decide(inputs: RetrainingInputs) -> Decision:
    """Apply the retraining rule and its limits.

    It asks for a training if an area is measured that the champion does not know, if the stored history has
    grown to `HISTORY_GROWTH` times what any model was trained on, if older production of the price areas has
    come in since the newest training, if the newest model is older than
    `TRAINED_EVERY`, or if the accuracy is under the threshold over at least `MINIMUM_SCORED_HOURS` hours.
    """
    if inputs.champion is None:
        return Decision(False, "There is no model yet; the next six-hour run trains the first.")
    reasons = (_area_added(inputs), _history_grew(inputs), _production_came(inputs), _month_passed(inputs))
    fresh = (reason for reason in reasons if reason is not None and reason.name not in inputs.fired)
    wanted = next(fresh, None) or _accuracy_fell(inputs)
    if not wanted.train:
        return wanted
    if inputs.training_running:
        return Decision(False, f"A training is running already. {wanted.sentence}")
    if wanted.name in inputs.fired:
        return Decision(False, f"Already retrained for this evaluation. {wanted.sentence}")
    # A request with a time after now was made before the clock was set back: it does not count.
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
        f"The champion does not know {areas}, which is measured now.",
        trigger=Trigger.AREA_ADDED,
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
        f"No model was trained on more than {trained_on.days} days of history, and {held.days} are stored.",
        trigger=Trigger.HISTORY_GREW,
        name=_daily("history", inputs),
    )


def _production_came(inputs: RetrainingInputs) -> Decision | None:
    """A model that saw little or none of the areas' own production does not know what to make of it."""
    came, trained = inputs.production_came_at, inputs.last_trained_at
    if not inputs.history_complete or came is None or trained is None or came <= trained:
        return None
    return Decision(
        True,
        f"Older production of the price areas came in until {came:%Y-%m-%d %H:%M} UTC, after the newest "
        "model was trained.",
        trigger=Trigger.HISTORY_GREW,
        name=_daily("production", inputs),
    )


def _month_passed(inputs: RetrainingInputs) -> Decision | None:
    trained = inputs.last_trained_at
    if trained is None or inputs.now - trained <= TRAINED_EVERY:
        return None
    return Decision(
        True,
        f"The newest model was trained at {trained:%Y-%m-%d %H:%M} UTC, over {TRAINED_EVERY.days} days ago.",
        trigger=Trigger.MONTH_PASSED,
        name=_daily("month", inputs),
    )


def _daily(reason: str, inputs: RetrainingInputs) -> str:
    """Return a request name with the date, so that a failed or cancelled training is requested again."""
    return f"{reason}-{inputs.now:%Y-%m-%d}"


def _accuracy_fell(inputs: RetrainingInputs) -> Decision:
    score = inputs.score
    if score is None:
        return Decision(False, "No live forecast of the champion can be scored yet.")
    if score.n_hours < MINIMUM_SCORED_HOURS:
        return Decision(
            False,
            f"Only {score.n_hours} hours of live forecasts have a score; the rule needs "
            f"{MINIMUM_SCORED_HOURS}.",
        )
    comparison = f"persistence {score.persistence_accuracy_percent:.1f} %, {score.n_hours} hours"
    if score.accuracy_percent >= ACCURACY_THRESHOLD_PERCENT:
        return Decision(
            False,
            f"Accuracy is {score.accuracy_percent:.1f} %, not under {ACCURACY_THRESHOLD_PERCENT:g} % "
            f"({comparison}).",
        )
    return Decision(
        True,
        f"Accuracy fell to {score.accuracy_percent:.1f} %, under {ACCURACY_THRESHOLD_PERCENT:g} % "
        f"({comparison}).",
        trigger=Trigger.ACCURACY_FELL,
        name=score.evaluation_id,
    )


def read_retraining_inputs(
    snapshot: Snapshot, settings: Settings, *, now: datetime, training_running: bool, memory: dict[str, Any]
) -> RetrainingInputs:
    """Read the inputs of the retraining rule from the published tables.

    ``memory`` is the sensor's: ``fired_at`` and ``fired``, both optional, about earlier requests.
    """
    version = champion_version(snapshot)
    held = snapshots.query(
        snapshot,
        "SELECT min(hour_utc) AS first, max(hour_utc) AS last FROM aggregated_data WHERE price_area = ?",
        [DENMARK.name],
    ).iloc[0]
    trained = snapshots.query(
        snapshot,
        "SELECT max(trained_at_utc) AS at, max(data_to_utc - data_from_utc) AS history FROM model_table "
        "WHERE price_area = ? AND trigger <> ?",
        [DENMARK.name, Trigger.BACKFILL.value],
    ).iloc[0]
    without_model = snapshots.query(
        snapshot,
        f"""
        SELECT price_area FROM aggregated_data ANTI JOIN champions USING (price_area) GROUP BY price_area
        HAVING max(hour_utc) >= (SELECT max(hour_utc) FROM aggregated_data) - {interval(MEASURED_WITHIN)}
        ORDER BY ALL
        """,
    )
    # A fetch of the newest rows asks for a week at most.
    came = snapshots.query(
        snapshot,
        "SELECT max(fetched_at_utc) AS at FROM new_data_log WHERE dataset = ? AND outcome = ? "
        "AND rows_new > 0 AND window_to_utc < fetched_at_utc - INTERVAL 14 DAY",
        [AREA_PRODUCTION.name, FETCH_OK],
    )["at"].iloc[0]
    fired_at = memory.get("fired_at")
    return RetrainingInputs(
        now=now,
        champion=version,
        score=live_score(snapshot, version),
        training_running=training_running,
        last_fired_at=datetime.fromisoformat(fired_at) if fired_at else None,
        fired=frozenset(memory.get("fired", ())),
        learnt_history=None if pd.isna(trained["history"]) else trained["history"].to_pytimedelta(),
        history=(held["last"] - held["first"]).to_pytimedelta() if pd.notna(held["first"]) else None,
        history_complete=history_left(snapshot, settings, now, AVERAGED) == 0,
        last_trained_at=None if pd.isna(trained["at"]) else trained["at"].to_pydatetime(),
        areas_without_model=tuple(without_model["price_area"]),
        production_came_at=None if pd.isna(came) else came.to_pydatetime(),
    )


def champion_version(snapshot: Snapshot) -> str | None:
    """Return the version of the present champion of the whole country, or None."""
    champion = snapshots.query(
        snapshot,
        "SELECT model_version FROM champions WHERE price_area = ?",
        [DENMARK.name],
    )
    return str(champion["model_version"].iloc[0]) if len(champion) else None


def live_score(snapshot: Snapshot, version: str | None) -> Score | None:
    """Return the newest score of the live forecasts of a model, by which the rule goes; None without one."""
    rows = snapshots.query(
        snapshot,
        """
        SELECT evaluation_id, n_hours, accuracy_percent, persistence_accuracy_percent
        FROM model_evaluations
        WHERE price_area = ? AND kind = 'live' AND cadence = 'six_hour' AND model_version = ?
            AND lead_from_hours = ? AND lead_to_hours = ?
        ORDER BY window_to_utc DESC LIMIT 1
        """,
        [DENMARK.name, version, *HEADLINE_LEADS],
    )
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
    """Apply the retraining rule outside of the daemon, as `co2 train --if-needed` does.

    The sensor's memory is not available here. The time of the last request is read from the table of
    models: it is that of the last training that the rule triggered.
    """
    requested_at = snapshots.query(
        snapshot,
        "SELECT max(trained_at_utc) AS at FROM model_table WHERE trigger IN ?",
        [[t.value for t in RULE_TRIGGERS]],
    )["at"].iloc[0]
    memory = {} if pd.isna(requested_at) else {"fired_at": requested_at.isoformat()}
    return decide(
        read_retraining_inputs(
            snapshot, settings, now=clock(snapshot, settings), training_running=False, memory=memory
        )
    )
