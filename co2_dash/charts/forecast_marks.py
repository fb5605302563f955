"""What is marked in the chart of the forecast: levels, the cleanest time, the next hours, the rough ones."""

from datetime import datetime

import pandas as pd

from co2_assets.advice.intensity_scale import STEPS
from co2_assets.contracts.danish_time import hours_phrase
from co2_assets.contracts.forecast_spec import HEADLINE_HOURS
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.advice.coming_hours import chosen_span
from co2_dash.advice.roughness import LAST_SURE_LEAD
from co2_dash.advice.window_choice import chosen_duration
from co2_dash.charts.chart import Figure, Options, Theme
from co2_dash.charts.style import Ink, vertical_mark
from co2_dash.charts.time_axis import DanishAxis
from co2_dash.data.state import DataState

# As a share of the height of the figure.
STRIP_HEIGHT = 0.045
_HOUR_MS = HOUR.total_seconds() * 1000


def level_strip(coming: pd.DataFrame, column: str, theme: Theme) -> list[Figure]:
    """Return a row of bars in the colours of the levels; none where there is no scale."""
    known = coming.dropna(subset=[column])
    if known.empty:
        return []
    steps = {step.word: step for step in STEPS}
    colours = [getattr(steps[word], theme) for word in known[column]]
    return [
        {
            "type": "bar",
            "x": list(known["x"]),
            "y": [1] * len(known),
            "width": _HOUR_MS,
            "yaxis": "y2",
            "marker": {"color": colours, "line": {"width": 0}},
            "customdata": list(known[column]),
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    ]


def mark_window(
    base: Figure, state: DataState, advised: pd.DataFrame, options: Options, axis: DanishAxis, ink: Ink
) -> None:
    """Frame the cleanest time, which has a part of each of the hours ``advised``."""
    if advised.empty:
        return
    start = max(state.now_utc, advised["hour_utc"].iloc[0].to_pydatetime())
    length = chosen_duration(options.get("duration")) * HOUR
    end = min(start + length, advised["hour_utc"].iloc[-1].to_pydatetime() + HOUR)
    base["shapes"].append(
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": axis.place(start),
            "x1": axis.place(end),
            "y0": 0,
            "y1": 1,
            "line": {"color": ink.text, "width": 2},
        }
    )
    # The words go to the side with more room, so that they do not widen the axis.
    at_left = start - axis.first_utc < axis.last_utc - end
    label = _label(f"cleanest {hours_phrase(length)}", start if at_left else end, 0.93, axis, ink)
    base["annotations"].append({**label, "xanchor": "left" if at_left else "right"})


def mark_headline(base: Figure, state: DataState, ahead: pd.DataFrame, axis: DanishAxis, ink: Ink) -> None:
    """Mark the coming headline hours with a bracket, as far as the forecast covers them.

    They are not shaded, because the lightest band would not be visible on the shade.
    """
    start = max(hour_containing(state.now_utc), ahead["hour_utc"].iloc[0].to_pydatetime())
    end = min(start + HEADLINE_HOURS * HOUR, ahead["hour_utc"].iloc[-1].to_pydatetime() + HOUR)
    if end <= start:
        return
    for begin, low, width in ((start, 1, 4.0), (end, 0, 1.0)):
        base["shapes"].append(
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": axis.place(begin),
                "x1": axis.place(end),
                "y0": low,
                "y1": 1,
                "line": {"color": ink.mark, "width": width},
            }
        )
    base["annotations"].append(_label(f"next {HEADLINE_HOURS} h", _middle(start, end), 1, axis, ink))


def mark_days(base: Figure, axis: DanishAxis, ink: Ink) -> None:
    """Draw a faint line at each Danish midnight."""
    for midnight in axis.midnights():
        place = axis.place(midnight)
        line, _ = vertical_mark(place, "", ink)
        base["shapes"].append({**line, "layer": "below", "line": {"color": ink.grid, "width": 1.5}})


def mark_rough(base: Figure, ahead: pd.DataFrame, options: Options, axis: DanishAxis, ink: Ink) -> None:
    """Mark where the leads begin that are more than two days ahead, if as much was chosen."""
    rough = ahead[ahead["lead_hours"] > LAST_SURE_LEAD]
    if rough.empty or chosen_span(options.get("hours")) <= LAST_SURE_LEAD:
        return
    line, label = vertical_mark(axis.place(rough["hour_utc"].iloc[0].to_pydatetime()), "rough", ink)
    base["shapes"].append(line)
    base["annotations"].append(label)


def _middle(start: datetime, end: datetime) -> datetime:
    return start + (end - start) / 2


def _label(text: str, place: datetime, y: float, axis: DanishAxis, ink: Ink) -> Figure:
    return {
        "text": text,
        "x": axis.place(place),
        "y": y,
        "xref": "x",
        "yref": "paper",
        "yanchor": "top",
        "showarrow": False,
        "bgcolor": ink.ground,
        "font": {"size": 12, "color": ink.text},
    }
