"""The client of Open-Meteo: it fetches the weather forecast of a window as a data frame.

Facts about the parameters: https://open-meteo.com/en/docs and /en/docs/previous-runs-api.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from co2_assets.contracts import FETCHED_AT, UNREADABLE, Dataset
from co2_assets.contracts.sources import WeatherAccess
from co2_assets.contracts.time import HOUR, hour_containing
from co2_assets.contracts.weather import DAYS_BEFORE, WEATHER_POINTS, WEATHER_VARIABLES, WeatherPoint
from co2_assets.http_service.client import Closes, ServiceClient
from co2_assets.http_service.errors import EmptyResponse, Incomplete, RequestedWindow, ServiceError
from co2_assets.openmeteo.responses import REMEDIES, Version, frame_of_places, refusal_in

PATH = "/v1/forecast"
# The free service answers one request at a time from an address.
INTERVAL = timedelta(seconds=10)
# What the two addresses are called in messages and in the rate limit.
COMING, PAST = "Open-Meteo forecast", "Open-Meteo previous runs"

_NAMES = tuple(str(column.service_name) for column in WEATHER_VARIABLES)
NEWEST = Version("")
KEPT = tuple(Version(f"_previous_day{days}", timedelta(days=days)) for days in DAYS_BEFORE)


def all_points(_now: datetime) -> Sequence[WeatherPoint]:
    """Return the points that the live service is asked for: all."""
    return WEATHER_POINTS


class OpenMeteo(Closes):
    """Fetches one window per call: the coming hours from one address, the past ones from another.

    ``now`` is the pipeline's clock (naive UTC): a coming hour counts as forecast then, a past one as forecast
    one, two and three days before it. ``points(now)`` are the places to ask for. ``transports`` are those of
    the two addresses. A key is sent with each request and appears nowhere else. All else is that of
    `ServiceClient`.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        access: WeatherAccess,
        points: Callable[[datetime], Sequence[WeatherPoint]] = all_points,
        transports: tuple[httpx.BaseTransport | None, httpx.BaseTransport | None] = (None, None),
        min_interval: timedelta = INTERVAL,
        rate_limit_file: Path | None = None,
        **more: Any,
    ) -> None:
        def client(address: str, transport: httpx.BaseTransport | None) -> ServiceClient:
            return ServiceClient(
                base_url=address,
                transport=transport,
                min_interval=min_interval,
                rate_limit_file=rate_limit_file,
                refusal_in=refusal_in,
                secrets={"apikey": access.key} if access.key else {},
                **more,
            )

        self._now = now
        self._points = points
        self._coming = client(access.forecast_address, transports[0])
        self._past = client(access.history_address, transports[1])

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._coming.close()
        self._past.close()

    def fetch(self, dataset: Dataset, start: datetime, end: datetime) -> pd.DataFrame:
        """Return the rows of ``start`` (inclusive) to ``end`` (exclusive), naive UTC.

        There is one request for the coming hours and one for those that have begun. The frame has the
        table's columns but ``fetched_at_utc``, at least one row, and the column UNREADABLE if a value could
        not be read. Raises ServiceError, and ValueError for an empty window. If only some places can be used,
        or the coming hours came and the past ones did not, the error has the rows that came
        (`ServiceError.rows`).
        """
        if start >= end:
            raise ValueError(f"the window {start} to {end} of {dataset.name} is empty")
        now = self._now()
        begins = hour_containing(now)
        coming_from = begins if begins == now else begins + HOUR
        parts: list[pd.DataFrame] = []
        lost: list[Incomplete] = []
        coming = RequestedWindow(COMING, max(start, coming_from), end, REMEDIES)
        if _has_hours(coming):
            parts.append(self._fetch(dataset, self._coming, coming, (NEWEST,), lost))
        past = RequestedWindow(PAST, start, min(end, coming_from), REMEDIES)
        if _has_hours(past):
            try:
                parts.append(self._fetch(dataset, self._past, past, KEPT, lost))
            except ServiceError as error:
                error.rows = parts[0] if parts else None
                raise
        if not parts:
            raise EmptyResponse(coming, "no hour begins in this window")
        rows = pd.concat(parts, ignore_index=True)
        if lost:
            lost[0].rows = rows
            raise lost[0]
        return rows

    def _fetch(
        self,
        dataset: Dataset,
        client: ServiceClient,
        window: RequestedWindow,
        versions: Sequence[Version],
        lost: list[Incomplete],
    ) -> pd.DataFrame:
        """Return the rows of one request; where some places cannot be used, the error goes into ``lost``."""
        now = self._now()
        points = self._points(now)
        if not points:
            raise EmptyResponse(window, "the source has no point at this time")
        params = {
            "latitude": ",".join(f"{point.latitude:g}" for point in points),
            "longitude": ",".join(f"{point.longitude:g}" for point in points),
            "hourly": ",".join(f"{name}{version.suffix}" for version in versions for name in _NAMES),
            "wind_speed_unit": "ms",
            "timezone": "GMT",
            # Whole days: both addresses know these parameters, and the hours outside are left out below.
            "start_date": f"{window.start:%Y-%m-%d}",
            "end_date": f"{window.end - timedelta(microseconds=1):%Y-%m-%d}",
        }

        def request(limit: timedelta) -> pd.DataFrame:
            return frame_of_places(client.get(window, PATH, params, limit), points, versions, window, now)

        try:
            frame = client.with_retries(window, request)
        except Incomplete as error:
            lost.append(error)
            frame = error.rows
        names = [name for name in dataset.table.column_names if name != FETCHED_AT.name]
        return frame[[*names, UNREADABLE] if UNREADABLE in frame else names]


def _has_hours(window: RequestedWindow) -> bool:
    """Return whether an hour begins in the window."""
    first = hour_containing(window.start)
    return (first if first == window.start else first + HOUR) < window.end
