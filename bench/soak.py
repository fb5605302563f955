"""A month of six-hourly runs in minutes, with faults of the service, the machine and people.

    python -m bench.soak [--days 30] [--seed 1] [--from 2024-10-05] [--archive DIR] [--calm]

Each run is the real six-hour job on recorded data, in one process, with Dagster's records in memory. A
seeded mix of faults is injected: bad answers of the service, kill -9 of a run in another process, damaged
files, a full disk, two runs at once, three days without a run, and a clock that is set back. A thread reads
the published snapshots at the same time. With --calm no fault is injected: a year of that shows how memory
and disk use grow. The exit code is 1 if an invariant breaks.
"""

import argparse
import ctypes
import gc
import logging
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import dagster as dg
import pandas as pd
import psutil

from bench.service_faults import RandomFaults, frozen, only
from co2_assets.contracts import DAY_AHEAD_PRICES, POWER_SYSTEM_RIGHT_NOW, Dataset, split_rows
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.tables import TABLES
from co2_assets.definitions import build_definitions
from co2_assets.defs.automation import TICK_JOB
from co2_assets.http_service.emulated import Fault
from co2_assets.pipeline import run as run_module
from co2_assets.pipeline.progress import Progress
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.pipeline.sources import connect, parse_source
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.errors import SnapshotUnreadable
from co2_assets.warehouse.paths import Home, SourceFolder

MARK = timedelta(hours=6)
DAY = timedelta(days=1)
HISTORY_DAYS = 40
# Small enough to train in seconds: the pipeline is tested, not the forecast.
TRAINING = {
    "only_if_missing": True,
    "ensemble": 1,
    "hidden": 8,
    "epochs": 4,
    "far_ensemble": 1,
    "far_hidden": 8,
    "first_epochs": 2,
    "far_epochs": 2,
}
SERVICE_FAULT_CHANCE = 0.25
# The share of six-hour marks at which each of these faults is injected.
MACHINE_CHANCES = {
    "kill -9": 0.45,
    "database truncated": 0.02,
    "database overwritten with noise": 0.03,
    "weights damaged": 0.02,
    "weights damaged, training fails": 0.03,
    "snapshot pointer damaged": 0.03,
    "two runs at once": 0.03,
    "disk full": 0.04,
    "leftover lock": 0.03,
    "clock set back": 0.03,
}
# Modules that the fork server imports once for all of its processes.
PRELOADED = [
    "co2_assets.definitions",
    "co2_assets.pipeline.housekeeping",
    "co2_assets.pipeline.live_forecast",
    "co2_assets.forecasting.network.training",
    "co2_assets.forecasting.score.backtest",
]
COUNTED_CALLS = 10
# The number of calls counted like that in a tick without faults.
CALLS_OF_A_TICK = 1900
# After these times the use of memory and disk is recorded.
NOTED_AFTER = [timedelta(days=days) for days in (10, 30, 90, 180, 270)]
FROZEN_FOR = 3 * DAY
AWAY_FOR = 3 * DAY


@dataclass
class Tally:
    """What was done and the results; ``broken`` has a line for each invariant that did not hold."""

    ticks: int = 0
    issued: int = 0
    models: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    marks_without_data: int = 0
    rows_lost: int = 0
    rows_doubled: int = 0
    reader_polls: int = 0
    reader_errors: int = 0
    longest_gap: timedelta = timedelta(0)
    sizes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report."""
        return [
            f"ticks                          {self.ticks}",
            f"forecasts issued               {self.issued}",
            *(f"  by {name:28s}{count}" for name, count in sorted(self.models.items())),
            f"marks without usable data      {self.marks_without_data}",
            f"faults injected                {self.faults.total()}",
            *(f"  {name:30s} {count}" for name, count in sorted(self.faults.items())),
            f"rows lost                      {self.rows_lost}",
            f"rows doubled                   {self.rows_doubled}",
            f"reader polls                   {self.reader_polls}",
            f"reader errors                  {self.reader_errors}",
            f"longest time without forecast  {self.longest_gap}",
            *self.sizes,
            *(f"BROKEN: {text}" for text in self.broken),
        ]


def tick(settings: Settings, fault: Fault | None = None) -> bool:
    """Run the six-hour job in this process without log output; return whether it succeeded."""
    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "ops": {"trained_model": {"config": TRAINING}},
    }
    job = build_definitions(settings).resolve_job_def(TICK_JOB)
    with (
        patch.object(run_module, "connect", partial(connect, fault=fault)),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        return job.execute_in_process(instance=instance, run_config=config, raise_on_error=False).success


def _tick_in_own_process(
    settings: Settings, largest_file: int | None = None, last_call: int | None = None
) -> None:
    """Run a tick in a process that may run out of disk space or be killed at one of our functions."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if last_call is not None:
        _die_at(last_call)
    tick(settings)


