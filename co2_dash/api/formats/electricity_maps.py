"""The API of Electricity Maps, versions 3 and 4, for the zones of Denmark.

What is not measured yet, up to the hour of now, is the forecast's median and marked as estimated. Intensities
are whole numbers, since the Carbon Aware SDK reads nothing else.
"""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BeforeValidator, Field, RootModel
from starlette.responses import Response

from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.contracts.time import HOUR, bounded_utc, hour_containing
from co2_dash.api.cached_response import Refusal, answer
from co2_dash.api.formats.camel import CamelAnswer
from co2_dash.api.formats.hours import KnownHour, known_hours
from co2_dash.api.formats.own_errors import documented_as, in_words
from co2_dash.api.formats.zones import ZONES, ZoneParameter
from co2_dash.api.parameters import LONGEST_HISTORY, no_bare_number
from co2_dash.api.problems import Problem
from co2_dash.api.schemas import Instant
from co2_dash.api.serialize import hours_to_come
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

PREFIX = "/api/electricity-maps"
TAG = "Electricity Maps"
ABOUT = (
    "The intensity and its forecast as the API of Electricity Maps gives them; versions 3 and 4 are alike."
)
DAY_HOURS = 24
# Direct emissions of power from coal, median of IPCC AR5 WG3, annex III, table A.III.2. No fossil fuel emits
# more, so the intensity over this is the least share of fossil power that can have made it.
COAL_G_PER_KWH = 760.0

# Without an offset a time is UTC, as it is for Electricity Maps.
Time = Annotated[datetime, BeforeValidator(no_bare_number), AfterValidator(bounded_utc)]
FactorType = Literal["direct", "lifecycle"]
Granularity = Literal["hourly"]


class ZoneHour(CamelAnswer):
    """One hour. Energinet counts direct emissions, whatever was asked for."""

    zone: str
    carbon_intensity: int
    datetime: Instant
    updated_at: Instant
    emission_factor_type: Literal["direct"] = "direct"
    is_estimated: bool
    estimation_method: str | None
    temporal_granularity: Granularity = "hourly"


class ZoneHistory(CamelAnswer):
    """The last 24 hours."""

    zone: str
    history: list[ZoneHour]
    temporal_granularity: Granularity = "hourly"


class ZoneRange(CamelAnswer):
    """The hours of a range."""

    zone: str
    data: list[ZoneHour]
    temporal_granularity: Granularity = "hourly"


class ZoneForecastHour(CamelAnswer):
    """One hour to come."""

    carbon_intensity: int
    datetime: Instant


class ZoneForecast(CamelAnswer):
    """The hours to come, that of now first."""

    zone: str
    updated_at: Instant
    forecast: list[ZoneForecastHour]
    temporal_granularity: Granularity = "hourly"


class Zone(CamelAnswer):
    """One zone; every endpoint has it."""

    zone_name: str
    country_name: str = "Denmark"
    access: list[str] = Field(default=["*"])


class Zones(RootModel[dict[str, Zone]]):
    """The zones by their keys."""


class ZoneData(CamelAnswer):
    """What Home Assistant's integration shows."""

    carbon_intensity: int
    fossil_fuel_percentage: float


class ZoneUnits(CamelAnswer):
    """Its units."""

    carbon_intensity: str = "gCO2eq/kWh"


class ZoneNow(CamelAnswer):
    """The hour of now, as Home Assistant's integration reads it."""

    status: Literal["ok"] = "ok"
    country_code: str
    data: ZoneData
    units: ZoneUnits = ZoneUnits()


class ZoneError(CamelAnswer):
    """An error as Electricity Maps sends it, its words under both names."""

    status: Literal["no-data", "error"]
    error: str
    message: str


_api = APIRouter(tags=[TAG], responses=documented_as(ZoneError, 400, 401, 404, 429, 503))


async def _measured_only(
    emissionFactorType: FactorType | None = None,  # noqa: N803, ARG001 -- accepted so that clients work
    temporalGranularity: Granularity = "hourly",  # noqa: N803, ARG001
    disableCallerLookup: bool = False,  # noqa: N803, ARG001
    disableEstimations: bool = False,  # noqa: N803
) -> bool:
    """Return whether estimates are to be left out."""
    return disableEstimations


MeasuredOnly = Annotated[bool, Depends(_measured_only)]


def _points(
    view: View, state: DataState, start: datetime, end: datetime, *, measured_only: bool = False
) -> list[ZoneHour]:
    """Return the hours that overlap ``[start, end)``, none after that of now."""
    end = min(end, hour_containing(state.now_utc) + HOUR)
    hours = known_hours(view, state, hour_containing(start), end)
    return [_point(hour, state) for hour in hours if hour.is_measured or not measured_only]


def _point(hour: KnownHour, state: DataState) -> ZoneHour:
    return ZoneHour(
        zone=ZONES[state.area.name],
        carbon_intensity=round(hour.g_per_kwh),
        datetime=hour.start_utc,
        updated_at=_updated_at(state),
        is_estimated=not hour.is_measured,
        estimation_method=None if hour.is_measured else "FORECAST",
    )


def _updated_at(state: DataState) -> datetime:
    return state.as_of_utc or state.now_utc


