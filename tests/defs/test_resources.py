"""What a run from the UI is given: the environment's settings, and over them what the run names."""

from datetime import datetime
from pathlib import Path

import pytest

from co2_assets.defs.resources import PipelineResource
from co2_assets.settings import Settings, SettingsError
from tests.support.pipeline_runs import simulated


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(
        home=tmp_path / "elsewhere", source="simulator", history_days=90, seed=7, live_url="http://mirror"
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CO2_AS_OF", raising=False)
    return settings


def test_a_run_that_names_one_setting_keeps_the_others(deployed: Settings) -> None:
    given = PipelineResource(as_of="2024-06-01T00:00Z").settings()
    assert (given.home, given.source, given.history_days, given.seed, given.live_url) == (
        deployed.home,
        "simulator",
        90,
        7,
        "http://mirror",
    )
    assert given.as_of == datetime(2024, 6, 1)
    assert PipelineResource(seed=8).settings().as_of is None


def test_settings_come_through_whole(deployed: Settings, tmp_path: Path) -> None:
    settings = simulated(tmp_path)
    assert settings != deployed
    assert PipelineResource.from_settings(settings).settings() == settings


def test_a_setting_that_cannot_be_used_is_named(deployed: Settings) -> None:
    assert deployed.history_days == 90
    with pytest.raises(SettingsError, match="history days must be"):
        PipelineResource(history_days=5).settings()
