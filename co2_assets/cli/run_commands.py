"""The commands that run something: `co2 up`, `tick`, `train`, `backtest` and `backfill`."""

import json
import resource
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from co2_assets.cli.app import FAILED, clear_errors, command, err, out, require_snapshot, settings_from
from co2_assets.cli.options import AreaOption, AsOfOption, Every, HomeOption, SourceOption
from co2_assets.contracts.areas import DENMARK
from co2_assets.settings import (
    DEFAULT_BACKFILL_DAYS,
    MAXIMUM_HISTORY_DAYS,
    Settings,
    SettingsError,
    parse_instant,
)


@command
def up(
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; anything but a loopback address lets others reach the UI."),
    ] = "127.0.0.1",
    page_host: Annotated[
        str | None,
        typer.Option(
            help="Address on which the forecast page and the API listen, if it is another: 0.0.0.0 lets a "
            "phone in the same home open them, while Dagster's UI stays where --host says."
        ),
    ] = None,
    dagster_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Dagster's UI.")] = 3000,
    page_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the forecast page.")] = 8050,
) -> None:
    """Start everything: Dagster's UI and daemon, the forecast page, and a first run."""
    from co2_assets.cli.output import forecast_table
    from co2_assets.cli.start_everything import start_everything
    from co2_assets.cli.supervisor import UpError
    from co2_assets.notify.channels import channels

    with clear_errors():
        settings = resolved(settings_from(source, as_of, home))
        channels(settings)

        def first_run_done(succeeded: bool) -> None:
            if succeeded:
                out.print(forecast_table(require_snapshot(settings)))
            else:
                err.print("co2: the first run failed; its page in Dagster shows the reason")

        try:
            start_everything(
                settings,
                host=host,
                page_host=page_host,
                dagster_port=dagster_port,
                page_port=page_port,
                progress=lambda text: out.print(text, soft_wrap=True),
                first_run_done=first_run_done,
            )
        except UpError as error:
            err.print(f"co2: {error}")
            raise typer.Exit(FAILED) from error


@command
def tick(source: SourceOption = None, as_of: AsOfOption = None, home: HomeOption = None) -> None:
    """Run the six-hour job once, in this process; Dagster's UI shows the run."""
    from co2_assets.defs.automation import DEEPEN_JOB, TICK_JOB
    from co2_assets.pipeline.fetch_plan import history_left

    with clear_errors():
        settings = resolved(settings_from(source, as_of, home))
        started = time.perf_counter()
        run_or_exit(settings, TICK_JOB)
        snapshot = require_snapshot(settings)
        # Without a daemon, each tick also fetches the next windows of older history.
        if history_left(snapshot, settings, snapshot.as_of_utc):
            run_or_exit(settings, DEEPEN_JOB)
        print_summary(settings, started)


@command
def update(source: SourceOption = None, as_of: AsOfOption = None, home: HomeOption = None) -> None:
    """Fetch what is new and forecast now, in this process: the hourly job, once.

    In an hour that has a forecast already, another is issued only if it is better.
    """
    from co2_assets.defs.automation import UPDATE_JOB

    with clear_errors():
        settings = resolved(settings_from(source, as_of, home))
        started = time.perf_counter()
        run_or_exit(settings, UPDATE_JOB)
        print_summary(settings, started)


@command
def train(
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; the same seed gives the same model.")] = None,
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Train only if the retraining rule asks for it.")
    ] = False,
) -> None:
    """Train a challenger now; it becomes champion only where it is better."""
    from co2_assets.cli.output import model_summary
    from co2_assets.defs.automation import RETRAIN_JOB, UPDATE_JOB, retrain_config
    from co2_assets.pipeline.reissue import outdone_forecasts
    from co2_assets.pipeline.retraining import Trigger, decide_now

    with clear_errors():
        settings = resolved_to_held(settings_from(source, as_of, home))
        if seed is not None:
            settings = replace(settings, seed=seed)
        trigger: str = Trigger.REQUESTED
        if if_needed:
            decision = decide_now(settings, require_snapshot(settings))
            out.print(decision.sentence)
            if not decision.train:
                return
            trigger = decision.trigger
        run_or_exit(settings, RETRAIN_JOB, retrain_config(trigger))
        out.print(model_summary(require_snapshot(settings)))
        # The forecast that is shown is that of the champion.
        if outdone_forecasts(require_snapshot(settings)):
            run_or_exit(settings, UPDATE_JOB)


