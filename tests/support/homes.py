"""Homes in which the six-hour job has run for real, to look at or to copy."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from co2_assets.defs.automation import RETRAIN_JOB
from co2_assets.pipeline import run as pipeline
from co2_assets.pipeline.sources import Connection, connect
from co2_assets.settings import Settings
from tests.support.made_once import made_once
from tests.support.pipeline_runs import HOUR, SMALL, T0, Fault, failures, run, simulated


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home after the first run, at T0. Not to be changed."""

    def make(home: Path) -> None:
        result = run(simulated(home))
        assert result.success, failures(result)

    return made_once(tmp_path_factory, "first-home", make)


@pytest.fixture(scope="session")
def second_home(tmp_path_factory: pytest.TempPathFactory, first_home: Path) -> Path:
    """The home after the next run, six hours later. Not to be changed."""

    def make(home: Path) -> None:
        shutil.copytree(first_home, home)
        result = run(simulated(home, T0 + 6 * HOUR))
        assert result.success, failures(result)

    return made_once(tmp_path_factory, "second-home", make)


@pytest.fixture(scope="session")
def retrained_home(tmp_path_factory: pytest.TempPathFactory, first_home: Path) -> Path:
    """The home after a retraining an hour later, whatever was decided of its model. Not to be changed."""

    def make(home: Path) -> None:
        shutil.copytree(first_home, home)
        training = {**SMALL, "seed": 2, "trigger": "accuracy fell"}
        result = run(simulated(home, T0 + HOUR), RETRAIN_JOB, training=training)
        assert result.success, failures(result)

    return made_once(tmp_path_factory, "retrained-home", make)


@pytest.fixture
def home(tmp_path: Path, first_home: Path) -> Path:
    """A copy of the first home, to be changed."""
    return shutil.copytree(first_home, tmp_path / "home")


@pytest.fixture
def next_tick(home: Path) -> Settings:
    """Settings of the run after the first."""
    return simulated(home, T0 + 6 * HOUR)


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault | None], None]:
    """Make the emulated service fail in a given way from now on; None mends it."""

    def inject(fault: Fault | None) -> None:
        def connect_faulty(*arguments: Any, **options: Any) -> Connection:
            return connect(*arguments, **{**options, "fault": fault})

        monkeypatch.setattr(pipeline, "connect", connect_faulty)

    return inject
