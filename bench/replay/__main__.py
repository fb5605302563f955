"""A year of six-hourly runs over recorded data: what retraining is asked for, and what it brings.

``python -m bench.replay`` trains a first model at ``--from`` on what was known then and goes on in steps
of six hours under two policies: that model for ever, and the service's own rule
(`co2_assets.pipeline.retraining.decide` on the last seven days' live forecasts, then
`co2_assets.forecasting.score.comparison.judge`). With ``--refit-days`` a third: a new training every so
many days, compared in the same way. Whatever was trained, promoted or not, is then measured against the
champion of that hour on the days that followed, and each policy on the whole span. Nothing knowable later
enters a training or a forecast.
"""

import argparse
import json
import os
import statistics
import time
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from bench.accuracy.recording import read_recording
from bench.replay.differences import compared
from bench.replay.policies import FIRST, Check, Policy, Replay, by_calendar, by_rule
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT, MEDIAN_COLUMN
from co2_assets.forecasting import metrics
from co2_assets.forecasting.network.trained_model import TrainingConfig
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.pipeline.retraining import MINIMUM_SCORED_HOURS
from co2_assets.settings import parse_instant

OUT = Path("bench/out")


def measured(replay: Replay, policy: Policy, baseline: pd.DataFrame) -> dict[str, Any]:
    """A policy's year as plain values for JSON, beside ``baseline``, the first model's outcomes."""
    outcomes = replay.issued_by(policy)
    known = outcomes.dropna(subset=["actual_g_per_kwh", "persistence_g_per_kwh", MEDIAN_COLUMN])
    actual, median, last = (
        known[name].to_numpy(np.float64)
        for name in ("actual_g_per_kwh", MEDIAN_COLUMN, "persistence_g_per_kwh")
    )
    promotions = [each for each in policy.challenges if each.promoted]
    difference = compared(outcomes, baseline)
    return {
        "policy": policy.name,
        "n_hours": len(known),
        "mae": metrics.mae(actual, median),
        "accuracy": metrics.accuracy(actual, median),
        "persistence_mae": metrics.mae(actual, last),
        "persistence_accuracy": metrics.accuracy(actual, last),
        "against_first_model": asdict(difference),
        "against_first_model_verdict": difference.verdict,
        "trainings": len(policy.challenges),
        "promotions": len(promotions),
        "rejections": len(policy.challenges) - len(promotions),
        "promotions_worse_by_more_than_noise": sum(each.following.verdict == "worse" for each in promotions),
        "challenges": [
            {**asdict(each), "at": each.at.isoformat(), "following_verdict": each.following.verdict}
            for each in policy.challenges
        ],
    }


def summary(checks: list[Check]) -> dict[str, Any]:
    """What the rule saw over all ticks; ValueError when no tick had enough hours to be scored."""
    scored = [
        (check, check.score)
        for check in checks
        if check.score is not None and check.score.n_hours >= MINIMUM_SCORED_HOURS
    ]
    if not scored:
        raise ValueError(
            f"no tick had {MINIMUM_SCORED_HOURS} scored hours: choose --from and --to further apart"
        )
    low = [seen for _, seen in scored if seen.accuracy_percent < ACCURACY_THRESHOLD_PERCENT]
    worst, seen_then = min(scored, key=lambda pair: pair[1].accuracy_percent)
    asked = Counter(check.decision.trigger for check in checks if check.decision.train)
    return {
        "ticks": len(checks),
        "ticks_under_threshold": len(low),
        "of_those_persistence_was_worse": sum(
            seen.persistence_accuracy_percent < seen.accuracy_percent for seen in low
        ),
        "requests_by_trigger": dict(asked),
        "median_accuracy": statistics.median(seen.accuracy_percent for _, seen in scored),
        "lowest_accuracy": seen_then.accuracy_percent,
        "lowest_accuracy_at": worst.at.isoformat(),
        "persistence_accuracy_then": seen_then.persistence_accuracy_percent,
    }


