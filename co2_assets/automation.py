"""When things run: the six-hour job, the deepening of history, the retraining sensor."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd

from co2_assets.contracts import DATASETS, Dataset
from co2_assets.contracts.areas import DENMARK, MEASUREMENTS
from co2_assets.contracts.sources import SourceKind
from co2_assets.energidataservice.sources import FIRST_DAYS, earliest_of
from co2_assets.ingest import plan
from co2_assets.pipeline import published_snapshot
from co2_assets.retraining import BACKFILL, RULE_TRIGGERS, Decision, Score, Situation, decide
from co2_assets.settings import Settings
from co2_assets.status import clock
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot

TICK_JOB = "six_hour_tick"
RETRAIN_JOB = "retrain"
DEEPEN_JOB = "deepen_history"
REMEMBERED_REQUESTS = 100
# A stretch of history that could not be had is asked for again after this long.
RETRIED_AFTER = timedelta(hours=1)
# The terminal's logger of a run: ours in place of Dagster's, which prints every event.
SHORT_LINES: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}

# A killed run is made again whole: steps done twice change nothing, and the newest data are better.
RETRIED_WHOLE = {"dagster/retry_strategy": "ALL_STEPS"}

# One process for all steps: five small assets take 5 s so, 17-19 s with a process for each.
six_hour_tick = dg.define_asset_job(
    TICK_JOB,
    selection=dg.AssetSelection.all(),
    description="Fetch, aggregate, build features, forecast, and score what has come true.",
    config={"ops": {"trained_model": {"config": {"only_if_missing": True}}}, **SHORT_LINES},
    executor_def=dg.in_process_executor,
    tags=RETRIED_WHOLE,
)

retrain = dg.define_asset_job(
    RETRAIN_JOB,
    selection=dg.AssetSelection.assets("trained_model"),
    description="Train a challenger; it becomes champion only where it beats the present one.",
    executor_def=dg.in_process_executor,
    tags=RETRIED_WHOLE,
)

deepen_history = dg.define_asset_job(
    DEEPEN_JOB,
    selection=dg.AssetSelection.assets(
        *(dataset.name for dataset in DATASETS), "aggregated_data", "engineered_features"
    ),
    description="Fetch one stretch of older history of each dataset, until all of it is held.",
    config={"ops": {dataset.name: {"config": {"deepen": True}} for dataset in DATASETS}, **SHORT_LINES},
    executor_def=dg.in_process_executor,
    tags=RETRIED_WHOLE,
)

six_hour_schedule = dg.ScheduleDefinition(
    name="six_hour_schedule",
    job=six_hour_tick,
    cron_schedule="0 */6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A forecast at 00, 06, 12 and 18 UTC.",
)


def history_left(
    snapshot: Snapshot,
    settings: Settings,
    now: datetime,
    datasets: Sequence[Dataset] = DATASETS,
    *,
    patience: timedelta = timedelta(0),
) -> int:
    """Return how many windows of older rows of ``datasets`` are still to be fetched.

    Those of a dataset whose last such fetch failed less than ``patience`` before ``now`` do not count.
    """
    if snapshot.source == SourceKind.ARCHIVE:
        return 0  # read whole at the first run
    left = 0
    for dataset in datasets:
        log = snapshots.query(snapshot, "SELECT * FROM new_data_log WHERE dataset = ?", [dataset.name])
        windows = plan(
            dataset,
            log,
            now=now,
            history_days=settings.history_days,
            first_days=FIRST_DAYS,
            earliest=earliest_of(snapshot.source),
        )
        history = log[log["purpose"] == "history"].sort_values("fetched_at_utc")
        failed = history.iloc[-1:].query("outcome != 'ok'")["fetched_at_utc"]
        if (now - failed < patience).any():
            continue
        left += sum(window.purpose == "history" for window in windows)
    return left


@dg.schedule(
    name="deepen_history_schedule",
    job=deepen_history,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads older history piece by piece within the service's rate limit, then rests.",
)
def deepen_history_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a piece of history unless all is held or another run is under way."""
    settings = Settings.from_environment()
    snapshot = published_snapshot(settings)
    if snapshot is None:
        return dg.SkipReason("Nothing is published yet; the six-hour run fetches the newest days first.")
    now = clock(snapshot, settings)
    left = history_left(snapshot, settings, now, patience=RETRIED_AFTER)
    if not left:
        waiting = history_left(snapshot, settings, now)
        return dg.SkipReason(
            f"{waiting} pieces of history could not be had; they are asked for again an hour after that."
            if waiting
            else f"All {settings.history_days} days of history are held."
        )
    if _in_progress(context.instance, None):
        return dg.SkipReason(f"Another run is under way; {left} pieces of history are left.")
    return dg.RunRequest()


