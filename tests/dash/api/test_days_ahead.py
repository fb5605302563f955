"""Three days through the API: as many hours as are asked for, and old questions answered as before."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest

from co2_assets.contracts.weather import WEATHER_ATTRIBUTION
from co2_assets.warehouse.paths import Home
from co2_dash.api.serialize import origin_of
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import state_of
from co2_dash.settings import Settings
from tests.dash.api.test_api import V1, body, refused
from tests.support.pages_server import now, serving

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def far(published_far: Home) -> Iterator[httpx.Client]:
    settings = Settings(published_far, source="live", requests_per_minute=100_000)
    with serving(settings, now) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def hours_of(client: httpx.Client, **params: object) -> list[tuple[datetime, int]]:
    answer = body(client.get(f"{V1}/forecast", params={name: str(value) for name, value in params.items()}))
    return [(datetime.fromisoformat(hour["hour"][:-1]), hour["lead_hours"]) for hour in answer["hours"]]


def test_a_forecast_that_is_asked_for_as_before_is_the_first_day(far: httpx.Client) -> None:
    assert [lead for _, lead in hours_of(far)] == list(range(1, 25))


@pytest.mark.parametrize("hours", [1, 6, 24, 25, 70])
def test_hours_are_counted_from_now(far: httpx.Client, hours: int) -> None:
    found = hours_of(far, hours=hours)
    assert [hour for hour, _ in found] == [datetime(2024, 6, 1, 13) + n * HOUR for n in range(hours)]
    # The forecast is an hour old.
    assert [lead for _, lead in found] == list(range(2, hours + 2))


def test_an_older_forecast_has_fewer_hours_from_now(far: httpx.Client) -> None:
    assert [lead for _, lead in hours_of(far, hours=72)] == list(range(2, 73))


def test_the_next_six_hours_are_as_before(far: httpx.Client) -> None:
    assert len(body(far.get("/api/next-6h-predictions"))["hours"]) == 6


@pytest.mark.parametrize(
    ("endpoint", "params", "words"),
    [
        ("forecast", {"hours": "0"}, "must be from 1 to 72 hours"),
        ("forecast", {"hours": "73"}, "must be from 1 to 72 hours"),
        ("cleanest-window", {"duration": "72.5"}, "must be from 0.25 to 72 hours"),
        ("cleanest-window", {"duration": "nan"}, "must be from 0.25 to 72 hours"),
    ],
)
def test_a_refusal_says_what_is_allowed(
    far: httpx.Client, endpoint: str, params: dict[str, str], words: str
) -> None:
    (error,) = refused(far.get(f"{V1}/{endpoint}", params=params), 422)["errors"]
    assert error == {"parameter": next(iter(params)), "message": words}


def test_the_cleanest_window_lies_within_a_day_unless_more_is_asked_for(far: httpx.Client) -> None:
    def window(**params: str) -> dict[str, object]:
        found = body(far.get(f"{V1}/cleanest-window", params=params))
        assert found["best"]["end"] <= found["before"]
        return dict(found)

    assert window()["before"] == "2024-06-02T13:00:00Z"
    late = window(before="2024-06-04T10:00:00Z", duration="3")
    assert late["before"] == "2024-06-04T10:00:00Z"
    # What is longer than a day may take the whole forecast.
    assert window(duration="30")["before"] == "2024-06-04T12:00:00Z"
    problem = refused(far.get(f"{V1}/cleanest-window", params={"duration": "72"}), 422)
    assert problem["detail"] == "72 hours do not fit between now and the end of the forecast."


def test_each_day_has_its_cleanest_and_its_dirtiest_hours(far: httpx.Client) -> None:
    answer = body(far.get(f"{V1}/daily-summary"))
    assert [(day["date"], day["n_hours"]) for day in answer["days"]] == [
        ("2024-06-01", 8),
        ("2024-06-02", 24),
        ("2024-06-03", 24),
        ("2024-06-04", 14),
    ]
    for day in answer["days"]:
        cleanest, dirtiest = day["cleanest"], day["dirtiest"]
        assert cleanest["median_g_per_kwh"] < dirtiest["median_g_per_kwh"]
        assert cleanest["q10_g_per_kwh"] <= cleanest["median_g_per_kwh"] <= cleanest["q90_g_per_kwh"]
        assert 0.5 <= day["chance_cleaner"] <= 1
        for stretch in (cleanest, dirtiest):
            start, end = (datetime.fromisoformat(stretch[name][:-1]) for name in ("start", "end"))
            assert end - start == 3 * HOUR
        assert cleanest["word"] == cleanest["level"]
        assert cleanest["word"]


def test_a_forecast_that_has_run_out_has_no_days(asked: Callable[..., httpx.Client]) -> None:
    client = asked(clock=lambda: now() + timedelta(days=4))
    assert "run out" in refused(client.get(f"{V1}/daily-summary"), 503)["detail"]


def test_the_weather_is_named_where_a_forecast_rests_on_it(far_view: View) -> None:
    without = state_of(far_view, now())
    assert not without.rests_on_weather
    rests = replace(without, rests_on_weather=True)
    assert WEATHER_ATTRIBUTION not in origin_of(without).attribution
    assert "Energinet" in origin_of(rests).attribution
    assert WEATHER_ATTRIBUTION in origin_of(rests).attribution
    assert WEATHER_ATTRIBUTION not in origin_of(rests, measured_only=True).attribution
