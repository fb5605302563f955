"""The look that all charts share: inks, fonts, lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from co2_dash.charts.chart import Figure, Theme


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
