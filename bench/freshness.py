"""What a reader sees who comes at any minute, with a forecast every six hours and with one each hour.

``python -m bench.freshness`` trains one model as `bench.accuracy` does and issues its forecasts at every
hour with what was known then. For each minute of each day it takes the forecast that is the newest one at
that minute under both timetables (`co2_assets.contracts.timetable`) and scores the hours ahead of the
reader. No reader is drawn: all minutes of all days count, each at its middle.

The next hours are counted in two ways: from the hour that contains the reader's minute, and from the first
full hour after it. An hour is scored where both forecasts and persistence speak of it and its outcome is
known, so that all are judged on the same hours. Persistence is the newest hour that was measured before the
reader's hour, with the quantiles of its residuals; it never waits for a run.
"""

import argparse
import json
import math
import os
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.accuracy.contestants import Contestant, last_value, ours
from bench.accuracy.recording import Say, Trial, read_recording, trial
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import BAND_LEVELS, HORIZON_HOURS, MARK, QUANTILES
from co2_assets.contracts.time import HOUR, hour_containing
from co2_assets.contracts.timetable import Timetable
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.settings import parse_instant

OUT = Path("bench/out")
TIMETABLES = {"six-hourly": Timetable(hourly=False), "hourly": Timetable(hourly=True)}
SIX_HOURLY, HOURLY, LAST = range(3)
# From when a run begins to when its forecast is published: 6 to 10 s on two cores.
RUN_SECONDS = 10.0
SPANS = (1, 3, 6, 24)
# How the hours ahead are counted: by the hours after the reader's own that the first of them lies.
STARTS = {"from the hour of the reader's minute": 0, "from the first full hour after it": 1}
BAND = 80
DAY = timedelta(days=1)
HOURS_OF_A_DAY, MINUTES_OF_AN_HOUR = 24, 60
# The difference is drawn anew in blocks of so many days: weather that lasts is kept together.
BLOCK_DAYS = 7
RESAMPLES = 10_000
INTERVAL = (0.025, 0.975)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """Readers of one hour of the day who see the same forecasts.

    ``ages`` says for each kind of forecast how many hours before the reader's hour it starts;
    ``minutes`` is how many minutes of the hour see these.
    """

    hour: int
    ages: tuple[int, ...]
    minutes: int


@dataclass(frozen=True)
class Age:
    """Minutes from when a forecast's run began to when it is read."""

    mean: float
    largest: float


