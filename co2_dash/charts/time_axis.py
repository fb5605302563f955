"""The time axis of a chart: UTC instants on an axis that shows Danish time."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

import pandas as pd

from co2_assets.contracts.danish_time import danish, offset, zone_name
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.charts.chart import Figure
from co2_dash.charts.style import Ink, layout

# Parts of an axis whose ticks are set here: the labels of more do not fit beside one another on a phone.
MOST_STEPS = 4


class DanishAxis:
    """Gives UTC instants their positions on a time axis that is labelled in Danish time.

    All positions have the same offset from UTC, that of the last instant, so the axis never goes
    backwards. Where the clocks change within the axis, each tick is set here with its true Danish time.
    Otherwise plotly chooses the ticks, with more of them as the reader zooms in.
    """

    def __init__(self, first_utc: datetime, last_utc: datetime) -> None:
        self.first_utc, self.last_utc = first_utc, last_utc
        self._shift = offset(last_utc)

    @classmethod
    def over(cls, hours_utc: pd.Series) -> Self:
        """Return an axis from the start of the first hour to the end of the last."""
        return cls(hours_utc.iloc[0].to_pydatetime(), hours_utc.iloc[-1].to_pydatetime() + HOUR)

    def place(self, instant_utc: datetime) -> str:
        """Return the position of an instant on the axis."""
        return (instant_utc + self._shift).isoformat(timespec="seconds")

    def places(self, instants_utc: Sequence[datetime] | pd.Series) -> list[str]:
        """Return the positions of instants on the axis."""
        return [self.place(pd.Timestamp(instant).to_pydatetime()) for instant in instants_utc]

    def middles(self, hours_utc: pd.Series) -> list[str]:
        """Return the positions of the middles of hours: the value of an hour is drawn there."""
        return self.places(hours_utc + HOUR / 2)

    def layout(self, ink: Ink, *, unit: str, key: str, **more: Any) -> Figure:
        """Return the layout of a figure of hourly values over this axis; ``more`` as for `style.layout`."""
        return layout(
            ink,
            y_title=f"{unit}, Danish time ({self.zone})",
            key=key,
            xaxis=self.axis(hoverformat="%a %-d %b"),
            **more,
        )

    def axis(self, **more: Any) -> Figure:
        """Return the ``xaxis`` of a layout."""
        # Without a range: setting it with each redraw would undo the reader's zoom.
        # Labels are short and stand upright: on a phone plotly would turn longer ones.
        axis: Figure = {"type": "date", "autorange": True, "tickangle": 0}
        if offset(self.first_utc) == self._shift:
            axis["tickformatstops"] = [
                {"dtickrange": [None, 1000], "value": "%H:%M:%S"},
                {"dtickrange": [1000, 86_400_000 - 1], "value": "%H:%M\n%a %-d"},
                {"dtickrange": [86_400_000, "M1"], "value": "%-d %b"},
                {"dtickrange": ["M1", None], "value": "%b %Y"},
            ]
        else:
            ticks = self._true_ticks()
            axis["tickvals"] = self.places(ticks)
            day = "%-d %b" if len(ticks) > 1 and ticks[1] - ticks[0] > 12 * HOUR else "%a %-d %b"
            axis["ticktext"] = [format(danish(t), day if danish(t).hour == 0 else "%H:%M") for t in ticks]
        return {**axis, **more}

    def midnights(self) -> list[datetime]:
        """Return the Danish midnights within the axis."""
        hours = pd.date_range(hour_containing(self.first_utc), self.last_utc, freq="h")
        return [hour for hour in hours.to_pydatetime() if danish(hour).hour == 0 and hour >= self.first_utc]

    @property
    def zone(self) -> str:
        """The name of the Danish time zone; both names where the clocks change."""
        first, last = zone_name(self.first_utc), zone_name(self.last_utc)
        return last if first == last else f"{first}, then {last}"

    def _true_ticks(self) -> list[datetime]:
        hours = (self.last_utc - self.first_utc) / HOUR
        every = next((step for step in (3, 6, 12) if hours / step <= MOST_STEPS), 24)
        instant = hour_containing(self.first_utc)
        ticks = []
        while instant <= self.last_utc:
            if instant >= self.first_utc and danish(instant).hour % every == 0:
                ticks.append(instant)
            instant += HOUR
        return ticks[:: math.ceil(len(ticks) / MOST_STEPS)] if every == 24 else ticks


def hour_texts(
    hours_utc: Sequence[datetime] | pd.Series, measured: Sequence[bool] | None = None
) -> list[str]:
    """Return for each hour its time in Danish time and in UTC, for the hover text.

    With ``measured``, the text of an hour that is not measured says so.
    """
    texts = []
    for index, start in enumerate(hours_utc):
        utc = pd.Timestamp(start).to_pydatetime()
        end = utc + HOUR
        missing = "" if measured is None or measured[index] else " · no measurement"
        texts.append(
            f"{danish(utc):%H:%M}–{danish(end):%H:%M} {zone_name(utc)} · {utc:%H:%M}–{end:%H:%M} UTC{missing}"
        )
    return texts
