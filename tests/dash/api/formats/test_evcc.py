"""evcc: the bare list that its custom tariff reads, and the line of jq that the whole forecast needs."""

import shutil
import subprocess
from datetime import datetime, timedelta

import httpx
import pytest

from co2_assets.warehouse.paths import Home
from tests.dash.api.test_api import V1, Client, refused
from tests.support.pages_server import now

HOUR = timedelta(hours=1)
# What docs/integrations.md gives for another address than the one made for evcc.
JQ = "[.hours[]|{start:.hour,end:(.hour|fromdate+3600|todate),value:.q50_g_per_kwh}]|tostring"


def slots_of(text: object) -> list[tuple[datetime, datetime, float]]:
    """Return what evcc reads: RFC 3339 times with an offset and numbers."""
    assert isinstance(text, list)
    slots = []
    for slot in text:
        start, end = (datetime.fromisoformat(slot[name]) for name in ("start", "end"))
        assert start.tzinfo is not None
        assert end.tzinfo is not None
        assert isinstance(slot["value"], int | float)
        slots.append((start.replace(tzinfo=None), end.replace(tzinfo=None), slot["value"]))
    return slots


def test_the_slots_begin_now_follow_one_another_and_are_the_medians(shared: httpx.Client) -> None:
    slots = slots_of(shared.get("/api/v1/evcc?area=DK1").json())
    assert slots[0][0] == datetime(2024, 6, 1, 13)
    assert all(end - start == HOUR for start, end, _ in slots)
    assert [end for _, end, _ in slots[:-1]] == [start for start, _, _ in slots[1:]]
    own = shared.get(f"{V1}/forecast?hours=72&area=DK1").json()["hours"]
    assert [value for _, _, value in slots] == [hour["q50_g_per_kwh"] for hour in own]


def test_an_answer_may_be_kept_until_the_next_forecast(shared: httpx.Client) -> None:
    answer = shared.get("/api/v1/evcc")
    assert "max-age=" in answer.headers["cache-control"]
    again = shared.get("/api/v1/evcc", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_forecast_that_has_run_out_is_refused_so_that_evcc_keeps_what_it_has(
    asked: Client, published: Home
) -> None:
    late = asked(published, lambda: now() + timedelta(days=5))
    assert "run out" in refused(late.get("/api/v1/evcc"), 503)["detail"]


@pytest.mark.parametrize("program", ["gojq", "jq"])
def test_the_line_of_jq_makes_the_same_of_the_whole_forecast(shared: httpx.Client, program: str) -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} on this machine")
    whole = shared.get(f"{V1}/forecast?hours=72&area=DK2").text
    made = subprocess.run([found, "-r", JQ], input=whole, capture_output=True, text=True, check=True)
    answer = httpx.Response(200, text=made.stdout).json()
    assert slots_of(answer) == slots_of(shared.get("/api/v1/evcc?area=DK2").json())
