"""The cleanest stretch that was asked for, by its length and its deadline."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from co2_dash.advice.cleanest_window import Advice, ForecastHour, NoWindow, advise
from co2_dash.advice.window_choice import day_end
from co2_dash.api.cached_response import Refusal
from co2_dash.data.danish_time import HOUR, next_at
from co2_dash.data.state import DataState


def asked_window(
    hours: Sequence[ForecastHour], state: DataState, duration_hours: float, before: datetime | time | None
) -> tuple[Advice, datetime]:
    """Return the advice and the deadline that it keeps; refuses with 422 where no stretch fits.

    A deadline that is a time of day is the next such time in Denmark. Without one it is the end of the next
    day, or of the forecast for what takes longer.
    """
    now, length = state.now_utc.replace(second=0, microsecond=0), timedelta(hours=duration_hours)
    if isinstance(before, time):
        before = next_at(before, now)
    deadline = before or day_end(hours, now)
    if before is None and deadline - now < length:
        deadline = hours[-1].start_utc + HOUR
    try:
        return advise(hours, now, length, deadline), deadline
    except NoWindow as error:
        raise Refusal(422, f"{error}.") from error
