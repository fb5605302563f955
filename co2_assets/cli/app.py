"""The Typer application of `co2`, its two consoles, and what all of its commands share."""

import errno
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from co2_assets.settings import Settings, SettingsError, parse_instant
from co2_assets.warehouse.paths import home_folder

Command = TypeVar("Command", bound=Callable[..., None])

if TYPE_CHECKING:
    from co2_assets.warehouse.snapshots import Snapshot

app = typer.Typer(
    name="co2",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="How clean Denmark's power is, how clean it will be in the next hours, and how far to trust that.",
)


class OutputError(Exception):
    """Standard output or standard error cannot be written; the message says why."""


class Output(Console):
    """A console that prints a path or a key as it is, though it may have square brackets or colons."""

    def __init__(self, **more: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **more)

    def print(self, *objects: Any, **how: Any) -> None:
        """Print; raises OutputError: a full disk under the output is not one under the home."""
        try:
            super().print(*objects, **how)
        except OSError as error:
            raise OutputError(error.strerror or str(error)) from error


# In a file or a pipe a table has a fixed width. There is no standard output at all where it was closed.
_to_terminal = sys.stdout is not None and sys.stdout.isatty()
out = Output(width=None if _to_terminal else 120)
# Messages are not wrapped, so that each is one line in a log.
err = Output(stderr=True, soft_wrap=True)

FAILED, USAGE = 1, 2


def command(function: Command) -> Command:
    """Register a command of `co2`; the help text shows the first paragraph of its docstring in full."""
    summary = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return app.command(short_help=summary)(function)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"co2 {importlib.metadata.version('co2-assets')}")
        raise typer.Exit


@app.callback()
def options_of_all_commands(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take the options that stand before the name of a command."""


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn errors that name their remedy into one line and an exit code."""
    from co2_assets.warehouse.errors import UnusableHome, WarehouseError

    try:
        yield
    except (SettingsError, UnusableHome) as error:
        err.print(f"co2: {error}")
        raise typer.Exit(USAGE) from error
    except WarehouseError as error:
        err.print(f"co2: {error}")
        raise typer.Exit(FAILED) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        remedies = {
            errno.ENOSPC: "make room there",
            errno.EDQUOT: "make room there",
            errno.ENOTDIR: "a file is where a folder should be: move it, or choose another --home",
        }
        remedy = remedies.get(error.errno or 0, "choose a --home that can be written")
        err.print(f"co2: {where}{error.strerror or error}; {remedy}")
        raise typer.Exit(FAILED) from error


def settings_from(source: str | None, as_of: str | None, home: Path | None) -> Settings:
    """Return the settings of the environment, replaced by those of the command line that are given."""
    settings = Settings.from_environment()
    if home is not None:
        settings = replace(settings, home=home_folder(home))
    if source is not None:
        settings = replace(settings, source=source)
    if as_of is not None:
        settings = replace(settings, as_of=parse_instant(as_of, "--as-of"))
    return settings


def require_snapshot(settings: Settings) -> "Snapshot":
    """Return the newest published snapshot; without one, print how to get one and exit with code 1."""
    from co2_assets.pipeline.run import published_snapshot

    snapshot = published_snapshot(settings)
    if snapshot is None:
        err.print(
            f"co2: nothing is published yet under {settings.home}; wait for the first run "
            "of `co2 up`, or run `co2 tick` first"
        )
        raise typer.Exit(FAILED)
    return snapshot
