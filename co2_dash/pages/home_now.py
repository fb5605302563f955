"""The parts of the home page about now and the next hours: the number, its scale, one cell an hour."""

import dash_mantine_components as dmc

from co2_assets.advice.asked_window import DEFAULT_DURATION
from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.advice.intensity_scale import STEPS, Scale
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.danish_time import clock, clock_and_zone, day_and_clock, hours_phrase, span
from co2_assets.contracts.time import HOUR
from co2_dash.advice.outlooks import elsewhere
from co2_dash.advice.places import place_of
from co2_dash.advice.sentences import cleanest_there_sentence, elsewhere_sentence
from co2_dash.data.notices import UNIT
from co2_dash.pages.components import Part, heading, html
from co2_dash.pages.home_data import HomeData
from co2_dash.pages.home_window import usual_advice


def now_parts(data: HomeData) -> list[Part]:
    """Return the last measured value, its word, the advice, and its place on the scale of 30 days."""
    end, value, scale = data.state.measured_until_utc, data.last_g_per_kwh, data.scale
    if end is None or value is None:
        return [heading("How clean is power now?"), dmc.Text("Nothing has been measured yet.", size="lg")]
    is_recent = data.now_utc - end < 2 * HOUR
    advice = usual_advice(data)
    age = f", {span(data.now_utc - end)} ago. " if data.now_utc > end else ". "
    return [
        heading("How clean is power now?" if is_recent else "How clean was power when last measured?"),
        html.Div(
            [
                html.Span(f"{value:.0f}", className="big-number"),
                html.Span(UNIT, className="big-unit"),
                *([_word(scale, value)] if scale else []),
            ],
            className="big",
        ),
        *([dmc.Text(advice, className="advice")] if advice else []),
        dmc.Text(
            [f"Measured {clock(end - HOUR)}–{clock_and_zone(end)}{age}", *_this_hour(data)],
            className="now-note",
        ),
        *([_scale(scale, value)] if scale else []),
        *_elsewhere(data),
    ]


def _this_hour(data: HomeData) -> list[str]:
    hour = data.this_hour
    if hour is None:
        return []
    return [f"This hour: about {hour.median:.0f}, 8 times in 10 between {hour.low:.0f} and {hour.high:.0f}."]


def _elsewhere(data: HomeData) -> list[Part]:
    """Return how the other half of the country does, or both halves; nothing without a fresh forecast."""
    area = data.state.area
    # A half is no other place than the whole country, so it is not compared with it.
    here = None if area == DENMARK else data.outlooks.get(area.name)
    hour, cleanest = (here.this_hour, here.cleanest) if here else (None, None)
    lines = []
    for there in elsewhere(data.outlooks, area):
        sentences = [elsewhere_sentence(place_of(there.area).name, there.this_hour, hour)]
        if there.cleanest is not None:
            starts = there.cleanest.start_utc
            is_now = starts <= data.now_utc
            start = "now" if is_now else f"at {day_and_clock(starts, data.now_utc)}"
            hours = hours_phrase(DEFAULT_DURATION * HOUR)
            sentences.append(cleanest_there_sentence(hours, start, there.cleanest, cleanest))
        lines.append(html.Li(" ".join(sentences)))
    return [html.Ul(lines, className="elsewhere")] if lines else []


def _word(scale: Scale, value: float) -> Part:
    step = scale.step(value)
    return html.Span(step.word, className=f"word step-{STEPS.index(step)}")


def _scale(scale: Scale, value: float) -> Part:
    """Return the scale with a marker at the value, and a sentence that explains it."""
    edges = [f"{edge:.0f}" for edge in scale.edges]
    marker = html.Span("▼", className="marker", style={"left": f"{scale.place(value) * 100:.1f}%"})
    steps = [
        html.Div(step.word, className=f"step step-{index}", title=step.meaning)
        for index, step in enumerate(STEPS)
    ]
    edge_labels = [
        html.Span(edge, style={"left": f"{20 * number}%"}) for number, edge in enumerate(edges, start=1)
    ]
    return html.Div(
        [
            html.Div(
                [
                    html.Div(marker, className="marker-row", **{"aria-hidden": "true"}),
                    html.Div(steps, className="steps"),
                    html.Div(
                        edge_labels,
                        className="edges",
                        **{"aria-label": f"Limits of the steps: {', '.join(edges)} {UNIT}"},
                        role="img",
                    ),
                ],
                className="scale",
            ),
            dmc.Text(
                f"Cleaner than {scale.percent_cleaner_than(value):.0f} % of the hours of the last 30 days. "
                f"Each colour stands for a fifth of them; the limits are in {UNIT}.",
                size="sm",
                c="dimmed",
            ),
        ]
    )


def strip_parts(data: HomeData) -> list[Part]:
    """Return a cell for each of the next hours, or that there is no forecast for them."""
    if not data.state.version:
        return []
    if not data.headline:
        return [dmc.Text("There is no forecast for the next hours.", c="dimmed")]
    return [html.Ol([_cell(hour, data.scale) for hour in data.headline], className="strip")]


def _cell(hour: ForecastHour, scale: Scale | None) -> Part:
    step = None if scale is None else scale.step(hour.median)
    return html.Li(
        [
            html.Span(clock(hour.start_utc), className="strip-time"),
            html.Span(f"{hour.median:.0f}", className="strip-number"),
            html.Span(
                step.word if step else "",
                className=f"strip-word step-{STEPS.index(step)}" if step else "strip-word",
            ),
            html.Span(f"{hour.low:.0f}–{hour.high:.0f}", className="strip-band"),
        ],
        className="strip-cell",
    )
