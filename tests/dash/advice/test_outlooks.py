"""The areas side by side: only what is fresh, in the words of a reader."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from co2_assets.advice.cleanest_window import ForecastHour, Stretch
from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_assets.warehouse.paths import Home
from co2_dash.advice.outlooks import Outlook, elsewhere, outlooks
from co2_dash.advice.places import PLACES, place_of
from co2_dash.advice.sentences import cleanest_there_sentence, elsewhere_sentence
from co2_dash.data import queries
from co2_dash.data.snapshot_store import SnapshotStore, View
from co2_dash.data.state import DataState, state_of
from co2_dash.pages.home_data import HomeData
from co2_dash.pages.home_now import now_parts
from co2_dash.settings import Settings
from tests.support.pages_server import now

HOUR = datetime(2024, 6, 1, 13)


def at(g_per_kwh: float) -> ForecastHour:
    return ForecastHour(HOUR, g_per_kwh, g_per_kwh - 9, g_per_kwh + 9)


def over(g_per_kwh: float) -> Stretch:
    return Stretch(HOUR, HOUR + timedelta(hours=3), g_per_kwh, g_per_kwh - 9, g_per_kwh + 9)


def text_of(part: Any) -> str:
    """Return all words of a component."""
    children = getattr(part, "children", part)
    if isinstance(children, list):
        return " ".join(text_of(child) for child in children)
    return children if isinstance(children, str) else text_of(children) if children is not None else ""


def shown(view: View, area_name: str) -> str:
    return " ".join(
        text_of(part) for part in now_parts(HomeData.read(view, state_of(view, now(), area_name)))
    )


@pytest.mark.parametrize(
    ("there", "here", "words"),
    [
        (62, 84, "East: about 62 g CO₂/kWh this hour, cleaner than here (84)."),
        (90, 84, "East: about 90 g CO₂/kWh this hour, dirtier than here (84)."),
        (80, 84, "East: about 80 g CO₂/kWh this hour, about as clean as here."),
        (88.9, 84, "East: about 89 g CO₂/kWh this hour, about as clean as here."),
        (62, None, "East: about 62 g CO₂/kWh this hour."),
    ],
)
def test_the_current_hour_elsewhere_is_held_against_that_here(
    there: float, here: float | None, words: str
) -> None:
    assert elsewhere_sentence("East", at(there), None if here is None else at(here)) == words


def test_the_cleanest_hours_elsewhere_are_held_against_those_here() -> None:
    words = "The cleanest 3 hours there start at 02:00 tomorrow: about 40"
    told = cleanest_there_sentence("3 hours", "at 02:00 tomorrow", over(40), over(55))
    assert told == f"{words}, cleaner than here (55)."
    assert cleanest_there_sentence("3 hours", "at 02:00 tomorrow", over(40), None) == f"{words}."


def test_a_half_is_told_of_the_other_and_the_country_of_both(view: View) -> None:
    west, east, whole = (shown(view, name) for name in ("DK1", "DK2", "DK"))
    assert "East of the Great Belt: about 42 g CO₂/kWh this hour, cleaner than here (" in west
    assert "West of" not in west
    assert "West of the Great Belt: about 54 g CO₂/kWh this hour, dirtier than here (" in east
    assert "East of" not in east
    assert whole.index("West of the Great Belt: about 54") < whole.index("East of the Great Belt: about 42")
    assert "than here" not in whole
    for told in (west, east, whole):
        assert "The cleanest 3 hours there start at" in told


def test_cleanest_hours_that_have_begun_start_now(view: View) -> None:
    data = HomeData.read(view, state_of(view, now(), "DK1"))
    begun = replace(over(60), start_utc=now(), end_utc=now() + timedelta(hours=3))
    east = replace(data.outlooks["DK2"], cleanest=begun)
    parts = now_parts(replace(data, outlooks={**data.outlooks, "DK2": east}))
    told = " ".join(text_of(part) for part in parts)
    assert "The cleanest 3 hours there start now: about 60, dirtier than here (" in told


def test_the_numbers_are_those_of_the_pages_of_the_other_half(view: View) -> None:
    found = outlooks(view, state_of(view, now()))
    assert list(found) == ["DK", "DK1", "DK2"]
    for name, outlook in found.items():
        own = HomeData.read(view, state_of(view, now(), name))
        assert outlook.this_hour == own.this_hour
        assert outlook.cleanest is not None
        assert now() <= outlook.cleanest.start_utc < outlook.cleanest.end_utc <= HOUR + timedelta(hours=24)


def test_nothing_is_said_of_an_old_forecast_nor_of_one_ahead_of_the_clock(view: View) -> None:
    state = state_of(view, now())
    assert outlooks(view, replace(state, now_utc=now() + timedelta(hours=9))) == {}
    early = now() - timedelta(hours=9)
    assert outlooks(view, replace(state, now_utc=early, wall_clock_utc=early)) == {}


@pytest.fixture
def own_view(published: Home) -> View:
    """A view that has read nothing yet, so that a test can change what it reads."""
    found = SnapshotStore(Settings(published, source="live")).view()
    assert found is not None
    return found


@pytest.mark.parametrize("kept", [[], ["DK"], ["DK", "DK1"]])
def test_nothing_is_said_of_an_area_without_a_forecast(
    own_view: View, monkeypatch: pytest.MonkeyPatch, kept: list[str]
) -> None:
    rows = queries.current_forecasts(own_view)
    monkeypatch.setattr(queries, "current_forecasts", lambda _view: rows[rows["price_area"].isin(kept)])
    assert list(outlooks(own_view, state_of(own_view, now()))) == kept
    assert "Great Belt" not in shown(own_view, "DK1")


def test_an_old_forecast_of_one_half_is_left_out(own_view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = queries.current_forecasts(own_view)
    rows.loc[rows["price_area"] == "DK2", "issued_at_utc"] -= pd.Timedelta(hours=9)
    monkeypatch.setattr(queries, "current_forecasts", lambda _view: rows)
    assert list(outlooks(own_view, state_of(own_view, now()))) == ["DK", "DK1"]


def test_elsewhere_is_neither_here_nor_the_whole_country() -> None:
    found = {name: Outlook(area, at(50), None) for name, area in AREAS.items()}

    def names(area: Area) -> list[str]:
        return [outlook.area.name for outlook in elsewhere(found, area)]

    assert names(DENMARK) == ["DK1", "DK2"]
    assert names(AREAS["DK1"]) == ["DK2"]
    assert HomeData.read(None, DataState(now_utc=HOUR)).outlooks == {}


def test_every_area_has_a_place_and_a_new_one_its_title() -> None:
    assert list(PLACES) == ["DK1", "DK2", "DK"]
    assert PLACES.keys() == AREAS.keys()
    assert place_of(replace(DENMARK, name="SE3", title="Central Sweden")).name == "Central Sweden"
