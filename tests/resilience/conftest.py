"""One home after a first run on recorded data, made once, and copies of it to ill-treat."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from co2_assets.settings import Settings
from tests.support.made_once import made_once
from tests.support.resilience_runs import HISTORY_DAYS, HOUR, T0, at, tick


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Settings:
    """The settings of a home after its first run, at T0. Not to be changed."""
    settings = Settings(source=f"archive:{archive_dir}", as_of=T0, history_days=HISTORY_DAYS)

    def make(home: Path) -> None:
        assert tick(replace(settings, home=home))

    return replace(settings, home=made_once(tmp_path_factory, "first-recorded-home", make))


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory, first: Settings) -> Settings:
    """The settings of a home whose next run, six hours later, went well. Not to be changed."""
    settings = at(first, T0 + 6 * HOUR)

    def make(home: Path) -> None:
        shutil.copytree(first.home, home)
        assert tick(replace(settings, home=home))

    return replace(settings, home=made_once(tmp_path_factory, "second-recorded-home", make))


@pytest.fixture
def home(first: Settings, tmp_path: Path) -> Settings:
    """The settings of a copy of the first home, at its first run."""
    return replace(first, home=shutil.copytree(first.home, tmp_path / "home"))
