"""What all figures share: colours, fonts, layout, lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from co2_assets.contracts.forecast_spec import ACCURACY_THRESHOLD_PERCENT, HEADLINE_LEADS
from co2_dash.charts.chart import Figure, Theme


@dataclass(frozen=True)
class Ink:
    """The colours of one theme. Against ``ground``, lines have a contrast of 3:1 and text of 4.5:1."""

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


# Blue is forecast, black (white on dark) is measured, ochre and violet are what they are compared with.
# These differ in hue and in lightness.
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

# The headline leads as text, as "1–6".
HEADLINE_TEXT = "–".join(str(lead) for lead in HEADLINE_LEADS)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


def layout(ink: Ink, *, y_title: str, key: str, **more: Any) -> Figure:
    """Return the layout of a figure; ``more`` changes it.

    ``y_title`` is the unit of the values. Figures with the same ``key`` keep the reader's zoom.
    """
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
        # The page has its own legend, whose lines wrap like text.
        "showlegend": False,
        # The lines of the hover text are in the order of the legend.
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
    # The unit is above the axis, not beside it: a phone has room for it there.
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


def unbroken(known: Sequence[bool]) -> list[slice]:
    """Return a slice for each run of known values."""
    runs, begin = [], 0
    for is_known, members in groupby(known):
        end = begin + len(list(members))
        if is_known:
            runs.append(slice(begin, end))
        begin = end
    return runs


def broken_line(values: Sequence[float | None], colour: str) -> Figure:
    """Return the part of a trace that breaks a line at None, with a point for a value between two of them."""
    lone = {run.start for run in unbroken([v is not None for v in values]) if run.stop - run.start == 1}
    line: Figure = {"mode": "lines", "y": list(values), "connectgaps": False}
    if lone:
        sizes = [5 if index in lone else 0 for index in range(len(values))]
        line |= {"mode": "lines+markers", "marker": {"size": sizes, "color": colour, "opacity": 1}}
    return line


def time_line(x: Sequence[str], y: Sequence[float | None], texts: Sequence[str]) -> Figure:
    """Return an invisible trace that makes the time the first line of the hover text.

    Plotly lists the traces in their order, so it must be the first trace. Where areas are stacked or
    filled to each other plotly lists them from the last to the first, so there it must be the last.
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
    """Return a dotted vertical line and its label, which is at height ``y`` of the plot (0 to 1)."""
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
    """Return values for a figure, rounded; None for missing ones."""
    return [None if pd.isna(value) else round(float(value), digits) for value in values]


def band_texts(low: pd.Series, high: pd.Series) -> list[str]:
    """Return a band for the hover text, as ``50 to 70``, for each row."""
    return [f"{a:.0f} to {b:.0f}" for a, b in zip(low, high, strict=True)]


def axis_title(text: str, ink: Ink) -> Figure:
    """Return the title of an x axis that is not a time axis."""
    return {"text": text, "font": {"size": 12, "color": ink.faint}}


def accuracy_axis(rows: pd.DataFrame) -> Figure:
    """Return the y axis for accuracies in percent; the threshold is always on it."""
    lowest = min(
        rows["accuracy_percent"].min(),
        rows["persistence_accuracy_percent"].min(),
        ACCURACY_THRESHOLD_PERCENT,
    )
    return {"range": [max(-100, lowest - 5), 100], "ticksuffix": " %"}
