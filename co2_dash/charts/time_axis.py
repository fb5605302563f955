"""The time axis of a chart: Danish clock time over UTC places."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from co2_dash.charts.chart import Figure
from co2_dash.data.danish_time import danish, offset, zone_name


class DanishAxis:
    """Places UTC instants on a time axis that reads in Danish time.

    The axis runs in one fixed offset, that of its last instant, so that it never goes backwards.
    Where the clocks change inside it, its ticks are set one by one and each tells the true Danish
    time; elsewhere plotly chooses them, and they grow finer as one zooms in.
    """

    def __init__(self, first_utc: datetime, last_utc: datetime) -> None:
        self.first_utc, self.last_utc = first_utc, last_utc
        self._shift = offset(last_utc)

    def place(self, instant_utc: datetime) -> str:
        """Return where an instant lies on the axis."""
        return (instant_utc + self._shift).isoformat(timespec="seconds")

    def places(self, instants_utc: Sequence[datetime] | pd.Series) -> list[str]:
        """Return where instants lie on the axis."""
        return [self.place(pd.Timestamp(instant).to_pydatetime()) for instant in instants_utc]

    def axis(self, **more: Any) -> Figure:
        """Return the axis for a layout's ``xaxis``."""
        # No range of our own: a new one with each redraw would undo the reader's zoom.
        axis: Figure = {"type": "date", "autorange": True}
        if offset(self.first_utc) == self._shift:
            axis["tickformatstops"] = [
                {"dtickrange": [None, 1000], "value": "%H:%M:%S"},
                {"dtickrange": [1000, 86_400_000 - 1], "value": "%H:%M\n%a %-d %b"},
                {"dtickrange": [86_400_000, "M1"], "value": "%-d %b"},
                {"dtickrange": ["M1", None], "value": "%b %Y"},
            ]
        else:
            ticks = self._true_ticks()
            axis["tickvals"] = self.places(ticks)
            axis["ticktext"] = [
                f"{danish(t):%a} {danish(t).day} {danish(t):%b}"
                if danish(t).hour == 0
                else f"{danish(t):%H:%M}"
                for t in ticks
            ]
        return {**axis, **more}

    @property
    def zone(self) -> str:
        """Name of the Danish time shown, both where the clocks change."""
        first, last = zone_name(self.first_utc), zone_name(self.last_utc)
        return last if first == last else f"{first}, then {last}"

    def _true_ticks(self) -> list[datetime]:
        hours = (self.last_utc - self.first_utc) / timedelta(hours=1)
        every = next((step for step in (3, 6, 12) if hours / step <= 10), 24)
        instant = self.first_utc.replace(minute=0, second=0, microsecond=0)
        ticks = []
        while instant <= self.last_utc:
            if instant >= self.first_utc and danish(instant).hour % every == 0:
                ticks.append(instant)
            instant += timedelta(hours=1)
        if hours > 24 * 10:
            ticks = ticks[:: max(1, len(ticks) // 8)]
        return ticks


def hour_texts(
    hours_utc: Sequence[datetime] | pd.Series, measured: Sequence[bool] | None = None
) -> list[str]:
    """Return for each hour when it is, in Danish time and in UTC, for the hover.

    Where it is told which hours were ``measured``, the others say that there is no measurement.
    """
    texts = []
    for index, start in enumerate(hours_utc):
        utc = pd.Timestamp(start).to_pydatetime()
        end = utc + timedelta(hours=1)
        missing = "" if measured is None or measured[index] else " · no measurement"
        texts.append(
            f"{danish(utc):%H:%M}–{danish(end):%H:%M} {zone_name(utc)} · {utc:%H:%M}–{end:%H:%M} UTC{missing}"
        )
    return texts
