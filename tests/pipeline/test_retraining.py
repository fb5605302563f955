"""The retraining rule: it fires when it should, and a bad year makes no stampede."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

from co2_assets.pipeline.retraining import RetrainingInputs, Score, decide

NOW = datetime(2024, 6, 2)
BAD = Score("DK:m1:live:20240602T00", n_hours=24, accuracy_percent=58.2, persistence_accuracy_percent=55.0)
INPUTS = RetrainingInputs(
    now=NOW,
    champion="m1",
    score=BAD,
    training_running=False,
    last_fired_at=None,
    fired=frozenset(),
    learnt_history=timedelta(days=500),
    history=timedelta(days=510),
    history_complete=True,
)


def test_fires_under_the_threshold_and_says_why() -> None:
    decision = decide(INPUTS)
    assert decision.train
    assert decision.name == BAD.evaluation_id
    assert "58.2 %" in decision.sentence
    assert "persistence 55.0 %" in decision.sentence


def test_exactly_at_the_threshold_does_not_fire() -> None:
    assert not decide(replace(INPUTS, score=replace(BAD, accuracy_percent=65.0))).train


def test_skips_with_a_reason() -> None:
    for change, words in (
        ({"champion": None}, "no model yet"),
        ({"score": None}, "No live forecast"),
        ({"score": replace(BAD, n_hours=23)}, "Only 23 hours"),
        ({"score": replace(BAD, accuracy_percent=81.0)}, "not under 65 %"),
        ({"training_running": True}, "running already"),
        ({"fired": frozenset({BAD.evaluation_id})}, "Already retrained"),
        ({"last_fired_at": NOW - timedelta(hours=23)}, "less than a day ago"),
    ):
        decision = decide(replace(INPUTS, **change))
        assert not decision.train, words
        assert words in decision.sentence


def test_fires_again_after_a_day_for_a_new_evaluation() -> None:
    assert decide(
        replace(INPUTS, last_fired_at=NOW - timedelta(days=1), fired=frozenset({"an earlier one"}))
    ).train


def test_history_grown_twofold_asks_for_training_once() -> None:
    grown = replace(
        INPUTS,
        score=None,
        learnt_history=timedelta(days=60),
        history=timedelta(days=730),
    )
    decision = decide(grown)
    assert decision.train
    assert decision.trigger == "history grew"
    assert not decide(replace(grown, history_complete=False)).train
    assert not decide(replace(grown, fired=frozenset({decision.name}))).train


def test_older_production_that_came_after_the_newest_training_asks_for_another_once() -> None:
    trained = NOW - timedelta(days=2)
    came = replace(INPUTS, score=None, last_trained_at=trained, production_came_at=NOW - timedelta(days=1))
    decision = decide(came)
    assert decision.train
    assert decision.trigger == "history grew"
    assert "production of the price areas came in" in decision.sentence
    assert not decide(replace(came, history_complete=False)).train
    assert not decide(replace(came, fired=frozenset({decision.name}))).train
    # What came in during the run that trained was learnt.
    assert not decide(replace(came, production_came_at=trained)).train


def test_a_month_since_the_last_training_asks_for_another_once_a_day() -> None:
    good = replace(BAD, accuracy_percent=81.0)
    old = replace(INPUTS, score=good, last_trained_at=NOW - timedelta(days=30, hours=6))
    decision = decide(old)
    assert decision.train
    assert decision.trigger == "month passed"
    assert "over 30 days ago" in decision.sentence
    assert not decide(replace(old, last_trained_at=NOW - timedelta(days=30))).train
    # After a failed training: not again within a day, and again after it.
    asked = replace(old, fired=frozenset({decision.name}), last_fired_at=NOW)
    assert not decide(asked).train
    assert not decide(replace(asked, now=NOW + timedelta(hours=23))).train
    assert decide(replace(asked, now=NOW + timedelta(days=1))).train


def test_a_year_of_bad_scores_makes_at_most_one_training_a_day() -> None:
    fired: list[datetime] = []
    last_at: datetime | None = None
    names: set[str] = set()
    for tick in range(4 * 365):
        now = NOW + timedelta(hours=6 * tick)
        score = replace(BAD, evaluation_id=f"evaluation-{tick}")
        # The sensor looks many times between two evaluations.
        for minute in (0, 1, 2, 180):
            looked_at = now + timedelta(minutes=minute)
            decision = decide(
                replace(
                    INPUTS,
                    now=looked_at,
                    score=score,
                    last_fired_at=last_at,
                    fired=frozenset(names),
                )
            )
            if decision.train:
                fired.append(looked_at)
                last_at = looked_at
                names.add(decision.name)
    assert len(fired) <= 365
    assert all(later - earlier >= timedelta(days=1) for earlier, later in itertools.pairwise(fired))


def test_an_area_measured_since_asks_for_training_once() -> None:
    added = replace(INPUTS, score=None, areas_without_model=("DK1", "DK2"))
    decision = decide(added)
    assert decision.train
    assert decision.trigger == "area added"
    assert "does not know DK1, DK2" in decision.sentence
    assert not decide(replace(added, fired=frozenset({decision.name}))).train
