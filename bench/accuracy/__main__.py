"""``python -m bench.accuracy``: every contestant on the same recorded hours, in one run."""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.accuracy import contestants
from bench.accuracy.areas import OURS, TREES, contests
from bench.accuracy.contestants import Contestant
from bench.accuracy.gradient_boosting import boosted_trees
from bench.accuracy.hidden_weather import HiddenMonth, hidden_month
from bench.accuracy.original import original_network
from bench.accuracy.picture import error_picture
from bench.accuracy.recording import Say, Trial, read_recording, trial
from bench.accuracy.scores import SPANS, duel, measures, monthly_coverage, same_hours
from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.contracts.forecast_spec import HEADLINE_LEADS, HORIZON_HOURS
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.settings import parse_instant

OUT = Path("bench/out")
# What the recording of the whole country is judged on, and that of the areas, which ends a year earlier.
NATIONAL_SPAN = (datetime(2024, 6, 1), datetime(2024, 11, 29))
AREAS_SPAN = (datetime(2023, 9, 1), datetime(2023, 11, 14, 23))
TABLE_LEADS = (1, 2, 3, 6, 12, 18, 24, 36, 48, 60, 72)
OURS_WITHOUT, TREES_WITHOUT = f"{OURS}, no weather", f"{TREES}, no weather"
SIGNIFICANT = 0.01
# How long the weather stops.
HIDDEN_FOR = timedelta(days=30)
HIDDEN_MEASURES = ("mae", "width_80", "coverage_80")
# What is taken away, one after the other, to see what it is worth.
ABLATIONS = {
    "no weather": ("weather",),
    "no prognosis": ("prognosis",),
    "no prices": ("prices",),
    "no wind and solar forecasts": ("wind_solar",),
    "measured power only": ("weather", "prognosis", "prices", "wind_solar"),
}

Floats = NDArray[np.float64]


