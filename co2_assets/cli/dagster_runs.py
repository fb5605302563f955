"""Run a job in this process, recorded in the Dagster instance so that the UI shows it."""

import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from co2_assets.pipeline.run import published_snapshot, source_label
from co2_assets.settings import Settings
from co2_assets.warehouse.paths import Home

logger = logging.getLogger(__name__)

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = REPOSITORY_ROOT / "dagster.yaml"
PROCESS_TAG = "co2/process"
# Dagster's own tag: how often the daemon makes a failed run again.
MAX_RETRIES_TAG = "dagster/max_retries"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# The clock may be set between two looks at it. Nobody gets a number and gives it back so fast.
SAME_START_S = 2.0
UNDER_WAY = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def prepare_dagster_home(settings: Settings) -> Path:
    """Return the folder of Dagster's storage, made in the home with our instance configuration.

    A DAGSTER_HOME with a configuration of its own, such as a container's with PostgreSQL, is kept: runs
    of the command line are then recorded where its daemon's are.
    """
    given = os.environ.get("DAGSTER_HOME")
    if given and _is_configured_otherwise(Path(given) / "dagster.yaml"):
        return Path(given)
    folder = Home(settings.home).dagster.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIGURATION, folder / "dagster.yaml")
    return folder


def _is_configured_otherwise(path: Path) -> bool:
    return path.exists() and path.read_bytes() != CONFIGURATION.read_bytes()


def is_of_home(dagster_home: Path, settings: Settings) -> bool:
    """Return whether only what works on this home records its runs in ``dagster_home``."""
    return dagster_home == Home(settings.home).dagster.resolve()


def export(settings: Settings) -> dict[str, str]:
    """Return the environment in which Dagster's processes find these settings."""
    return {**settings.environment(), "DAGSTER_HOME": str(prepare_dagster_home(settings))}


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open the home's Dagster instance; runs that died with their process are ended first."""
    os.environ.update(export(settings))
    with dg.DagsterInstance.get() as instance:
        end_dead_runs(instance)
        yield instance


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose process is gone and free their slots; return their identifiers.

    The daemon's monitor does this for the runs it launched. A run of the command line that was
    killed has nobody else: it would hold the writer's slot for ever.
    """
    statuses = [*UNDER_WAY, dg.DagsterRunStatus.NOT_STARTED]
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=statuses)):
        process = _process_of(run)
        if process is not None and not is_alive(process):
            _end(instance, run, f"The process {process.split()[0]} of this run is gone.")
            ended.append(run.run_id)
    return ended


def end_leftover_runs(instance: dg.DagsterInstance, launched_anew: Collection[str] = ()) -> list[str]:
    """Fail the runs that a daemon left under way and free their slots; return their identifiers.

    To be called only where no daemon runs, before one is started: a run that it launched carries no
    process, so that after a power failure it would pass for alive for two hours and hold the slot.
    The daemon makes such a run again, but for jobs ``launched_anew`` by the caller: both would be one
    too many. Runs of a living `co2 tick` stay, and queued ones, which the daemon takes up.
    """
    ended = end_dead_runs(instance)
    for run in instance.get_runs(dg.RunsFilter(statuses=list(UNDER_WAY))):
        if _process_of(run) is not None:
            continue
        if run.job_name in launched_anew:
            instance.add_run_tags(run.run_id, {MAX_RETRIES_TAG: "0"})
        _end(instance, run, "The daemon that launched this run was ended in the middle of it.")
        ended.append(run.run_id)
    return ended


def _process_of(run: dg.DagsterRun) -> str | None:
    """Return the identity of the process of a run of the command line; None for the daemon's."""
    # A run made again in the UI is the daemon's, and has the tags of the one before.
    return None if run.parent_run_id else run.tags.get(PROCESS_TAG)


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    # One that was being cancelled must not be made again, as failed ones are.
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def process_identity(pid: int) -> str:
    """Return what no other process has, on any machine start: number, start of the machine, own start.

    The number alone is given to another process sooner or later, in a container at its next start.
    The own start counts in seconds from the machine's, which a clock that is set does not move.
    Raises psutil.NoSuchProcess.
    """
    started = psutil.Process(pid).create_time() - psutil.boot_time()
    return f"{pid} {_boot()} {started:.2f}"


def _boot() -> str:
    """Return the identifier of the machine's start; ``-`` where the system has none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip() or "-"
    except OSError:
        return "-"


def is_alive(identity: str) -> bool:
    """Return whether the process of a `process_identity` is still there; of doubtful ones, True.

    Versions of before tagged the number alone.
    """
    try:
        number, *start = identity.split()
        # One that was killed stays in the table until its parent asks for it.
        if psutil.Process(int(number)).status() == psutil.STATUS_ZOMBIE:
            return False
        _, boot, started = process_identity(int(number)).split()
        return len(start) != 2 or (boot == start[0] and abs(float(started) - float(start[1])) < SAME_START_S)
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, ValueError):
        return True  # it may not be looked at, or somebody else wrote the tag


def run_job(settings: Settings, job_name: str, run_config: Mapping[str, Any] | None = None) -> bool:
    """Execute a job of the pipeline here and now; return whether it succeeded and was published.

    Dagster counts a run as good whose resources failed at its end, which is when it is published.
    Raises SettingsError for a source that does not exist, before anything is started.
    """
    source_label(settings)
    before = published_snapshot(settings)
    with dagster_instance(settings) as instance:
        from co2_assets.definitions import build_definitions

        job = build_definitions(settings).resolve_job_def(job_name)
        result = job.execute_in_process(
            instance=instance,
            run_config=run_config,
            raise_on_error=False,
            tags={PROCESS_TAG: process_identity(os.getpid())},
        )
    after = published_snapshot(settings)
    published = after is not None and (before is None or after.version != before.version)
    if not published:
        logger.error("Nothing was published: readers still see what was there before. Is the disk full?")
    return result.success and published
