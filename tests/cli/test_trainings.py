"""What is said of trainings while everything runs."""

from co2_assets.cli.trainings import ENDED, Trainings


def test_each_training_is_told_of_once_when_it_begins_and_when_it_ends() -> None:
    statuses = {"old": "SUCCESS"}
    trainings = Trainings(lambda: statuses, lambda run: f"/runs/{run}")

    def news() -> list[str]:
        return list(trainings.news())

    assert news() == []
    statuses["new"] = "QUEUED"
    assert news() == []
    statuses["new"] = "STARTED"
    assert news() == ["A training has begun: /runs/new"]
    assert news() == []
    statuses["new"] = "FAILURE"
    assert news() == [ENDED["FAILURE"]]
    # One that began and ended between two looks.
    statuses["short"] = "SUCCESS"
    assert news() == ["A training has begun: /runs/short", ENDED["SUCCESS"]]
    statuses.clear()
    assert news() == []


def test_a_training_that_runs_at_the_first_look_is_told_of() -> None:
    trainings = Trainings(lambda: {"running": "STARTED"}, lambda run: run)
    assert list(trainings.news()) == ["A training has begun: running"]
