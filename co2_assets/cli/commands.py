"""The entry point of the `co2` command."""

import io
import sys

# Importing these two modules registers the commands, in the order in which the help text lists them.
from co2_assets.cli import run_commands, show_commands
from co2_assets.cli.app import app
from co2_assets.pipeline.quiet_exit import silence_library_reports

__all__ = ["app", "main", "run_commands", "show_commands"]


def main() -> None:
    """Run the `co2` command."""
    silence_library_reports()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
