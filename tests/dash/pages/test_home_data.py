"""The home page reads its data once for each request."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest

from co2_dash.advice.last_month import last_month
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import state_of
from co2_dash.pages import home
from co2_dash.pages.home_data import HomeData
from tests.support.pages_server import now

NOW_PARTS = ("now.children", "strip.children", "facts.children")
WINDOW_PARTS = ("window-before.data", "window-before.value", "window.children")
TOKENS = {"data-token.data": "x", "clock-token.data": "x"}
ADDRESS = "_pages_location.search"


@pytest.fixture
def calls(view: View, shared: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries made by the pages of a snapshot whose state is known already, by name."""
    shared.get("/readyz").raise_for_status()
    made: list[str] = []

    def counted(name: str, query: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
        def call(*arguments: Any) -> pd.DataFrame:
            made.append(name)
            return query(*arguments)

        return call

    state_of(view, now())
    for name in ("current_forecast", "measured"):
        monkeypatch.setattr(queries, name, counted(name, getattr(queries, name)))
    return made


def sent(client: httpx.Client, outputs: tuple[str, ...], inputs: dict[str, str]) -> dict[str, Any]:
    """Send what a page sends for a callback, and return the new properties of its components."""

    def named(name: str) -> dict[str, str]:
        return dict(zip(("id", "property"), name.rsplit(".", 1), strict=True))

    body = {
        "output": f"..{'...'.join(outputs)}..",
        "outputs": [named(name) for name in outputs],
        "inputs": [{**named(name), "value": value} for name, value in inputs.items()],
        "state": [{**named(ADDRESS), "value": ""}],
        "changedPropIds": ["data-token.data"],
    }
    answer = client.post(
        "/_dash-update-component", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    properties: dict[str, Any] = answer.json()["response"]
    return properties


def test_the_layout_reads_the_forecast_and_the_measurements_once(view: View, calls: list[str]) -> None:
    home.layout(view, state_of(view, now()))
    assert sorted(calls) == ["current_forecast", "measured"]


def test_the_callback_of_the_numbers_reads_them_once(shared: httpx.Client, calls: list[str]) -> None:
    assert set(sent(shared, NOW_PARTS, TOKENS)) == {"now", "strip", "facts"}
    assert sorted(calls) == ["current_forecast", "measured"]


def test_the_callback_of_the_cleanest_time_reads_them_once(shared: httpx.Client, calls: list[str]) -> None:
    choices = {"window-duration.value": "3", "window-before.value": "end"}
    assert set(sent(shared, WINDOW_PARTS, choices | TOKENS)) == {"window-before", "window"}
    assert sorted(calls) == ["current_forecast", "measured"]


def test_the_data_are_those_of_the_current_hour(view: View) -> None:
    state = state_of(view, now())
    data = HomeData.read(view, state)
    assert len(data.forecast) == 24
    assert [hour.start_utc.hour for hour in data.headline] == [13, 14, 15, 16, 17, 18]
    assert data.this_hour == data.headline[0] == data.forecast[1]
    assert data.scale == last_month(view, state)
    assert data.last_g_per_kwh == pytest.approx(56.98)


def test_without_a_snapshot_there_is_only_the_state() -> None:
    state = state_of(None, now())
    assert HomeData.read(None, state) == HomeData(state, (), None, None)
    assert HomeData.read(None, state).this_hour is None
