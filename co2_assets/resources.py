"""What assets are given by Dagster: the opened pipeline, configurable at launch."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
from pydantic import Field

from co2_assets.pipeline import Pipeline, open_pipeline
from co2_assets.settings import DEFAULT_HISTORY_DAYS, Settings, parse_instant, utc_now
from co2_assets.warehouse.errors import WarehouseError

logger = logging.getLogger(__name__)


class PipelineResource(dg.ConfigurableResource[Pipeline]):
    """Opens the service, the warehouse and the clock for one run; publishes a snapshot at its end."""

    home: str = Field("data", description="Folder that holds all state.")
    source: str = Field(
        "auto",
        description="live, simulator, archive:DIR, or auto: live where it can be reached, "
        "else the simulator.",
    )
    as_of: str = Field(
        "",
        description="Run as if it were this instant, as 2024-06-01T00:00Z; empty for now. "
        "For a recorded archive, empty means the end of the recording.",
    )
    history_days: int = Field(DEFAULT_HISTORY_DAYS, description="Days of history to hold.")
    seed: int = Field(1, description="Random seed of training.")

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
        """Return the settings; raises SettingsError for a value that cannot be used."""
        settings = Settings(
            home=Path(self.home),
            source=self.source,
            history_days=self.history_days,
            seed=self.seed,
        )
        return replace(settings, as_of=parse_instant(self.as_of, "as_of")) if self.as_of else settings

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Pipeline]:
        """Yield the opened pipeline; publish what was committed, also where no step did."""
        with open_pipeline(self.settings()) as pipeline:
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


def _keep_house(pipeline: Pipeline, instance: dg.DagsterInstance | None) -> None:
    """Remove what is no longer needed; where that fails, the forecast counts, and the next run tries."""
    # What it needs to know of models takes torch's second and a half to import.
    from co2_assets.housekeeping import prune_runs, tidy

    try:
        tidied = tidy(pipeline)
        pruned = prune_runs(instance, utc_now()) if instance else 0
    except (WarehouseError, duckdb.IOException, sqlite3.OperationalError, OSError) as error:
        logger.warning("Housekeeping was not finished, the next run tries again: %s", error)
        return
    logger.info("Housekeeping: %s, %d old runs deleted", tidied, pruned)