def main() -> None:
    """Parse the arguments, run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    recorded = Path(os.environ.get("CO2_ARCHIVE", "../shared/archive"))
    parser.add_argument("--archive", type=Path, default=recorded, help="folder of the recorded data")
    parser.add_argument("--home", type=Path, default=OUT / "home", help="where they are read into")
    parser.add_argument(
        "--until", type=parse_instant, help="end of training; default 2024-06-01, for areas 2023-09-01"
    )
    parser.add_argument(
        "--end", type=parse_instant, help="end of test; default 2024-11-29, for areas 2023-11-14T23:00"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--areas", action="store_true", help="only the three areas, each beside a LightGBM of its own"
    )
    only.add_argument("--ablation", action="store_true", help="only ours, with inputs taken away")
    only.add_argument(
        "--ours",
        action="store_true",
        help="only ours with and without weather, and a month in which it stops",
    )
    parser.add_argument("--json", type=Path, help="default: bench/out/NAME.json, accuracy, ablation or ours")
    parser.add_argument("--picture", type=Path, help="default: bench/out/NAME.svg")
    options = parser.parse_args()
    name = next((each for each in ("areas", "ablation", "ours") if getattr(options, each)), "accuracy")
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    spans = AREAS_SPAN if options.areas else NATIONAL_SPAN
    until, end = options.until or spans[0], options.end or spans[1]
    recorded_areas = read_recording(options.archive, options.home, say)
    if options.areas:
        _areas({name: trial(data, until, end) for name, data in recorded_areas.items()}, say, options.json)
        return
    given = trial(recorded_areas[DENMARK.name], until, end)
    enter = {"ablation": _ablation, "ours": _own_contest, "accuracy": _contest}[name]
    entries = enter(given, say)
    result = _result(given, entries)
    json_path = options.json or OUT / f"{name}.json"
    picture_path = options.picture or OUT / f"{name}.svg"
    for path in (json_path, picture_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    lines = {
        each["name"]: [e["mae"] for e in each["measures"][:HORIZON_HOURS]] for each in result["contestants"]
    }
    title = f"Mean absolute error by lead, g/kWh, {given.until:%Y-%m-%d} to {given.end:%Y-%m-%d}"
    picture_path.write_text(error_picture(title, lines), encoding="utf-8")
    _print(result)
    say(f"written: {json_path}, {picture_path}")


def _areas(trials: Mapping[str, Trial], say: Say, json_path: Path | None) -> None:
    """Print and write the result of each area."""
    results = {}
    for area, entries in contests(trials, say).items():
        results[area] = _result(trials[area], entries)
        Console(width=150, highlight=False).rule(AREAS[area].title)
        _print(results[area])
    path = json_path or OUT / "areas.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    say(f"written: {path}")


def _contest(given: Trial, say: Say) -> list[Contestant]:
    without = given.on(_without(given.data, ("weather",)))
    trained: dict[str, Callable[[], Contestant]] = {
        OURS: lambda: contestants.ours(given, OURS),
        OURS_WITHOUT: lambda: contestants.ours(without, OURS_WITHOUT),
        TREES: lambda: boosted_trees(given, TREES),
        TREES_WITHOUT: lambda: boosted_trees(without, TREES_WITHOUT),
        "the original's network": lambda: original_network(given),
    }
    entries = []
    for name, enter in trained.items():
        say(f"training {name}")
        entries.append(enter())
    simple = (contestants.last_value, contestants.yesterday, contestants.climatology, contestants.energinet)
    return [*entries, *(enter(given) for enter in simple)]


def _own_contest(given: Trial, say: Say) -> list[Contestant]:
    say(f"training {OURS}")
    trained = contestants.train_ours(given)
    _print_hidden(hidden_month(trained.model, given.data, given.end - HIDDEN_FOR, given.end))
    without = given.on(_without(given.data, ("weather",)))
    say(f"training {OURS_WITHOUT}")
    return [
        contestants.ours(given, OURS, trained),
        contestants.ours(without, OURS_WITHOUT),
        contestants.last_value(given),
    ]


def _print_hidden(month: HiddenMonth) -> None:
    table = Table(
        title=f"No weather forecast from {month.start} to {month.end}; {month.named:.0f} % of the forecasts "
        "say so. With it | without it"
    )
    for heading in ("leads", "MAE", "width of the 80 % band", "coverage, %"):
        table.add_column(heading, justify="right")
    for row in month.rows:
        pairs = [f"{row[f'{name}_with']:.1f} | {row[f'{name}_without']:.1f}" for name in HIDDEN_MEASURES]
        table.add_row(f"{row['lead_from']}-{row['lead_to']} h", *pairs)
    Console(width=150, highlight=False).print(table)


def _ablation(given: Trial, say: Say) -> list[Contestant]:
    say("all inputs")
    entries = [contestants.ours(given, "all inputs")]
    for name, tables in ABLATIONS.items():
        say(name)
        entries.append(contestants.ours(given.on(_without(given.data, tables)), name))
    return [*entries, contestants.last_value(given)]


def _without(data: KnownData, tables: tuple[str, ...]) -> KnownData:
    return replace(data, **{table: getattr(data, table).iloc[:0] for table in tables})


def _result(given: Trial, entries: list[Contestant]) -> dict[str, Any]:
    """Everything as plain values. All are judged on the same hours, but those who leave some out."""
    actual = given.test.target.astype(np.float64)
    own = entries[0]
    judged = same_hours(actual, [each for each in entries if not np.isnan(each.median).any()])
    last = next(each for each in entries if each.name == contestants.PERSISTENCE)
    return {
        "from": given.until.isoformat(),
        "to": given.end.isoformat(),
        "issued_every_hours": 1,
        "n_issues": len(given.test),
        "n_forecasts": int(judged.sum()),
        "n_training_windows": len(given.train),
        "headline_leads": HEADLINE_LEADS,
        "contestants": [
            {
                "name": each.name,
                "training_seconds": round(each.training_seconds, 1),
                **each.facts,
                "measures": measures(each, actual, judged),
            }
            for each in entries
        ],
        "duels": {each.name: duel(own, each, actual, judged) for each in entries[1:]},
        "coverage_80_by_month": monthly_coverage(_bands(own), actual, given.test.issue_hours),
        "pinball_skill_against_persistence": [
            1 - ours["pinball_loss"] / naive["pinball_loss"]
            for ours, naive in zip(
                measures(own, actual, judged)[:HORIZON_HOURS],
                measures(last, actual, judged)[:HORIZON_HOURS],
                strict=True,
            )
        ],
    }


def _bands(contestant: Contestant) -> Floats:
    if contestant.quantiles is None:
        raise ValueError(f"{contestant.name} gives no quantiles")
    return contestant.quantiles


def _print(result: dict[str, Any]) -> None:
    """The table, then what the targets ask for."""
    console = Console(width=150, highlight=False)
    console.print(
        f"\nTrained until {result['from']}, issued every hour to {result['to']}: {result['n_issues']} "
        f"issues, {result['n_forecasts']} forecasts of hours that all but Energinet's prognosis and the "
        "original's network spoke of. MAE, RMSE, CRPS in g/kWh; the others in %, R2 of 1."
    )
    first, last = result["headline_leads"]
    table = Table(title="MAE by lead, and of leads together")
    table.add_column("")
    for lead in TABLE_LEADS:
        table.add_column(f"{lead} h", justify="right")
    for heading in (*(f"{a}-{b} h" for a, b in SPANS), "CPU s"):
        table.add_column(heading, justify="right")
    together = Table(title=f"Leads {first}-{last}")
    columns = ("n", "mae", "mape", "rmse", "r2", "crps", "coverage_80", "coverage_90")
    for heading in ("", *columns):
        together.add_column(heading, justify="left" if not heading else "right")
    for each in result["contestants"]:
        by_range = {(entry["lead_from"], entry["lead_to"]): entry for entry in each["measures"]}
        ranges = [*((lead, lead) for lead in TABLE_LEADS), *SPANS]
        cells = [_number(by_range[span]["mae"]) for span in ranges]
        table.add_row(each["name"], *cells, f"{each['training_seconds']:.0f}")
        entry = by_range[first, last]
        together.add_row(each["name"], *(_number(entry.get(column), column) for column in columns))
    console.print(table, together)
    duels = Table(title=f"MAE of {result['contestants'][0]['name']} less than of each, %; * where p < 0.01")
    duels.add_column("")
    for lead in TABLE_LEADS:
        duels.add_column(f"{lead} h", justify="right")
    for name, entries in result["duels"].items():
        by_lead = {entry["lead"]: entry for entry in entries}
        duels.add_row(name, *(_won(by_lead[lead]) if lead in by_lead else "" for lead in TABLE_LEADS))
    console.print(duels)
    own = result["contestants"][0]["measures"][:HORIZON_HOURS]
    for band in (80, 90):
        covered = " ".join(f"{entry[f'coverage_{band}']:.1f}" for entry in own)
        console.print(f"{band} % band covers, by lead: {covered}")
    months = ", ".join(f"{month} {share:.1f}" for month, share in result["coverage_80_by_month"].items())
    console.print(f"80 % band covers, by month: {months}")
    skill = result["pinball_skill_against_persistence"]
    console.print(
        "Pinball skill against persistence with its residuals' quantiles, %: "
        + ", ".join(f"{lead} h {100 * skill[lead - 1]:.0f}" for lead in TABLE_LEADS)
    )


def _won(entry: dict[str, Any]) -> str:
    return f"{100 * entry['skill']:.1f}{'*' if entry['p'] < SIGNIFICANT else ' '}"


def _number(value: float | None, name: str = "") -> str:
    if value is None:
        return ""
    return f"{value}" if name == "n" else f"{value:.2f}" if name == "r2" else f"{value:.1f}"


if __name__ == "__main__":
    main()
