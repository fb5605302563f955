"""What assets are given by Dagster: the opened pipeline, configurable at launch."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from co2_assets.contracts.time import utc_now
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.pipeline.run import Run, open_run
from co2_assets.settings import Settings, parse_instant

logger = logging.getLogger(__name__)

# Every process that loads the definitions loads this. The daemon replaces its code location's each
# minute, and each would end with forty lines of leaks that are none in the daemon's log.
silence_library_reports()


class PipelineResource(dg.ConfigurableResource[Run]):
    """Opens the service, the warehouse and the clock for one run; publishes a snapshot at its end."""

    # None, and not a default of our own: a run whose configuration names only one of these must not be
    # moved to another home or source.
    home: str | None = Field(None, description="Folder that holds all state; left out: CO2_HOME's.")
    source: str | None = Field(
        None,
        description="live, simulator, archive:DIR, or auto: live where it can be reached, "
        "else the simulator. Left out: CO2_SOURCE's.",
    )
    as_of: str | None = Field(
        None,
        description="Run as if it were this instant, as 2024-06-01T00:00Z; empty for now. "
        "For a recorded archive, empty means the end of the recording. Left out: CO2_AS_OF's.",
    )
    history_days: int | None = Field(
        None, description="Days of history to hold, 30 to 3650; left out: CO2_HISTORY_DAYS'."
    )
    seed: int | None = Field(None, description="Random seed of training; left out: CO2_SEED's.")

    @classmethod
    def from_settings(cls, settings: Settings) -> "PipelineResource":
        """Return the resource with these settings as its defaults."""
        return cls(
            home=str(settings.home),
            source=settings.source,
            as_of=f"{settings.as_of:%Y-%m-%dT%H:%M:%SZ}" if settings.as_of else "",
            history_days=settings.history_days,
            seed=settings.seed,
        )

    def settings(self) -> Settings:
        """Return the environment's settings with the given ones over them.

        Raises SettingsError for a value that cannot be used.
        """
        given: dict[str, Any] = {
            "home": None if self.home is None else Path(self.home),
            "source": self.source,
            "history_days": self.history_days,
            "seed": self.seed,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if self.as_of is not None:
            given["as_of"] = parse_instant(self.as_of, "as_of") if self.as_of else None
        return replace(Settings.from_environment(), **given)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Run]:
        """Yield the opened pipeline; publish what was committed, also where no step did."""
        with open_run(self.settings()) as pipeline:
            if context.log:
                context.log.info(
                    f"Source {pipeline.folder.label}, clock {pipeline.now:%Y-%m-%d %H:%M} UTC, "
                    f"home {pipeline.folder.root}"
                )
                if pipeline.notice:
                    context.log.error(pipeline.notice)
            try:
                yield pipeline
            finally:
                _keep_house(pipeline, context.instance)
                if not pipeline.is_published:
                    pipeline.publish()


def _keep_house(pipeline: Run, instance: dg.DagsterInstance | None) -> None:
    """Remove what is no longer needed; where that fails, the forecast counts, and the next run tries."""
    try:
        # What it needs to know of models takes torch's second and a half to import.
        from co2_assets.defs.run_records import prune_runs
        from co2_assets.pipeline.housekeeping import tidy

        tidied = tidy(pipeline)
        pruned = prune_runs(instance, utc_now()) if instance else 0
    except Exception:
        # All kinds of them, for what may fail is not ours to list: the disk, DuckDB, Dagster's records
        # in SQLite or PostgreSQL. None is worth a forecast that is made and not published.
        logger.exception("Housekeeping was not finished, the next run tries again")
        return
    logger.info("Housekeeping: %s, %d old runs deleted", tidied, pruned)
