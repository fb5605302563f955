"""What may be bad: the forecast, the accuracy, the disk and the runs; and what was trained."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.tables import PROMOTED
from co2_assets.pipeline.retraining import (
    MINIMUM_SCORED_HOURS,
    Trigger,
    champion_version,
    live_score,
)
from co2_assets.pipeline.status import Status
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot

# A run, with its snapshot and a training beside it, needs some hundred megabytes for a moment.
LEAST_FREE_BYTES = 1_000_000_000
# So much more than the limit is well again: a value at the limit must not be said again and again.
FREE_MARGIN = 1.5
ACCURACY_MARGIN_PERCENT = 2.0
# Characters of an error that are sent: a message of a library can fill a page.
LONGEST_REASON = 600
MADE_UP = {SourceKind.SIMULATOR: " (simulated data)", SourceKind.ARCHIVE: " (recorded data)"}


@dataclass(frozen=True)
class Condition:
    """Whether something is bad, with what is to be said of that; ``bad`` None is neither, or unknown."""

    name: str
    bad: bool | None
    title: str
    text: str


@dataclass(frozen=True)
class RunOutcome:
    """How the newest finished run of a job ended, when no retry of it is to come."""

    job: str
    succeeded: bool
    reason: str = ""


@dataclass(frozen=True)
class Training:
    """A training since the last look, with what became of the model."""

    trained_at: datetime
    title: str
    text: str


def _made_up(snapshot: Snapshot) -> str:
    return MADE_UP.get(SourceKind(snapshot.source), "")


def of_runs(outcomes: Sequence[RunOutcome]) -> list[Condition]:
    """Return a condition for each job."""
    return [
        Condition(f"run:{one.job}", False, f"{one.job} succeeds again", "Its newest run succeeded.")
        if one.succeeded
        else Condition(
            f"run:{one.job}",
            True,
            f"A run of {one.job} failed",
            f"{one.reason[:LONGEST_REASON] or 'Its page in Dagster has the reason.'}\n"
            "It is not retried by itself; the next run on schedule tries with newer data.",
        )
        for one in outcomes
    ]


def of_disk(home: Path) -> Condition:
    """Return whether the disk of the home is nearly full."""
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE_BYTES:
        bad: bool | None = True
        title = "The disk is nearly full"
    else:
        bad = False if free >= LEAST_FREE_BYTES * FREE_MARGIN else None
        title = "The disk has room again"
    return Condition(
        "disk",
        bad,
        title,
        f"{free / 1e9:.2f} GB are free under {home}; at least {LEAST_FREE_BYTES / 1e9:g} GB are needed. When "
        "the disk is full, runs fail and leave the last good state.",
    )


def of_forecast(state: Status) -> Condition:
    """Return whether a forecast that was due is missing, as `co2 status` and the pages say it."""
    name = f"forecast:{state.snapshot.source}"
    about = f"{AREAS[state.price_area].title}{_made_up(state.snapshot)}"
    if not state.overdue:
        return Condition(
            name,
            False,
            "Forecasts come again",
            f"The newest forecast of {about} was issued at {state.issued_at:%Y-%m-%d %H:%M} UTC.",
        )
    remedy = "`co2 status` and the runs in Dagster's UI say more; `co2 update` makes a forecast at once."
    if state.issued_at is None:
        return Condition(name, True, "No forecast", f"None of {about} was ever issued. {remedy}")
    if state.is_ahead:
        return Condition(
            name,
            True,
            "The forecast is ahead of the clock",
            f"That of {about} was issued at {state.issued_at:%Y-%m-%d %H:%M} UTC, and it is "
            f"{state.now:%Y-%m-%d %H:%M} UTC now: check the clock of the machine.",
        )
    due = state.timetable.next_due(state.issued_at)
    return Condition(
        name,
        True,
        "A forecast is missing",
        f"The newest forecast of {about} was issued at {state.issued_at:%Y-%m-%d %H:%M} UTC; none has come "
        f"since {due:%H:%M}, when the next was due. {remedy}",
    )


def of_accuracy(snapshot: Snapshot) -> Condition | None:
    """Return whether the accuracy is under the threshold; None while too little is scored."""
    score = live_score(snapshot, champion_version(snapshot))
    if score is None or score.n_hours < MINIMUM_SCORED_HOURS:
        return None
    accuracy = score.accuracy_percent
    if accuracy < ACCURACY_THRESHOLD_PERCENT:
        bad: bool | None = True
        title = "The accuracy fell"
    else:
        bad = False if accuracy >= ACCURACY_THRESHOLD_PERCENT + ACCURACY_MARGIN_PERCENT else None
        title = "The accuracy is good again"
    return Condition(
        f"accuracy:{snapshot.source}",
        bad,
        title,
        f"It is {accuracy:.1f} % over {score.n_hours} hours, leads 1-6{_made_up(snapshot)}; the threshold is "
        f"{ACCURACY_THRESHOLD_PERCENT:g} %, persistence has {score.persistence_accuracy_percent:.1f} %. The "
        "retraining sensor acts by itself, at most once a day.",
    )


def newest_training(snapshot: Snapshot) -> datetime | None:
    """Return when the newest model was trained, promoted or not; None without one."""
    found = snapshots.query(
        snapshot,
        "SELECT max(trained_at_utc) AS at FROM model_table WHERE trigger <> ? HAVING count(*) > 0",
        [Trigger.BACKFILL.value],
    )
    return None if found.empty else found["at"].iloc[0].to_pydatetime()


def trainings_since(snapshot: Snapshot, since: datetime) -> list[Training]:
    """Return the trainings after ``since``, oldest first, each with the decision in every area."""
    rows = snapshots.query(
        snapshot,
        """
        SELECT model_version, trained_at_utc, trigger, price_area, decision, reason FROM model_table
        WHERE trained_at_utc > ? AND trigger <> ? ORDER BY trained_at_utc, model_version, price_area
        """,
        [since, Trigger.BACKFILL.value],
    )
    found = []
    for version, own in rows.groupby("model_version", sort=False):
        areas = [
            f"{AREAS[row['price_area']].title if row['price_area'] in AREAS else row['price_area']}: "
            f"{row['decision']}. {row['reason']}"
            for row in own.to_dict("records")
        ]
        in_use = (own["decision"] == PROMOTED).any()
        first = own.iloc[0]
        found.append(
            Training(
                first["trained_at_utc"].to_pydatetime(),
                "A new model is in use" if in_use else "A new model was refused",
                f"{version} was trained (reason: {first['trigger']})"
                f"{_made_up(snapshot)}.\n" + "\n".join(areas),
            )
        )
    return found
