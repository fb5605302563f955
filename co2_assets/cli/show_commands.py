"""The commands that read what is published: `co2 forecast`, `status` and `quarantine`."""

import json
from typing import Annotated

import typer

from co2_assets.cli.app import FAILED, clear_errors, command, err, out, require_snapshot, settings_from
from co2_assets.cli.options import AreaOption, AsOfOption, HomeOption, JsonFlag, SourceOption
from co2_assets.contracts.areas import DENMARK


@command
def forecast(
    area_name: AreaOption = DENMARK.name,
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
        newest = forecast_json(snapshot, area_name, by=settings.as_of)
        if not newest["hours"]:
            err.print(
                f"co2: no forecast of {area_name} has been issued yet; `co2 status` says why, "
                "`co2 tick` tries again"
            )
            raise typer.Exit(FAILED)
        if as_json:
            out.print_json(json.dumps(newest))
        else:
            out.print(forecast_table(snapshot, area_name, by=settings.as_of))


@command
def status(
    area_name: AreaOption = DENMARK.name,
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the state of the pipeline; exit code 1 if the forecast is overdue.

    A forecast is overdue if none was issued in the last 7 hours.
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
    source: SourceOption = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """List the values that broke their contract, with the reason, or release a row."""
    from co2_assets.cli.output import quarantine_table
    from co2_assets.pipeline.quarantine import quarantined, release_and_publish

    with clear_errors():
        settings = settings_from(source, as_of, home)
        snapshot = require_snapshot(settings)
        if release is None:
            out.print(quarantine_table(quarantined(snapshot)))
            return
        count = release_and_publish(settings, snapshot, release)
        out.print(f"{count} row(s) with the key {release} stored; the next run uses them.")
