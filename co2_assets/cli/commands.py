"""The entry point of the `co2` command, and the streams that it writes to."""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path

# Importing these two modules registers the commands, in the order in which the help text lists them.
from co2_assets.cli import run_commands, show_commands
from co2_assets.cli.app import FAILED, OutputError, app
from co2_assets.pipeline.quiet_exit import silence_library_reports

__all__ = ["app", "main", "run_commands", "show_commands"]


def main() -> None:
    """Run the `co2` command."""
    _open_closed_streams()
    silence_library_reports()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except (OutputError, OSError) as error:
        # A command says itself what is wrong with a file, so an OSError is one of typer's own output. Where
        # the other output cannot be written either, the exit code alone tells.
        why = error.strerror if isinstance(error, OSError) else error
        with suppress(OSError):
            sys.stderr.write(f"co2: the output cannot be written: {why}\n")
            sys.stderr.flush()
        _discard_output()
        raise SystemExit(FAILED) from None


def _open_closed_streams() -> None:
    """Open the streams that the caller closed (``>&-``), which then discard what is written.

    Otherwise the next file that is opened, such as the database, would get the number of the standard output,
    and what a library prints would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- open to the end
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- open to the end


def _discard_output() -> None:
    """Let what is still to be written go nowhere: Python would try again at its end and fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a stream of a test has no descriptor
            os.dup2(null, stream.fileno())
    os.close(null)
