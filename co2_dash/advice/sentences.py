"""The advice about the cleanest time, in sentences."""

from co2_dash.advice.cleanest_window import Advice
from co2_dash.data.notices import UNIT


def advice_sentence(advice: Advice, start: str, hours: str, deadline: str) -> str:
    """Return when to start; ``start``, ``hours`` and ``deadline`` are texts that go into the sentence."""
    if advice.is_now:
        return f"Start now: no later start gives {hours} of cleaner power before {deadline}."
    return f"Start at {start} for the cleanest {hours} before {deadline}."


def certainty_sentence(advice: Advice) -> str:
    """Return the expected carbon intensity and how certain the advice is."""
    best, now = advice.best, advice.now
    band = f"80 % sure to be between {best.low:.0f} and {best.high:.0f} {UNIT} on average"
    if advice.chance_cleaner is None:
        return f"Expected {best.median:.0f} {UNIT}, {band}."
    tenths = min(9, max(5, round(advice.chance_cleaner * 10)))
    chance = "more than 19 in 20" if advice.chance_cleaner > 0.95 else f"about {tenths} in 10"
    return (
        f"Expected {best.median:.0f} {UNIT} instead of {now.median:.0f} when starting now, {band}. "
        f"The chance that it really is cleaner than starting now is {chance}."
    )


def saving_phrase(advice: Advice) -> str:
    """Return how much waiting saves, as ``saves about 41 % compared with starting now``."""
    if advice.is_now or advice.saving_percent < 1:
        return "waiting saves almost nothing"
    return f"saves about {advice.saving_percent:.0f} % compared with starting now"
