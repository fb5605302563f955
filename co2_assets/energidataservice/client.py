"""The client of Energinet's EnergiDataService: it fetches a window of a dataset as a data frame.

Facts about the service's parameters: its own guide, https://www.energidataservice.dk/guides/api-guides.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pandas as pd

from co2_assets.contracts import (
    FETCHED_AT,
    PRICE_AREA,
    UNREADABLE,
    VINTAGE,
    Column,
    Dataset,
    Endpoint,
)
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.datasets import datasets_of
from co2_assets.contracts.schema import ServiceName
from co2_assets.contracts.series import price_areas_of
from co2_assets.contracts.sources import LIVE_URL
from co2_assets.energidataservice.responses import records_of
from co2_assets.http_service.client import ServiceClient
from co2_assets.http_service.errors import EmptyResponse, RateLimited, RequestedWindow, ServiceError
from co2_assets.http_service.responses import frame_of

# Since August 2025 the service answers about one request a minute for each dataset and address.
LIVE_INTERVAL = timedelta(minutes=1)
# How long `obstacle` waits for one dataset, and in all. So one dataset that hangs does not decide.
LONGEST_LOOK = timedelta(seconds=5)
LONGEST_LOOKS = timedelta(seconds=10)
# The datasets in the order in which `obstacle` asks for them. A dataset that has ended is requested only
# for older history, so its turn within the rate limit costs the newest data nothing.
LOOKED_AT = tuple(
    endpoint.dataset
    for endpoint in sorted(
        (
            endpoint
            for dataset in datasets_of(ServiceName.ENERGI_DATA_SERVICE)
            for endpoint in dataset.endpoints
        ),
        key=lambda e: e.end is None,
    )
)


class EnergiDataService(ServiceClient):
    """Fetches one window of one dataset per call, within the rate limit, with retries and checks.

    ``now`` is the pipeline's clock (naive UTC): rows without a vintage get its time. ``serves_optional``:
    the source has the contracts' optional columns; the live service refuses requests for them. All else is
    that of `ServiceClient`.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        base_url: str = LIVE_URL,
        min_interval: timedelta = LIVE_INTERVAL,
        serves_optional: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(base_url=base_url, min_interval=min_interval, **more)
        self._now = now
        self._serves_optional = serves_optional

    def fetch(self, dataset: Dataset, start: datetime, end: datetime) -> pd.DataFrame:
        """Return the rows of ``start`` (inclusive) to ``end`` (exclusive), naive UTC.

        There is one request for each of the dataset's endpoints with rows in the window. The frame
        has the table's columns but ``fetched_at_utc`` and at least one row, in the order of the
        service. It may hold bad and repeated rows (`co2_assets.contracts.split_rows` finds them), and it
        has the column UNREADABLE if a value could not be read. A vintage that the source does not give is
        ``now``. Raises ServiceError, and ValueError for an empty window.
        """
        if start >= end:
            raise ValueError(f"the window {start} to {end} of {dataset.name} is empty")
        now = self._now()
        parts: list[pd.DataFrame] = []
        nothing_yet: EmptyResponse | None = None
        for endpoint in dataset.endpoints:
            part_start = max(start, endpoint.first or start)
            part_end = min(end, endpoint.end or end)
            if part_start >= part_end:
                continue
            try:
                parts.append(self._fetch_part(dataset, endpoint, part_start, part_end))
            except EmptyResponse as empty:
                # Beside a part with rows, only a part that begins after now may be empty.
                if part_start <= now:
                    raise
                nothing_yet = empty
        if not parts:
            raise nothing_yet or EmptyResponse(
                RequestedWindow(dataset.name, start, end), "the service has no dataset for this window"
            )
        frame = pd.concat(parts, ignore_index=True)
        for column in dataset.table.columns:
            if column.name not in frame and column.name == PRICE_AREA.name:
                frame[PRICE_AREA.name] = pd.Series(DENMARK.name, index=frame.index, dtype="str")
            elif column.name not in frame and column.name == VINTAGE:
                frame[VINTAGE] = pd.Series(now, index=frame.index, dtype="datetime64[us]")
        names = [name for name in dataset.table.column_names if name != FETCHED_AT.name]
        return frame[[*names, UNREADABLE] if UNREADABLE in frame else names]

    def obstacle(self) -> ServiceError | None:
        """Return why the service cannot be used now, or None if it can; there is no waiting and no retry.

        It can be used if it answers a request for one row of any of its datasets, also with the answer that
        there were too many requests. Each request counts within the rate limit, and a dataset whose turn
        has not come is not requested.
        """
        deadline = self.monotonic() + LONGEST_LOOKS.total_seconds()
        first: ServiceError | None = None
        for dataset in LOOKED_AT:
            window = RequestedWindow(dataset, self._now(), self._now())
            left = timedelta(seconds=deadline - self.monotonic())
            if left <= timedelta(0):
                break
            if self.rate_limit.ban_on(dataset) or self.rate_limit.wait_for(dataset):
                continue
            try:
                body = self.get(window, _path(window), {"limit": "1"}, min(LONGEST_LOOK, left))
                records_of(body, window, all_of_them=False)
            except EmptyResponse:
                return None
            except RateLimited as error:
                self.rate_limit.ban(dataset, error.retry_after or timedelta(0))
                return None
            except ServiceError as error:
                first = first or error
                if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                    break  # all datasets are on the same host
            else:
                return None
        return first or RateLimited(
            RequestedWindow(LOOKED_AT[0], self._now(), self._now()),
            "every dataset was requested in the last minute, or the service asked us to wait",
        )

    def _fetch_part(
        self, dataset: Dataset, endpoint: Endpoint, start: datetime, end: datetime
    ) -> pd.DataFrame:
        window = RequestedWindow(endpoint.dataset, start, end)
        columns = self._columns(dataset, endpoint)
        params = {
            "start": f"{start:%Y-%m-%dT%H:%M}",
            "end": f"{end:%Y-%m-%dT%H:%M}",
            "timezone": "UTC",
            "columns": ",".join(columns),
            "sort": f"{endpoint.time_field} ASC",
            "limit": "0",
        }
        if endpoint.areas:
            areas = list(price_areas_of(dataset))
            params["filter"] = json.dumps({"PriceArea": areas}, separators=(",", ":"))

        def request(limit: timedelta) -> pd.DataFrame:
            return frame_of(
                records_of(self.get(window, _path(window), params, limit), window), columns, window
            )

        return self.with_retries(window, request)

    def _columns(self, dataset: Dataset, endpoint: Endpoint) -> dict[str, Column]:
        columns = {name: dataset.table.column(own) for name, own in endpoint.fields.items()}
        return {
            name: column for name, column in columns.items() if self._serves_optional or not column.optional
        }


def _path(window: RequestedWindow) -> str:
    return f"/dataset/{window.dataset}"
