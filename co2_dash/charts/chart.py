"""What a table of a page is, and what a chart is: a table that is also drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

Figure = dict[str, Any]
Options = Mapping[str, Any]
Theme = Literal["light", "dark"]


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """Rows that a page shows as a table and offers as a CSV file.

    ``rows`` returns the frame for a snapshot, the state of its data and the reader's options. Options
    come from a browser, so unknown values must be replaced by the defaults. ``columns`` names the
    columns of the frame, which has them even without a row; the names give unit and time zone.
    ``shown_first`` are the columns at the left of the table: a phone shows about three. ``empty_text``
    is shown when there is no row; it may depend on the state.
    """

    key: str
    title: str
    explanation: str
    rows: Callable[[View, DataState, Options], pd.DataFrame]
    columns: tuple[str, ...]
    shown_first: tuple[str, ...]
    empty_text: str | Callable[[DataState], str]

    def why_empty(self, state: DataState) -> str:
        """Return the text that is shown when there is no row."""
        return self.empty_text if isinstance(self.empty_text, str) else self.empty_text(state)


@dataclass(frozen=True, kw_only=True)
class Chart(DataTable):
    """A table that is also drawn.

    ``figure`` draws the rows. ``summary`` says in a sentence what the figure shows, for readers who
    cannot see it. Both are called only with at least one row. ``height`` is in pixels. A chart that
    ``follows_clock`` is drawn again as time passes, not only when there are new data.
    """

    figure: Callable[[pd.DataFrame, DataState, Options, Theme], Figure]
    summary: Callable[[pd.DataFrame], str]
    height: int = 340
    follows_clock: bool = False
