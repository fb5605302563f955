"""One flat object for Home Assistant's REST sensor, which makes each of its keys an attribute.

An attribute list over 16,384 bytes is not recorded, so the forecast is as short as Predbat can read it.
"""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from co2_assets.advice.asked_window import DEFAULT_DURATION
from co2_assets.advice.home_sensor import sensor_fields
from co2_assets.contracts.areas import DENMARK
from co2_dash.advice.last_month import last_month
from co2_dash.api.asked_window import asked_advice
from co2_dash.api.cached_response import answer
from co2_dash.api.parameters import AreaParameter, BeforeParameter, DurationParameter
from co2_dash.api.problems import documented
from co2_dash.api.schemas import STALE, Answer, Instant, Level, PriceArea
from co2_dash.data.notices import attribution
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

_PROBLEMS = documented(401, 422, 429, 503)
router = APIRouter(prefix="/api/v1", tags=["formats of other tools"], responses=_PROBLEMS)


class NextHour(Answer):
    """One of the next hours."""

    hour: Instant = Field(description="Start of the hour.")
    co2_g_per_kwh: float = Field(description="Median of the forecast, g CO2/kWh.")
    level: Level


class PredbatHour(Answer):
    """One hour as Predbat reads it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    start: Instant = Field(alias="from", description="Start of the hour.")
    end: Instant = Field(alias="to", description="End of the hour.")
    intensity: int = Field(description="Median of the forecast, g CO2/kWh.")


class Sensor(Answer):
    """The state of a sensor and its attributes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    state: float = Field(description="Median of the forecast for the hour of now, g CO2/kWh.")
    unit: Literal["g CO2/kWh"] = Field(default="g CO2/kWh", description="Unit of every intensity.")
    level: Level
    price_area: PriceArea
    stale: bool = Field(description=STALE)
    issued_at: Instant = Field(description="The instant at which the forecast was issued.")
    source: str = Field(description="live, archive (recorded) or simulator (made up, none is real).")
    attribution: str = Field(description="To be named wherever the data are shown.")
    cleanest_start: Instant = Field(description="When to start for the cleanest stretch of `duration` hours.")
    cleanest_end: Instant = Field(description="When it ends.")
    cleanest_g_per_kwh: float = Field(description="Expected mean intensity over it, g CO2/kWh.")
    cleanest_is_now: bool = Field(description="True when no later start is cleaner than now.")
    saving_percent: float = Field(description="How much lower it is than starting now, %.")
    next_hours: list[NextHour] = Field(description="The next six hours, that of now first.")
    forecast: list[PredbatHour] = Field(description="All hours to come, that of now first.")


@router.get("/home-assistant", response_model=Sensor)
async def home_assistant(
    request: Request,
    duration: DurationParameter = DEFAULT_DURATION,
    before: BeforeParameter = None,
    area_name: AreaParameter = DENMARK.name,
) -> Response:
    """Intensity, level, cleanest stretch and forecast as one flat object, for a REST sensor and Predbat."""

    def build(view: View, state: DataState) -> Sensor:
        asked = asked_advice(view, state, duration, before)
        return Sensor(
            price_area=state.area.name,
            stale=state.stale,
            issued_at=asked.head["issued_at"],
            source=state.source,
            attribution=attribution(state),
            **sensor_fields(asked.hours, last_month(view, state), asked.advice),
        )

    return await answer(request, area_name, ("home-assistant", duration, before), build, by_minute=True)
