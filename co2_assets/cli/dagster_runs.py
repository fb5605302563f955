"""Run a job in this process and record it in the Dagster instance, so that Dagster's UI shows the run."""

import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from co2_assets.cli.dagster_records import is_held, set_damaged_aside, wait_until_free
from co2_assets.cli.processes import is_alive, process_identity
from co2_assets.cli.supervisor import REPOSITORY_ROOT
from co2_assets.contracts.time import utc_now
from co2_assets.defs.run_log import reason_of
from co2_assets.notify.alerts import tell
from co2_assets.notify.conditions import RunOutcome
from co2_assets.pipeline.run import published_snapshot, source_label
from co2_assets.settings import Settings
from co2_assets.warehouse.errors import WarehouseBusy
from co2_assets.warehouse.paths import Home

logger = logging.getLogger(__name__)

CONFIGURATION = REPOSITORY_ROOT / "dagster.yaml"
# Dagster's UI does not list tags of this prefix: the number of a process tells a reader nothing.
PROCESS_TAG = ".dagster/co2_process"
# Its name before: a run of an older version may have been killed.
FORMER_PROCESS_TAG = "co2/process"
# How the run was started, and whose data it fetched.
STARTED_BY_TAG = "co2/started_by"
SOURCE_TAG = "co2/source"
# A tag of Dagster: how many times the daemon retries a failed run.
MAX_RETRIES_TAG = "dagster/max_retries"
HELD = "Dagster's records are held by another program; close it"
# What the system says of a full disk; DuckDB quotes it.
FULL = re.compile(r"No space left on device|quota exceeded|Errno (?:28|122)\b", re.IGNORECASE)
ACTIVE = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def prepare_dagster_home(settings: Settings) -> Path:
    """Return the folder of Dagster's storage; it is made in the home, with our instance configuration.

    If DAGSTER_HOME has this project's configuration with another storage, such as that of a container with
    PostgreSQL, that folder is returned, so that runs of the command are recorded where its daemon's are. The
    DAGSTER_HOME of another project is passed over, and a warning says so.
    """
    folder = Home(settings.home).dagster.resolve()
    named = os.environ.get("DAGSTER_HOME")
    if named and Path(named).resolve() != folder:
        if _is_ours_with_other_storage(Path(named) / "dagster.yaml"):
            return Path(named)
        logger.warning(
            "DAGSTER_HOME %s is not of this home: runs are recorded in %s. To record them there, give it the "
            "file deploy/dagster.postgres.yaml, or one with the same pools, as its dagster.yaml.",
            named,
            folder,
        )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIGURATION, folder / "dagster.yaml")
    return folder


def _is_ours_with_other_storage(path: Path) -> bool:
    """Return whether the file has our pools, which let one step write at a time, and is not a mere copy."""
    if not path.is_file() or path.read_bytes() == CONFIGURATION.read_bytes():
        return False
    try:
        return bool(_pools(path) == _pools(CONFIGURATION))
    except (yaml.YAMLError, UnicodeDecodeError):
        return False


def _pools(path: Path) -> Any:
    configuration = yaml.safe_load(path.read_text(encoding="utf-8"))
    concurrency = configuration.get("concurrency") if isinstance(configuration, dict) else None
    return concurrency.get("pools") if isinstance(concurrency, dict) else None


def is_of_home(dagster_home: Path, settings: Settings) -> bool:
    """Return whether ``dagster_home`` belongs to this home, so that no other home records its runs there."""
    return dagster_home == Home(settings.home).dagster.resolve()


def export(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give these settings to Dagster's processes."""
    return {**settings.environment(), "DAGSTER_HOME": str(prepare_dagster_home(settings))}


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open the home's Dagster instance, after runs whose process is gone have been marked as failed.

    Records that SQLite calls damaged are set aside first. Raises WarehouseBusy if another program holds them.
    """
    os.environ.update(export(settings))
    folder = Path(os.environ["DAGSTER_HOME"])
    if is_of_home(folder, settings):
        for path in set_damaged_aside(folder, utc_now()):
            logger.error(
                "Records of Dagster were damaged and begin anew; the file is now %s. Only the history of "
                "runs is lost: delete the file when you no longer need it.",
                path,
            )
        wait_until_free(folder)
    with dg.DagsterInstance.get() as instance:
        end_dead_runs(instance)
        yield instance


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs whose process is gone as failed and free their slots; return their identifiers.

    The daemon's monitor does this for the runs that the daemon launched. Without this function, a run of the
    command that was killed would keep the writer's slot for ever.
    """
    statuses = [*ACTIVE, dg.DagsterRunStatus.NOT_STARTED]
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=statuses)):
        process = _process_of(run)
        if process is not None and not is_alive(process):
            _end(instance, run, f"The process {process.split()[0]} of this run is gone.")
            ended.append(run.run_id)
    _free_slots_of_lost_runs(instance)
    return ended


