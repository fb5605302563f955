"""A client with a scripted service and a simulated machine."""

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
    """Return a function that makes clients of a Service, with the live rate limit unless options say else."""

    def make(service: Service, rate_limit_file: Path | None = None, **options: Any) -> EnergiDataService:
        settings: dict[str, Any] = {
            "now": lambda: NOON,
            "wall": machine.wall,
            "monotonic": machine.monotonic,
            "sleep": machine.sleep,
            "jitter": lambda: 0.5,
        }
        return EnergiDataService(
            transport=httpx.MockTransport(service), rate_limit_file=rate_limit_file, **(settings | options)
        )

    return make