def show(result: dict[str, Any]) -> None:
    """The tables people read."""
    console = Console(width=150, highlight=False)
    rule = result["rule"]
    console.print(
        f"\n{result['from']} to {result['to']}, {rule['ticks']} ticks, {result['networks']} networks a "
        f"model. Accuracy of seven days: median {rule['median_accuracy']:.1f} %, lowest "
        f"{rule['lowest_accuracy']:.1f} % at {rule['lowest_accuracy_at']} (persistence "
        f"{rule['persistence_accuracy_then']:.1f} %), under {ACCURACY_THRESHOLD_PERCENT:g} % at "
        f"{rule['ticks_under_threshold']} ticks, at {rule['of_those_persistence_was_worse']} of which "
        f"persistence was worse. Trainings asked for: {rule['requests_by_trigger']}."
    )
    policies = Table(title="Leads 1-6 over the whole span, issued every six hours")
    heads = ("policy", "trained", "promoted", "rejected", "n", "MAE", "accuracy %", "less the first's", "")
    for heading in heads:
        policies.add_column(heading, justify="left" if heading in ("policy", "") else "right")
    for each in result["policies"]:
        against = each["against_first_model"]
        policies.add_row(
            each["policy"],
            *(str(each[name]) for name in ("trainings", "promotions", "rejections", "n_hours")),
            f"{each['mae']:.2f}",
            f"{each['accuracy']:.1f}",
            f"{against['mean']:+.2f} ± {against['standard_error']:.2f}",
            each["against_first_model_verdict"],
        )
    console.print(policies)
    for each in result["policies"]:
        if each["challenges"]:
            console.print(_challenges(each))


def _challenges(policy: dict[str, Any]) -> Table:
    table = Table(title=f"{policy['policy']}: new model and champion, MAE of leads 1-6, g/kWh")
    for heading in ("at", "trigger", "judge: new", "champion", "decision"):
        table.add_column(heading)
    for heading in ("n after", "new", "champion", "difference", "the new one was"):
        table.add_column(heading, justify="right")
    for each in policy["challenges"]:
        after = each["following"]
        judged = [each["judged_mae"], each["judged_champion_mae"]]
        table.add_row(
            each["at"][:16],
            each["trigger"],
            *("" if mae is None else f"{mae:.2f}" for mae in judged),
            "promoted" if each["promoted"] else "rejected",
            str(after["n_hours"]),
            f"{after['mae']:.2f}",
            f"{after['other_mae']:.2f}",
            f"{after['mean']:+.2f} ± {after['standard_error']:.2f}",
            each["following_verdict"],
        )
    return table


def main() -> None:
    """Parse the arguments, replay, print, write."""
    silence_library_reports()
    parser = argparse.ArgumentParser(
        prog="python -m bench.replay", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    recorded = Path(os.environ.get("CO2_ARCHIVE", "../shared/archive"))
    parser.add_argument("--archive", type=Path, default=recorded, help="folder of the recorded data")
    parser.add_argument("--home", type=Path, default=OUT / "home", help="where they are read into")
    parser.add_argument("--from", dest="start", type=parse_instant, default=datetime(2023, 11, 1))
    parser.add_argument("--to", dest="end", type=parse_instant, default=datetime(2024, 11, 1))
    parser.add_argument(
        "--refit-days", type=float, default=0, help="replay a training every so many days beside the rule"
    )
    parser.add_argument("--ensemble", type=int, default=TrainingConfig().ensemble, help="networks a model")
    parser.add_argument("--models", type=Path, help="keep trainings here, and take those that are there")
    parser.add_argument("--json", type=Path, default=OUT / "replay.json")
    options = parser.parse_args()
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    data = read_recording(options.archive, options.home, say)[DENMARK.name]
    replay = Replay(data, options.start, options.end, ensemble=options.ensemble, kept=options.models, say=say)
    first = Policy(FIRST, [(options.start, replay.trained_at(options.start))])
    say("the service's rule")
    ruled, checks = by_rule(replay)
    policies = [first, ruled]
    if options.refit_days:
        say(f"a training every {options.refit_days:g} days")
        policies.append(by_calendar(replay, timedelta(days=options.refit_days)))
    baseline = replay.issued_by(first)
    result = {
        "from": options.start.isoformat(),
        "to": options.end.isoformat(),
        "networks": options.ensemble,
        "seed": replay.seed,
        "training_cpu_seconds": [round(seconds, 1) for seconds in replay.training_seconds],
        "rule": summary(checks),
        "policies": [measured(replay, policy, baseline) for policy in policies],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result)
    say(f"written: {options.json}")


if __name__ == "__main__":
    main()
