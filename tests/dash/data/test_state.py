"""Which time is "now" for a snapshot, and which of its data are late."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from co2_assets.contracts import DATASETS
from co2_assets.contracts.weather import WEATHER_FORECAST
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home
from co2_dash.data import queries
from co2_dash.data.freshness import freshness_rows
from co2_dash.data.snapshot_store import SnapshotStore, View
from co2_dash.data.state import DataState, Reader, state_of
from co2_dash.settings import Settings
from tests.support import snapshot_data
from tests.support.pages_server import now
from tests.support.snapshot_data import NOW

MakeClient = Callable[..., httpx.Client]
LATER = NOW + timedelta(hours=9)


def looked_at(home: Home, source: str, clock: datetime = LATER) -> DataState:
    return Reader(SnapshotStore(Settings(home, source=source)), lambda: clock).look()[1]


@pytest.mark.parametrize("took", [timedelta(minutes=65), timedelta(hours=5)])
def test_a_slow_live_run_ages_like_any_other(
    asked: MakeClient, tmp_path: Path, archive_dir: Path, took: timedelta
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir, published_at=NOW + took)
    state = looked_at(home, "live")
    assert (state.now_utc, state.replayed, state.live) == (LATER, False, True)
    assert state.stale
    client = asked(home, clock=lambda: LATER)
    assert client.get("/readyz").status_code == 503
    status = client.get("/api/v1/status").json()
    assert (status["state"], status["origin"]["replayed"]) == ("stale", False)


def test_an_area_whose_measurements_have_ended_is_called_so(
    asked: MakeClient, tmp_path: Path, archive_dir: Path
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)
    folder = home.source("live")
    warehouse = Warehouse(folder.database, "live")
    with warehouse.session() as connection:
        for table, time in (("aggregated_data", "hour_utc"), ("predictions", "issued_at_utc")):
            for area, days in (("DK1", 8), ("DK2", 1)):
                connection.execute(
                    f"DELETE FROM {table} WHERE price_area = ? AND {time} >= ?",
                    [area, NOW - timedelta(days=days)],
                )
    snapshots.publish(warehouse, folder.snapshots, as_of_utc=NOW, published_at_utc=NOW)
    client = asked(home)

    def state_and_words(area: str) -> tuple[str, str]:
        status = client.get("/api/v1/status", params={"area": area}).json()
        return status["state"], " ".join(status["notices"])

    assert state_and_words("DK") == ("ok", "")
    state, words = state_and_words("DK2")
    assert state == "stale"
    assert "A new one is due" in words
    _, words = state_and_words("DK1")
    assert words.startswith(
        "Western Denmark is no longer measured. The last measurement ended Fri 24 May 2024"
    )
    assert "was not measured for 7 days, while another was, is not forecast" in words
    assert "due" not in words
    refused = client.get("/api/v1/carbon-intensity/daily-summary", params={"area": "DK1"})
    assert refused.status_code == 503


@pytest.mark.parametrize(
    ("source", "took", "replayed"),
    [
        ("archive", timedelta(0), True),
        ("archive", timedelta(days=400), True),
        ("simulator", timedelta(minutes=110), False),
        ("simulator", timedelta(hours=3), True),
        ("simulator", -timedelta(days=3), True),
    ],
)
def test_only_recordings_and_simulations_of_another_time_are_replayed(
    tmp_path: Path, archive_dir: Path, source: str, took: timedelta, replayed: bool
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir, source=source, published_at=NOW + took)
    state = looked_at(home, source)
    assert state.replayed is replayed
    assert state.now_utc == (NOW if replayed else LATER)


@pytest.mark.parametrize("source", ["live", "simulator"])
def test_data_ahead_of_the_clock_are_not_ready(
    asked: MakeClient, tmp_path: Path, archive_dir: Path, source: str
) -> None:
    home = Home(tmp_path)
    before = NOW - timedelta(days=36)
    snapshot_data.publish(home, archive_dir, source=source, published_at=before)
    client = asked(home, source=source, clock=lambda: before)
    refused = client.get("/readyz")
    assert (refused.status_code, "36 days ahead of the clock" in refused.text) == (503, True)
    status = client.get("/api/v1/status").json()
    assert status["state"] == "stale"
    assert any("ahead of the clock" in notice for notice in status["notices"])
    assert client.get("/api/v1/carbon-intensity/forecast").json()["stale"] is True
    # At the right time they are fresh again.
    assert asked(home, source=source, clock=lambda: NOW).get("/readyz").status_code == 200


def test_rows_further_ahead_than_any_answer_reaches_are_named(
    asked: MakeClient, tmp_path: Path, archive_dir: Path
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)
    # The newest row is for 12:00.
    for clock, late in ((NOW - timedelta(minutes=35), False), (NOW - timedelta(days=1), True)):
        datasets = asked(home, clock=lambda at=clock: at).get("/api/v1/status").json()["datasets"]
        assert {row["dataset"]: row["late"] for row in datasets}["power_system_right_now"] is late


@pytest.mark.parametrize(("source", "late"), [("live", True), ("simulator", True), ("archive", False)])
def test_what_never_came_is_late_unless_the_source_does_not_have_it(
    asked: MakeClient, tmp_path: Path, source: str, late: bool
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish_empty(home, source)
    datasets = asked(home, source=source).get("/api/v1/status").json()["datasets"]
    assert {row["dataset"]: row["late"] for row in datasets} == {d.name: late for d in DATASETS}


@pytest.mark.parametrize("source", ["live", "archive"])
def test_a_weather_that_is_switched_off_is_off_and_not_late(
    asked: MakeClient, tmp_path: Path, source: str
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish_empty(home, source)
    client = asked(home, source=source, weather_wanted=False)
    datasets = {row["dataset"]: row for row in client.get("/api/v1/status").json()["datasets"]}
    assert [name for name, row in datasets.items() if row["switched_off"]] == [WEATHER_FORECAST.name]
    assert not datasets[WEATHER_FORECAST.name]["late"]
    assert datasets["power_system_right_now"]["late"] is (source == "live")


def test_the_table_of_freshness_says_off_whatever_was_held_before(view: View) -> None:
    def states(weather_wanted: bool) -> dict[str, str]:
        rows = freshness_rows(view, state_of(view, now(), weather_wanted=weather_wanted))
        return dict(zip(rows["dataset"], rows["state"], strict=True))

    on, off = states(True), states(False)
    assert on[WEATHER_FORECAST.name] == "no data"
    assert off == {**on, WEATHER_FORECAST.name: "off"}


def test_a_forecast_rests_on_the_weather_once_there_are_rows_of_it(view: View) -> None:
    assert queries.has_rows(view, "power_system_right_now")
    assert not queries.has_rows(view, "no such dataset")
    assert not queries.has_rows(view, WEATHER_FORECAST.name)
    assert not state_of(view, now()).rests_on_weather
