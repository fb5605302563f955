"""Ending a process without the noise of its libraries."""

import atexit
import os
import sys


def silence_library_reports() -> None:
    """Keep from the terminal what C libraries write to standard error after Python has ended.

    DuckDB's Python binding lists dozens of objects as leaked when torch and a Dagster asset were
    loaded beside it: the interpreter ends before it lets go of them, nothing is lost. Call this
    before all else: handlers run in reverse order, so everything of ours has been said by then.
    """

    def hush() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)

    atexit.register(hush)
