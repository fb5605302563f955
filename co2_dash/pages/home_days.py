"""The part of the home page about the coming days: the cleanest and the dirtiest hours of each."""

import dash_mantine_components as dmc

from co2_assets.advice.cleanest_window import NEARLY_SURE, Stretch
from co2_assets.advice.days import STRETCH_HOURS, DayAhead, days_ahead
from co2_assets.advice.intensity_scale import STEPS, Scale
from co2_assets.contracts.danish_time import clock, danish, day_name
from co2_dash.advice.sentences import chance_phrase
from co2_dash.data.notices import UNIT
from co2_dash.pages.components import Part, card, heading, html
from co2_dash.pages.home_data import HomeData


def days_card(data: HomeData) -> Part:
    """Return the card of the coming days."""
    explanation = (
        f"The cleanest and the dirtiest {STRETCH_HOURS} hours in a row of each day, as means in {UNIT}; of "
        "the first and the last day only the hours that are forecast. In brackets: 8 times in 10 the mean "
        "should be between these. A chance is named "
        "where it is not nearly sure which is cleaner."
    )
    return card(heading("Day by day", explanation), html.Div(days_parts(data), id="days"))


def days_parts(data: HomeData) -> list[Part]:
    """Return a row for each day, or that no day has enough hours left."""
    days = days_ahead(data.coming, data.now_utc)
    if not days:
        return [dmc.Text(f"No day has {STRETCH_HOURS} hours of forecast left.", c="dimmed")]
    return [html.Ul([_day(data, day) for day in days], className="day-list")]


def _day(data: HomeData, day: DayAhead) -> Part:
    name = day_name(day.day, danish(data.now_utc).date())
    chance = day.chance_cleaner
    certainty: list[Part] = []
    if chance is not None and chance <= NEARLY_SURE:
        words = f"Chance that the cleanest is really cleaner: {chance_phrase(chance)}"
        certainty = [html.Span(words, className="day-certainty")]
    return html.Li(
        [
            html.Strong(name, className="day-list-name"),
            _stretch("Cleanest", day.cleanest, data.scale),
            _stretch("Dirtiest", day.dirtiest, data.scale),
            *certainty,
        ]
    )


def _stretch(what: str, stretch: Stretch, scale: Scale | None) -> Part:
    step = None if scale is None else scale.step(stretch.median)
    word = [] if step is None else [html.Span(step.word, className=f"strip-word step-{STEPS.index(step)}")]
    return html.Span(
        [
            html.Span(what, className="day-what"),
            html.Span(f"{clock(stretch.start_utc)}–{clock(stretch.end_utc)}", className="day-when"),
            html.Span(
                [html.B(f"{stretch.median:.0f}"), f" ({stretch.low:.0f}–{stretch.high:.0f})"],
                className="day-value",
            ),
            *word,
        ],
        className="day-stretch",
    )
