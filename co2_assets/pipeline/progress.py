"""The type of the functions that report the progress of long work to a person."""

from collections.abc import Callable

# Is called with one line of text for each step.
Progress = Callable[[str], None]
