"""A client whose service and machine a test plays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from co2_assets.energidataservice.client import EnergiDataService
from tests.support.scripted_service import NOON, Machine, Service


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def make_client(machine: Machine) -> Callable[..., EnergiDataService]:
    """Return a maker of clients on a Service, paced as the live one unless told otherwise."""

    def make(service: Service, pace_file: Path | None = None, **options: Any) -> EnergiDataService:
        settings: dict[str, Any] = {
            "now": lambda: NOON,
            "wall": machine.wall,
            "monotonic": machine.monotonic,
            "sleep": machine.sleep,
            "jitter": lambda: 0.5,
        }
        return EnergiDataService(
            transport=httpx.MockTransport(service), pace_file=pace_file, **(settings | options)
        )

    return make
