"""The answer of the home page as plain HTML, to be read before the browser has loaded what makes pages."""

from html import escape

from co2_assets.advice.intensity_scale import STEPS
from co2_assets.contracts.forecast_spec import NEAR_HOURS
from co2_dash.charts.sketch import sketch
from co2_dash.data.notices import UNIT, origin
from co2_dash.pages.components import area_title
from co2_dash.pages.home_data import HomeData
from co2_dash.pages.home_window import usual_advice


def first_answer(data: HomeData) -> str:
    """Return the last measured value with its word, the advice and the coming day; nothing without a value.

    All that is shown is of the area that it names.
    """
    state, value, scale = data.state, data.last_g_per_kwh, data.scale
    if value is None:
        return ""
    word = ""
    if scale is not None:
        step = scale.step(value)
        word = f'<span class="word step-{STEPS.index(step)}">{escape(step.word)}</span>'
    is_live = str(state.live and not state.stale).lower()
    badge = f'<span class="origin" data-live="{is_live}">{escape(origin(state))}</span>'
    number = f'<span class="big-number">{value:.0f}</span><span class="big-unit">{UNIT}</span>'
    chart = sketch(data.coming[:NEAR_HOURS], UNIT) if data.coming else ""
    return (
        f'<div class="first" data-area="{escape(state.area.name)}">'
        f"<p>{escape(area_title(state.area))} {badge}</p>"
        f'<p class="big">{number}{word}</p>'
        f'<p class="advice">{escape(usual_advice(data))}</p>{chart}</div>'
    )
