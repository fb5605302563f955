"""Run a job in this process and record it in the Dagster instance, so that Dagster's UI shows the run."""

import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from co2_assets.cli.processes import is_alive, process_identity
from co2_assets.cli.supervisor import REPOSITORY_ROOT
from co2_assets.pipeline.run import published_snapshot, source_label
from co2_assets.settings import Settings
from co2_assets.warehouse.paths import Home

logger = logging.getLogger(__name__)

CONFIGURATION = REPOSITORY_ROOT / "dagster.yaml"
PROCESS_TAG = "co2/process"
# A tag of Dagster: how many times the daemon retries a failed run.
MAX_RETRIES_TAG = "dagster/max_retries"
ACTIVE = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def prepare_dagster_home(settings: Settings) -> Path:
    """Return the folder of Dagster's storage; it is made in the home, with our instance configuration.

    If the environment has a DAGSTER_HOME with another configuration, such as that of a container with
    PostgreSQL, that folder is returned, so that runs of the command are recorded where its daemon's are.
    """
    dagster_home = os.environ.get("DAGSTER_HOME")
    if dagster_home and _has_other_configuration(Path(dagster_home) / "dagster.yaml"):
        return Path(dagster_home)
    folder = Home(settings.home).dagster.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIGURATION, folder / "dagster.yaml")
    return folder


def _has_other_configuration(path: Path) -> bool:
    return path.exists() and path.read_bytes() != CONFIGURATION.read_bytes()


def is_of_home(dagster_home: Path, settings: Settings) -> bool:
    """Return whether ``dagster_home`` belongs to this home, so that no other home records its runs there."""
    return dagster_home == Home(settings.home).dagster.resolve()


def export(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give these settings to Dagster's processes."""
    return {**settings.environment(), "DAGSTER_HOME": str(prepare_dagster_home(settings))}


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open the home's Dagster instance, after runs whose process is gone have been marked as failed."""
    os.environ.update(export(settings))
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
    return ended


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
    return None if run.parent_run_id else run.tags.get(PROCESS_TAG)


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
        logger.error("Nothing was published: readers still see the data of before. Is the disk full?")
    return result.success and published
