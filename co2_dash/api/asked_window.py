"""What a program that asks for the cleanest stretch is told, in whatever shape."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from co2_assets.advice import asked_window
from co2_assets.advice.cleanest_window import Advice, ForecastHour, NoWindow
from co2_dash.api.cached_response import Refusal
from co2_dash.api.serialize import forecast_head, hours_to_come
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState


@dataclass(frozen=True)
class AskedAdvice:
    """The fields of `ForecastHead`, the hours to come, and the advice with the deadline that it keeps."""

    head: dict[str, Any]
    hours: list[ForecastHour]
    advice: Advice
    deadline: datetime


def asked_advice(
    view: View, state: DataState, duration_hours: float, before: datetime | time | None
) -> AskedAdvice:
    """Return what is told; refuses with 503 without a forecast, with 422 where no stretch fits."""
    head, hours = forecast_head(state), hours_to_come(view, state)
    try:
        advice, deadline = asked_window.asked_window(hours, state.now_utc, duration_hours, before)
    except NoWindow as error:
        raise Refusal(422, f"{error}.") from error
    return AskedAdvice(head, hours, advice, deadline)
