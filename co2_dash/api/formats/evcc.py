"""The forecast as evcc's custom tariff reads it: a bare list of slots, the earliest first."""

from fastapi import APIRouter, Request
from pydantic import Field, RootModel
from starlette.responses import Response

from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.time import HOUR
from co2_dash.api.cached_response import answer
from co2_dash.api.parameters import AreaParameter
from co2_dash.api.problems import documented
from co2_dash.api.schemas import Answer, Instant
from co2_dash.api.serialize import hours_to_come
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

router = APIRouter(
    prefix="/api/v1", tags=["formats of other tools"], responses=documented(401, 422, 429, 503)
)


class Slot(Answer):
    """One hour of the forecast as evcc names it."""

    start: Instant = Field(description="Start of the hour.")
    end: Instant = Field(description="End of the hour.")
    value: float = Field(description="Median of the forecast, g CO2/kWh.")


class Slots(RootModel[list[Slot]]):
    """All slots."""


@router.get("/evcc", response_model=list[Slot])
async def evcc(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """The hours to come for evcc's custom CO2 tariff, that of now first: no line of jq is needed."""

    def build(view: View, state: DataState) -> Slots:
        return Slots(
            [
                Slot(start=hour.start_utc, end=hour.start_utc + HOUR, value=round(hour.median, 3))
                for hour in hours_to_come(view, state)
            ]
        )

    return await answer(request, area_name, "evcc", build)
