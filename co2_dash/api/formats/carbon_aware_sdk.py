"""The WebAPI of the Green Software Foundation's Carbon Aware SDK.

Past forecasts come from the archive of all that was issued, so `forecasts/batch` answers for any time since
the first.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from co2_assets.contracts.areas import AREAS, DENMARK
from co2_assets.contracts.danish_time import iso_utc
from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE, MEDIAN_COLUMN
from co2_assets.contracts.time import HOUR, hour_containing
from co2_assets.warehouse.paths import SourceFolder
from co2_dash.api.cached_response import JSON, Refusal, answer, folder_of, reader_of, workers_of
from co2_dash.api.formats.carbon_aware_shapes import (
    AskedAverage,
    AskedForecast,
    Average,
    Averages,
    Emission,
    Emissions,
    Location,
    LocationForecast,
    LocationForecastPoint,
    LocationForecasts,
    Locations,
    Place,
    Places,
    SdkError,
    WindowMinutes,
    area_of_location,
)
from co2_dash.api.formats.hours import known_hours, measured_hours
from co2_dash.api.formats.own_errors import documented_as, in_words
from co2_dash.api.formats.rolling_windows import BadChoice, Chosen, Point, choose, covers, mean_over
from co2_dash.api.parameters import LONGEST_HISTORY, IsoInstant, refused_parameters
from co2_dash.api.problems import Problem, problem
from co2_dash.api.serialize import forecast_head, hours_to_come
from co2_dash.data import issued
from co2_dash.data.queries import records
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState

PREFIX = "/api/carbon-aware-sdk"
TAG = "Carbon Aware SDK"
ABOUT = "The forecast and its best windows as the WebAPI of the Carbon Aware SDK gives them."
MOST_IN_BATCH = 100
TOO_LONG = f"at most {LONGEST_HISTORY.days} days can be asked for at once"
# About the middle of each area, north and east.
_PLACES = {"DK": (56.0, 10.5), "DK1": (56.2, 9.3), "DK2": (55.5, 12.0)}
router = APIRouter(prefix=PREFIX, tags=[TAG], responses=documented_as(SdkError, 400, 401, 404, 429, 503))
_NONE: dict[int | str, dict[str, Any]] = {204: {"description": "Nothing is known of that time."}}


@router.get("/emissions/forecasts/current", response_model=LocationForecasts)
async def current_forecast(
    request: Request,
    locations: Locations,
    start: Annotated[IsoInstant | None, Query(alias="dataStartAt")] = None,
    end: Annotated[IsoInstant | None, Query(alias="dataEndAt")] = None,
    window: Annotated[WindowMinutes | None, Query(alias="windowSize")] = None,
) -> Response:
    """The current forecast of each location from the hour of now on, as points or as windows."""
    reader = reader_of(request)

    def of(view: View, location: str) -> LocationForecast:
        state = reader.state(view, area_of_location(location))
        head = forecast_head(state)
        points = [Point(hour.start_utc, HOUR, hour.median) for hour in hours_to_come(view, state)]
        return _shaped(location, head["issued_at"], state.now_utc, _chosen(points, start, end, window))

    def build(view: View, _state: DataState) -> LocationForecasts:
        return LocationForecasts([of(view, location) for location in locations])

    question = ("sdk-current", *locations, start, end, window)
    return await answer(request, DENMARK.name, question, build, by_minute=True)


@router.post("/emissions/forecasts/batch", response_model=LocationForecasts)
async def batch_of_forecasts(
    request: Request, requested: Annotated[list[AskedForecast], Field(max_length=MOST_IN_BATCH)]
) -> Response:
    """Each forecast as it was at a time: the newest that had been issued then."""

    def build(view: View, state: DataState) -> LocationForecasts:
        by_area: dict[str, list[datetime]] = {}
        for asked in requested:
            if asked.requested_at > state.now_utc + CLOCK_TOLERANCE:
                words = f"lies after now, {iso_utc(state.now_utc)}"
                raise refused_parameters([("requestedAt", words)])
            by_area.setdefault(area_of_location(asked.location), []).append(asked.requested_at)
        folder = folder_of(request, state)
        known = {area: issued.known_at(folder, view, area, instants) for area, instants in by_area.items()}
        return LocationForecasts([_forecast_at(folder, view, known, asked) for asked in requested])

    return await _answer_to_post(request, build)


@router.get("/emissions/bylocation", response_model=Emissions, responses=_NONE)
async def by_location(
    request: Request,
    location: Annotated[Location, Query()],
    time: IsoInstant | None = None,
    to_time: Annotated[IsoInstant | None, Query(alias="toTime")] = None,
) -> Response:
    """The hours of one location, that of now where no time is given."""
    return await _emissions(request, [location], time, to_time)


@router.get("/emissions/bylocations", response_model=Emissions, responses=_NONE)
async def by_locations(
    request: Request,
    locations: Locations,
    time: IsoInstant | None = None,
    to_time: Annotated[IsoInstant | None, Query(alias="toTime")] = None,
) -> Response:
    """The hours of several locations."""
    return await _emissions(request, locations, time, to_time)


@router.get("/emissions/bylocations/best", response_model=Emissions, responses=_NONE)
async def best_by_locations(
    request: Request,
    locations: Locations,
    time: IsoInstant | None = None,
    to_time: Annotated[IsoInstant | None, Query(alias="toTime")] = None,
) -> Response:
    """The cleanest hours among those of several locations."""
    return await _emissions(request, locations, time, to_time, best=True)


@router.get("/emissions/average-carbon-intensity", response_model=Average)
async def average(
    request: Request,
    location: Annotated[Location, Query()],
    start_time: Annotated[IsoInstant, Query(alias="startTime")],
    end_time: Annotated[IsoInstant, Query(alias="endTime")],
) -> Response:
    """The mean of what was measured over a time, weighted by time."""

    def build(view: View, state: DataState) -> Average:
        return _average(view, state, location, start_time, end_time)

    question = ("sdk-average", location, start_time, end_time)
    return await answer(request, area_of_location(location), question, build, takes_long=True)


@router.post("/emissions/average-carbon-intensity/batch", response_model=Averages)
async def batch_of_averages(
    request: Request, requested: Annotated[list[AskedAverage], Field(max_length=MOST_IN_BATCH)]
) -> Response:
    """The mean of what was measured over each time, all of them together no longer than one may be."""
    reader = reader_of(request)
    spans = (max(asked.end_time - asked.start_time, timedelta(0)) for asked in requested)
    if sum(spans, timedelta(0)) > LONGEST_HISTORY:
        raise refused_parameters([("endTime", TOO_LONG)])

    def build(view: View, _state: DataState) -> Averages:
        found = []
        for asked in requested:
            state = reader.state(view, area_of_location(asked.location))
            found.append(_average(view, state, asked.location, asked.start_time, asked.end_time))
        return Averages(found)

    return await _answer_to_post(request, build)


@router.get("/locations", response_model=Places)
async def locations(request: Request) -> Response:
    """The locations, each about the middle of its area."""

    def build(_view: View, _state: DataState) -> Places:
        return Places(
            {name: Place(latitude=_PLACES[name][0], longitude=_PLACES[name][1], name=name) for name in AREAS}
        )

    return await answer(request, DENMARK.name, "sdk-locations", build)


async def _answer_to_post(request: Request, build: Callable[[View, DataState], BaseModel]) -> Response:
    """Answer a question that is in the body; nothing of it is kept."""
    view, state = reader_of(request).look()
    if view is None:
        return problem(503, "Nothing has been published yet.", headers={"Retry-After": "60"})
    try:
        made = await workers_of(request).long.run(build, view, state)
    except Refusal as refusal:
        return problem(refusal.status, refusal.detail)
    return Response(made.model_dump_json(), media_type=JSON, headers={"Cache-Control": "no-store"})


def _forecast_at(
    folder: SourceFolder,
    view: View,
    known: Mapping[str, Mapping[datetime, pd.DataFrame]],
    asked: AskedForecast,
) -> LocationForecast:
    area_name, at = area_of_location(asked.location), asked.requested_at
    rows = known[area_name].get(at)
    if rows is not None:
        rows = rows[rows["target_hour_utc"] >= hour_containing(at)]
    if rows is None or rows.empty:
        oldest = issued.oldest_issue(folder, view, area_name)
        since = "there is none" if oldest is None else f"the oldest that is kept is of {iso_utc(oldest)}"
        raise Refusal(404, f"No forecast of {area_name} covered {iso_utc(at)} then; {since}.")
    points = [
        Point(row["target_hour_utc"].to_pydatetime(), HOUR, row[MEDIAN_COLUMN]) for row in records(rows)
    ]
    chosen = _chosen(points, asked.data_start_at, asked.data_end_at, asked.window_size)
    return _shaped(asked.location, rows["issued_at_utc"].iloc[0].to_pydatetime(), at, chosen)


def _chosen(
    points: Sequence[Point], start: datetime | None, end: datetime | None, window: int | None
) -> Chosen:
    try:
        return choose(points, start, end, window)
    except BadChoice as error:
        raise refused_parameters([(error.parameter, str(error))]) from error


def _shaped(
    location: str, generated_at: datetime, requested_at: datetime, chosen: Chosen
) -> LocationForecast:
    def shaped(points: Sequence[Point]) -> list[LocationForecastPoint]:
        return [
            LocationForecastPoint(
                location=location,
                timestamp=point.start,
                duration=int(point.duration / timedelta(minutes=1)),
                value=point.value,
            )
            for point in points
        ]

    return LocationForecast(
        generated_at=generated_at,
        requested_at=requested_at,
        location=location,
        data_start_at=chosen.start,
        data_end_at=chosen.end,
        window_size=int(chosen.window / timedelta(minutes=1)),
        optimal_data_points=shaped(chosen.optimal),
        forecast_data=shaped(chosen.data),
    )


async def _emissions(
    request: Request,
    names: list[str],
    time: datetime | None,
    to_time: datetime | None,
    *,
    best: bool = False,
) -> Response:
    if to_time is not None and (time is None or to_time < time):
        raise refused_parameters([("toTime", "needs a time that is not after it")])
    if time is not None and to_time is not None and to_time - time > LONGEST_HISTORY:
        raise refused_parameters([("toTime", TOO_LONG)])
    reader = reader_of(request)

    def of(view: View, location: str) -> list[Emission]:
        state = reader.state(view, area_of_location(location))
        since = time or state.now_utc
        until = max(to_time or since, since + timedelta(microseconds=1))
        # Nothing after the hour of now: that is what forecasts are for.
        until = min(until, hour_containing(state.now_utc) + HOUR)
        return [
            Emission(location=location, time=hour.start_utc, rating=round(hour.g_per_kwh, 3))
            for hour in known_hours(view, state, hour_containing(since), until)
        ]

    def build(view: View, _state: DataState) -> Emissions:
        found = [emission for location in names for emission in of(view, location)]
        if not found:
            raise Refusal(204, "Nothing is known of that time.")
        if best:
            least = min(emission.rating for emission in found)
            found = [emission for emission in found if emission.rating == least]
        return Emissions(found)

    question = ("sdk-emissions", *names, time, to_time, best)
    return await answer(request, DENMARK.name, question, build, by_minute=True, takes_long=True)


def _average(view: View, state: DataState, location: str, start: datetime, end: datetime) -> Average:
    if start >= end:
        raise refused_parameters([("startTime", "must lie before endTime")])
    if end - start > LONGEST_HISTORY:
        raise refused_parameters([("endTime", TOO_LONG)])
    measured = measured_hours(view, state.area.name, hour_containing(start), end)
    points = [Point(hour, HOUR, value) for hour, value in measured.items()]
    if not covers(points, start, end):
        until = state.measured_until_utc
        known = "nothing was measured" if until is None else f"it was measured until {iso_utc(until)}"
        raise refused_parameters([("endTime", f"not all of that time was measured; {known}")])
    return Average(
        location=location,
        start_time=start,
        end_time=end,
        carbon_intensity=round(mean_over(points, start, end).value, 3),
    )


def error_of(found: Problem) -> tuple[int, SdkError]:
    """Return an error as the SDK sends it: 400 for a parameter, each with its list of messages."""
    status = 400 if found.status == 422 else found.status
    return status, SdkError(
        title="Bad Request" if status == 400 else found.title,
        status=status,
        detail=in_words(found),
        errors={fault.parameter: [fault.message] for fault in found.errors},
    )
