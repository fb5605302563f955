"""The four endpoints that programs of the first hour know."""

from datetime import timedelta

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import HEADLINE_HOURS, Cadence, ForecastKind, series_name
from co2_dash.advice.coming_hours import coming_hours
from co2_dash.api.cached_response import Refusal, answer
from co2_dash.api.formats import spreadsheet
from co2_dash.api.parameters import AreaParameter, CadenceParameter
from co2_dash.api.problems import documented
from co2_dash.api.schemas import BestModel, Forecast, History, Outcome, Outcomes, PowerMeasurement
from co2_dash.api.serialize import (
    all_shaped,
    forecast_head,
    forecast_values,
    measured_until,
    origin_of,
    shaped,
)
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

# Forecasts of the first kind that has any are shown.
KINDS = (ForecastKind.LIVE, ForecastKind.HINDCAST, ForecastKind.BACKFILL)
router = APIRouter(
    prefix="/api",
    tags=["original"],
    responses={**documented(401, 422, 429, 503), **spreadsheet.RESPONSE},
    dependencies=[Depends(spreadsheet.asked_format)],
)


@router.get("/last-24h-emissions", response_model=History)
async def last_24h_emissions(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """The 24 hours up to the newest measured one, oldest first, with what made them."""

    def build(view: View, state: DataState) -> History:
        end = measured_until(state)
        rows = queries.measured(view, state.area.name, end - timedelta(hours=24), end)
        return History(
            price_area=state.area.name,
            hours=all_shaped(PowerMeasurement, rows, hour="hour_utc"),
            origin=origin_of(state, measured_only=True),
        )

    return await answer(request, area_name, "last-24h", build)


@router.get("/next-6h-predictions", response_model=Forecast)
async def next_6h_predictions(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """The next six hours, that of now first; fewer when the forecast ends before."""

    def build(view: View, state: DataState) -> Forecast:
        rows = coming_hours(view, state).head(HEADLINE_HOURS)
        return Forecast(**forecast_head(state), hours=forecast_values(rows, view, state))

    return await answer(request, area_name, "next-6h", build)


@router.get("/last-6h-predictions-vs-actual", response_model=Outcomes)
async def last_6h_predictions_vs_actual(
    request: Request,
    cadence: CadenceParameter = Cadence.SIX_HOUR,
    area_name: AreaParameter = DENMARK.name,
) -> Response:
    """The last six measured hours beside every forecast of leads 1 to 6 and one cadence made for them."""

    def build(view: View, state: DataState) -> Outcomes:
        end = measured_until(state)
        start = end - timedelta(hours=6)
        found = {
            kind: queries.outcomes(view, state.area.name, series_name(kind, cadence), start, end)
            for kind in KINDS
        }
        kind = next((kind for kind in KINDS if len(found[kind])), ForecastKind.LIVE)
        rows = found[kind]
        rows = rows[rows["lead_hours"] <= HEADLINE_HOURS].assign(
            error_g_per_kwh=rows["q50_g_per_kwh"] - rows["actual_g_per_kwh"]
        )
        return Outcomes(
            price_area=state.area.name,
            kind=kind,
            cadence=cadence,
            hours=all_shaped(
                Outcome, rows, issue_time="issue_time_utc", issued_at="issued_at_utc", hour="target_hour_utc"
            ),
            origin=origin_of(state),
        )

    return await answer(request, area_name, ("last-6h", cadence), build)


@router.get("/best-model", response_model=BestModel)
async def best_model(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """The champion: the model that was promoted last, not the one trained last."""

    def build(view: View, state: DataState) -> BestModel:
        champion = queries.champion(view, state.area.name)
        if champion is None:
            raise Refusal(503, "No model has been promoted yet.")
        row = {**champion, "origin": origin_of(state)}
        return shaped(
            BestModel,
            row,
            trained_at="trained_at_utc",
            data_from="data_from_utc",
            data_to="data_to_utc",
        )

    return await answer(request, area_name, "best-model", build)
