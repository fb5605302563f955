"""A receiver of alerts, and settings that send to it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from co2_assets.notify import alerts
from co2_assets.settings import Settings
from tests.support.pipeline_runs import T0, simulated
from tests.support.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def settings(home: Path, receiver: Receiver) -> Settings:
    """The first home at the time of its forecast."""
    return replace(simulated(home, T0), alert_urls=receiver.alert_url)


class Clock:
    """The machine's clock, which a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(alerts, "utc_now", clock)
    return clock
