"""What a year of history costs: python bench/growth.py [--days 365 730]

For each number of days a fresh home is filled from the simulator by the real jobs, without training:
the first fetch, the deepening to all of the history, and the tick six hours later. Printed are
processor seconds, the size of the database and of a snapshot, and the most memory held so far.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from co2_assets.automation import DEEPEN_JOB, TICK_JOB
from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW
from co2_assets.definitions import build_definitions
from co2_assets.settings import Settings
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.home import SIMULATOR, Home

NOW = datetime(2024, 6, 1)
MARK = timedelta(hours=6)
UNTRAINED = [*(dataset.name for dataset in DATASETS), "aggregated_data", "engineered_features"]
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DEEPEN = {"ops": {dataset.name: {"config": {"deepen": True}} for dataset in DATASETS}}


def run(settings: Settings, job: str, config: dict[str, Any]) -> float:
    """Run a job without training; return its processor seconds. RuntimeError when it fails."""
    started = time.process_time()
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_definitions(settings)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={**config, **QUIET},
                asset_selection=[dg.AssetKey(name) for name in UNTRAINED],
                raise_on_error=False,
            )
        )
    if not result.success:
        raise RuntimeError(f"{job} failed with {settings.history_days} days of history")
    return time.process_time() - started


def measure(days: int) -> None:
    """Fill a home with ``days`` of history and print what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        first = Settings(home=home, source=SIMULATOR, as_of=NOW, history_days=days)
        later = Settings(home=home, source=SIMULATOR, as_of=NOW + MARK, history_days=days)
        seconds = [run(first, TICK_JOB, {}), run(first, DEEPEN_JOB, DEEPEN), run(later, TICK_JOB, {})]
        files = Home(home).source(SIMULATOR)
        count = f"SELECT count(*) AS n FROM {POWER_SYSTEM_RIGHT_NOW.name}"
        minutes = int(Warehouse(files.database, SIMULATOR).read(count)["n"].iloc[0])
        snapshot = max(path.stat().st_size for path in files.snapshots.glob("*.duckdb"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"{days:5d} {minutes:10,d} {seconds[0]:8.1f} {seconds[1]:8.1f} {seconds[2]:8.1f} "
            f"{files.database.stat().st_size / 1e6:9.1f} {snapshot / 1e6:9.1f} {peak:8.0f}",
            flush=True,
        )


def main() -> None:
    """Measure each number of days in a process of its own, so that memory is its own too."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, nargs="+", default=[90, 365, 730])
    arguments = parser.parse_args()
    print(
        " days    minutes  first s deepen s   tick s  database  snapshot   memory\n"
        + " " * 46
        + "MB        MB       MB"
    )
    for days in arguments.days:
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(days,))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