@command
def backtest(
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="First issue time.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="End of the issue times, exclusive.")],
    every: Annotated[Every, typer.Option(help="Time between two forecasts.")] = Every.SIX_HOURS,
    train_until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Train a model on what was known then; default: use the champion.",
            show_default=False,
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the report as JSON.", show_default=False),
    ] = None,
    area_name: AreaOption = DENMARK.name,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """Score forecasts of the past, made with what was known then, and the baselines."""
    from co2_assets.cli.output import backtest_table
    from co2_assets.pipeline.run_backtest import BacktestError, run_backtest

    with clear_errors():
        settings = resolved_to_held(settings_from(source, as_of, home))
        if json_file is not None and not json_file.parent.is_dir():
            raise SettingsError(f"--json {json_file}: there is no folder {json_file.parent}")
        try:
            report = run_backtest(
                settings,
                start=parse_instant(start, "--from"),
                end=parse_instant(end, "--to"),
                every_hours=every.hours,
                area_name=area_name,
                train_until=parse_instant(train_until, "--train-until") if train_until else None,
                progress=lambda line: err.print(f"{datetime.now():%H:%M:%S}  {line}"),
            )
        except BacktestError as error:
            err.print(f"co2: {error}")
            raise typer.Exit(FAILED) from error
        out.print(backtest_table(report))
        if json_file is not None:
            json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
            err.print(f"report written to {json_file}")


@command
def backfill(
    days: Annotated[
        int, typer.Option(min=1, max=MAXIMUM_HISTORY_DAYS, help="How many days, up to now, to score.")
    ] = DEFAULT_BACKFILL_DAYS,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """Score the past quarter as if it had been live, and store the scores.

    A model is trained on what was known at the beginning. It forecasts at every six-hour mark since then,
    with what was known at that mark. The pages show these scores separately from those of live forecasts.
    A backfill that was stopped continues where it stopped.
    """
    from co2_assets.defs.automation import BACKFILL_JOB, backfill_config

    with clear_errors():
        settings = resolved_to_held(settings_from(source, as_of, home))
        require_snapshot(settings)
        run_or_exit(settings, BACKFILL_JOB, backfill_config(days))


def resolved(settings: Settings) -> Settings:
    """Return the settings with ``auto`` replaced by the source that a run would fetch from.

    Raises SettingsError for a source that does not exist, one that nobody asked for by name in a home of
    another, and a time before what is published.
    """
    from co2_assets.pipeline.run import fetched_source, refuse_older_clock, source_label

    source_label(settings)
    settings = replace(settings, source=fetched_source(settings))
    refuse_older_clock(settings)
    return settings


def resolved_to_held(settings: Settings) -> Settings:
    """Return the settings with ``auto`` replaced by the source whose data are stored."""
    from co2_assets.pipeline.run import held_source

    return replace(settings, source=held_source(settings))


def run_or_exit(settings: Settings, job: str, run_config: dict[str, Any] | None = None) -> None:
    """Run a job in this process; exit with code 1 if it fails.

    Raises SettingsError, before anything is written, for a time before what is published, and for an
    address of alerts that cannot be used.
    """
    from co2_assets.cli.dagster_runs import run_job
    from co2_assets.notify.channels import channels
    from co2_assets.pipeline.run import refuse_older_clock

    refuse_older_clock(settings)
    # An address that cannot be used is refused before the run, which may take minutes.
    channels(settings)
    if not run_job(settings, job, run_config):
        err.print(f"co2: the run of {job} failed; the lines above show where")
        raise typer.Exit(FAILED)


def print_summary(settings: Settings, started: float) -> None:
    """Print the forecast that a run since ``started`` (`time.perf_counter`) has made, and what it took."""
    from co2_assets.cli.output import tick_summary

    out.print(tick_summary(require_snapshot(settings), time.perf_counter() - started, peak_megabytes()))


def peak_megabytes() -> float:
    """Return the largest amount of memory that this process has used so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
