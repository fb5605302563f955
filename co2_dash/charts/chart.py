"""What a chart is, and the look that all charts share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

Figure = dict[str, Any]
Options = Mapping[str, Any]
Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class Chart:
    """One chart, or one table where ``figure`` is None.

    ``table`` gives what is shown, a row per mark, under names that tell unit and zone; the same
    frame is drawn, read as a table and downloaded. ``summary`` says in a sentence what there is to
    see, for who cannot. ``nothing`` are the words when the frame is empty; they may depend on the
    state. ``columns`` are the frame's, there even when it has no row; ``first_columns`` of them stand
    first where it is read, for a phone shows the first three. ``options`` come from a browser:
    ``table`` takes unknown values for its default. ``follows_clock`` redraws it as time passes, not
    only on new data.
    """

    key: str
    title: str
    explanation: str
    table: Callable[[View, DataState, Options], pd.DataFrame]
    columns: tuple[str, ...]
    nothing: str | Callable[[DataState], str]
    first_columns: tuple[str, ...] = ()
    figure: Callable[[pd.DataFrame, DataState, Options, Theme], Figure] | None = None
    summary: Callable[[pd.DataFrame], str] | None = None
    height: int = 360
    follows_clock: bool = False

    def why_nothing(self, state: DataState) -> str:
        """Return the words that stand where an empty frame would."""
        return self.nothing if isinstance(self.nothing, str) else self.nothing(state)
