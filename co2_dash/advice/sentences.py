"""The advice about the cleanest time, in sentences."""

from co2_assets.advice.cleanest_window import NEARLY_SURE, Advice, ForecastHour, Stretch
from co2_dash.data.notices import UNIT

# Two areas that differ by less are called alike: about half of what the forecast of an hour misses by.
ALIKE_WITHIN_G_PER_KWH = 5


def advice_sentence(advice: Advice, best: str, deadline: str) -> str:
    """Return when to use power; ``best`` (from when to when) and ``deadline`` are texts of the sentence."""
    if _starts_now(advice):
        return f"Now is as clean as it gets before {deadline}."
    return f"Best: {best}, {advice.saving_percent:.0f} % cleaner than now."


def _starts_now(advice: Advice) -> bool:
    """Return whether now is the advice: no later start is cleaner by as much as a percent."""
    return advice.is_now or advice.saving_percent < 1


def certainty_sentence(advice: Advice) -> str:
    """Return the expected carbon intensity and how certain the advice is."""
    now = advice.now
    best = now if _starts_now(advice) else advice.best
    band = f"8 times in 10 between {best.low:.0f} and {best.high:.0f} {UNIT} on average"
    if advice.chance_cleaner is None or _starts_now(advice):
        return f"Expected {best.median:.0f} {UNIT}, {band}."
    chance = chance_phrase(advice.chance_cleaner)
    return (
        f"Expected {best.median:.0f} {UNIT} instead of {now.median:.0f} when starting now, {band}. "
        f"The chance that it really is cleaner than starting now is {chance}."
    )


def chance_phrase(chance: float) -> str:
    """Return a probability of at least a half in words, as ``about 8 in 10``."""
    tenths = min(9, max(5, round(chance * 10)))
    return "more than 19 in 20" if chance > NEARLY_SURE else f"about {tenths} in 10"


def elsewhere_sentence(place: str, there: ForecastHour, here: ForecastHour | None) -> str:
    """Return what is forecast for the current hour in another ``place``, beside here unless that is None."""
    return f"{place}: about {there.median:.0f} {UNIT} this hour{_beside(there.median, here)}."


def cleanest_there_sentence(hours: str, start: str, there: Stretch, here: Stretch | None) -> str:
    """Return when power is cleanest there; ``hours`` and ``start`` are texts that go into the sentence."""
    return f"The cleanest {hours} there start {start}: about {there.median:.0f}{_beside(there.median, here)}."


def _beside(there: float, here: ForecastHour | Stretch | None) -> str:
    if here is None:
        return ""
    if abs(there - here.median) < ALIKE_WITHIN_G_PER_KWH:
        return ", about as clean as here"
    word = "cleaner" if there < here.median else "dirtier"
    return f", {word} than here ({here.median:.0f})"
