"""The part of the home page with every coming hour by its level: a row for each day, a cell for each hour."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise

import dash_mantine_components as dmc

from co2_assets.advice.cleanest_window import ForecastHour, Stretch
from co2_assets.advice.intensity_scale import STEPS, Scale
from co2_assets.contracts.danish_time import clock, danish, day_name, hours_phrase
from co2_assets.contracts.forecast_spec import NEAR_HOURS
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.advice.coming_hours import SPANS, chosen_span
from co2_dash.advice.roughness import LAST_SURE_LEAD, roughness_sentence
from co2_dash.advice.window_choice import advice_for, chosen_duration
from co2_dash.data.notices import UNIT
from co2_dash.pages.components import Part, card, choice_id, heading, html, made_for_options
from co2_dash.pages.home_data import HomeData

# The hours of the Danish clock that are written above the cells.
WRITTEN = (0, 6, 12, 18)


def hours_card(data: HomeData, span: int) -> Part:
    """Return the card with the choice of hours and a cell for each of them."""
    return card(
        heading("Hour by hour", f"Each hour by its level, in Danish time. The limits are in {UNIT}."),
        dmc.SegmentedControl(
            id=choice_id("hours"),
            data=[{"value": str(hours), "label": f"{hours} h"} for hours in SPANS],
            value=str(span),
            className="range",
            **{"aria-label": "How far ahead"},
        ),
        html.Div(hours_answer(data, str(span), None, None), id="hours"),
    )


def hours_answer(data: HomeData, hours: object, duration: object, before: object) -> Part:
    """Return the cells with the number of hours that they are for."""
    span = chosen_span(hours)
    return html.Div(
        hours_parts(data, span, duration, before), **made_for_options(data.state, {"hours": str(span)})
    )


def hours_parts(data: HomeData, span: int, duration: object, before: object) -> list[Part]:
    """Return a row of cells for each day, what the cells mean, and how rough the last ones are."""
    end = hour_containing(data.now_utc) + span * HOUR
    shown = [hour for hour in data.coming if hour.start_utc < end]
    if not shown:
        return [dmc.Text("There is no forecast for the coming hours.", c="dimmed", mt="sm")]
    advice = advice_for(data.coming, data.now_utc, duration, before)
    best = advice.best if advice else None
    days = groupby(shown, key=lambda hour: danish(hour.start_utc).date())
    rows = [_day(data, day, list(hours), best) for day, hours in days]
    is_marked = best is not None and any(_is_in(hour, best) for hour in shown)
    return [
        html.Div([_head(), *rows], className="days"),
        _legend(data.scale, chosen_duration(duration) if is_marked else None),
        *(_rough(data, shown) if span > LAST_SURE_LEAD else []),
    ]


def _head() -> Part:
    """Return the row of hours above the days."""
    marks = [
        html.Span(f"{hour:02d}", style={"gridColumn": f"{hour + 2} / span 3"}, className="hour-mark")
        for hour in WRITTEN
    ]
    return html.Div(marks, className="day-row day-head", **{"aria-hidden": "true"})


def _day(data: HomeData, day: date, hours: Sequence[ForecastHour], best: Stretch | None) -> Part:
    """Return the name of a day and its cells. An hour that the clock repeats shares the cell of the first."""
    by_clock = groupby(hours, key=lambda hour: danish(hour.start_utc).hour)
    cells = [
        html.Li(
            [_cell(hour, data.scale, best) for hour in members],
            style={"gridColumn": str(of_clock + 2)},
            className="hour-place",
        )
        for of_clock, members in by_clock
    ]
    name = day_name(day, danish(data.now_utc).date())
    return html.Ol(
        [html.Li(name, className="day-name", **{"aria-hidden": "true"}), *cells],
        className="day-row",
        **{"aria-label": name},
    )


def _cell(hour: ForecastHour, scale: Scale | None, best: Stretch | None) -> Part:
    step = None if scale is None else scale.step(hour.median)
    number = "" if step is None else str(STEPS.index(step) + 1)
    is_best = best is not None and _is_in(hour, best)
    words = (
        f"{clock(hour.start_utc)}–{clock(hour.start_utc + HOUR)}: {hour.median:.0f} {UNIT}"
        f"{f', {step.word.lower()}' if step else ''}, "
        f"8 times in 10 between {hour.low:.0f} and {hour.high:.0f}"
        f"{', in the cleanest time' if is_best else ''}"
    )
    colour = f" step-{STEPS.index(step)}" if step else ""
    return html.Span(
        number,
        className=f"hour-cell{colour}{' hour-best' if is_best else ''}",
        title=words,
        role="img",
        **{"aria-label": words},
    )


def _is_in(hour: ForecastHour, stretch: Stretch) -> bool:
    return hour.start_utc < stretch.end_utc and hour.start_utc + HOUR > stretch.start_utc


def _legend(scale: Scale | None, marked_hours: int | None) -> Part:
    """Return what numbers and colours mean; that there are no levels where there is no scale."""
    if scale is None:
        return dmc.Text("Too few hours are measured to say what is clean.", size="sm", c="dimmed", mt="xs")
    edges = [f"{edge:.0f}" for edge in scale.edges]
    limits = [
        f"under {edges[0]}",
        *(f"{low}–{high}" for low, high in pairwise(edges)),
        f"from {edges[-1]}",
    ]
    entries = [
        html.Li(
            [
                html.Span(str(index + 1), className=f"hour-cell step-{index}", **{"aria-hidden": "true"}),
                f"{step.word} ({limit})",
            ]
        )
        for index, (step, limit) in enumerate(zip(STEPS, limits, strict=True))
    ]
    if marked_hours is not None:
        frame = html.Span(className="hour-cell hour-best", **{"aria-hidden": "true"})
        entries.append(html.Li([frame, f"The cleanest {hours_phrase(marked_hours * HOUR)}"]))
    return html.Ul(entries, className="legend level-legend", **{"aria-label": f"Levels, in {UNIT}"})


def _rough(data: HomeData, shown: Sequence[ForecastHour]) -> list[Part]:
    """Return how rough the hours are that are more than two days ahead; nothing where none is shown."""
    issue = data.state.issue_time_utc
    if issue is None:
        return []
    far = [hour for hour in shown if hour.start_utc >= issue + timedelta(hours=LAST_SURE_LEAD)]
    near = [hour for hour in shown if hour.start_utc < issue + timedelta(hours=NEAR_HOURS)]
    if not far or not near:
        return []
    return [dmc.Text(roughness_sentence(data.far_error, near, far), size="sm", mt="sm", className="rough")]