def _free_slots_of_lost_runs(instance: dg.DagsterInstance) -> None:
    """Free the slots of runs that are no longer recorded, as after their damaged record was set aside."""
    storage = instance.event_log_storage
    holders = storage.get_concurrency_run_ids()
    if not holders:
        return
    recorded = instance.get_runs(dg.RunsFilter(run_ids=list(holders)))
    for run_id in holders - {run.run_id for run in recorded}:
        storage.free_concurrency_slots_for_run(run_id)


def end_leftover_runs(instance: dg.DagsterInstance, launched_anew: Collection[str] = ()) -> list[str]:
    """Mark the runs that an earlier daemon left active as failed, free their slots, and return their ids.

    Call this only when no daemon runs, before one is started. A run that a daemon launched has no process
    tag: after a power failure it would count as active for two hours and keep the slot. The daemon retries
    such runs, except those of the jobs in ``launched_anew``, which the caller launches itself. Runs of a
    `co2 tick` that is still alive are kept, and so are queued runs, which the daemon starts.
    """
    ended = end_dead_runs(instance)
    for run in instance.get_runs(dg.RunsFilter(statuses=list(ACTIVE))):
        if _process_of(run) is not None:
            continue
        if run.job_name in launched_anew:
            instance.add_run_tags(run.run_id, {MAX_RETRIES_TAG: "0"})
        _end(instance, run, "The daemon that launched this run was ended in the middle of it.")
        ended.append(run.run_id)
    return ended


def _process_of(run: dg.DagsterRun) -> str | None:
    """Return the identity of the process of a run of the command; None for a run of the daemon."""
    # A run that was retried in the UI is the daemon's, but it has the tags of the first run.
    return None if run.parent_run_id else run.tags.get(PROCESS_TAG, run.tags.get(FORMER_PROCESS_TAG))


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    # A failed run is retried; a run that was being cancelled must not be.
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def run_job(settings: Settings, job_name: str, run_config: Mapping[str, Any] | None = None) -> bool:
    """Execute a job of the pipeline in this process; return whether it succeeded and was published.

    The publication is checked here because it is done when the run's resource is closed, and Dagster
    ignores failures there. Raises SettingsError for a source that does not exist, before anything starts.
    """
    source_label(settings)
    before = published_snapshot(settings)
    try:
        with dagster_instance(settings) as instance:
            result = _execute(settings, instance, job_name, run_config)
    except Exception as error:
        # Dagster wraps what SQLite raises in errors of several kinds.
        if not is_held(error):
            raise
        # A repeated step changes nothing, so the run may have begun.
        logger.warning(
            "%s. Until then runs are made all the same, without a record in Dagster.",
            error if isinstance(error, WarehouseBusy) else HELD,
        )
        with dg.DagsterInstance.ephemeral() as instance:
            result = _execute(settings, instance, job_name, run_config)
    after = published_snapshot(settings)
    published = after is not None and (before is None or after.version != before.version)
    if not published:
        logger.error("Nothing was published: readers still see the data of before.%s", _why(result))
    succeeded = result.success and published
    # There may be no daemon, whose sensor sends alerts.
    if settings.alert_urls:
        _tell(settings, RunOutcome(job_name, succeeded, _why(result).strip()))
    return succeeded


def _tell(settings: Settings, outcome: RunOutcome) -> None:
    """Send the alerts that are due after a run; a failure is logged."""
    try:
        tell(settings, [outcome])
    except Exception:
        # Any exception: the run is over, and nothing after it may fail it.
        logger.exception("Alerts were not sent; the next run tries again")


def _execute(
    settings: Settings, instance: dg.DagsterInstance, job_name: str, run_config: Mapping[str, Any] | None
) -> dg.ExecuteInProcessResult:
    from co2_assets.definitions import build_definitions

    return (
        build_definitions(settings)
        .resolve_job_def(job_name)
        .execute_in_process(
            instance=instance,
            run_config=run_config,
            raise_on_error=False,
            tags={
                PROCESS_TAG: process_identity(os.getpid()),
                STARTED_BY_TAG: "command",
                SOURCE_TAG: settings.source.split(":", 1)[0],
            },
        )
    )


def _why(result: dg.ExecuteInProcessResult) -> str:
    """Return what the last error of the run says, and the remedy if the disk is full."""
    reasons = [reason for event in result.all_events if (reason := reason_of(event))]
    if not reasons:
        return ""
    return f" {reasons[-1]}" + ("; make room on the disk" if FULL.search(reasons[-1]) else "")