def _latest(view: View, state: DataState, *, measured_only: bool = False) -> ZoneHour:
    end = hour_containing(state.now_utc) + HOUR
    points = _points(view, state, end - DAY_HOURS * HOUR, end, measured_only=measured_only)
    if not points:
        raise Refusal(503, "Nothing is known of the last 24 hours.")
    return points[-1]


@_api.get("/carbon-intensity/latest", response_model=ZoneHour)
async def latest(request: Request, area_name: ZoneParameter, measured: MeasuredOnly) -> Response:
    """The hour of now; the newest measured one where that is not forecast."""

    def build(view: View, state: DataState) -> ZoneHour:
        return _latest(view, state, measured_only=measured)

    return await answer(request, area_name, ("em-latest", measured), build)


@_api.get("/carbon-intensity/history", response_model=ZoneHistory)
async def history(request: Request, area_name: ZoneParameter, measured: MeasuredOnly) -> Response:
    """The last 24 hours, that of now included."""

    def build(view: View, state: DataState) -> ZoneHistory:
        end = hour_containing(state.now_utc) + HOUR
        points = _points(view, state, end - DAY_HOURS * HOUR, end, measured_only=measured)
        return ZoneHistory(zone=ZONES[state.area.name], history=points)

    return await answer(request, area_name, ("em-history", measured), build)


@_api.get("/carbon-intensity/past", response_model=ZoneHour)
async def past(
    request: Request,
    area_name: ZoneParameter,
    measured: MeasuredOnly,
    at: Annotated[Time, Query(alias="datetime")],
) -> Response:
    """One hour of the past."""

    def build(view: View, state: DataState) -> ZoneHour:
        points = _points(view, state, at, hour_containing(at) + HOUR, measured_only=measured)
        if not points:
            raise Refusal(404, "Nothing is known of that hour.")
        return points[0]

    return await answer(request, area_name, ("em-past", at, measured), build)


@_api.get("/carbon-intensity/past-range", response_model=ZoneRange)
async def past_range(
    request: Request,
    area_name: ZoneParameter,
    measured: MeasuredOnly,
    start: Time,
    end: Time,
) -> Response:
    """The hours that overlap a range of the past."""

    def build(view: View, state: DataState) -> ZoneRange:
        if start >= end:
            raise Refusal(422, "The start must lie before the end.")
        if end - start > LONGEST_HISTORY:
            raise Refusal(422, f"At most {LONGEST_HISTORY.days} days can be asked for at once.")
        points = _points(view, state, start, end, measured_only=measured)
        return ZoneRange(zone=ZONES[state.area.name], data=points)

    question = ("em-past-range", start, end, measured)
    return await answer(request, area_name, question, build, takes_long=True)


@_api.get("/carbon-intensity/forecast", response_model=ZoneForecast)
async def forecast(
    request: Request,
    area_name: ZoneParameter,
    _measured: MeasuredOnly,
    horizonHours: Annotated[int, Query(ge=1, le=HORIZON_HOURS)] = HORIZON_HOURS,  # noqa: N803
) -> Response:
    """The hours to come, that of now first."""

    def build(view: View, state: DataState) -> ZoneForecast:
        return ZoneForecast(
            zone=ZONES[state.area.name],
            updated_at=state.issued_at_utc or state.now_utc,
            forecast=[
                ZoneForecastHour(carbon_intensity=round(hour.median), datetime=hour.start_utc)
                for hour in hours_to_come(view, state)[:horizonHours]
            ],
        )

    return await answer(request, area_name, ("em-forecast", horizonHours), build)


@_api.get("/zones", response_model=Zones)
async def zones(request: Request) -> Response:
    """The zones that are measured or forecast."""

    def build(view: View, _state: DataState) -> Zones:
        return Zones({ZONES[name]: Zone(zone_name=AREAS[name].title) for name in queries.areas(view)})

    return await answer(request, DENMARK.name, "em-zones", build)


@_api.get("/home-assistant", response_model=ZoneNow)
async def home_assistant(request: Request, area_name: ZoneParameter, measured: MeasuredOnly) -> Response:
    """The hour of now with the least share of fossil power that can have made its intensity."""

    def build(view: View, state: DataState) -> ZoneNow:
        point = _latest(view, state, measured_only=measured)
        fossil = min(100.0, 100 * point.carbon_intensity / COAL_G_PER_KWH)
        return ZoneNow(
            country_code=point.zone,
            data=ZoneData(carbon_intensity=point.carbon_intensity, fossil_fuel_percentage=round(fossil, 1)),
        )

    return await answer(request, area_name, ("em-home-assistant", measured), build)


# The two versions differ in nothing that is here.
router = APIRouter()
for version in ("v3", "v4"):
    router.include_router(_api, prefix=f"{PREFIX}/{version}")


def error_of(problem: Problem) -> tuple[int, ZoneError]:
    """Return an error as Electricity Maps sends it: 400 for a parameter, and the words under both names."""
    status = 400 if problem.status == 422 else problem.status
    words = in_words(problem)
    kind: Literal["no-data", "error"] = "no-data" if problem.status in (404, 503) else "error"
    return status, ZoneError(status=kind, error=words, message=words)
