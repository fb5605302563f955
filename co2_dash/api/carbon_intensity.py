"""What programs ask: the newest value, the past, the forecast, the cleanest time, the accuracy."""

from datetime import timedelta

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from co2_assets.advice.asked_window import DEFAULT_DURATION
from co2_assets.advice.days import days_ahead
from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.contracts.forecast_spec import NEAR_HOURS, Cadence, ForecastKind
from co2_assets.contracts.time import HOUR, hour_containing
from co2_dash.advice.coming_hours import coming_hours
from co2_dash.advice.last_month import last_month
from co2_dash.api.asked_window import asked_advice
from co2_dash.api.cached_response import Refusal, answer, reader_of
from co2_dash.api.formats import spreadsheet
from co2_dash.api.parameters import (
    LONGEST_HISTORY,
    AreaParameter,
    BeforeParameter,
    DurationParameter,
    EndParameter,
    HoursParameter,
    OptionalCadenceParameter,
    StartParameter,
)
from co2_dash.api.problems import documented
from co2_dash.api.schemas import (
    Accuracy,
    Areas,
    AreaState,
    CleanestWindow,
    DailySummary,
    Forecast,
    History,
    Latest,
    LeadAccuracy,
    Measurement,
    PowerMeasurement,
)
from co2_dash.api.serialize import (
    all_shaped,
    day_of,
    forecast_head,
    forecast_values,
    hours_to_come,
    measured_until,
    origin_of,
    window_of,
)
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

ONE_DAY = timedelta(days=1)
router = APIRouter(
    prefix="/api/v1",
    tags=["carbon intensity"],
    responses={**documented(401, 422, 429, 503), **spreadsheet.RESPONSE},
    dependencies=[Depends(spreadsheet.asked_format)],
)


@router.get("/areas", response_model=Areas)
async def areas(request: Request) -> Response:
    """The price areas, with what has been measured and forecast of each."""
    reader = reader_of(request)

    def build(view: View, state: DataState) -> Areas:
        each = [reader.state(view, name) for name in AREAS]
        return Areas(
            areas=[
                AreaState(
                    price_area=own.area.name,
                    title=own.area.title,
                    measured_until=own.measured_until_utc,
                    issue_time=own.issue_time_utc,
                    issued_at=own.issued_at_utc,
                    model_version=own.model_version,
                )
                for own in each
            ],
            origin=origin_of(state),
        )

    return await answer(request, DENMARK.name, "areas", build)


@router.get("/carbon-intensity/latest", response_model=Latest)
async def latest(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """How clean power is: the newest measured hour, its place among 30 days, this hour's forecast."""

    def build(view: View, state: DataState) -> Latest:
        end = measured_until(state)
        rows = queries.measured(view, state.area.name, end - HOUR, end)
        measured = all_shaped(Measurement, rows, hour="hour_utc")[0]
        scale = last_month(view, state)
        value = float(rows["co2_g_per_kwh"].iloc[0])
        level = scale.step(value).word if scale else None
        coming = forecast_values(coming_hours(view, state).head(1), view, state)
        return Latest(
            price_area=state.area.name,
            measured=measured,
            level=level,
            word=level,
            cleaner_than_percent=round(scale.percent_cleaner_than(value), 1) if scale else None,
            this_hour=coming[0] if coming and coming[0].hour == hour_containing(state.now_utc) else None,
            origin=origin_of(state),
        )

    return await answer(request, area_name, "latest", build)


@router.get("/carbon-intensity/history", response_model=History)
async def history(
    request: Request,
    start: StartParameter = None,
    end: EndParameter = None,
    area_name: AreaParameter = DENMARK.name,
) -> Response:
    """Measured hours with what made them, oldest first; at most a year in one answer."""

    def build(view: View, state: DataState) -> History:
        until = end or measured_until(state)
        since = start or until - ONE_DAY
        if since >= until:
            raise Refusal(422, "The start must lie before the end.")
        if until - since > LONGEST_HISTORY:
            raise Refusal(422, f"At most {LONGEST_HISTORY.days} days can be asked for at once.")
        rows = queries.measured(view, state.area.name, since, until)
        return History(
            price_area=state.area.name,
            hours=all_shaped(PowerMeasurement, rows, hour="hour_utc"),
            origin=origin_of(state, measured_only=True),
        )

    return await answer(request, area_name, ("history", start, end), build, takes_long=True)


@router.get("/carbon-intensity/forecast", response_model=Forecast)
async def forecast(
    request: Request, hours: HoursParameter = None, area_name: AreaParameter = DENMARK.name
) -> Response:
    """The current forecast: seven quantiles for each hour, of the first day or of the next `hours`."""

    def build(view: View, state: DataState) -> Forecast:
        if hours is None:
            rows = queries.current_forecast(view, state.area.name)
            rows = rows[rows["lead_hours"] <= NEAR_HOURS]
        else:
            rows = coming_hours(view, state, hours)
        return Forecast(**forecast_head(state), hours=forecast_values(rows, view, state))

    return await answer(request, area_name, ("forecast", hours), build)


@router.get("/carbon-intensity/cleanest-window", response_model=CleanestWindow)
async def cleanest_window(
    request: Request,
    duration: DurationParameter = DEFAULT_DURATION,
    before: BeforeParameter = None,
    area_name: AreaParameter = DENMARK.name,
) -> Response:
    """When to start for the cleanest stretch of `duration` hours that is over by `before`."""

    def build(view: View, state: DataState) -> CleanestWindow:
        asked = asked_advice(view, state, duration, before)
        advice = asked.advice
        return CleanestWindow(
            **asked.head,
            duration_hours=duration,
            before=asked.deadline,
            best=window_of(advice.best),
            starting_now=window_of(advice.now),
            saving_percent=round(advice.saving_percent, 1),
            chance_cleaner=None if advice.chance_cleaner is None else round(advice.chance_cleaner, 3),
        )

    return await answer(request, area_name, ("window", duration, before), build, by_minute=True)


@router.get("/carbon-intensity/daily-summary", response_model=DailySummary)
async def daily_summary(request: Request, area_name: AreaParameter = DENMARK.name) -> Response:
    """The cleanest and the dirtiest three hours in a row of each Danish day that the forecast reaches."""

    def build(view: View, state: DataState) -> DailySummary:
        head = forecast_head(state)
        days = days_ahead(hours_to_come(view, state), state.now_utc)
        scale = last_month(view, state)
        return DailySummary(**head, days=[day_of(day, scale) for day in days])

    return await answer(request, area_name, "days", build)


@router.get("/accuracy", response_model=Accuracy)
async def accuracy(
    request: Request,
    cadence: OptionalCadenceParameter = None,
    area_name: AreaParameter = DENMARK.name,
) -> Response:
    """How forecasts did: the newest evaluation of each model, kind and cadence, by lead."""

    def build(view: View, state: DataState) -> Accuracy:
        rows = queries.newest_evaluations(view, state.area.name)
        # A pipeline newer than these pages may score kinds that they do not know.
        rows = rows[rows["kind"].isin(list(ForecastKind)) & rows["cadence"].isin(list(Cadence))]
        if cadence is not None:
            rows = rows[rows["cadence"] == cadence]
        renamed = {
            "window_from": "window_from_utc",
            "window_to": "window_to_utc",
            "evaluated_at": "evaluated_at_utc",
        }
        return Accuracy(
            price_area=state.area.name,
            leads=all_shaped(LeadAccuracy, rows, **renamed),
            origin=origin_of(state),
        )

    return await answer(request, area_name, ("accuracy", cadence), build)