def _die_at(last_call: int) -> None:
    """Kill this process at call number ``last_call`` of a function of ours.

    Only the first calls of each function count, so that most kills are not in the same few loops.
    """
    calls: Counter[CodeType] = Counter()
    counted = 0

    def count(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal counted
        if event == "call" and "/co2_assets/" in frame.f_code.co_filename:
            calls[frame.f_code] += 1
            if calls[frame.f_code] <= COUNTED_CALLS:
                counted += 1
                if counted == last_call:
                    os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


class Soak:
    """One time-lapse: its home, its chance, its tally."""

    def __init__(self, settings: Settings, seed: int) -> None:
        if settings.as_of is None:
            raise ValueError("a time-lapse needs a time to begin at")
        self.settings = settings
        self.begin: datetime = settings.as_of
        self.chance = random.Random(seed)  # noqa: S311 -- to be repeatable, not secret
        self.service_faults = RandomFaults(seed, SERVICE_FAULT_CHANCE)
        self.tally = Tally()
        self.folder: SourceFolder = Home(settings.home).source(SourceKind.ARCHIVE)
        self.warehouse = Warehouse(self.folder.database, SourceKind.ARCHIVE)
        self.issued_rows = pd.Series(dtype="uint64")
        self.last_issued: datetime | None = None
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(PRELOADED)
        with _quiet():
            forkserver.ensure_running()

    def run(self, days: float, progress: Progress, *, is_calm: bool = False) -> Tally:
        """Run ``days`` of ticks and then two good ones; return the tally."""
        stop = threading.Event()
        if not self._first(progress):
            self.tally.broken.append("the first tick failed")
            return self.tally
        reader = threading.Thread(target=self._read_on, args=(stop,))
        reader.start()
        try:
            self._lapse(days, progress, self._calm_mark if is_calm else self._mark_of(int(days * 4)))
        finally:
            stop.set()
            reader.join()
        return self.tally

    def _first(self, progress: Progress) -> bool:
        succeeded = self._tick_at(self.begin, None)
        self._compare_with_before(self.begin, ran=True)
        self._record_sizes(self.begin)
        progress(f"{self.begin:%Y-%m-%d %H:%M}  first tick, {_memory_mb():.0f} MB")
        return succeeded

    def _lapse(self, days: float, progress: Progress, do: Callable[[int, datetime], bool]) -> None:
        marks = int(days * 4)
        for number in range(1, marks + 1):
            now = self.begin + number * MARK
            self._compare_with_before(now, ran=do(number, now))
            if now - self.begin in NOTED_AFTER:
                self._record_sizes(now)
            if number % 8 == 0:
                progress(f"{now:%Y-%m-%d %H:%M}  {self.tally.issued} forecasts, {_memory_mb():.0f} MB")
        end = self.begin + marks * MARK
        for now in (end + MARK, end + 2 * MARK):
            if not self._tick_at(now, None):
                self.tally.broken.append(f"a good tick at {now} failed")
            self._compare_with_before(now, ran=True)
        self._close(end + 2 * MARK)

    def _calm_mark(self, _number: int, now: datetime) -> bool:
        return self._tick_at(now, None)

    def _mark_of(self, marks: int) -> Callable[[int, datetime], bool]:
        """Return the function that runs a mark; draw the days without new data and those without runs."""
        frozen_from = self.chance.randrange(1, max(2, marks // 3))
        frozen_to = frozen_from + FROZEN_FOR // MARK
        away_from = self.chance.randrange(max(2, marks // 2), max(3, marks * 3 // 4))
        away_to = away_from + (AWAY_FOR // MARK if marks > 48 else 2)

        def do(number: int, now: datetime) -> bool:
            if number == frozen_from:
                self._count("dataset frozen for three days")
            if number == away_from:
                self._count("no run at all")
            if away_from <= number < away_to:
                return False
            fault: Fault = self.service_faults
            if frozen_from <= number < frozen_to:
                fault = _both(fault, only(frozen(self.begin + frozen_from * MARK), "Forecasts_Hour"))
            return self._mark(now, fault)

        return do

    def _mark(self, now: datetime, fault: Fault) -> bool:
        """Run one mark, with a fault of the machine first; return whether the run was complete."""
        kind = self._machine_fault()
        if kind is None:
            self._tick_at(now, fault)
            return True
        self._count(kind)
        if kind == "kill -9":
            self._kill_at(now)
            if self.chance.random() < 0.3:
                return False
        elif kind == "disk full":
            self._run_apart(now, self.folder.database.stat().st_size + self.chance.randrange(65_536))
            return False
        elif kind == "two runs at once":
            other = self._start_apart(now)
            self._tick_at(now, fault)
            other.join()
            return True
        elif kind == "clock set back":
            self._tick_at(now - timedelta(hours=self.chance.randrange(7, 30)), fault)
        elif kind == "weights damaged, training fails":
            self._damage(kind)
            with patch(
                "co2_assets.forecasting.network.training.train_together",
                side_effect=MemoryError("no memory left"),
            ):
                self._tick_at(now, fault)
            return True
        else:
            self._damage(kind)
        self._tick_at(now, fault)
        return True

    def _machine_fault(self) -> str | None:
        drawn = self.chance.random()
        for name, chance in MACHINE_CHANCES.items():
            drawn -= chance
            if drawn < 0:
                return name
        return None

    def _damage(self, kind: str) -> None:
        if kind == "database truncated":
            path = self.folder.database
            with path.open("r+b") as file:
                file.truncate(self.chance.randrange(path.stat().st_size))
        elif kind == "database overwritten with noise":
            with self.folder.database.open("r+b") as file:
                file.seek(self.chance.randrange(self.folder.database.stat().st_size // 2))
                file.write(self.chance.randbytes(300_000))
        elif kind.startswith("weights damaged"):
            for path in self.folder.models.glob("*.safetensors"):
                path.write_bytes(self.chance.randbytes(path.stat().st_size))
        elif kind == "snapshot pointer damaged":
            (self.folder.snapshots / snapshots.POINTER).write_text('{"version": 7', encoding="utf-8")
        elif kind == "leftover lock":
            self.folder.database.with_name(self.folder.database.name + ".lock").write_text("4194304")

    def _tick_at(self, now: datetime, fault: Fault | None) -> bool:
        self.tally.ticks += 1
        return tick(replace(self.settings, as_of=now), fault)

    def _start_apart(self, now: datetime, *limits: int | None) -> Any:
        settings = replace(self.settings, as_of=now)
        process = self.processes.Process(target=_tick_in_own_process, args=(settings, *limits))
        process.start()
        self.tally.ticks += 1
        return process

    def _run_apart(self, now: datetime, largest_file: int) -> None:
        self._start_apart(now, largest_file).join()

    def _kill_at(self, now: datetime) -> None:
        process = self._start_apart(now, None, self.chance.randrange(1, CALLS_OF_A_TICK))
        process.join()

    def _count(self, name: str) -> None:
        self.tally.faults[name] += 1

    def _compare_with_before(self, now: datetime, *, ran: bool) -> None:
        """Compare what is stored now with what was stored before."""
        snapshot = snapshots.current(self.folder.snapshots)
        if snapshot is None:
            self.tally.broken.append(f"{now}: nothing is published")
            return
        rows = snapshots.query(snapshot, "SELECT * FROM predictions")
        keys = ["price_area", "issue_time_utc", "target_hour_utc", "model_version"]
        self.tally.rows_doubled += int(rows.duplicated(keys).sum())
        stored = pd.Series(
            pd.util.hash_pandas_object(rows, index=False).to_numpy(),
            index=pd.MultiIndex.from_frame(rows[keys]),
        )
        known = stored.index.isin(self.issued_rows.index)
        lost = len(self.issued_rows) - int(known.sum())
        rewritten = len(self.issued_rows) - lost - int(stored[known].isin(self.issued_rows).sum())
        self.tally.rows_lost += lost
        if lost or rewritten:
            self.tally.broken.append(f"{now}: {lost} forecast rows lost, {rewritten} rewritten")
        self.issued_rows = stored
        live = rows[(rows["kind"] == "live") & (rows["issue_time_utc"] == now)]
        if len(live):
            self.tally.issued += 1
            self.tally.models.update({str(live["model_version"].iloc[-1]).split("-")[0]: 1})
            self.last_issued = now
        elif ran:
            self._no_forecast(snapshot, now)
        if self.last_issued is not None:
            self.tally.longest_gap = max(self.tally.longest_gap, now - self.last_issued)

    def _record_sizes(self, now: datetime) -> None:
        gc.collect()
        # Memory that is free but kept by the allocator of the C library does not count. Only the GNU
        # library can be asked to release it.
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        database = self.folder.database.stat().st_size / 2**20
        disk = sum(path.stat().st_size for path in self.folder.root.rglob("*") if path.is_file()) / 2**20
        self.tally.sizes.append(
            f"after {(now - self.begin).days:4d} days                {_memory_mb():.0f} MB of memory, "
            f"database {database:.1f} MB, all files {disk:.1f} MB"
        )

    def _no_forecast(self, snapshot: snapshots.Snapshot, now: datetime) -> None:
        known = snapshots.query(
            snapshot,
            "SELECT count(*) AS n FROM aggregated_data WHERE hour_utc >= ? AND hour_utc < ?",
            [now - DAY, now],
        )["n"].iloc[0]
        if known:
            self.tally.broken.append(f"{now}: no forecast, though {known} hours of the last day are known")
        else:
            self.tally.marks_without_data += 1

    def _close(self, now: datetime) -> None:
        self._record_sizes(now)
        self.tally.faults.update(self.service_faults.met)
        with self.warehouse.open_transaction() as transaction:
            for table in TABLES:
                doubled = f"SELECT count(*) - count(DISTINCT ({', '.join(table.key)})) AS n FROM {table.name}"
                self.tally.rows_doubled += int(transaction.read(doubled)["n"].iloc[0])
        for dataset in (POWER_SYSTEM_RIGHT_NOW, DAY_AHEAD_PRICES):
            self.tally.rows_lost += self._missing(dataset, now)
        if self.tally.rows_lost or self.tally.rows_doubled or self.tally.reader_errors:
            self.tally.broken.append("rows were lost or doubled, or a reader met an error")

    def _missing(self, dataset: Dataset, now: datetime) -> int:
        """Return how many valid rows of the recording are not stored as they were recorded."""
        start = now - HISTORY_DAYS * DAY
        with connect(parse_source(self.settings.source), lambda: now) as source:
            recorded, _ = split_rows(dataset, source.client.fetch(dataset, start, now), now=now)
        held = self.warehouse.read(f"SELECT * FROM {dataset.name}")
        columns = [name for name in recorded.columns if name != "fetched_at_utc"]
        same = recorded[columns].merge(held[columns].drop_duplicates(), how="left", indicator=True)
        missing = same[same["_merge"] == "left_only"]
        if len(missing):
            times = missing[dataset.time_column]
            self.tally.broken.append(
                f"{dataset.name}: {len(missing)} recorded rows of {times.min()} to {times.max()} are not "
                "stored as recorded"
            )
        return len(missing)

    def _read_on(self, stop: threading.Event) -> None:
        """Read the newest forecast again and again, as a page does, until ``stop`` is set."""
        while not stop.wait(0.1):
            self.tally.reader_polls += 1
            try:
                self._read_once()
            except Exception as error:  # noqa: BLE001 -- errors of any kind are counted
                self.tally.reader_errors += 1
                self.tally.broken.append(f"a reader met {type(error).__name__}: {error}")

    def _read_once(self) -> None:
        for attempt in (1, 2):
            snapshot = snapshots.current(self.folder.snapshots)
            if snapshot is None:
                raise RuntimeError("nothing is published any more")
            try:
                rows = snapshots.query(snapshot, "SELECT * FROM current_forecast ORDER BY lead_hours")
            except SnapshotUnreadable:
                # A snapshot may be removed after it was found; then there is a newer one.
                if attempt == 2:
                    raise
            else:
                if len(rows) % 24:
                    raise RuntimeError(f"half a forecast: {len(rows)} rows")
                return


@contextmanager
def _quiet() -> Iterator[None]:
    """Discard standard error of processes started meanwhile, because they are killed while they log."""
    standard_error = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


def _both(first: Fault, second: Fault) -> Fault:
    return lambda request, response: first(request, second(request, response))


def _memory_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


def soak(
    archive: Path,
    begin: datetime,
    days: float,
    seed: int,
    progress: Progress,
    *,
    is_calm: bool = False,
) -> Tally:
    """Run a time-lapse in a temporary home and return its tally."""
    home = Path(tempfile.mkdtemp(prefix="co2-soak-"))
    try:
        settings = Settings(
            home=home, source=f"archive:{archive}", as_of=begin, history_days=HISTORY_DAYS, seed=seed
        )
        return Soak(settings, seed).run(days, progress, is_calm=is_calm)
    finally:
        shutil.rmtree(home)


def main() -> None:
    """Entry point."""
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="begin", type=datetime.fromisoformat, default=datetime(2024, 10, 5))
    default = os.environ.get("CO2_ARCHIVE", root.parent / "shared" / "archive")
    parser.add_argument("--archive", type=Path, default=Path(default))
    parser.add_argument("--calm", action="store_true", help="inject nothing")
    options = parser.parse_args()
    silence_library_reports()
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    tally = soak(options.archive, options.begin, options.days, options.seed, print, is_calm=options.calm)
    print("\n".join(tally.lines()))
    print(f"took {time.monotonic() - started:.0f} s, seed {options.seed}")
    sys.exit(1 if tally.broken else 0)


if __name__ == "__main__":
    main()
