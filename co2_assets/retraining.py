"""When to train a new model: the rule, its brakes, and the sentence that explains it.

Retraining on a bad day is often no cure (persistence is bad on such days too), so the rule fires
once per evaluation, never beside another training and at most once a day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT

# Four six-hour forecasts of six hours each: fewer hours say more about the weather than the model.
MINIMUM_SCORED_HOURS = 24
AT_MOST_EVERY = timedelta(days=1)
# A model of the first weeks is trained anew once this many times more history is held.
HISTORY_GROWTH = 2.0
# Over a recorded year the rule with a training each month took 4.4 % off the first model's error
# (docs/accuracy.md): the newest weeks teach most.
TRAINED_EVERY = timedelta(days=30)
# What asks for a model that is to score the past and no more; also the kind of its forecasts.
BACKFILL = "backfill"
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
class Situation:
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


def decide(situation: Situation) -> Decision:
    """Apply the rule, with its brakes: accuracy under 65 % over at least 24 scored hours, or a model that
    no longer is what could be had (an area, twice the history or a month that it does not know)."""
    if situation.champion is None:
        return Decision(False, "There is no model yet; the next six-hour run trains the first.")
    reasons = (_area_added(situation), _history_grew(situation), _month_passed(situation))
    fresh = (reason for reason in reasons if reason is not None and reason.name not in situation.fired)
    wanted = next(fresh, None) or _accuracy_fell(situation)
    if not wanted.train:
        return wanted
    if situation.training_running:
        return Decision(False, f"A training is running already. {wanted.sentence}")
    if wanted.name in situation.fired:
        return Decision(False, f"Already retrained for this evaluation. {wanted.sentence}")
    # A request of the future was made under a clock since set back: it holds nothing back.
    if situation.last_fired_at is not None and (
        timedelta(0) <= situation.now - situation.last_fired_at < AT_MOST_EVERY
    ):
        return Decision(
            False,
            f"The last retraining was at {situation.last_fired_at:%Y-%m-%d %H:%M} UTC, less than a "
            f"day ago. {wanted.sentence}",
        )
    return wanted


def _area_added(situation: Situation) -> Decision | None:
    if not situation.areas_without_model:
        return None
    areas = ", ".join(situation.areas_without_model)
    return Decision(
        True,
        f"The champion does not know {areas}, measured by now.",
        trigger=AREA_ADDED,
        name=f"areas-{situation.champion}-{areas}",
    )


def _history_grew(situation: Situation) -> Decision | None:
    held, trained_on = situation.history, situation.learnt_history
    if not situation.history_complete or held is None or trained_on is None:
        return None
    if held < HISTORY_GROWTH * trained_on:
        return None
    return Decision(
        True,
        f"No model was trained on more than {trained_on.days} days of history and {held.days} are held now.",
        trigger=HISTORY_GREW,
        name=_daily("history", situation),
    )


def _month_passed(situation: Situation) -> Decision | None:
    trained = situation.last_trained_at
    if trained is None or situation.now - trained <= TRAINED_EVERY:
        return None
    return Decision(
        True,
        f"The newest model was trained at {trained:%Y-%m-%d %H:%M} UTC, over {TRAINED_EVERY.days} days ago.",
        trigger=MONTH_PASSED,
        name=_daily("month", situation),
    )


def _daily(reason: str, situation: Situation) -> str:
    """A name by the day, so that a training that failed or was cancelled is asked for again."""
    return f"{reason}-{situation.now:%Y-%m-%d}"


def _accuracy_fell(situation: Situation) -> Decision:
    score = situation.score
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
