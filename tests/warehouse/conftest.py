"""A warehouse in a folder of its own."""

import shutil
from pathlib import Path

import pytest

from co2_assets.warehouse.database import Warehouse


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse file as its first use makes it; to copy, for making one takes a while."""
    path = tmp_path_factory.mktemp("empty") / "warehouse.duckdb"
    Warehouse(path, "simulator").read("SELECT 1")
    return path


@pytest.fixture
def warehouse(tmp_path: Path, empty_file: Path) -> Warehouse:
    """A warehouse with empty tables."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copy(empty_file, path)
    return Warehouse(path, "simulator", lock_timeout_s=10)


@pytest.fixture
def unmade(tmp_path: Path) -> Warehouse:
    """A warehouse whose file nobody has made yet."""
    return Warehouse(tmp_path / "unmade" / "warehouse.duckdb", "simulator", lock_timeout_s=10)
