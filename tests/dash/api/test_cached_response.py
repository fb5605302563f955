"""How long an answer may be kept: until the next forecast is due."""

from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest

from co2_assets.contracts.timetable import Timetable
from co2_dash.api.cached_response import SHORTEST_AGE_SECONDS, seconds_to_next
from co2_dash.data.state import DataState

ISSUED = datetime(2024, 6, 1, 12, 5)
STATE = DataState(now_utc=ISSUED, source="live", issued_at_utc=ISSUED)


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (STATE, 3600),
        (replace(STATE, now_utc=datetime(2024, 6, 1, 12, 50)), 900),
        (replace(STATE, timetable=Timetable(hourly=False)), 6 * 3600 - 300),
        # It is late, and comes at any moment.
        (replace(STATE, now_utc=datetime(2024, 6, 1, 14)), SHORTEST_AGE_SECONDS),
        # Its missing input may come at any moment.
        (replace(STATE, degraded_causes=("no prices",)), SHORTEST_AGE_SECONDS),
        (replace(STATE, replayed=True), SHORTEST_AGE_SECONDS),
        (replace(STATE, issued_at_utc=None), SHORTEST_AGE_SECONDS),
    ],
)
def test_an_answer_may_be_kept_until_the_next_forecast_is_due(state: DataState, seconds: int) -> None:
    assert seconds_to_next(state) == seconds


def test_expires_says_the_same_as_the_age(shared: httpx.Client) -> None:
    answer = shared.get("/api/v1/carbon-intensity/forecast")
    age = int(answer.headers["cache-control"].split("max-age=")[1].split(",")[0])
    expires, now = (parsedate_to_datetime(answer.headers[name]) for name in ("expires", "date"))
    assert abs((expires - now).total_seconds() - age) <= 2