def views(timetables: Sequence[Timetable], run_time: timedelta) -> tuple[list[View], list[Age]]:
    """Return what is seen at all minutes of a day under each timetable, and the age of what is seen.

    The forecast whose run began at an instant is seen from ``run_time`` after it.
    """
    midnight = datetime(2024, 1, 2)
    seen: Counter[tuple[int, tuple[int, ...]]] = Counter()
    ages: list[list[float]] = [[] for _ in timetables]
    made = [_made(timetable, midnight) for timetable in timetables]
    for minute in range(HOURS_OF_A_DAY * MINUTES_OF_AN_HOUR):
        instant = midnight + timedelta(minutes=minute + 0.5)
        hour = minute // MINUTES_OF_AN_HOUR
        newest = [times[bisect_right(times, instant - run_time) - 1] for times in made]
        for each, at in zip(ages, newest, strict=True):
            each.append((instant - at) / timedelta(minutes=1))
        starts = [hour_containing(at) for at in newest]
        seen[hour, tuple((midnight + hour * HOUR - start) // HOUR for start in starts)] += 1
    found = [View(hour, behind, minutes) for (hour, behind), minutes in seen.items()]
    longest = [max(after - at for at, after in pairwise(times)) + run_time for times in made]
    return found, [
        Age(float(np.mean(each)), pause / timedelta(minutes=1))
        for each, pause in zip(ages, longest, strict=True)
    ]


def _made(timetable: Timetable, midnight: datetime) -> list[datetime]:
    """The instants at which runs begin, from the last mark before ``midnight`` to the end of its day."""
    times = [midnight - MARK]
    while times[-1] < midnight + DAY:
        times.append(timetable.next_due(times[-1]))
    return times


@dataclass(frozen=True)
class Judged:
    """Each forecast's absolute errors and whether its band held: (issues, HORIZON_HOURS), NaN if unknown."""

    error: Floats
    held: Floats


def judged(contestant: Contestant, actual: Floats) -> Judged:
    """Judge forecasts by the outcomes. ValueError for one that has no quantiles."""
    if contestant.quantiles is None:
        raise ValueError(f"{contestant.name} gives no quantiles")
    low, high = (contestant.quantiles[..., QUANTILES.index(level)] for level in BAND_LEVELS[BAND])
    error = np.abs(contestant.median - actual)
    return Judged(error, np.where(np.isnan(error), np.nan, (low <= actual) & (actual <= high)))


@dataclass(frozen=True)
class Tally:
    """Sums over all minutes of each day, by kind of forecast: (kinds, days), and ``scored``: (days,).

    ``scored`` counts hours times the minutes that look at them. ``beyond`` is, by kind, how many of the
    hours asked for lie after the end of the forecast on average; ``unmeasured`` how many of the rest have
    no outcome.
    """

    error: Floats
    held: Floats
    scored: Floats
    beyond: Floats
    unmeasured: float


def tally(seen: Sequence[View], kinds: Sequence[Judged], start: int, span: int) -> Tally:
    """Score the ``span`` hours from ``start`` hours after the reader's own, on the hours that all speak of.

    Row 0 of each kind is the forecast of a midnight, and the rows are an hour apart. Readers come from the
    day after on, on each whole day. ValueError when the days are too few for an interval.
    """
    issues = len(kinds[0].error)
    days = issues // HOURS_OF_A_DAY - 1
    if days < BLOCK_DAYS:
        raise ValueError(f"{issues} forecasts are too few for {BLOCK_DAYS} days: choose --end later")
    first = HOURS_OF_A_DAY * np.arange(1, days + 1)
    error, held = np.zeros((2, len(kinds), days))
    scored = np.zeros(days)
    beyond = np.zeros(len(kinds))
    unmeasured = 0.0
    for view in seen:
        pairs = list(zip(kinds, view.ages, strict=True))
        rows = first + view.hour
        errors = np.stack([_ahead(kind.error, rows, age, start, span) for kind, age in pairs])
        bands = np.stack([_ahead(kind.held, rows, age, start, span) for kind, age in pairs])
        known = ~np.isnan(errors).any(axis=0)
        error += view.minutes * np.where(known, errors, 0.0).sum(axis=-1)
        held += view.minutes * np.where(known, bands, 0.0).sum(axis=-1)
        scored += view.minutes * known.sum(axis=-1)
        ends = np.array([max(0, age + start + span - HORIZON_HOURS) for age in view.ages])
        beyond += view.minutes * ends
        unmeasured += view.minutes * float((span - ends.max()) - known.sum(axis=-1).mean())
    minutes = sum(view.minutes for view in seen)
    return Tally(error, held, scored, beyond / minutes, unmeasured / minutes)


def _ahead(values: Floats, rows: NDArray[np.int64], age: int, start: int, span: int) -> Floats:
    """What the forecasts issued ``age`` before ``rows`` say of the hours ahead: NaN after their end."""
    seen = np.full((len(rows), span), np.nan)
    there = values[rows - age, age + start : age + start + span]
    seen[:, : there.shape[1]] = there
    return seen


def change(own: Floats, other: Floats, *, seed: int) -> tuple[float, float, float]:
    """How much more ``own`` is than ``other`` (sums by day), as a share, with both ends of its 95 % interval.

    A moving-block bootstrap (Künsch 1989, its days closed to a circle) of `BLOCK_DAYS` days.
    """
    days = len(own)
    blocks = np.random.default_rng(seed).integers(days, size=(RESAMPLES, math.ceil(days / BLOCK_DAYS)))
    drawn = ((blocks[..., None] + np.arange(BLOCK_DAYS)) % days).reshape(RESAMPLES, -1)[:, :days]
    low, high = np.quantile(own[drawn].sum(axis=1) / other[drawn].sum(axis=1) - 1, INTERVAL)
    return float(own.sum() / other.sum() - 1), float(low), float(high)


def replay(given: Trial, run_time: timedelta, seed: int, say: Say) -> dict[str, Any]:
    """Train, issue and score; everything as plain values."""
    first, last = int(given.test.issue_hours[0]), int(given.test.issue_hours[-1])
    if len(given.test) != last - first + 1 or first % HOURS_OF_A_DAY:
        raise ValueError("the test must begin at a midnight, with a measured hour in each day: see --until")
    say("training and issuing")
    own, naive = ours(given, "attention LSTM"), last_value(given)
    say("scoring")
    actual = given.test.target.astype(np.float64)
    issued = judged(own, actual)
    kinds = (issued, issued, judged(naive, actual))
    seen, ages = views(tuple(TIMETABLES.values()), run_time)
    # Persistence is always that of the reader's own hour.
    seen = [View(view.hour, (*view.ages, 0), view.minutes) for view in seen]
    names = (*TIMETABLES, naive.name)
    entries = []
    for title, start in STARTS.items():
        for span in SPANS:
            sums = tally(seen, kinds, start, span)
            less, low, high = change(sums.error[HOURLY], sums.error[SIX_HOURLY], seed=seed)
            scored = sums.scored.sum()
            entries.append(
                {
                    "counted": title,
                    "hours": span,
                    "mae": dict(zip(names, (sums.error.sum(axis=1) / scored).tolist(), strict=True)),
                    "change": less,
                    "change_interval": [low, high],
                    "coverage_80": dict(
                        zip(names, (100 * sums.held.sum(axis=1) / scored).tolist(), strict=True)
                    ),
                    "hours_beyond_the_forecast": dict(zip(names, sums.beyond.tolist(), strict=True)),
                    "hours_unmeasured": sums.unmeasured,
                    "days": len(sums.scored),
                }
            )
    return {
        "trained_until": given.until.isoformat(),
        "to": given.end.isoformat(),
        **own.facts,
        "run_seconds": run_time.total_seconds(),
        "block_days": BLOCK_DAYS,
        "resamples": RESAMPLES,
        "seed": seed,
        "age_minutes": {
            name: {"mean": age.mean, "largest": age.largest}
            for name, age in zip(TIMETABLES, ages, strict=True)
        },
        "seen": entries,
    }


def show(result: dict[str, Any]) -> None:
    """The tables people read."""
    console = Console(width=150, highlight=False)
    six, hourly = TIMETABLES
    naive = next(name for name in result["seen"][0]["mae"] if name not in TIMETABLES)
    days = result["seen"][0]["days"]
    console.print(
        f"\nTrained until {result['trained_until']}, forecasts to {result['to']}; readers at every minute of "
        f"{days} days from the second on. MAE in g/kWh; outcomes in the 80 % band in %. Missing: "
        "hours after the end of the forecast on average, six-hourly; hourly. They count for neither."
    )
    for counted in STARTS:
        table = Table(title=f"The next hours {counted}")
        heads = (f"MAE {six}", f"MAE {hourly}", "change, % (95 % interval)", f"MAE {naive}")
        for heading in ("", *heads, f"80 % band {six}", f"80 % band {hourly}", "missing"):
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        for each in (entry for entry in result["seen"] if entry["counted"] == counted):
            low, high = each["change_interval"]
            mae, held, beyond = (each[n] for n in ("mae", "coverage_80", "hours_beyond_the_forecast"))
            table.add_row(
                "next hour" if each["hours"] == 1 else f"next {each['hours']} hours",
                f"{mae[six]:.2f}",
                f"{mae[hourly]:.2f}",
                f"{100 * each['change']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
                f"{mae[naive]:.2f}",
                f"{held[six]:.1f}",
                f"{held[hourly]:.1f}",
                f"{beyond[six]:.2f}; {beyond[hourly]:.2f}",
            )
        console.print(table)
    for name, age in result["age_minutes"].items():
        console.print(
            f"{name} forecast: {age['mean']:.0f} minutes old on average, {age['largest']:.0f} at most"
        )


def main() -> None:
    """Parse the arguments, replay, print, write."""
    silence_library_reports()
    parser = argparse.ArgumentParser(
        prog="python -m bench.freshness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recorded = Path(os.environ.get("CO2_ARCHIVE", "../shared/archive"))
    parser.add_argument("--archive", type=Path, default=recorded, help="folder of the recorded data")
    parser.add_argument("--home", type=Path, default=OUT / "home", help="where they are read into")
    parser.add_argument("--until", type=parse_instant, default=datetime(2024, 6, 1), help="end of training")
    parser.add_argument("--end", type=parse_instant, default=datetime(2024, 11, 29), help="end of test")
    parser.add_argument("--run-seconds", type=float, default=RUN_SECONDS, help="from due to published")
    parser.add_argument("--seed", type=int, default=1, help="of the interval's resamples")
    parser.add_argument("--json", type=Path, default=OUT / "freshness.json")
    options = parser.parse_args()
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    given = trial(
        read_recording(options.archive, options.home, say)[DENMARK.name], options.until, options.end
    )
    result = replay(given, timedelta(seconds=options.run_seconds), options.seed, say)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result)
    say(f"written: {options.json}")


if __name__ == "__main__":
    main()
