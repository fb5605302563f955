"""What is advised and how certain it is are said of the same start."""

from datetime import datetime, timedelta

from co2_assets.advice.cleanest_window import Advice, Stretch
from co2_dash.advice.sentences import advice_sentence, certainty_sentence

T = datetime(2024, 6, 1)
HOUR = timedelta(hours=1)


def advice(best: float, now: float) -> Advice:
    later = Stretch(T + HOUR, T + 2 * HOUR, best, best - 10, best + 10)
    at_once = Stretch(T, T + HOUR, now, now - 11, now + 11)
    return Advice(later, at_once, 100 * (now - best) / now, 0.7)


def test_a_later_start_is_compared_with_now() -> None:
    found = advice(best=50, now=80)
    assert advice_sentence(found, "01:00–02:00", "10:00").startswith("Best: 01:00–02:00, 38 % cleaner")
    assert certainty_sentence(found) == (
        "Expected 50 g CO₂/kWh instead of 80 when starting now, 8 times in 10 between 40 and 60 g CO₂/kWh "
        "on average. The chance that it really is cleaner than starting now is about 7 in 10."
    )


def test_where_now_is_advised_the_numbers_are_those_of_now() -> None:
    """A later start that is cleaner by less than a percent is not advised."""
    found = advice(best=70.7, now=71.2)
    assert advice_sentence(found, "01:00–02:00", "10:00") == "Now is as clean as it gets before 10:00."
    assert certainty_sentence(found) == (
        "Expected 71 g CO₂/kWh, 8 times in 10 between 60 and 82 g CO₂/kWh on average."
    )
