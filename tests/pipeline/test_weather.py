"""The weather forecast from the service to the table: each version once, and what is off or down."""

import itertools
import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW, WEATHER_FORECAST
from co2_assets.contracts.sources import SourceKind, WeatherAccess
from co2_assets.contracts.weather import WEATHER_POINTS
from co2_assets.defs.resources import PipelineResource
from co2_assets.pipeline import run as pipeline
from co2_assets.pipeline.fetch_plan import history_left
from co2_assets.pipeline.ingest import FetchReport, update
from co2_assets.pipeline.run import open_run
from co2_assets.pipeline.sources import Source, SourceError, connect, earliest_of
from co2_assets.pipeline.status import MADE_ERRORS, read_status
from co2_assets.pipeline.stored_series import newest_by_series, oldest_hole
from co2_assets.settings import Settings, SettingsError
from tests.support.open_meteo import KEY, Places, Server, client_of, edited, served, status
from tests.support.pipeline_runs import Fault, simulated, warehouse

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
T0 = datetime(2024, 6, 1)
W = WEATHER_FORECAST

Inject = Callable[[Fault | None], None]


class Clock:
    """A time that a test moves, for the servers and the runs at once."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def live(home: Path, clock: Clock, servers: tuple[Server, Server]) -> Any:
    """Open a run of the live source, with the weather from two servers on this machine."""
    with open_run(Settings(home=home, source="simulator", as_of=clock.now, history_days=30)) as run:
        open_meteo = client_of(*servers, now=clock)
        clients = replace(run.service.client, open_meteo=open_meteo)
        service = replace(
            run.service, label=SourceKind.LIVE, client=clients, unlimited=False, earliest=None, first_days=3
        )
        yield replace(run, service=service)
        open_meteo.close()


def fetched(home: Path, clock: Clock, servers: tuple[Server, Server], **more: Any) -> FetchReport:
    with live(home, clock, servers) as run:
        return update(run, W, **more)


def stored(home: Path) -> pd.DataFrame:
    return warehouse(simulated(home)).read(f"SELECT * FROM {W.name} ORDER BY ALL")


def logged(home: Path) -> list[str]:
    frame = warehouse(simulated(home)).read("SELECT outcome FROM new_data_log ORDER BY fetched_at_utc")
    return frame["outcome"].tolist()


def test_every_version_is_stored_once(tmp_path: Path) -> None:
    clock = Clock()
    with served(now=clock) as servers:
        first = fetched(tmp_path, clock, servers)
        assert first.error is None
        # 72 hours to come and three days of three versions.
        assert first.new + first.changed == 12 * (73 + 72 * 3) == len(stored(tmp_path))
        assert fetched(tmp_path, clock, servers).windows == []
        requests = len(servers[0].requests)

        # Six hours later nothing has changed but what was forecast a day before, and six hours are new.
        clock.now += 6 * HOUR
        before = stored(tmp_path)
        second = fetched(tmp_path, clock, servers)
        assert second.error is None
        assert len(servers[0].requests) == requests + 1
        after = stored(tmp_path)
        assert len(after.merge(before, how="inner")) == len(before), "nothing stored is rewritten"
        coming = after[(after["hour_utc"] >= clock.now) & (after["published_at_utc"] == clock.now)]
        # Hours that came within one, two or three days have another version; the others only their first.
        assert set(coming.groupby("point").size()) == {18}
        again = fetched(tmp_path, clock, servers)
        assert (again.new, again.changed, again.windows) == (0, 0, [])
        assert stored(tmp_path).equals(after)


def test_a_version_that_comes_too_soon_is_left_out(tmp_path: Path) -> None:
    clock = Clock()

    calls = itertools.count(1)

    def ever_new(places: Places) -> Places:
        warmer = next(calls) / 10
        for place in places:
            values = place["hourly"]["temperature_2m"]
            place["hourly"]["temperature_2m"] = [v and v + warmer for v in values]
        return places

    with served(now=clock) as servers:
        servers[0].fault = edited(ever_new)
        for hours in (0, 2, 3, 5, 6):
            clock.now = T0 + hours * HOUR
            assert fetched(tmp_path, clock, servers).error is None
    rows = stored(tmp_path)
    hour = rows[(rows["hour_utc"] == T0 + 48 * HOUR) & (rows["point"] == "Anholt")]
    assert hour["published_at_utc"].tolist() == [T0, T0 + 3 * HOUR, T0 + 6 * HOUR], "not each hour"


def test_coming_hours_are_stored_though_the_history_is_down(tmp_path: Path) -> None:
    clock = Clock()
    with served(now=clock) as servers:
        servers[1].fault = status(503)
        report = fetched(tmp_path, clock, servers)
        assert "Open-Meteo previous runs" in report.sentence()
        assert logged(tmp_path) == ["server_fault", "server_fault"], "the newest part was tried alone"
        rows = stored(tmp_path)
        assert set(rows["published_at_utc"]) == {T0}
        assert rows["hour_utc"].min() == T0

        servers[1].fault = None
        clock.now += HOUR
        report = fetched(tmp_path, clock, servers)
        assert report.error is None
        assert stored(tmp_path)["hour_utc"].min() == T0 + HOUR - DAY, "after a failure a shorter window"


def test_a_place_that_is_lost_costs_itself_alone_and_is_asked_for_again(tmp_path: Path) -> None:
    clock = Clock()
    for_good = {"Malmo"}
    others = {point.name for point in WEATHER_POINTS} - for_good
    spoilt = edited(lambda places: [place if n != 1 else None for n, place in enumerate(places)])
    with served(now=clock) as servers:
        servers[0].fault = servers[1].fault = spoilt
        for _ in range(3):
            report = fetched(tmp_path, clock, servers)
            assert report.error is not None
            assert "Malmo is lost" in report.sentence()
            assert report.new > 0
            rows = stored(tmp_path)
            assert set(rows.loc[rows["hour_utc"] > clock.now, "point"]) == others
            clock.now += HOUR
        assert set(logged(tmp_path)) == {"incomplete"}

        # Deepening does not ask for the same window for ever, and goes on to what lies behind it.
        for _ in range(4):
            report = fetched(tmp_path, clock, servers, deepen=True)
            clock.now += HOUR
        assert report.windows == []
        assert stored(tmp_path)["hour_utc"].min() == datetime(2024, 5, 2)

        servers[0].fault = servers[1].fault = None
        assert fetched(tmp_path, clock, servers).error is None
        with live(tmp_path, clock, servers) as run:
            assert oldest_hole(run.warehouse, W, clock.now, T0 - 2 * DAY) is None


@pytest.mark.parametrize("code", [400, 429, 500])
def test_a_fetch_that_fails_leaves_the_table_and_is_named(tmp_path: Path, code: int) -> None:
    clock = Clock()
    with served(now=clock) as servers:
        fetched(tmp_path, clock, servers)
        before = stored(tmp_path)
        clock.now += 6 * HOUR
        servers[0].fault = status(code, f"no, {KEY}")
        report = fetched(tmp_path, clock, servers)
        assert report.error is not None
        assert KEY not in report.sentence()
    assert stored(tmp_path).equals(before)
    log = warehouse(simulated(tmp_path)).read("SELECT * FROM new_data_log WHERE outcome <> 'ok'")
    assert len(log) >= 1
    assert KEY not in log.to_csv()


def test_a_hole_is_asked_for_again_and_older_history_by_deepening(tmp_path: Path) -> None:
    clock = Clock()
    with served(now=clock) as servers:
        fetched(tmp_path, clock, servers)
        with warehouse(simulated(tmp_path)).session() as connection:
            connection.execute(
                f"DELETE FROM {W.name} WHERE point = 'Rodsand' AND hour_utc = ?", [T0 - 30 * HOUR]
            )
        clock.now += 6 * HOUR
        with live(tmp_path, clock, servers) as run:
            assert oldest_hole(run.warehouse, W, clock.now, T0 - 2 * DAY) == T0 - 30 * HOUR
            report = update(run, W)
            assert report.windows[0].start <= T0 - 30 * HOUR
            assert oldest_hole(run.warehouse, W, clock.now, T0 - 2 * DAY) is None
        deeper = fetched(tmp_path, clock, servers, deepen=True)
        assert deeper.error is None
        assert stored(tmp_path)["hour_utc"].min() == datetime(2024, 5, 2)
        assert not (stored(tmp_path)["published_at_utc"] > stored(tmp_path)["fetched_at_utc"]).any()


def test_history_of_the_live_service_begins_in_2024_and_a_recording_is_kept_whole() -> None:
    assert earliest_of("live", W) == datetime(2024, 1, 1)
    assert earliest_of("live", POWER_SYSTEM_RIGHT_NOW) is None
    assert W.begins < datetime(2022, 10, 24)


# Recordings


def archived(archive_dir: Path, home: Path, as_of: datetime) -> Settings:
    return Settings(home=home, source=f"archive:{archive_dir}", as_of=as_of, history_days=30)


def test_a_recording_has_five_points_and_lacks_nothing(archive_dir: Path, tmp_path: Path) -> None:
    settings = archived(archive_dir, tmp_path, T0)
    with open_run(settings) as run:
        report = update(run, W)
        assert report.error is None
        assert report.quarantined == 0
        series = run.service.series_of(W, run.now)
        assert sorted(name for (name,) in series) == [
            "DE_centre", "DK_centre", "Djursland", "Malmo", "Stockholm"
        ]  # fmt: skip
        newest = newest_by_series(run.warehouse, W, series)
        assert set(newest) == {pd.Timestamp(T0 + 3 * DAY)}
        assert oldest_hole(run.warehouse, W, run.now, run.service.earliest_of(W), series) is None
        rows = run.warehouse.read(f"SELECT * FROM {W.name}")
        assert rows["wind_speed_100m_m_per_s"].isna().all(), "not recorded"
        assert rows.loc[rows["shortwave_radiation_w_per_m2"].notna(), "point"].unique() == ["Djursland"]
        run.publish()
    state = read_status(cast("Any", pipeline.published_snapshot(settings)), settings)
    assert state.notes == {"weather_forecast": MADE_ERRORS}


def test_a_replay_knows_what_was_out_by_then(archive_dir: Path) -> None:
    recorded = pd.read_parquet(archive_dir / "Weather.parquet")
    recorded = recorded[recorded["Point"] == "Djursland"].set_index("HourUTC")
    now = datetime(2023, 7, 1, 9, 30)
    with connect(Source(SourceKind.ARCHIVE, archive_dir), lambda: now) as source:
        assert {name for (name,) in source.series_of(W, now)} == {"Djursland", "Malmo", "Stockholm"}
        rows = source.client.fetch(W, now - 2 * DAY, now + W.reach)
    rows = rows[rows["point"] == "Djursland"]
    assert rows["published_at_utc"].max() == now
    assert rows["hour_utc"].max() == datetime(2023, 7, 4, 9)
    for row in rows.to_dict("records"):
        ahead = row["hour_utc"] - (now if row["published_at_utc"] == now else row["published_at_utc"])
        days = max(1, -(-ahead // DAY))
        expected = recorded.loc[row["hour_utc"], f"WindSpeed10m_previous_day{days}"]
        assert row["wind_speed_10m_m_per_s"] == pytest.approx(expected, abs=0.006)


def test_a_recording_without_weather_does_not_serve_it(archive_dir: Path, tmp_path: Path) -> None:
    for path in archive_dir.glob("*.parquet"):
        if path.name != "Weather.parquet":
            (tmp_path / path.name).symlink_to(path)
    with connect(Source(SourceKind.ARCHIVE, tmp_path), lambda: T0) as source:
        assert source.why_not(W) == "the source does not have this dataset"
    (tmp_path / "Weather.parquet").write_bytes(b"noise")
    with pytest.raises(SourceError, match=r"Weather\.parquet cannot be read.*Copy the recording"):
        connect(Source(SourceKind.ARCHIVE, tmp_path), lambda: T0)


# Off, and down


def test_switched_off_it_is_never_requested(tmp_path: Path) -> None:
    settings = replace(simulated(tmp_path, history_days=90), weather=WeatherAccess(wanted=False))
    with open_run(settings) as run:
        report = update(run, W)
        assert report.error is None
        assert report.sentence() == "switched off (CO2_WEATHER=off); nothing was requested"
        assert not run.service.has(W)
        assert all(run.service.has(dataset) for dataset in DATASETS if dataset is not W)
        snapshot = run.publish()
    state = read_status(snapshot, settings)
    assert state.notes == {"weather_forecast": "switched off (CO2_WEATHER=off)"}
    (row,) = [row for row in state.as_json()["datasets"] if row["dataset"] == "weather_forecast"]
    assert row["note"] == "switched off (CO2_WEATHER=off)"
    assert history_left(snapshot, settings, settings.as_of or T0, [W]) == 0
    assert history_left(snapshot, replace(settings, weather=WeatherAccess()), settings.as_of or T0, [W]) > 0


def test_what_is_switched_off_has_no_failures(tmp_path: Path, inject: Inject) -> None:
    inject(status(403))
    settings = simulated(tmp_path)
    with open_run(settings) as run:
        assert update(run, W).error is not None
        snapshot = run.publish()
    assert read_status(snapshot, settings).failed_fetches["dataset"].tolist() == ["weather_forecast"]
    off = replace(settings, weather=WeatherAccess(wanted=False))
    assert read_status(snapshot, off).failed_fetches.empty


def test_an_open_meteo_that_is_not_there_concerns_the_weather_alone(tmp_path: Path) -> None:
    with served() as gone:
        pass
    access = WeatherAccess(url=gone[0].url, history_url=gone[1].url)
    with connect(Source(SourceKind.LIVE), lambda: T0, weather=access) as source:
        assert source.why_not(W) == ""
    clock = Clock()
    report = fetched(tmp_path, clock, gone)
    assert "no connection" in report.sentence()
    assert logged(tmp_path) == ["unreachable"]


# Settings


def test_the_settings_of_the_weather_reach_a_run_and_the_key_no_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {
        "CO2_WEATHER": "on",
        "CO2_WEATHER_URL": "http://mirror:8080",
        "CO2_WEATHER_HISTORY_URL": "http://mirror:8081/past",
        "CO2_WEATHER_KEY": f" {KEY}\n",
    }
    settings = Settings.from_environment(environment)
    assert settings.weather == WeatherAccess(True, "http://mirror:8080", "http://mirror:8081/past", KEY)
    assert KEY not in repr(settings)
    assert Settings.from_environment(settings.environment()).weather == settings.weather
    resource = PipelineResource.from_settings(settings)
    assert KEY not in json.dumps(resource.model_dump(), default=str)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert resource.settings().weather == settings.weather
    assert PipelineResource(weather=False).settings().weather == replace(settings.weather, wanted=False)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("CO2_WEATHER", "no", "neither on nor off"),
        ("CO2_WEATHER_URL", "mirror", "write it as https://HOST"),
        ("CO2_WEATHER_HISTORY_URL", "ftp://mirror", "write it as https://HOST"),
        ("CO2_WEATHER_KEY", "short", "copy it again, whole"),
        ("CO2_WEATHER_KEY", "two\nlines of it", "without line breaks"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str, remedy: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name}.*{remedy}"):
        Settings.from_environment({name: value})
