"""From an answer of Open-Meteo to a data frame; what its errors mean, and what helps."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd

from co2_assets.contracts import UNREADABLE, VINTAGE, WEATHER_FORECAST
from co2_assets.contracts.time import hour_containing
from co2_assets.contracts.weather import POINT, WEATHER_VARIABLES, WeatherPoint
from co2_assets.http_service.errors import (
    BadRequest,
    BadResponse,
    EmptyResponse,
    Incomplete,
    NotFound,
    RateLimited,
    Refused,
    RequestedWindow,
    SchemaChanged,
    ServiceError,
    storable,
)
from co2_assets.http_service.responses import Refusal, frame_of, json_of

_DOCS = "https://open-meteo.com/en/docs"
REMEDIES: Final[Mapping[str, str]] = {
    RateLimited.outcome: "The free service counts 600 calls a minute, 5,000 an hour and 10,000 a day from "
    "one address: stop other users of this address; the next run asks again.",
    Refused.outcome: "The address may be blocked for too many requests, or CO2_WEATHER_KEY is wrong, or a "
    "proxy forbids it: wait an hour, check the key and the proxy, or set CO2_WEATHER=off meanwhile.",
    NotFound.outcome: "Check CO2_WEATHER_URL and CO2_WEATHER_HISTORY_URL: the part before /v1/forecast.",
    BadRequest.outcome: f"Check CO2_WEATHER_KEY, and compare the parameters at {_DOCS} with "
    "contracts/weather.py.",
    SchemaChanged.outcome: f"Compare the variables and units at {_DOCS} with contracts/weather.py.",
}
# The units as the service writes them.
UNITS: Final = {
    "wind_speed_10m": "m/s",
    "wind_speed_100m": "m/s",
    "shortwave_radiation": "W/m²",
    "temperature_2m": "°C",
    "cloud_cover": "%",
}
# The service answers for the middle of a cell of its models, the largest of which are a quarter of a degree.
FARTHEST_DEGREES = 0.3
_COLUMNS = {
    "time": WEATHER_FORECAST.table.column(WEATHER_FORECAST.time_column),
    **{str(column.service_name): column for column in WEATHER_VARIABLES},
}
# A reason is shown in logs and tables. Those of the service are far shorter.
_LONGEST_REASON = 300
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Version:
    """Which forecast of an hour: the newest, or that of ``before`` its hour; ``suffix`` ends its names."""

    suffix: str
    before: timedelta | None = None


def refusal_in(body: bytes, now: datetime) -> Refusal:
    """Return the reason of an error, and the wait until calls are counted anew."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal()
    reason = said.get("reason") if isinstance(said, dict) else None
    if not isinstance(reason, str):
        return Refusal()
    hour = hour_containing(now)
    waits = {
        "in one minute": _MINUTE,
        "in the next hour": hour + _HOUR + _MINUTE - now,
        "tomorrow": hour.replace(hour=0) + _DAY + _MINUTE - now,
    }
    wait = next((wait for words, wait in waits.items() if words in reason), None)
    return Refusal(storable(reason)[:_LONGEST_REASON], wait)


def frame_of_places(
    body: bytes,
    points: Sequence[WeatherPoint],
    versions: Sequence[Version],
    window: RequestedWindow,
    now: datetime,
) -> pd.DataFrame:
    """Return the rows of an answer for ``points`` in this order; ``now`` is when it came, naive UTC.

    Only hours of ``window`` are in it, and of the versions kept by the service only those that were out by
    ``now`` and have a value. A place is lost where the answer is not of it, or of other times, units or
    variables, or without a value in any coming hour. Raises Incomplete, with the rows of the others, if some
    places are lost, and another ServiceError if there is nothing else.
    """
    said = json_of(body, window)
    if isinstance(said, dict) and said.get("error"):
        raise BadResponse(window, f"the answer is an error: {said.get('reason')!s:.{_LONGEST_REASON}}")
    # One place is sent as it is, several in a list.
    places = [said] if isinstance(said, dict) else said
    if not isinstance(places, list) or not any(isinstance(place, dict) for place in places):
        raise BadResponse(window, "the answer holds no list of places", status=200)
    if len(places) > len(points):
        raise BadResponse(window, f"the answer holds {len(places)} of {len(points)} places", status=200)
    frames: list[pd.DataFrame] = []
    lost: dict[str, ServiceError] = {}
    for place, point in zip(_by_point(places, points), points, strict=True):
        try:
            frames += [_frame(place, point, version, window, now) for version in versions]
        except ServiceError as error:
            lost[point.name] = error
    frames = [frame for frame in frames if not frame.empty]
    first = next(iter(lost.values()), None)
    if not frames:
        raise first or EmptyResponse(window, "the answer holds no values", status=200)
    rows = pd.concat(frames, ignore_index=True)
    if first is not None:
        problems = "; ".join(f"{name} is lost ({error.problem})" for name, error in lost.items())
        said_of_all = f"{len(points) - len(lost)} of {len(points)} places can be used: {problems}"
        raise Incomplete(window, said_of_all, rows, status=200, remedy=first.remedy) from first
    return rows


