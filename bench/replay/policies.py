"""The policies: who is trained when, who forecasts, as known at each tick."""

import math
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from bench.accuracy.recording import Say
from bench.replay.differences import Difference, compared
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import HEADLINE_LEADS, MARK
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.network.model_file import WEIGHTS_SUFFIX, load_model, save_model
from co2_assets.forecasting.network.trained_model import TrainedModel, TrainingConfig
from co2_assets.forecasting.network.training import train
from co2_assets.forecasting.score.backtest import backtest
from co2_assets.forecasting.score.comparison import judge
from co2_assets.forecasting.score.evaluation import score
from co2_assets.pipeline.evaluation import SCORED_DAYS
from co2_assets.pipeline.retraining import Decision, RetrainingInputs, Score, decide
from co2_assets.settings import Settings

# A promotion is judged by the month that follows it.
FOLLOWING = timedelta(days=30)
FIRST, RULE, CALENDAR = "the first model for ever", "the service's rule", "a training every {days:g} days"


@dataclass(frozen=True)
class Challenge:
    """One training after the first: who asked, what the judge said, what the following days said."""

    at: datetime
    trigger: str
    champion: str
    challenger: str
    promoted: bool
    reason: str
    judged_mae: float | None
    judged_champion_mae: float | None
    following: Difference


@dataclass
class Policy:
    """What one policy did. ``reigns`` are (first issue time, model), in order."""

    name: str
    reigns: list[tuple[datetime, TrainedModel]]
    challenges: list[Challenge] = field(default_factory=list)


@dataclass(frozen=True)
class Check:
    """What the rule saw at one tick: accuracy and persistence's, %, and why it (did not) ask."""

    at: datetime
    score: Score | None
    decision: Decision


class Replay:
    """The recorded data with the models trained on them and their forecasts, each made once.

    ``kept`` is a folder that trainings are kept in and taken from. ``end`` closes the replay; forecasts
    go on for `FOLLOWING`, or as far as the recording does.
    """

    def __init__(
        self, data: KnownData, start: datetime, end: datetime, *, ensemble: int, kept: Path | None, say: Say
    ) -> None:
        self.data, self.start, self.end = data, start, end
        measured_until = data.aggregated["hour_utc"].max().to_pydatetime() + timedelta(hours=1)
        self.last = min(end + FOLLOWING, measured_until)
        self.config = TrainingConfig(ensemble=ensemble)
        self.seed = Settings().seed
        self.say = say
        self.training_seconds: list[float] = []
        self._kept = kept
        self._models: dict[datetime, TrainedModel] = {}
        self._outcomes: dict[str, pd.DataFrame] = {}

    def trained_at(self, until: datetime) -> TrainedModel:
        """The model trained on what was knowable at ``until``."""
        if until not in self._models:
            self._models[until] = self._taken_from_kept(until) or self._trained(until)
        return self._models[until]

    def _taken_from_kept(self, until: datetime) -> TrainedModel | None:
        if self._kept is None:
            return None
        name = f"{DENMARK.name}-{until:%Y%m%dT%H%MZ}-s{self.seed}-*{WEIGHTS_SUFFIX}"
        models = (load_model(self._kept, path.stem) for path in sorted(self._kept.glob(name)))
        return next((model for model in models if model.config == self.config), None)

    def _trained(self, until: datetime) -> TrainedModel:
        self.say(f"training on what was known at {until:%Y-%m-%d %H:%M}")
        started = time.process_time()
        model = train(self.data, until=until, seed=self.seed, config=self.config)
        self.training_seconds.append(time.process_time() - started)
        if self._kept is not None:
            save_model(model, self._kept)
        return model

    def outcomes(self, model: TrainedModel) -> pd.DataFrame:
        """Forecasts of ``model`` from every mark after its training on, leads 1-6, as in production.

        Issued in one batch: each uses only what was knowable at its own issue time. Columns of
        `backtest`, which are those of the view `prediction_outcomes` that a score needs.
        """
        if model.version not in self._outcomes:
            issued = backtest(model, self.data, model.record.data_to, self.last, MARK)
            headline = issued[issued["lead_hours"].between(*HEADLINE_LEADS)]
            self._outcomes[model.version] = headline.reset_index(drop=True)
        return self._outcomes[model.version]

    def challenge(self, champion: TrainedModel, at: datetime, trigger: str) -> tuple[Challenge, TrainedModel]:
        """Train at ``at`` and let the judge choose; then look at what followed, for the report only."""
        challenger = self.trained_at(at)
        verdict = judge(challenger, champion, self.data.cut(at), at)
        first, end = at + MARK, min(at + MARK + FOLLOWING, self.last)
        result = Challenge(
            at=at,
            trigger=trigger,
            champion=champion.version,
            challenger=challenger.version,
            promoted=verdict.promoted,
            reason=verdict.reason,
            judged_mae=verdict.challenger_mae,
            judged_champion_mae=verdict.champion_mae,
            following=compared(
                issued_between(self.outcomes(challenger), first, end),
                issued_between(self.outcomes(champion), first, end),
            ),
        )
        self.say(f"{at:%Y-%m-%d %H:%M} {trigger}: {verdict.decision}. {verdict.reason}")
        return result, challenger if verdict.promoted else champion

    def issued_by(self, policy: Policy) -> pd.DataFrame:
        """What was forecast live under ``policy`` within the replay."""
        ends = [*(first for first, _ in policy.reigns[1:]), self.end]
        return pd.concat(
            [
                issued_between(self.outcomes(model), first, end)
                for (first, model), end in zip(policy.reigns, ends, strict=True)
            ],
            ignore_index=True,
        )


