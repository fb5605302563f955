"""A short time-lapse under faults: the long one is `make soak`."""

import subprocess
import sys
from pathlib import Path


def test_a_day_under_faults_breaks_nothing(archive_dir: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "bench.soak",
        "--days",
        "1",
        "--seed",
        "3",
        "--archive",
        str(archive_dir),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BROKEN" not in done.stdout
    assert "kill -9" in done.stdout
    assert "two runs at once" in done.stdout
