"""Naming a source, opening it, and what is said when it is not there."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import pytest

from co2_assets.contracts import CO2_EMISSION_PROGNOSIS, DATASETS, FORECASTS_HOUR, POWER_SYSTEM_RIGHT_NOW
from co2_assets.contracts.sources import SOURCE_LABELS
from co2_assets.energidataservice.emulator.recording import FILES
from co2_assets.http_service.errors import EmptyResponse, Refused
from co2_assets.pipeline.sources import (
    Source,
    SourceError,
    connect,
    obstacle_to_live,
    parse_source,
)
from tests.support.scripted_service import Service, envelope

NOW = datetime(2024, 6, 1)


@pytest.mark.parametrize("text", ["live", "simulator", "auto"])
def test_a_source_is_named_by_a_word(text: str) -> None:
    assert parse_source(text) == Source(text)
    assert str(parse_source(text)) == text


def test_an_archive_is_named_with_its_folder(archive_dir: Path) -> None:
    source = parse_source(f"archive:{archive_dir}")
    assert source.kind == "archive"
    assert source.folder == archive_dir.resolve()
    assert parse_source(str(source)) == source


@pytest.mark.parametrize("text", ["", "Live", "archive", "archive:", "live:x", "simulator:", "http://x"])
def test_an_unknown_source_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(SourceError, match=r"live .* simulator .* archive:DIR"):
        parse_source(text)


def test_a_folder_without_the_recording_is_refused_by_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"PowerSystemRightNow_hourly\.parquet"):
        parse_source(f"archive:{tmp_path / 'nowhere'}")
    for name in list(FILES)[:-1]:
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match=r"CO2EmisProg\.parquet missing.*--source archive:DIR"):
        parse_source(f"archive:{tmp_path}")


def test_an_unreadable_recording_is_refused_by_its_name(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(b"noise")
    with pytest.raises(SourceError, match=r"PowerSystemRightNow_hourly\.parquet cannot be read"):
        connect(parse_source(f"archive:{tmp_path}"), lambda: NOW)


def test_a_recording_without_a_column_is_refused(tmp_path: Path, archive_dir: Path) -> None:
    for name in FILES:
        shutil.copy(archive_dir / name, tmp_path / name)
    path = tmp_path / "PowerSystemRightNow_hourly.parquet"
    pd.read_parquet(archive_dir / path.name).drop(columns="SolarPower").to_parquet(path)
    with pytest.raises(SourceError, match="SolarPower"):
        connect(parse_source(f"archive:{tmp_path}"), lambda: NOW)


def test_auto_must_be_resolved_first() -> None:
    with pytest.raises(SourceError, match="resolved"):
        connect(Source("auto"), lambda: NOW)


@pytest.mark.parametrize(
    ("answer", "there"),
    [(envelope([{"CO2Emission": 1.0}]), True), (httpx.ConnectError("no route"), False)],
)
def test_auto_turns_on_whether_the_service_answers(answer: httpx.Response | Exception, there: bool) -> None:
    assert (obstacle_to_live(transport=httpx.MockTransport(Service(answer))) is None) is there


def test_a_connection_says_whose_data_these_are(archive_dir: Path, tmp_path: Path) -> None:
    with connect(Source("live"), lambda: NOW, rate_limit_file=tmp_path / "requests.json") as live:
        assert (live.label, live.first_days, live.unlimited, live.earliest) == ("live", 60, False, None)
    with connect(Source("simulator"), lambda: NOW) as simulator:
        assert (simulator.label, simulator.first_days, simulator.unlimited) == ("simulator", 60, True)
    with connect(Source("archive", archive_dir), lambda: NOW) as archive:
        assert (archive.label, archive.first_days, archive.unlimited) == ("archive", None, True)
        assert archive.earliest == datetime(2023, 1, 1, 10)
        assert archive.latest == datetime(2024, 11, 29, 17)
    assert {live.label, simulator.label, archive.label} == set(SOURCE_LABELS)


def test_the_archive_is_read_through_the_client(archive_dir: Path) -> None:
    now = datetime(2023, 11, 1)
    with connect(Source("archive", archive_dir), lambda: now) as archive:
        assert [dataset.name for dataset in DATASETS if not archive.has(dataset)] == ["area_production"]
        for dataset in filter(archive.has, DATASETS):
            frame = archive.client.fetch(dataset, now - timedelta(days=14), now + dataset.reach)
            assert len(frame) > 0
            if "published_at_utc" in frame:
                assert frame["published_at_utc"].max() <= now
        forecasts = archive.client.fetch(FORECASTS_HOUR, now - timedelta(days=14), now)
        assert forecasts["forecast_day_ahead_mw"].notna().all()
        assert forecasts["forecast_1_hour_mw"].isna().all(), "not recorded"
        prognosis = archive.client.fetch(CO2_EMISSION_PROGNOSIS, now, now + timedelta(days=2))
        assert (prognosis["published_at_utc"] < prognosis["minute_utc"]).all()


def test_nothing_recorded_is_an_error_and_no_table(archive_dir: Path) -> None:
    with (
        connect(Source("archive", archive_dir), lambda: datetime(2026, 1, 1)) as archive,
        pytest.raises(EmptyResponse, match="PowerSystemRightNow 2025"),
    ):
        archive.client.fetch(POWER_SYSTEM_RIGHT_NOW, datetime(2025, 1, 1), datetime(2025, 1, 2))


def test_faults_reach_the_client_without_keeping_anyone_waiting() -> None:
    answers = iter([500, 503, 403])

    def fault(_request: httpx.Request, _response: httpx.Response) -> httpx.Response:
        return httpx.Response(next(answers))

    with connect(Source("simulator"), lambda: NOW, fault=fault) as simulator, pytest.raises(Refused):
        simulator.client.fetch(POWER_SYSTEM_RIGHT_NOW, NOW - timedelta(hours=1), NOW)