def _by_point(places: list[Any], points: Sequence[WeatherPoint]) -> list[Any]:
    """Return what the answer holds for each point; None where an answer that is too short leaves it out."""
    if len(places) == len(points):
        return places
    left, found = list(places), []
    for point in points:
        is_here = left and isinstance(left[0], dict) and not _misplaced(left[0], point)
        found.append(left.pop(0) if is_here else None)
    return found


def _misplaced(place: dict[str, Any], point: WeatherPoint) -> str:
    """Return which coordinate of a place is not that of ``point``; an empty text where both are."""
    for name, asked in (("latitude", point.latitude), ("longitude", point.longitude)):
        given = place.get(name)
        is_near = isinstance(given, int | float) and abs(given - asked) <= FARTHEST_DEGREES
        if not is_near:
            return f"{name} {given!r:.40}, not {asked}"
    return ""


def _frame(
    place: Any, point: WeatherPoint, version: Version, window: RequestedWindow, now: datetime
) -> pd.DataFrame:
    """Return the rows of one version at one place."""
    if not isinstance(place, dict):
        raise BadResponse(window, f"the answer holds no place for {point.name}", status=200)
    times, values = _hourly(place, point, version, window)
    records = [
        {"time": time, **dict(zip(values, row, strict=True))}
        for time, row in zip(times, zip(*values.values(), strict=True), strict=True)
        if window.start <= datetime.fromisoformat(time) < window.end
    ]
    is_empty = all(value is None for record in records for value in list(record.values())[1:])
    if version.before is None and is_empty:
        raise EmptyResponse(window, f"the answer holds no value for {point.name}", status=200)
    if not records:
        return pd.DataFrame()
    frame = frame_of(records, _COLUMNS, window)
    frame.insert(0, POINT.name, pd.Series(point.name, index=frame.index, dtype="str"))
    hours = frame[WEATHER_FORECAST.time_column]
    if version.before is None:
        known = pd.Series(now, index=frame.index, dtype="datetime64[us]")
    else:
        known = hours - version.before
    frame.insert(2, VINTAGE, known)
    # The service says null where it has no forecast, or kept none.
    has_values = frame[[column.name for column in WEATHER_VARIABLES]].notna().any(axis=1)
    if UNREADABLE in frame:
        has_values |= frame[UNREADABLE].notna()
    return frame[has_values & (known <= now)]


def _hourly(
    place: dict[str, Any], point: WeatherPoint, version: Version, window: RequestedWindow
) -> tuple[list[str], dict[str, list[Any]]]:
    """Return the times of a place, and the values of each variable in a version."""
    if elsewhere := _misplaced(place, point):
        raise BadResponse(window, f"the answer for {point.name} is of {elsewhere}", status=200)
    hourly, units = place.get("hourly"), place.get("hourly_units")
    if not isinstance(hourly, dict) or not isinstance(units, dict):
        raise SchemaChanged(
            window, f"the answer for {point.name} holds no hourly values and units", status=200
        )
    if place.get("utc_offset_seconds", 0) != 0:
        raise SchemaChanged(window, f"the times of {point.name} are not UTC", status=200)
    times = hourly.get("time")
    if times != _days_of(window):
        raise BadResponse(window, f"the times of {point.name} are not the hours asked for", status=200)
    values = {}
    for name, unit in UNITS.items():
        column = f"{name}{version.suffix}"
        given = hourly.get(column)
        if not isinstance(given, list):
            raise SchemaChanged(window, f"missing from the answer for {point.name}: {column}", status=200)
        if len(given) != len(times):
            raise BadResponse(
                window, f"{column} of {point.name} has {len(given)} values for {len(times)} hours", status=200
            )
        if units.get(column) != unit:
            raise SchemaChanged(window, f"{column} is in {units.get(column)!r:.40}, not {unit}", status=200)
        values[name] = given
    return times, values


def _days_of(window: RequestedWindow) -> list[str]:
    """Return all hours of the days that the window is in, as the service writes them."""
    first = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    last = (window.end - timedelta(microseconds=1)).replace(hour=23, minute=0, second=0, microsecond=0)
    count = (last - first) // _HOUR + 1
    return [f"{first + number * _HOUR:%Y-%m-%dT%H:%M}" for number in range(count)]
