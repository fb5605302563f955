"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from co2_assets.pipeline.quiet_exit import silence_library_reports

pytest_plugins = ["tests.support.homes"]
# How long a case takes says more about the machine than about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# pytest's closing line is the last word of a run.
silence_library_reports()

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def archive_dir() -> Path:
    """Folder of the recorded Danish data; a failure in CI when it is missing, else a skip."""
    if os.environ.get("CO2_ARCHIVE") == "none":
        pytest.skip("tests on recorded data are switched off (CO2_ARCHIVE=none)")
    folder = Path(os.environ.get("CO2_ARCHIVE", REPOSITORY.parent / "shared" / "archive"))
    if not (folder / "PowerSystemRightNow_hourly.parquet").exists():
        message = f"the recorded data are not at {folder}: set CO2_ARCHIVE to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
