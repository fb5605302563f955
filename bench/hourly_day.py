"""A day of hourly forecasts under trouble: python -m bench.hourly_day [--seed S]

The simulator's day is run through as fast as the machine goes. At each time of its cron the real schedule is
asked, and what it requests is run by the real jobs. One update is killed in the middle, the daemon is away
for five hours, and a new model is promoted, after which the sensor for better models is asked. It prints each
forecast that was issued, and fails if an hour of the daemon's presence has none or two, or if the promotion
was not followed by a forecast.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from bench import jobs
from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.forecast_spec import MARK_HOURS
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.tables import MODEL_TABLE, PROMOTED
from co2_assets.contracts.timetable import HOURLY_MINUTES
from co2_assets.defs.automation import (
    RETRAIN_JOB,
    TICK_JOB,
    UPDATE_JOB,
    better_model_sensor,
    hourly_schedule,
)
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.settings import Settings
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home

MIDNIGHT = datetime(2024, 6, 1)
HOUR = timedelta(hours=1)
KILLED_AT = MIDNIGHT + 3 * HOUR
PROMOTED_AT = MIDNIGHT + 9 * HOUR + timedelta(minutes=30)
AWAY_FROM, AWAY_TO = MIDNIGHT + 13 * HOUR, MIDNIGHT + 18 * HOUR
SMALL = {
    "ensemble": 1,
    "hidden": 8,
    "epochs": 1,
    "first_epochs": 1,
    "far_ensemble": 1,
    "far_hidden": 8,
    "far_epochs": 1,
}


def slots() -> Iterator[tuple[datetime, bool]]:
    """Yield the times of the crons of a day in order, with whether it is that of the six-hour schedule."""
    for hour in range(24):
        at = MIDNIGHT + hour * HOUR
        if hour % MARK_HOURS == 0:
            yield at, True
        for minute in HOURLY_MINUTES:
            yield at + timedelta(minutes=minute), False


class Day:
    """The home, and what was run in it."""

    def __init__(self, home: Path, seed: int) -> None:
        self.settings = Settings(home=home, source=SourceKind.SIMULATOR, history_days=30)
        self.random = random.Random(seed)  # noqa: S311 -- no secret
        self.runs: list[str] = []

    def at(self, now: datetime) -> Settings:
        """Set the clock, here and for processes that are started."""
        settings = replace(self.settings, as_of=now)
        os.environ.update(settings.environment())
        return settings

    def run(self, now: datetime, job: str, training: dict[str, Any] | None = None) -> None:
        """Run a job to its end. Raises RuntimeError if it fails."""
        jobs.run(self.at(now), job, {"ops": {"trained_model": {"config": training}}} if training else {})
        self.runs.append(f"{now:%H:%M} {job}")

    def killed(self, now: datetime) -> None:
        """Start an update as a process of its own, and kill it after a moment that chance decides."""
        self.at(now)
        with subprocess.Popen(
            [sys.executable, "-m", "co2_assets", "update"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(self.random.uniform(2, 5))
            process.send_signal(signal.SIGKILL)
        self.runs.append(f"{now:%H:%M} {UPDATE_JOB}, killed")

    def issues(self) -> pd.DataFrame:
        """Return each forecast that was issued, with the number of its rows by area."""
        files = Home(self.settings.home).source(SourceKind.SIMULATOR)
        return Warehouse(files.database, SourceKind.SIMULATOR).read(
            "SELECT issue_time_utc, issued_at_utc, cadence, model_version, "
            "count(DISTINCT price_area) AS areas "
            "FROM predictions WHERE kind = 'live' GROUP BY ALL ORDER BY ALL"
        )

    def promote(self, now: datetime) -> None:
        """Train a model and promote it, whatever its scores are."""
        self.run(now, RETRAIN_JOB, {**SMALL, "seed": 99})
        files = Home(self.settings.home).source(SourceKind.SIMULATOR)
        with Warehouse(files.database, SourceKind.SIMULATOR).open_transaction() as transaction:
            models = transaction.read(f"SELECT * FROM {MODEL_TABLE.name}")
            transaction.upsert(MODEL_TABLE, models.assign(decision=PROMOTED))
        self.run(now, RETRAIN_JOB, {**SMALL, "seed": 99})  # trains the same model again, and publishes

    def spend(self) -> list[str]:
        """Go through the day; return what was wrong."""
        self.run(MIDNIGHT, TICK_JOB, {"only_if_missing": True, **SMALL})
        with dg.instance_for_test() as instance:
            for now, is_mark in slots():
                if now == MIDNIGHT or AWAY_FROM <= now < AWAY_TO:
                    continue
                self.at(now)
                if is_mark:
                    self.run(now, TICK_JOB, {"only_if_missing": True, **SMALL})
                else:
                    self._hourly(now, instance)
                if now <= PROMOTED_AT < now + timedelta(minutes=15):
                    self.promote(PROMOTED_AT)
                    with dg.build_sensor_context(instance=instance) as context:
                        request = better_model_sensor(context)
                    if isinstance(request, dg.RunRequest):
                        self.run(PROMOTED_AT + timedelta(seconds=30), UPDATE_JOB)
        return self._faults()

    def _hourly(self, now: datetime, instance: dg.DagsterInstance) -> None:
        with dg.build_schedule_context(instance=instance) as context:
            request = hourly_schedule(context)
        if isinstance(request, dg.SkipReason):
            return
        if now.replace(minute=0) == KILLED_AT and now.minute == HOURLY_MINUTES[0]:
            self.killed(now)
        else:
            self.run(now, UPDATE_JOB)

    def _faults(self) -> list[str]:
        issued = self.issues()
        present = [h for h in range(24) if not AWAY_FROM <= MIDNIGHT + h * HOUR < AWAY_TO]
        faults = []
        for hour in present:
            own = issued[issued["issue_time_utc"] == MIDNIGHT + hour * HOUR]
            planned = own[own["cadence"] != "update"]
            if len(planned) != 1:
                faults.append(f"{hour:02d}:00 has {len(planned)} forecasts")
            if (own["areas"] != len(AREAS)).any():
                faults.append(f"{hour:02d}:00 lacks an area")
        away = issued[(issued["issue_time_utc"] >= AWAY_FROM) & (issued["issue_time_utc"] < AWAY_TO)]
        if len(away):
            faults.append("an hour of absence was issued afterwards")
        after = issued["issued_at_utc"].between(PROMOTED_AT, PROMOTED_AT + timedelta(minutes=1))
        models = issued["model_version"]
        if not ((issued["cadence"] == "update") & after & (models != models.iloc[0])).any():
            faults.append("the promotion was not followed by a forecast of the new model")
        if issued["issued_at_utc"].duplicated().any():
            faults.append("two forecasts have the same instant")
        return faults


def main() -> None:
    """Run the day, print it, and exit with 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="Decides when the killed update dies.")
    arguments = parser.parse_args()
    silence_library_reports()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        day = Day(Path(folder), arguments.seed)
        faults = day.spend()
        print(day.issues().to_string(index=False))
        print("\n".join(day.runs))
    seconds = time.perf_counter() - started
    print(f"{len(day.runs)} runs in {seconds:.0f} s; faults: {'; '.join(faults) or 'none'}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
