"""Run a job in this process, recorded in the Dagster instance so that the UI shows it."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from co2_assets.pipeline import published_snapshot, source_label
from co2_assets.settings import Settings
from co2_assets.warehouse.home import Home

logger = logging.getLogger(__name__)

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = REPOSITORY_ROOT / "dagster.yaml"
PROCESS_TAG = "co2/process"


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
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not Path(f"/proc/{process}").exists():
            instance.report_run_failed(run, f"The process {process} of this run is gone.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


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
            tags={PROCESS_TAG: str(os.getpid())},
        )
    after = published_snapshot(settings)
    published = after is not None and (before is None or after.version != before.version)
    if not published:
        logger.error("Nothing was published: readers still see what was there before. Is the disk full?")
    return result.success and published
