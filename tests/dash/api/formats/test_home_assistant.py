"""Home Assistant: one flat object, small enough to be recorded, that Predbat can read."""

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.warehouse.paths import Home
from tests.dash.api.test_api import V1, Client, refused

PATH = "/api/v1/home-assistant"
# Home Assistant's recorder leaves out the attributes of a state when they are longer.
MOST_RECORDED_BYTES = 16_384


def sensor(client: httpx.Client, **params: str) -> dict[str, Any]:
    answer = client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_state_is_the_hour_of_now_with_its_word(shared: httpx.Client) -> None:
    found = sensor(shared, area="DK1")
    own = shared.get(f"{V1}/latest?area=DK1").json()
    assert found["state"] == pytest.approx(own["this_hour"]["q50_g_per_kwh"], abs=0.05)
    assert found["level"] in ("Very clean", "Clean", "Typical", "High", "Very high")
    assert (found["price_area"], found["stale"], found["source"]) == ("DK1", False, "live")
    assert "Energinet" in found["attribution"]
    assert [hour["hour"][11:13] for hour in found["next_hours"]] == ["13", "14", "15", "16", "17", "18"]
    assert found["next_hours"][0]["level"] == found["level"]


def test_the_cleanest_stretch_is_that_of_the_api(shared: httpx.Client) -> None:
    params = {"duration": "2", "before": "2024-06-01T22:00:00Z"}
    found, own = sensor(shared, **params), shared.get(f"{V1}/cleanest-window", params=params).json()
    assert (found["cleanest_start"], found["cleanest_end"]) == (own["best"]["start"], own["best"]["end"])
    assert found["saving_percent"] == own["saving_percent"]
    assert found["cleanest_is_now"] == (own["best"] == own["starting_now"])


def test_predbat_reads_every_hour_and_home_assistant_records_it(asked: Client, published_far: Home) -> None:
    answer = asked(published_far).get(PATH)
    found = answer.json()
    # From 13 UTC on, of a forecast that begins at 12 UTC.
    assert len(found["forecast"]) == HORIZON_HOURS - 1
    # As Predbat's `str2time` reads them; it refuses a time without an offset.
    starts = [datetime.strptime(row["from"], "%Y-%m-%dT%H:%M:%S%z") for row in found["forecast"]]
    ends = [datetime.strptime(row["to"], "%Y-%m-%dT%H:%M:%S%z") for row in found["forecast"]]
    assert all(end - start == timedelta(hours=1) for start, end in zip(starts, ends, strict=True))
    assert all(later - earlier == timedelta(hours=1) for earlier, later in pairwise(starts))
    assert all(isinstance(row["intensity"], int) for row in found["forecast"])
    assert len(json.dumps(found).encode()) < MOST_RECORDED_BYTES / 2


def test_what_does_not_fit_is_refused(shared: httpx.Client) -> None:
    params = {"before": "2024-06-01T14:00:00Z"}
    assert "do not fit" in refused(shared.get(PATH, params=params), 422)["detail"]
