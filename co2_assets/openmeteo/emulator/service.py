"""Open-Meteo emulated: an httpx transport that answers from recorded or simulated weather.

Parameters and form of the answers follow https://open-meteo.com/en/docs. Error responses have the status and
the form of the service. An answer holds only what was known at the pipeline's clock: of a coming hour the
newest forecast of one, two or three days before that was out, of a past hour those three.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import httpx
import numpy as np
import numpy.typing as npt

from co2_assets.contracts.weather import DAYS_BEFORE, WeatherPoint
from co2_assets.http_service.emulated import BadParameterError, EmulatedTransport, Fault, json_response

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]

PATH = "/v1/forecast"
UNITS = {
    "wind_speed_10m": ("km/h", 3.6),
    "wind_speed_100m": ("km/h", 3.6),
    "shortwave_radiation": ("W/m²", 1.0),
    "temperature_2m": ("°C", 1.0),
    "cloud_cover": ("%", 1.0),
}
SPEED_UNITS = {"kmh": ("km/h", 3.6), "ms": ("m/s", 1.0)}
PARAMETERS = frozenset(
    {
        "latitude",
        "longitude",
        "hourly",
        "wind_speed_unit",
        "timezone",
        "start_date",
        "end_date",
        "apikey",
    }
)
# How far from a point its weather is served.
NEAR_DEGREES = 0.3
PAST_DAYS, COMING_DAYS = 92, 16
# What the previous runs begin with.
FIRST_DAY = date(2016, 1, 1)
_HOUR, _DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")


class WeatherGrid(Protocol):
    """Weather with a past: recorded or simulated."""

    def points(self, now: datetime) -> Sequence[WeatherPoint]:
        """Return the points of which it has weather at ``now``, naive UTC."""
        ...

    def weather(self, point: str, times: Times, days_before: int, now: datetime) -> dict[str, Floats]:
        """Return the weather at ``times``, whole hours, as it was forecast ``days_before`` days before.

        Values are by the service's name of the variable; null, or without the variable, where there are
        none. ``now`` bounds what must be there, not what is given.
        """
        ...


class EmulatedOpenMeteo(EmulatedTransport):
    """Answers ``GET /v1/forecast`` as the service would have answered at ``now()``.

    ``keeps_history``: it is the address of the previous runs, else that of the forecast. ``fault``: see its
    base.
    """

    def __init__(
        self,
        grid: WeatherGrid,
        now: Callable[[], datetime],
        *,
        keeps_history: bool,
        fault: Fault | None = None,
    ) -> None:
        super().__init__(fault)
        self._grid = grid
        self._now = now
        self._keeps_history = keeps_history

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Return what the service would have answered."""
        if request.method != "GET" or request.url.path != PATH:
            return httpx.Response(404, json={"error": True, "reason": "Not Found"})
        try:
            places = self._places(request.url.params)
        except BadParameterError as problem:
            return httpx.Response(400, json={"error": True, "reason": str(problem)})
        body = json.dumps(places if len(places) > 1 else places[0], ensure_ascii=False)
        return json_response(body)

    def _places(self, params: httpx.QueryParams) -> list[dict[str, Any]]:
        unknown = set(params) - PARAMETERS
        if unknown:
            raise BadParameterError(f"Unknown parameter {', '.join(sorted(unknown))}")
        if params.get("timezone", "GMT") not in ("GMT", "UTC"):
            raise BadParameterError("Invalid timezone")
        speed = SPEED_UNITS.get(params.get("wind_speed_unit", "kmh"))
        if speed is None:
            raise BadParameterError("Cannot initialize WindspeedUnit from invalid String value")
        latitudes, longitudes = _numbers(params, "latitude"), _numbers(params, "longitude")
        if len(latitudes) != len(longitudes):
            raise BadParameterError(
                "Parameter 'latitude' and 'longitude' must have the same number of elements"
            )
        now = self._now()
        times = self._times(params, now)
        names = params.get("hourly", "").split(",")
        places = []
        for number, (latitude, longitude) in enumerate(zip(latitudes, longitudes, strict=True)):
            units = {"time": "iso8601"}
            values: dict[str, Sequence[str | float | None]] = {"time": _shown(times)}
            forecasts = self._forecasts(latitude, longitude, times, now)
            for name in names:
                units[name], values[name] = self._column(name, forecasts, times, now, speed)
            place: dict[str, Any] = {
                # The middle of a cell of the models' grid.
                "latitude": round(latitude * 16) / 16,
                "longitude": round(longitude * 16) / 16,
                "generationtime_ms": 0.5,
                "utc_offset_seconds": 0,
                "timezone": "GMT",
                "timezone_abbreviation": "GMT",
                "elevation": 0.0,
            }
            if number:
                place["location_id"] = number
            places.append({**place, "hourly_units": units, "hourly": values})
        return places

    def _times(self, params: httpx.QueryParams, now: datetime) -> Times:
        first = now.date() - timedelta(days=PAST_DAYS)
        allowed = (FIRST_DAY if self._keeps_history else first, now.date() + timedelta(days=COMING_DAYS))
        days = []
        for name in ("start_date", "end_date"):
            try:
                day = date.fromisoformat(params.get(name, ""))
            except ValueError as error:
                raise BadParameterError(f"Invalid date for parameter '{name}'") from error
            if not allowed[0] <= day <= allowed[1]:
                raise BadParameterError(
                    f"Parameter '{name}' is out of allowed range from {allowed[0]} to {allowed[1]}"
                )
            days.append(np.datetime64(day, "us"))
        if days[1] < days[0]:
            raise BadParameterError("End-date must be larger or equals than start-date")
        return np.arange(days[0], days[1] + _DAY, _HOUR)

    def _column(
        self,
        name: str,
        forecasts: dict[int, dict[str, Floats]],
        times: Times,
        now: datetime,
        speed: tuple[str, float],
    ) -> tuple[str, list[float | None]]:
        """Return unit and values of a variable, from the forecasts of a place."""
        match = re.fullmatch(r"(\w+?)(?:_previous_day([1-7]))?", name)
        if match is None or match[1] not in UNITS or (match[2] and not self._keeps_history):
            raise BadParameterError(
                "Data corrupted at path ''. Cannot initialize SurfacePressureAndHeightVariable from invalid "
                f"String value {name}."
            )
        unit, factor = speed if match[1].startswith("wind_speed") else UNITS[match[1]]
        values = np.full(len(times), np.nan)
        # Of several that were out, the newest.
        for days in reversed(DAYS_BEFORE) if match[2] is None else (int(match[2]),):
            forecast = forecasts.get(days, {}).get(match[1])
            if forecast is not None:
                values = np.where(times - days * _DAY <= np.datetime64(now, "us"), forecast, values)
        rounded = np.round(values * factor, 2)
        return unit, [None if np.isnan(value) else value for value in rounded.tolist()]

    def _forecasts(
        self, latitude: float, longitude: float, times: Times, now: datetime
    ) -> dict[int, dict[str, Floats]]:
        """Return what was forecast of a place, by the days before; nothing where no point is near."""
        point = self._near(latitude, longitude, now)
        if point is None:
            return {}
        return {days: self._grid.weather(point.name, times, days, now) for days in DAYS_BEFORE}

    def _near(self, latitude: float, longitude: float, now: datetime) -> WeatherPoint | None:
        near = [
            point
            for point in self._grid.points(now)
            if abs(point.latitude - latitude) <= NEAR_DEGREES
            and abs(point.longitude - longitude) <= NEAR_DEGREES
        ]
        return min(
            near,
            key=lambda point: abs(point.latitude - latitude) + abs(point.longitude - longitude),
            default=None,
        )


def _numbers(params: httpx.QueryParams, name: str) -> list[float]:
    try:
        return [float(text) for text in params.get(name, "").split(",")]
    except ValueError as error:
        raise BadParameterError(f"Parameter '{name}' is not a number") from error


def _shown(times: Times) -> list[str]:
    return [text[:16] for text in np.datetime_as_string(times.astype("datetime64[s]")).tolist()]
