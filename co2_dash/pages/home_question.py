"""The question of the home page: where the reader uses power. The browser keeps the answer."""

from co2_assets.contracts.areas import AREAS
from co2_dash.advice.places import PLACES, Place, place_of
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.pages.components import Part, card, heading, html

QUESTION = "Where do you use power?"


def question(view: View | None) -> list[Part]:
    """Return the card with an answer for each area that has a forecast; nothing where fewer than two have."""
    areas = [] if view is None else queries.areas_forecast(view)
    if len(areas) < 2:
        return []
    known = [name for name in PLACES if name in areas]
    names = [*known, *(name for name in areas if name not in known)]
    return [
        html.Section(
            card(
                heading(
                    QUESTION,
                    "Power is not equally clean on both sides of the Great Belt. Your answer stays in this "
                    "browser; you can change it at any time under “Area”.",
                ),
                html.Div([_answer(name, place_of(AREAS[name])) for name in names], className="answers"),
            ),
            className="area-question",
            **{"aria-label": QUESTION},
        )
    ]


def _answer(name: str, place: Place) -> Part:
    """Return a button; clientside.js does what it says."""
    parts = [html.Span(place.parts, className="answer-parts")] if place.parts else []
    return html.Button(
        [html.Span(place.name, className="answer-name"), *parts],
        type="button",
        className="answer",
        **{"data-answer": name},
    )
