"""The resource that opens a run's service, warehouse and clock, with settings that a launch may change."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
from pydantic import Field

from co2_assets.contracts.forecast_spec import Cadence
from co2_assets.contracts.time import utc_now
from co2_assets.defs import run_records
from co2_assets.defs.alerting import after_publication
from co2_assets.defs.cadence import cadence_of
from co2_assets.forecasting.forecaster import Forecaster
from co2_assets.pipeline import housekeeping
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.pipeline.run import DEFAULT_FORECASTER, Run, open_run, refuse_older_clock
from co2_assets.settings import MAXIMUM_HISTORY_DAYS, MINIMUM_HISTORY_DAYS, Settings, parse_instant

logger = logging.getLogger(__name__)

# Every process that loads the definitions imports this module. The daemon replaces the process of its
# code location each minute, and without this call each would log forty lines of leaks that are none.
silence_library_reports()


class PipelineResource(dg.ConfigurableResource[Run]):
    """Opens the service, the warehouse and the clock for one run and publishes a snapshot at its end.

    Its key is ``pipeline``, and so is the parameter of the assets that take it. The key must not change:
    operators' run configurations name it. Inside the code the opened object is called ``run``.
    """

    # What trains and loads the models. To change it, give `build_definitions` a subclass with another one.
    forecaster: ClassVar[Forecaster] = DEFAULT_FORECASTER

    # The defaults are None, so that a run configuration that sets one field keeps the home and the
    # source of the environment.
    home: str | None = Field(None, description="Folder that holds all state; left out: CO2_HOME.")
    source: str | None = Field(
        None,
        description="live, simulator, archive:DIR, or auto: live where it can be reached, "
        "else the simulator. Left out: CO2_SOURCE.",
    )
    as_of: str | None = Field(
        None,
        description="Run as if the time were this instant, such as 2024-06-01T00:00Z. Empty: now, or the end "
        "of the recording if the source is an archive. Left out: CO2_AS_OF.",
    )
    history_days: int | None = Field(
        None,
        description=f"Days of history to store, {MINIMUM_HISTORY_DAYS} to {MAXIMUM_HISTORY_DAYS}; left out: "
        "CO2_HISTORY_DAYS.",
    )
    seed: int | None = Field(None, description="Random seed of training; left out: CO2_SEED.")

    live_url: str | None = Field(None, description="Address of the live service; left out: CO2_LIVE_URL.")
    # The key has no field: a run's configuration is shown to everybody and kept.
    weather: bool | None = Field(
        None, description="Whether the weather forecast is fetched; left out: CO2_WEATHER."
    )
    weather_url: str | None = Field(
        None,
        description="Address of the weather forecast; empty: that of Open-Meteo; left out: CO2_WEATHER_URL.",
    )
    weather_history_url: str | None = Field(
        None,
        description="Address of what was forecast of past hours; empty: that of Open-Meteo; left out: "
        "CO2_WEATHER_HISTORY_URL.",
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> "PipelineResource":
        """Return the resource with these settings as its defaults."""
        return cls(
            home=str(settings.home),
            source=settings.source,
            as_of=f"{settings.as_of:%Y-%m-%dT%H:%M:%SZ}" if settings.as_of else "",
            history_days=settings.history_days,
            seed=settings.seed,
            live_url=settings.live_url,
            weather=settings.weather.wanted,
            weather_url=settings.weather.url,
            weather_history_url=settings.weather.history_url,
        )

    def settings(self) -> Settings:
        """Return the settings of the environment, with those given here in their place.

        Raises SettingsError for a value that cannot be used.
        """
        given: dict[str, Any] = {
            "home": None if self.home is None else Path(self.home),
            "source": self.source,
            "history_days": self.history_days,
            "seed": self.seed,
            "live_url": self.live_url,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if self.as_of is not None:
            given["as_of"] = parse_instant(self.as_of, "as_of") if self.as_of else None
        settings = Settings.from_environment()
        weather: dict[str, Any] = {
            "wanted": self.weather,
            "url": self.weather_url,
            "history_url": self.weather_history_url,
        }
        weather = {name: value for name, value in weather.items() if value is not None}
        return replace(settings, **given, weather=replace(settings.weather, **weather))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Run]:
        """Yield the opened run; at its end, publish what was committed unless a step has published it.

        Raises SettingsError for a time before what is published, whoever launched the run.
        """
        settings = self.settings()
        refuse_older_clock(settings)
        with open_run(settings, forecaster=self.forecaster) as run:
            if context.log:
                context.log.info(
                    f"Source {run.folder.label}, clock {run.now:%Y-%m-%d %H:%M} UTC, home {run.folder.root}"
                )
                if run.notice:
                    context.log.error(run.notice)
            try:
                yield run
            finally:
                # The hourly runs have a few seconds; the six-hour ones keep house for all.
                if context.run is None or cadence_of(context.run) is not Cadence.HOURLY:
                    _keep_house(run, context.instance)
                if not run.is_published:
                    run.publish()
                _speak(run, settings)


def _speak(run: Run, settings: Settings) -> None:
    """Say outside that a forecast was issued; a failure is logged."""
    try:
        after_publication(run, settings)
    except Exception:
        # Any exception: the forecast is published, and nothing after that may fail the run.
        logger.exception("What is said after a publication was not said")


def _keep_house(run: Run, instance: dg.DagsterInstance | None) -> None:
    """Remove what is no longer needed; a failure is logged, and the next run tries again."""
    try:
        tidied = housekeeping.tidy(run)
        pruned = run_records.prune_runs(instance, utc_now()) if instance else 0
    except Exception:
        # Any exception: the disk, DuckDB, or Dagster's records in SQLite or PostgreSQL may fail. No such
        # failure may prevent the publication of a forecast that was made.
        logger.exception("Housekeeping was not finished; the next run tries again")
        return
    logger.info("Housekeeping: %s, %d old runs deleted", tidied, pruned)