def _in_progress(instance: dg.DagsterInstance, asset: str | None) -> bool:
    """Return whether a run (that makes ``asset``, if named) is queued or under way."""
    runs = instance.get_runs(
        dg.RunsFilter(
            statuses=[
                dg.DagsterRunStatus.QUEUED,
                dg.DagsterRunStatus.NOT_STARTED,
                dg.DagsterRunStatus.STARTING,
                dg.DagsterRunStatus.STARTED,
                dg.DagsterRunStatus.CANCELING,
            ]
        )
    )
    if asset is None:
        return bool(runs)
    return any(
        run.job_name == RETRAIN_JOB
        or (run.asset_selection is not None and dg.AssetKey(asset) in run.asset_selection)
        for run in runs
    )


def read_situation(
    snapshot: Snapshot, settings: Settings, *, now: datetime, training_running: bool, memory: dict[str, Any]
) -> Situation:
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
        [DENMARK.name, BACKFILL],
    ).iloc[0]
    without_model = snapshots.query(
        snapshot,
        "SELECT DISTINCT price_area FROM aggregated_data ANTI JOIN champions USING (price_area) ORDER BY ALL",
    )
    fired_at = memory.get("fired_at")
    return Situation(
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


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a new model when the live accuracy of leads 1-6 falls under 65 % (or when "
    "twice the history that any model knew is held, an area it does not know, or a month has passed since "
    "the last training); once per evaluation, never beside another training, at most once a day.",
)
def retraining_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Apply the retraining rule to what is published; the reason for skipping is a sentence."""
    settings = Settings.from_environment()
    snapshot = published_snapshot(settings)
    if snapshot is None:
        yield dg.SkipReason("Nothing is published yet; the next six-hour run makes the first model.")
        return
    memory = json.loads(context.cursor) if context.cursor else {}
    now = clock(snapshot, settings)
    decision = decide(
        read_situation(
            snapshot,
            settings,
            now=now,
            training_running=_in_progress(context.instance, "trained_model"),
            memory=memory,
        )
    )
    if not decision.train:
        yield dg.SkipReason(decision.sentence)
        return
    fired = [*memory.get("fired", []), decision.name][-REMEMBERED_REQUESTS:]
    context.update_cursor(json.dumps({"fired_at": now.isoformat(), "fired": fired}))
    yield dg.RunRequest(
        run_key=f"{decision.name}@{now:%Y-%m-%dT%H:%M:%S}",
        run_config=retrain_config(decision.trigger),
        tags={"reason": decision.sentence[:200]},
    )


def retrain_config(trigger: str) -> dict[str, Any]:
    """Return the run configuration of a retraining: who asked for it is kept with the model."""
    return {"ops": {"trained_model": {"config": {"trigger": trigger}}}, **SHORT_LINES}


def decide_now(settings: Settings, snapshot: Snapshot) -> Decision:
    """Apply the retraining rule outside the daemon, as `co2 train --if-needed` does.

    In place of the sensor's memory stands the table of models: the last one trained by the rule.
    """
    asked = snapshots.query(
        snapshot, "SELECT max(trained_at_utc) AS at FROM model_table WHERE trigger IN ?", [RULE_TRIGGERS]
    )["at"].iloc[0]
    memory = {} if asked is None or asked != asked else {"fired_at": asked.isoformat()}
    return decide(
        read_situation(
            snapshot, settings, now=clock(snapshot, settings), training_running=False, memory=memory
        )
    )
