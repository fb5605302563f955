"""The commands that read what is published: `co2 forecast`, `status`, `quarantine`; and `co2 alert-test`."""

import json
from typing import Annotated

import typer

from co2_assets.cli.app import FAILED, clear_errors, command, err, out, require_snapshot, settings_from
from co2_assets.cli.options import AreaOption, AsOfOption, HomeOption, JsonFlag, SourceOption
from co2_assets.contracts import DATASETS
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, NEAR_HOURS
from co2_assets.settings import Settings, SettingsError, parse_instant


@command
def forecast(
    area_name: AreaOption = DENMARK.name,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    hours: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=HORIZON_HOURS,
            help="How many hours are printed, from now on, the current one included. When left out, the "
            f"first {NEAR_HOURS} hours of the forecast, those already past included.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the newest forecast, and the cleanest and the dirtiest hours of each coming day."""
    from co2_assets.cli.daily import daily_json, daily_table, days_of
    from co2_assets.cli.output import forecast_json, forecast_table, none_before
    from co2_assets.pipeline.last_month import last_month
    from co2_assets.pipeline.status import oldest_forecast

    with clear_errors():
        settings = settings_from(source, as_of, home)
        snapshot = require_snapshot(settings)
        days, now = days_of(snapshot, settings, area_name)
        newest = forecast_json(snapshot, area_name, by=settings.as_of, now=now, hours=hours)
        if not newest["hours"]:
            issued = newest.get("issued_at_utc")
            oldest = None if issued else oldest_forecast(snapshot, area_name)
            if oldest is not None:
                err.print(f"co2: no forecast of {area_name} was issued by then; {none_before(oldest)}")
                raise typer.Exit(FAILED)
            problem = (
                f"the newest forecast of {area_name}, issued {issued}, has none of these hours"
                if issued
                else f"no forecast of {area_name} has been issued yet"
            )
            err.print(f"co2: {problem}; `co2 status` says why, `co2 tick` tries again")
            raise typer.Exit(FAILED)
        scale = last_month(snapshot, now, area_name)
        if as_json:
            out.print_json(json.dumps({**newest, "days": daily_json(days, scale)}))
        else:
            out.print(forecast_table(snapshot, area_name, by=settings.as_of, now=now, hours=hours))
            out.print(daily_table(days, now, scale))


@command
def status(
    area_name: AreaOption = DENMARK.name,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the state of the pipeline; exit code 1 if the forecast is stale.

    It is stale if two hourly forecasts were missed after it; with CO2_HOURLY_UPDATE=off, if a six-hour one
    was missed by an hour.
    """
    from co2_assets.cli.output import status_table
    from co2_assets.pipeline.status import read_status

    with clear_errors():
        settings = settings_from(source, as_of, home)
        state = read_status(require_snapshot(settings), settings, area_name)
        if as_json:
            out.print_json(json.dumps(state.as_json()))
        else:
            out.print(status_table(state))
        if state.overdue:
            raise typer.Exit(FAILED)


@command
def quarantine(
    release: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Store the row with this key after all.", show_default=False),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only values of this dataset.", show_default=False)
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only values of this column.", show_default=False)
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Only rows for this time or later.", show_default=False),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Only rows for times before this.", show_default=False),
    ] = None,
    release_all: Annotated[
        bool,
        typer.Option(
            "--release-all",
            help="Store after all the rows that --dataset, --column, --from and --to choose. "
            "Look at the same list without this option first.",
        ),
    ] = False,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """List the values that broke their contract, with the reason, or release rows."""
    from co2_assets.cli.output import quarantine_table
    from co2_assets.pipeline.quarantine import Choice, quarantined, release_and_publish

    with clear_errors():
        settings = settings_from(source, as_of, home)
        if release_all and dataset is None:
            raise SettingsError("--release-all needs --dataset, and best --column, --from and --to as well")
        if release is not None and (release_all or dataset or column or start or end):
            raise SettingsError("--release takes a key alone; --release-all goes with the other options")
        choice = Choice(
            key=release,
            dataset=None if dataset is None else _dataset_name(dataset),
            column=None if column is None else _column_name(column, dataset),
            start=None if start is None else parse_instant(start, "--from"),
            end=None if end is None else parse_instant(end, "--to"),
        )
        if choice.start is not None and choice.end is not None and choice.start >= choice.end:
            raise SettingsError(f"--from {start} is not before --to {end}")
        snapshot = require_snapshot(settings)
        if release is None and not release_all:
            out.print(quarantine_table(quarantined(snapshot, choice)))
            return
        released = release_and_publish(settings, snapshot, choice)
        what = f" with the key {release}" if release is not None else ""
        out.print(f"{released.stored} row(s){what} stored; the next run uses them.")
        if released.left:
            out.print(
                f"{released.left} row(s) left in quarantine: the service has sent good ones in their place. "
                "--release KEY stores one all the same."
            )


def _dataset_name(name: str) -> str:
    names = [dataset.name for dataset in DATASETS]
    if name not in names:
        raise SettingsError(f"there is no dataset {name!r}; there are {', '.join(names)}")
    return name


def _column_name(name: str, dataset: str | None) -> str:
    tables = [d.table for d in DATASETS if dataset in (None, d.name)]
    names = list(dict.fromkeys(column for table in tables for column in table.column_names))
    if name not in names:
        raise SettingsError(
            f"there is no column {name!r} in {dataset or 'any dataset'}; there are {', '.join(names)}"
        )
    return name


@command
def alert_test() -> None:
    """Send a test message to each address in CO2_ALERT_URLS; exit code 1 if one does not take it."""
    from co2_assets.notify.alerts import NOTHING_SET, TITLE
    from co2_assets.notify.channels import Kind, channels

    with clear_errors():
        found = channels(Settings.from_environment())
        if not found:
            raise SettingsError(f"{NOTHING_SET} Set it to one address or more, as docs/operations.md shows")
        failed = False
        for channel in found:
            reason = channel.send(
                f"{TITLE}a test", "This is a test of CO2_ALERT_URLS. Nothing is wrong.", Kind.NEWS
            )
            out.print(f"{channel.name}: {'took the message' if reason is None else f'FAILED. {reason}'}")
            failed = failed or reason is not None
        if failed:
            raise typer.Exit(FAILED)
