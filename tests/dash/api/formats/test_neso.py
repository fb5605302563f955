"""NESO's shape, and CATS run with a provider that asks us."""

import json
import re
import runpy
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import cats.cli
import httpx
import pytest
import requests
from cats.providers.base import PROVIDERS
from cats.providers.uk_carbonintensity import UKCarbonIntensityProvider

from tests.dash.api.formats.test_integrations_document import blocks
from tests.dash.api.test_api import V1, Client
from tests.support.pages_server import now

PREFIX = "/api/neso"
WORDS = {"very low", "low", "moderate", "high", "very high"}
FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ")


def get(client: httpx.Client, path: str) -> Any:
    answer = client.get(f"{PREFIX}{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def failed(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"].startswith(f"{status} ")
    return str(error["message"])


def times(rows: list[dict[str, Any]]) -> list[datetime]:
    """Return the starts of half hours that follow one another without a gap."""
    for text in (row[name] for row in rows for name in ("from", "to")):
        assert FORM.fullmatch(text)
    starts, ends = (
        [datetime.fromisoformat(row[name]).replace(tzinfo=None) for row in rows] for name in ("from", "to")
    )
    assert ends == [start + timedelta(minutes=30) for start in starts]
    assert all(later - earlier == timedelta(minutes=30) for earlier, later in pairwise(starts))
    assert {row["intensity"]["index"] for row in rows} <= WORDS
    return starts


def test_the_half_hour_of_now(shared: httpx.Client) -> None:
    (row,) = get(shared, "/intensity")
    assert (row["from"], row["to"]) == ("2024-06-01T13:00Z", "2024-06-01T13:30Z")
    own = shared.get(f"{V1}/latest").json()["this_hour"]["q50_g_per_kwh"]
    assert row["intensity"]["forecast"] == round(own)
    assert row["intensity"]["actual"] is None


@pytest.mark.parametrize(("start", "first"), [("13:01", 0), ("13:31", 30), ("13:00", 0), ("13:30", 30)])
def test_a_day_begins_with_the_half_hour_of_its_start(shared: httpx.Client, start: str, first: int) -> None:
    starts = times(get(shared, f"/intensity/2024-06-01T{start}Z/fw24h"))
    assert starts[0] == datetime(2024, 6, 1, 13, first)
    # The forecast of these data ends at noon of the next day.
    assert starts[-1] == datetime(2024, 6, 2, 11, 30)


def test_the_day_before_has_what_was_forecast_and_what_came_true(shared: httpx.Client) -> None:
    rows = get(shared, "/intensity/2024-06-01T12:00Z/pt24h")
    starts = times(rows)
    assert (starts[0], starts[-1], len(rows)) == (
        datetime(2024, 5, 31, 12),
        datetime(2024, 6, 1, 11, 30),
        48,
    )
    assert all(isinstance(row["intensity"][name], int) for row in rows for name in ("forecast", "actual"))
    # What was forecast last for an hour: by the forecast of 06 UTC.
    past = shared.get("/api/last-6h-predictions-vs-actual").json()["hours"]
    last = max(past, key=lambda each: (each["hour"] < "2024-06-01T12", each["hour"], each["issued_at"]))
    row = rows[starts.index(datetime.fromisoformat(last["hour"]).replace(tzinfo=None))]
    assert row["intensity"]["forecast"] == round(last["q50_g_per_kwh"])
    assert row["intensity"]["actual"] == round(last["actual_g_per_kwh"])


@pytest.mark.parametrize(
    ("place", "area"), [("8000", "DK1"), ("5000", "DK1"), ("2100", "DK2"), ("3700", "DK2"), ("dk1", "DK1")]
)
def test_a_region_is_found_by_postcode_or_name(shared: httpx.Client, place: str, area: str) -> None:
    region = get(shared, f"/regional/intensity/2024-06-01T13:01Z/fw48h/postcode/{place}")
    assert region["postcode"] == place
    times(region["data"])
    own = shared.get(f"{V1}/forecast?hours=1&area={area}").json()["hours"][0]
    assert region["data"][0]["intensity"]["forecast"] == round(own["q50_g_per_kwh"])


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/regional/intensity/2024-06-01T13:01Z/fw48h/postcode/OX1", 400, "Danish postcode"),
        ("/intensity/yesterday/fw24h", 400, "from"),
        ("/intensity/2024-06-01T13:01Z/fw72h", 400, "span"),
        ("/intensity/2030-06-01T13:01Z/fw24h", 404, "nearer to now"),
        ("/intensity/2000-06-01T13:01Z/pt24h", 404, "nearer to now"),
        ("/intensity?area=DK1", 400, "no such parameter"),
        ("/generation", 404, "no such endpoint"),
    ],
)
def test_errors_have_the_form_of_neso(shared: httpx.Client, path: str, status: int, words: str) -> None:
    assert words in failed(shared.get(f"{PREFIX}{path}"), status)


class Clock(datetime):
    """The clock of CATS, at the time of the snapshot."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        at = now().replace(tzinfo=UTC)
        local = at.astimezone(tz) if tz is not None else at.astimezone().replace(tzinfo=None)
        return cls.fromtimestamp(local.timestamp(), tz)


@pytest.fixture
def cats_at_noon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[type[UKCarbonIntensityProvider]]:
    """The provider that docs/integrations.md has for CATS, whose clock is at the time of the snapshot."""
    clock = SimpleNamespace(datetime=Clock, timedelta=timedelta, timezone=timezone)
    monkeypatch.setattr(cats.cli, "datetime", clock)
    # CATS reads a configuration where it stands, and keeps what it was answered in the temporary folder.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (program,) = (block for block in blocks("python") if "cats.providers" in block)
    file = tmp_path / "cats_denmark.py"
    file.write_text(program, encoding="utf-8")
    runpy.run_path(str(file), run_name="cats_denmark")
    denmark = PROVIDERS["denmark"]
    assert issubclass(denmark, UKCarbonIntensityProvider)
    yield denmark
    del PROVIDERS["denmark"]


def ask_cats(capsys: pytest.CaptureFixture[str], place: str) -> dict[str, Any]:
    cats.cli.run_cats(["-d", "180", "--loc", place, "-a", "denmark", "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_cats_finds_the_best_start(
    shared: httpx.Client, cats_at_noon: type[UKCarbonIntensityProvider], capsys: pytest.CaptureFixture[str]
) -> None:
    cats_at_noon.BASE_URL = f"{str(shared.base_url).rstrip('/')}{PREFIX}"
    found = ask_cats(capsys, "DK1")
    own = shared.get(f"{V1}/cleanest-window?duration=3&area=DK1").json()
    # CATS joins the points of the half hours by lines, so its means differ a little from ours.
    start = datetime.fromisoformat(found["valueOptimal"]["start"])
    assert abs(start - datetime.fromisoformat(own["best"]["start"])) <= timedelta(hours=1)
    assert found["valueOptimal"]["value"] == pytest.approx(own["best"]["median_g_per_kwh"], rel=0.1)


def test_cats_sends_the_key_as_a_password(
    asked: Client, cats_at_noon: type[UKCarbonIntensityProvider], capsys: pytest.CaptureFixture[str]
) -> None:
    address = asked(api_keys=frozenset({"right"})).base_url
    cats_at_noon.BASE_URL = f"http://user:right@{address.host}:{address.port}{PREFIX}"
    assert ask_cats(capsys, "8000")["location"] == "8000"
    cats_at_noon.BASE_URL = f"http://user:wrong@{address.host}:{address.port}{PREFIX}"
    with pytest.raises(requests.exceptions.HTTPError, match="401"):
        ask_cats(capsys, "8000")
