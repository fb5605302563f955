"""The Carbon Intensity API of NESO, the system operator of Great Britain, for Denmark.

An hour of ours is two half hours of the same value, with an index in words. Where NESO takes a British
postcode, a Danish one or the name of a price area stands.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer
from starlette.responses import Response

from co2_assets.advice.intensity_scale import STEPS, Scale
from co2_assets.contracts.areas import AREAS, DENMARK, area_named
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.contracts.time import HOUR, bounded_utc, hour_containing
from co2_dash.advice.last_month import last_month
from co2_dash.api.cached_response import Refusal, answer
from co2_dash.api.formats.hours import forecast_hours, measured_hours
from co2_dash.api.formats.own_errors import documented_as, in_words
from co2_dash.api.parameters import no_bare_number, refused_parameters
from co2_dash.api.problems import Problem
from co2_dash.api.schemas import Answer
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

PREFIX = "/api/neso"
TAG = "NESO"
ABOUT = "The intensity as the Carbon Intensity API of NESO, Great Britain's system operator, gives it."
HALF_HOUR = timedelta(minutes=30)
SPANS = {"fw24h": timedelta(hours=24), "fw48h": timedelta(hours=48), "pt24h": -timedelta(hours=24)}
# The five words of NESO for our five steps.
INDEX = dict(
    zip((step.word for step in STEPS), ("very low", "low", "moderate", "high", "very high"), strict=True)
)
# Zealand and the islands around it, Bornholm among them; all higher ones are west of the Great Belt.
LAST_POSTCODE_OF_DK2 = 4999
Minute = Annotated[datetime, PlainSerializer(lambda at: f"{at:%Y-%m-%dT%H:%MZ}", return_type=str)]
Span = Literal["fw24h", "fw48h", "pt24h"]
# As NESO's, the times in the path need no offset and are UTC.
Start = Annotated[datetime, BeforeValidator(no_bare_number), AfterValidator(bounded_utc), Path(alias="from")]


class NesoAnswer(Answer):
    """A part of an answer, with NESO's names."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Intensity(NesoAnswer):
    """Whole g/kWh; ``actual`` is null until the hour is measured, ``forecast`` where there was none."""

    forecast: int | None
    actual: int | None
    index: str | None


class HalfHour(NesoAnswer):
    """One half hour."""

    start: Minute = Field(serialization_alias="from")
    end: Minute = Field(serialization_alias="to")
    intensity: Intensity


class National(NesoAnswer):
    """Half hours, the earliest first."""

    data: list[HalfHour]


class Region(NesoAnswer):
    """Half hours of one area."""

    regionid: int
    shortname: str
    postcode: str | None
    data: list[HalfHour]


class Regional(NesoAnswer):
    """The one area that was asked for."""

    data: Region


class NesoFault(NesoAnswer):
    """What went wrong; the code has the status and its name."""

    code: str
    message: str


class NesoError(NesoAnswer):
    """An error as NESO sends it."""

    error: NesoFault


router = APIRouter(prefix=PREFIX, tags=[TAG], responses=documented_as(NesoError, 400, 401, 404, 429, 503))


def area_of_place(place: str) -> str:
    """Return the area of a Danish postcode or of an area's own name; refuses any other with 422."""
    area = area_named(place)
    if area is not None:
        return area.name
    if not re.fullmatch("[1-9][0-9]{3}", place):
        raise refused_parameters(
            [("postcode", f"must be a Danish postcode of four digits, or one of {', '.join(AREAS)}")]
        )
    return "DK2" if int(place) <= LAST_POSTCODE_OF_DK2 else "DK1"


def _half_hours(view: View, state: DataState, start: datetime, end: datetime) -> list[HalfHour]:
    """Return the half hours that overlap ``[start, end)``; refuses when nothing is known of them.

    With 503 where they are to be forecast or measured yet, else with 404.
    """
    first, last = hour_containing(start), hour_containing(end) + HOUR
    measured = measured_hours(view, state.area.name, first, last)
    forecast = forecast_hours(view, state, first, last)
    scale = last_month(view, state)
    found = []
    for hour in sorted({*measured, *forecast}):
        intensity = _intensity(forecast.get(hour), measured.get(hour), scale)
        found += [
            HalfHour(start=half, end=half + HALF_HOUR, intensity=intensity)
            for half in (hour, hour + HALF_HOUR)
            if half + HALF_HOUR > start and half < end
        ]
    if not found:
        known_until = state.measured_until_utc or state.now_utc
        is_to_come = end > known_until and start < state.now_utc + HORIZON_HOURS * HOUR
        raise Refusal(
            503 if is_to_come else 404, "Nothing is known of that time; ask for a time nearer to now."
        )
    return found


def _intensity(forecast: float | None, actual: float | None, scale: Scale | None) -> Intensity:
    best = actual if actual is not None else forecast
    return Intensity(
        forecast=None if forecast is None else round(forecast),
        actual=None if actual is None else round(actual),
        index=None if scale is None or best is None else INDEX[scale.step(best).word],
    )


def _range(at: datetime, span: Span) -> tuple[datetime, datetime]:
    other = at + SPANS[span]
    return min(at, other), max(at, other)


@router.get("/intensity", response_model=National)
async def intensity(request: Request) -> Response:
    """The half hour of now, of the whole country."""

    def build(view: View, state: DataState) -> National:
        return National(data=_half_hours(view, state, state.now_utc, state.now_utc + timedelta(seconds=1)))

    return await answer(request, DENMARK.name, "neso-now", build, by_minute=True)


@router.get("/intensity/{from}/{span}", response_model=National)
async def intensities(request: Request, start: Start, span: Span) -> Response:
    """A day or two from a time on, or the day before it, of the whole country."""

    def build(view: View, state: DataState) -> National:
        return National(data=_half_hours(view, state, *_range(start, span)))

    return await answer(request, DENMARK.name, ("neso", start, span), build)


@router.get("/regional/intensity/{from}/{span}/postcode/{postcode}", response_model=Regional)
async def regional(request: Request, start: Start, span: Span, postcode: str) -> Response:
    """The same of one price area, by a Danish postcode or by the area's name."""

    def build(view: View, state: DataState) -> Regional:
        return Regional(
            data=Region(
                regionid=list(AREAS).index(state.area.name),
                shortname=state.area.title,
                postcode=postcode,
                data=_half_hours(view, state, *_range(start, span)),
            )
        )

    question = ("neso-regional", start, span, postcode)
    return await answer(request, area_of_place(postcode), question, build)


def error_of(problem: Problem) -> tuple[int, NesoError]:
    """Return an error as NESO sends it: 400 for a parameter, and the code twice."""
    status = 400 if problem.status == 422 else problem.status
    title = "Bad Request" if status == 400 else problem.title
    return status, NesoError(error=NesoFault(code=f"{status} {title}", message=in_words(problem)))
