"""The `co2` command."""

import errno
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from co2_assets.cli.options import AreaOption, AsOfOption, Every, HomeOption, JsonFlag, SourceOption
from co2_assets.contracts.areas import DENMARK
from co2_assets.pipeline.quiet_exit import silence_library_reports
from co2_assets.settings import Settings, SettingsError, parse_instant

app = typer.Typer(
    name="co2",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="How clean Denmark's power is, how clean it will be in the next hours, and how far to trust that.",
)
# Into a file or a pipe tables go unbroken.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
# Lines are not broken: what is said must be found whole in a log.
err = Console(stderr=True, highlight=False, soft_wrap=True)

FAILED, USAGE = 1, 2


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn errors that name their remedy into one line and an exit code."""
    from co2_assets.warehouse.errors import WarehouseError

    try:
        yield
    except SettingsError as error:
        err.print(f"co2: {error}")
        raise typer.Exit(USAGE) from error
    except WarehouseError as error:
        err.print(f"co2: {error}")
        raise typer.Exit(FAILED) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        remedies = {
            errno.ENOSPC: "make room there",
            errno.ENOTDIR: "a file is where a folder should be: move it, or choose another --home",
        }
        remedy = remedies.get(error.errno or 0, "choose a --home that can be written")
        err.print(f"co2: {where}{error.strerror or error}; {remedy}")
        raise typer.Exit(FAILED) from error


def settings_from(source: str | None, as_of: str | None, home: Path | None) -> Settings:
    """Return the environment's settings with the command line's over them."""
    settings = Settings.from_environment()
    if home is not None:
        settings = replace(settings, home=home)
    if source is not None:
        settings = replace(settings, source=source)
    if as_of is not None:
        settings = replace(settings, as_of=parse_instant(as_of, "--as-of"))
    return settings


@app.command()
def up(
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but loopback shows the UI to others.")
    ] = "127.0.0.1",
    dagster_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Dagster's UI.")] = 3000,
    page_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the forecast page.")] = 8050,
) -> None:
    """Start everything: Dagster's UI and daemon, the forecast page, and a first run."""
    from co2_assets.cli import supervisor
    from co2_assets.cli.dagster_client import UpError
    from co2_assets.cli.output import forecast_table

    with clear_errors():
        settings = resolved(settings_from(source, as_of, home))

        def first_run_done(succeeded: bool) -> None:
            if succeeded:
                out.print(forecast_table(require_snapshot(settings)))
            else:
                err.print("co2: the first run failed; its page in Dagster says why")

        try:
            supervisor.up(
                settings,
                host=host,
                dagster_port=dagster_port,
                page_port=page_port,
                say=lambda text: out.print(text, soft_wrap=True),
                first_run_done=first_run_done,
            )
        except UpError as error:
            err.print(f"co2: {error}")
            raise typer.Exit(FAILED) from error


def resolved(settings: Settings) -> Settings:
    """Return the settings with ``auto`` resolved for a run that fetches, of a source that is there."""
    from co2_assets.pipeline.run import resolve_source, source_label

    source_label(settings)
    return replace(settings, source=resolve_source(settings))


def resolved_to_held(settings: Settings) -> Settings:
    """Return the settings with ``auto`` resolved to the source whose data are held."""
    from co2_assets.pipeline.run import held_source

    return replace(settings, source=held_source(settings))


def require_snapshot(settings: Settings) -> Any:
    """Return the newest published snapshot, or leave with a line that says how to get one."""
    from co2_assets.pipeline.run import published_snapshot

    snapshot = published_snapshot(settings)
    if snapshot is None:
        err.print(f"co2: nothing is published yet under {settings.home}; run `co2 tick` first")
        raise typer.Exit(FAILED)
    return snapshot


def run_or_leave(settings: Settings, job: str, run_config: dict[str, Any] | None = None) -> None:
    """Run a job here and now; leave with exit code 1 when it fails."""
    from co2_assets.cli.dagster_runs import run_job

    if not run_job(settings, job, run_config):
        err.print(f"co2: the run of {job} failed; the lines above say where")
        raise typer.Exit(FAILED)


def peak_megabytes() -> float:
    """Return the most memory this process has held so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


@app.command()
def tick(source: SourceOption = None, as_of: AsOfOption = None, home: HomeOption = None) -> None:
    """Run the six-hour job once, in this process, recorded so that Dagster's UI shows it."""
    from co2_assets.cli.output import tick_summary
    from co2_assets.defs.automation import DEEPEN_JOB, TICK_JOB
    from co2_assets.pipeline.fetch_plan import history_left

    with clear_errors():
        settings = resolved(settings_from(source, as_of, home))
        started = time.perf_counter()
        run_or_leave(settings, TICK_JOB)
        snapshot = require_snapshot(settings)
        # Where no daemon runs, older history comes in here, a stretch with each tick.
        if history_left(snapshot, settings, snapshot.as_of_utc):
            run_or_leave(settings, DEEPEN_JOB)
        out.print(tick_summary(require_snapshot(settings), time.perf_counter() - started, peak_megabytes()))


