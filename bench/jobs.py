"""Running a job of the pipeline in this process, quietly."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from co2_assets.definitions import build_definitions
from co2_assets.settings import Settings

QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run(settings: Settings, job: str, config: Mapping[str, Any], assets: Sequence[str] | None = None) -> None:
    """Run a job, or some of its assets. Raises RuntimeError, which says what failed, if it fails."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_definitions(settings)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={**config, **QUIET},
                asset_selection=None if assets is None else [dg.AssetKey(name) for name in assets],
                raise_on_error=False,
            )
        )
    if not result.success:
        failed = [event.message for event in result.all_events if event.is_failure]
        failed += [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
        raise RuntimeError(f"{job} as of {settings.as_of} failed: {failed}")
