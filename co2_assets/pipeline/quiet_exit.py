"""Keep the messages of C libraries at the end of a process away from the terminal."""

import atexit
import os
import sys


def silence_library_reports() -> None:
    """Discard what C libraries write to standard error after Python has ended.

    If torch and a Dagster asset are loaded, DuckDB's Python binding reports dozens of objects as leaked: the
    interpreter ends before it releases them, and nothing is lost. Call this function first: exit handlers
    run in reverse order, so all of our own messages are written by then.
    """

    def discard_standard_error() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    atexit.register(discard_standard_error)
