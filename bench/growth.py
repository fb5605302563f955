"""The cost of areas, of years of history and of years of hourly issues: python -m bench.growth

Options, with their defaults: --areas 1 3 10 30 --years 1 2 4 --issue-years 3 --leads 24 72

Each number of areas is measured with a year of history, each number of years with the three areas of
Denmark. The real jobs fill a new home from the simulator: the first fetch and the fetch of all older history
(ingest), the training of one network for one epoch, and, after a first forecast, the tick six hours later.
Areas beyond the three are copies of DK1 and DK2, multiplied by a factor. It prints processor seconds, with
checks and snapshot, the sizes of the database and of a snapshot, and the largest use of memory.

Then come years of hourly issues: a year from the simulator, with copies of its last issue for each hour, of
its raw rows for earlier years, and six versions of each forecast row. Their seconds are those of the clock,
less imports. It prints those of the first archiving of all months, of a publication, of the six-hour tick and
of the hourly update after it, and the sizes of all files.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pandas as pd

from bench import jobs
from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import AREAS, MEASUREMENTS, Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.contracts.sources import SourceKind
from co2_assets.defs.automation import DEEPEN_JOB, RETRAIN_JOB, TICK_JOB, UPDATE_JOB
from co2_assets.energidataservice.emulator.simulator import SimulatedGrid
from co2_assets.pipeline import sources
from co2_assets.pipeline.housekeeping import tidy
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.pipeline.run import open_run
from co2_assets.settings import Settings
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home

NOW = datetime(2024, 6, 1)
MARK = timedelta(hours=6)
DAYS_OF_A_YEAR = 365
# A year of history reaches some days ahead too: copies of it may not meet.
COPIED_DAYS = DAYS_OF_A_YEAR + 10
USUAL_AREAS = len(AREAS)
UNTRAINED = [*(dataset.name for dataset in DATASETS), "aggregated_data", "engineered_features"]
DEEPEN = {"ops": {dataset.name: {"config": {"deepen": True}} for dataset in DATASETS}}
ONE_EPOCH = {
    "ops": {
        "trained_model": {
            "config": {"ensemble": 1, "epochs": 1, "first_epochs": 1, "far_ensemble": 1, "far_epochs": 1}
        }
    }
}


@dataclass(frozen=True)
class ManyAreas(SimulatedGrid):
    """The simulated grid with measurements of all configured areas."""

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
        rows = super().rows(dataset, start, end, now)
        if dataset != "CO2Emis":
            return rows
        parts = [rows[rows["PriceArea"].isin(AREAS)]]
        for number, name in enumerate(name for name in AREAS if name.startswith("X")):
            own = rows[rows["PriceArea"] == ("DK1", "DK2")[number % 2]]
            dirtier = own["CO2Emission"] * (1 - 0.01 * number)
            parts.append(own.assign(PriceArea=name, CO2Emission=dirtier))
        return pd.concat(parts, ignore_index=True)


def configure(areas: int) -> None:
    """Configure this number of areas in this process, the whole country first."""
    table = cast("dict[str, Area]", AREAS)
    originals = list(table.values())
    table.clear()
    for area in originals[:areas]:
        table[area.name] = area
    for number in range(areas - len(originals)):
        name = f"X{number:02d}"
        table[name] = replace(originals[1 + number % 2], name=name, title=name)
    sources.SimulatedGrid = ManyAreas  # type: ignore[misc]


def run(settings: Settings, job: str, config: dict[str, Any], assets: Sequence[str] | None = None) -> float:
    """Run a job or some of its assets; return its processor seconds. Raises RuntimeError if it fails."""
    started = time.process_time()
    jobs.run(settings, job, config, assets)
    return time.process_time() - started


def measure(areas: int, years: int) -> None:
    """Fill a home with ``years`` of history of ``areas`` and print the costs."""
    silence_library_reports()
    configure(areas)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        first = Settings(
            home=home, source=SourceKind.SIMULATOR, as_of=NOW, history_days=DAYS_OF_A_YEAR * years
        )
        ingest = run(first, TICK_JOB, {}, UNTRAINED) + run(first, DEEPEN_JOB, DEEPEN, UNTRAINED)
        training = run(first, RETRAIN_JOB, ONE_EPOCH)
        run(first, TICK_JOB, {})
        tick = run(replace(first, as_of=NOW + MARK), TICK_JOB, {})
        files = Home(home).source(SourceKind.SIMULATOR)
        warehouse = Warehouse(files.database, SourceKind.SIMULATOR)
        rows = sum(
            int(warehouse.read(f"SELECT count(*) AS n FROM {dataset.name}")["n"].iloc[0])
            for dataset in MEASUREMENTS
        )
        snapshot = max(path.stat().st_size for path in files.snapshots.glob("*.duckdb"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"{areas:5d} {years:5d} {rows:12,d} {ingest:8.1f} {training:10.1f} {tick:6.1f} "
            f"{files.database.stat().st_size / 1e6:9.1f} {snapshot / 1e6:9.1f} {peak:8,.0f}",
            flush=True,
        )


def copy_years(warehouse: Warehouse, years: int, leads: int) -> None:
    """Copy the newest issue to each hour of ``years``, with ``leads``, and the raw rows to earlier years."""
    with warehouse.session() as connection:
        connection.execute(
            f"""
            INSERT INTO predictions BY NAME
            WITH newest AS (
                SELECT * FROM predictions
                WHERE kind = 'live' AND issued_at_utc = (SELECT max(issued_at_utc) FROM predictions)
            ), shifts AS (
                SELECT unnest(range(1, {years * DAYS_OF_A_YEAR * 24})) * INTERVAL 1 HOUR AS back
            ), days AS (SELECT unnest(range({leads // HORIZON_HOURS})) AS day)
            SELECT * EXCLUDE (back, day) REPLACE (
                issue_time_utc - back AS issue_time_utc,
                -- Hindcasts of the same hours have the full hour.
                issued_at_utc - back + INTERVAL 1 SECOND AS issued_at_utc,
                target_hour_utc - back + day * INTERVAL 1 DAY AS target_hour_utc,
                lead_hours + day * {HORIZON_HOURS} AS lead_hours,
                q50_g_per_kwh + random() AS q50_g_per_kwh,
                if(hour(issue_time_utc - back) % 6 = 0, 'six_hour', 'hourly') AS cadence
            ) FROM newest, shifts, days
            ORDER BY issue_time_utc, price_area, lead_hours
            """
        )
        for table, time, versions in (
            ("co2_emission_prognosis", "minute_utc", 6),
            ("forecasts_hour", "hour_utc", 6),
            ("day_ahead_prices", "time_utc", 1),
        ):
            changed = f"{time} - back AS {time}"
            if versions > 1:
                changed += ", published_at_utc - back - n * INTERVAL 6 HOUR AS published_at_utc"
            connection.execute(
                f"""
                INSERT INTO {table} BY NAME
                SELECT t.* REPLACE ({changed})
                FROM {table} t, (SELECT unnest(range({years})) * INTERVAL {COPIED_DAYS} DAY AS back),
                    (SELECT unnest(range({versions})) AS n)
                WHERE back > INTERVAL 0 DAY OR n > 0
                ORDER BY {time}
                """
            )


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that ``action`` takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measure_issues(years: int, leads: int) -> None:
    """Fill a home with ``years`` of hourly issues to ``leads`` hours and print the costs."""
    silence_library_reports()
    with tempfile.TemporaryDirectory() as folder:
        first = Settings(
            home=Path(folder), source=SourceKind.SIMULATOR, as_of=NOW, history_days=DAYS_OF_A_YEAR
        )
        run(first, TICK_JOB, {}, UNTRAINED)
        run(first, DEEPEN_JOB, DEEPEN, UNTRAINED)
        run(first, RETRAIN_JOB, ONE_EPOCH)
        run(first, TICK_JOB, {})
        files = Home(first.home).source(SourceKind.SIMULATOR)
        copy_years(Warehouse(files.database, SourceKind.SIMULATOR), years, leads)
        with open_run(first) as opened:
            rows = int(opened.warehouse.read("SELECT count(*) AS n FROM predictions")["n"].iloc[0])
            archive = timed(lambda: tidy(opened))
            publish = min(timed(opened.publish) for _ in range(3))
        tick = timed(lambda: run(replace(first, as_of=NOW + MARK), TICK_JOB, {}))
        update = timed(lambda: run(replace(first, as_of=NOW + MARK * 7 / 6), UPDATE_JOB, {}))
        sizes = (
            files.database.stat().st_size,
            max(path.stat().st_size for path in files.snapshots.glob("*.duckdb")),
            sum(path.stat().st_size for path in files.issues.glob("*.parquet")),
            sum(path.stat().st_size for path in files.history.glob("*/*.parquet")),
        )
        print(
            f"{leads:5d} {years:5d} {rows:12,d} {archive:9.1f} {publish:9.2f} {tick:6.1f} {update:8.1f} "
            + " ".join(f"{size / 1e6:9.1f}" for size in sizes),
            flush=True,
        )


def in_new_process(action: Callable[..., None], *arguments: int) -> None:
    """Call ``action`` in a new process; exit if it fails."""
    process = multiprocessing.get_context("spawn").Process(target=action, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def main() -> None:
    """Measure each size in a new process, so that its memory is measured alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--areas", type=int, nargs="*", default=[1, 3, 10, 30])
    parser.add_argument("--years", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--issue-years", type=int, nargs="*", default=[3])
    parser.add_argument("--leads", type=int, nargs="*", default=[HORIZON_HOURS, 3 * HORIZON_HOURS])
    arguments = parser.parse_args()
    sizes = [(areas, 1) for areas in arguments.areas] + [(USUAL_AREAS, years) for years in arguments.years]
    print(
        "areas years measurements ingest s training s tick s  database  snapshot   memory\n"
        + " " * 56
        + "MB        MB       MB"
    )
    for size in dict.fromkeys(sizes):
        in_new_process(measure, *size)
    print(
        "\nleads years    forecasts archive s publish s tick s update s"
        "  database  snapshot    issues   history\n" + " " * 59 + "MB        MB        MB        MB"
    )
    for years in arguments.issue_years:
        for leads in arguments.leads:
            in_new_process(measure_issues, years, leads)


if __name__ == "__main__":
    main()
