"""What an exhibit is, and the look that all charts share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Literal

import pandas as pd

from co2_dash.danish_time import danish, offset, zone_name
from co2_dash.situation import Situation
from co2_dash.store import View

Figure = dict[str, Any]
Options = Mapping[str, Any]
Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class Exhibit:
    """One chart, or one table where ``figure`` is None.

    ``table`` gives what is shown, a row per mark, under names that tell unit and zone; the same
    frame is drawn, read as a table and downloaded. ``summary`` says in a sentence what there is to
    see, for who cannot. ``nothing`` are the words when the frame is empty; they may depend on the
    situation. ``columns`` are the frame's, there even when it has no row; ``foremost`` of them stand
    first where it is read, for a phone shows the first three. ``options`` come from a browser:
    ``table`` takes unknown values for its default. ``follows_clock`` redraws it as time passes, not
    only on new data.
    """

    key: str
    title: str
    explanation: str
    table: Callable[[View, Situation, Options], pd.DataFrame]
    columns: tuple[str, ...]
    nothing: str | Callable[[Situation], str]
    foremost: tuple[str, ...] = ()
    figure: Callable[[pd.DataFrame, Situation, Options, Theme], Figure] | None = None
    summary: Callable[[pd.DataFrame], str] | None = None
    height: int = 360
    follows_clock: bool = False

    def why_nothing(self, situation: Situation) -> str:
        """Return the words that stand where an empty frame would."""
        return self.nothing if isinstance(self.nothing, str) else self.nothing(situation)


@dataclass(frozen=True)
class Ink:
    """The colours of one theme. Lines keep 3:1 and text 4.5:1 against ``ground``."""

    ground: str
    text: str
    faint: str
    grid: str
    forecast: str
    bands: tuple[str, str, str]
    measured: str
    other: str
    third: str
    mark: str


# Blue for what is forecast, near-black for what was measured, ochre and violet for what they are
# held against: apart in hue and in lightness.
INKS: dict[Theme, Ink] = {
    "light": Ink(
        ground="#ffffff",
        text="#24302e",
        faint="#5b6866",
        grid="#e6ebea",
        forecast="#0b6e8a",
        bands=("#d5e8ee", "#b3d6e1", "#8abccd"),
        measured="#24302e",
        other="#a3620a",
        third="#7a4fa3",
        mark="#5b6866",
    ),
    "dark": Ink(
        ground="#1b2423",
        text="#e8eeec",
        faint="#a5b3b0",
        grid="#30403d",
        forecast="#5cc2dd",
        bands=("#274046", "#29545f", "#32707f"),
        measured="#f2f6f5",
        other="#e8ae56",
        third="#c3a1e6",
        mark="#a5b3b0",
    ),
}

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


def layout(ink: Ink, *, y_title: str, key: str, **more: Any) -> Figure:
    """Return the layout every chart begins with; ``key`` keeps the reader's zoom over redraws."""
    axis = {
        "gridcolor": ink.grid,
        "zeroline": False,
        "linecolor": ink.grid,
        "tickfont": {"color": ink.faint, "size": 12},
        "automargin": True,
    }
    base: Figure = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "color": ink.text, "size": 13},
        "margin": {"l": 8, "r": 8, "t": 26, "b": 8},
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": ink.ground,
            "bordercolor": ink.grid,
            "font": {"color": ink.text, "family": FONT, "size": 12},
        },
        # The page has a legend of its own, which wraps as text does.
        "showlegend": False,
        # The order of a hover's lines follows the legend's.
        "legend": {"traceorder": "normal"},
        "xaxis": {**axis, "showgrid": False},
        "yaxis": {**axis, "rangemode": "tozero", "fixedrange": True},
        "annotations": [],
        "shapes": [],
        "uirevision": key,
        "dragmode": "zoom",
    }
    for name, value in more.items():
        base[name] = {**base[name], **value} if isinstance(base.get(name), dict) else value
    # The unit stands above the axis, where a phone has room for it, not beside it.
    base["annotations"] = [
        *base["annotations"],
        {
            "text": y_title,
            "xref": "paper",
            "yref": "paper",
            "x": 0,
            "y": 1,
            "xanchor": "left",
            "yanchor": "bottom",
            "yshift": 4,
            "showarrow": False,
            "font": {"size": 11, "color": ink.faint},
        },
    ]
    return base


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


def unbroken(there: Sequence[bool]) -> list[slice]:
    """Return where values are there one after another: a slice per run."""
    runs, begin = [], 0
    for is_there, members in groupby(there):
        end = begin + len(list(members))
        if is_there:
            runs.append(slice(begin, end))
        begin = end
    return runs


def broken_line(values: Sequence[float | None], colour: str) -> Figure:
    """Return what makes a line break where nothing is known, and shows a value that stands alone."""
    lone = {run.start for run in unbroken([v is not None for v in values]) if run.stop - run.start == 1}
    line: Figure = {"mode": "lines", "y": list(values), "connectgaps": False}
    if lone:
        sizes = [5 if index in lone else 0 for index in range(len(values))]
        line |= {"mode": "lines+markers", "marker": {"size": sizes, "color": colour, "opacity": 1}}
    return line


def time_line(x: Sequence[str], y: Sequence[float | None], texts: Sequence[str]) -> Figure:
    """Return an unseen trace that puts the times into a unified hover, above all else.

    Plotly lists traces in their order, but from the last to the first where areas are stacked or
    filled to one another: there it belongs behind them all.
    """
    return {
        "type": "scatter",
        "x": list(x),
        "y": [0 if value is None else value for value in y],
        "mode": "lines",
        "line": {"width": 0, "color": "rgba(0,0,0,0)"},
        "customdata": list(texts),
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def vertical_mark(x: str, text: str, ink: Ink, *, y: float = 1.0) -> tuple[Figure, Figure]:
    """Return the dotted line and the words (at height ``y`` of the plot) that mark an instant."""
    line = {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "line": {"color": ink.mark, "width": 1.5, "dash": "dot"},
    }
    label = {
        "text": text,
        "x": x,
        "y": y,
        "xref": "x",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "xshift": 4,
        "showarrow": False,
        "font": {"size": 11, "color": ink.faint},
    }
    return line, label


def numbers(values: pd.Series, digits: int = 1) -> list[float | None]:
    """Return values for a figure, rounded, with None for what is missing."""
    return [None if pd.isna(value) else round(float(value), digits) for value in values]