@app.command()
def train(
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; the same seed gives the same model.")] = None,
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Train only when the retraining rule asks for it.")
    ] = False,
) -> None:
    """Train a challenger now; it becomes champion only where it beats the present one."""
    from co2_assets.cli.output import model_summary
    from co2_assets.defs.automation import RETRAIN_JOB, retrain_config
    from co2_assets.pipeline.retraining import decide_now

    with clear_errors():
        settings = resolved_to_held(settings_from(source, as_of, home))
        if seed is not None:
            settings = replace(settings, seed=seed)
        trigger = "asked for"
        if if_needed:
            decision = decide_now(settings, require_snapshot(settings))
            out.print(decision.sentence)
            if not decision.train:
                return
            trigger = decision.trigger
        run_or_leave(settings, RETRAIN_JOB, retrain_config(trigger))
        out.print(model_summary(require_snapshot(settings)))


@app.command()
def forecast(
    area: AreaOption = DENMARK.name,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the newest forecast."""
    from co2_assets.cli.output import forecast_json, forecast_table

    with clear_errors():
        settings = settings_from(source, as_of, home)
        snapshot = require_snapshot(settings)
        newest = forecast_json(snapshot, area, by=settings.as_of)
        if not newest["hours"]:
            err.print(
                f"co2: no forecast of {area} has been issued yet; `co2 status` says why, "
                "`co2 tick` tries again"
            )
            raise typer.Exit(FAILED)
        if as_json:
            out.print_json(json.dumps(newest))
        else:
            out.print(forecast_table(snapshot, area, by=settings.as_of))


@app.command()
def status(
    area: AreaOption = DENMARK.name,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how the pipeline is; exit code 1 when no forecast was issued in the last 7 hours."""
    from co2_assets.cli.output import status_table
    from co2_assets.pipeline.status import read_status

    with clear_errors():
        settings = settings_from(source, as_of, home)
        state = read_status(require_snapshot(settings), settings, area)
        if as_json:
            out.print_json(json.dumps(state.as_json()))
        else:
            out.print(status_table(state))
        if state.overdue:
            raise typer.Exit(FAILED)


@app.command()
def quarantine(
    release: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Store the row of this key after all.", show_default=False),
    ] = None,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """List the values that broke their contract, with the reason, or release one."""
    from co2_assets.cli.output import quarantine_table
    from co2_assets.pipeline.quarantine import quarantined, release_and_publish

    with clear_errors():
        settings = settings_from(source, as_of, home)
        snapshot = require_snapshot(settings)
        if release is None:
            out.print(quarantine_table(quarantined(snapshot)))
            return
        count = release_and_publish(settings, snapshot, release)
        out.print(f"{count} row(s) of {release} stored; the next run counts them in.")


@app.command()
def backtest(
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="First issue time.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="End of the issue times, exclusive.")],
    every: Annotated[Every, typer.Option(help="Time between issues.")] = Every.SIX_HOURS,
    train_until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Train a model on what was known then; default: the champion.",
            show_default=False,
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the report as JSON.", show_default=False),
    ] = None,
    area: AreaOption = DENMARK.name,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """Score forecasts of the past as if issued then, beside the baselines."""
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
                area_name=area,
                train_until=parse_instant(train_until, "--train-until") if train_until else None,
                say=lambda line: err.print(f"{datetime.now():%H:%M:%S}  {line}"),
            )
        except BacktestError as error:
            err.print(f"co2: {error}")
            raise typer.Exit(FAILED) from error
        out.print(backtest_table(report))
        if json_file is not None:
            json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
            err.print(f"report written to {json_file}")


@app.command()
def backfill(
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="Days to score, up to now: a quarter unless told otherwise.")
    ] = 90,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """Score the past quarter as if live, and keep it; stopped, it goes on where it was.

    A model is trained on what was known at the beginning and forecasts every six-hour mark since, as
    of then. The pages show the scores apart from those of forecasts that were live.
    """
    from co2_assets.defs.automation import BACKFILL_JOB, OP

    with clear_errors():
        settings = resolved_to_held(settings_from(source, as_of, home))
        require_snapshot(settings)
        run_or_leave(settings, BACKFILL_JOB, {"ops": {OP: {"config": {"days": days}}}})


def main() -> None:
    """Entry point of the `co2` command."""
    silence_library_reports()
    app()
