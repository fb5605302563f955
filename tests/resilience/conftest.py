"""One home after a first run on recorded data, made once, and copies of it to ill-treat."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from co2_assets.settings import Settings
from tests.support.resilience_runs import HISTORY_DAYS, HOUR, T0, at, tick


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Settings:
    """The settings of a home after its first run, at T0. Not to be changed."""
    home = tmp_path_factory.mktemp("resilience") / "home"
    settings = Settings(home=home, source=f"archive:{archive_dir}", as_of=T0, history_days=HISTORY_DAYS)
    assert tick(settings)
    return settings


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory, first: Settings) -> Settings:
    """The settings of a home whose next run, six hours later, went well. Not to be changed."""
    home = shutil.copytree(first.home, tmp_path_factory.mktemp("resilience") / "home")
    settings = at(replace(first, home=home), T0 + 6 * HOUR)
    assert tick(settings)
    return settings


@pytest.fixture
def home(first: Settings, tmp_path: Path) -> Settings:
    """The settings of a copy of the first home, at its first run."""
    return replace(first, home=shutil.copytree(first.home, tmp_path / "home"))