def issued_between(outcomes: pd.DataFrame, first: datetime, end: datetime) -> pd.DataFrame:
    """Rows issued from ``first`` to before ``end``."""
    issued = outcomes["issue_time_utc"]
    return outcomes[(issued >= pd.Timestamp(first)) & (issued < pd.Timestamp(end))]


def newest_score(outcomes: pd.DataFrame, version: str, since: datetime, now: datetime) -> Score | None:
    """What `model_evaluations` says at ``now`` of the live forecasts issued from ``since`` on."""
    target = outcomes["target_hour_utc"]
    rows = outcomes[
        (target >= pd.Timestamp(now - timedelta(days=SCORED_DAYS)))
        & (target < pd.Timestamp(now))
        & (outcomes["issue_time_utc"] >= pd.Timestamp(since))
    ]
    scores = score(rows)
    if scores.empty:
        return None
    leads = scores[["lead_from_hours", "lead_to_hours"]].apply(tuple, axis=1)
    row = scores[leads == HEADLINE_LEADS].iloc[0]
    return Score(
        evaluation_id=f"{version}:live:{row['window_to_utc']:%Y%m%dT%H%M}",
        n_hours=int(row["n_hours"]),
        accuracy_percent=float(row["accuracy_percent"]),
        persistence_accuracy_percent=float(row["persistence_accuracy_percent"]),
    )


def by_rule(replay: Replay) -> tuple[Policy, list[Check]]:
    """The service as it is: at every tick forecast, score, and ask the rule.

    The forecast of a tick comes before its training, so a new champion issues from the next tick on.
    """
    champion = replay.trained_at(replay.start)
    since = replay.start
    policy = Policy(RULE, [(since, champion)])
    fired: list[str] = []
    last_fired_at: datetime | None = None
    last_trained_at = replay.start
    first_hour = replay.data.aggregated["hour_utc"].min().to_pydatetime()
    checks = []
    for now in _every(replay.start, replay.end, MARK):
        decision = decide(
            RetrainingInputs(
                now=now,
                champion=champion.version,
                score=(seen := newest_score(replay.outcomes(champion), champion.version, since, now)),
                training_running=False,
                last_fired_at=last_fired_at,
                fired=frozenset(fired),
                learnt_history=last_trained_at - first_hour,
                history=now - timedelta(hours=1) - first_hour,
                history_complete=True,
                last_trained_at=last_trained_at,
            )
        )
        checks.append(Check(now, seen, decision))
        if not decision.train:
            continue
        fired.append(decision.name)
        last_fired_at = last_trained_at = now
        challenge, winner = replay.challenge(champion, now, decision.trigger)
        policy.challenges.append(challenge)
        if challenge.promoted:
            champion, since = winner, now + MARK
            policy.reigns.append((since, champion))
    return policy, checks


def by_calendar(replay: Replay, every: timedelta) -> Policy:
    """A training every so often, whatever the accuracy; the judge decides as it does for the rule."""
    champion = replay.trained_at(replay.start)
    name = CALENDAR.format(days=every / timedelta(days=1))
    policy = Policy(name, [(replay.start, champion)])
    for now in _every(replay.start + every, replay.end, every):
        challenge, champion = replay.challenge(champion, now, "calendar")
        policy.challenges.append(challenge)
        if challenge.promoted:
            policy.reigns.append((now + MARK, champion))
    return policy


def _every(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    return [start + n * step for n in range(math.ceil((end - start) / step))]
