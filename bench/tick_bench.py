"""Seconds and memory of a first run and of the next one: ``python -m bench.tick_bench``.

Runs `co2 tick` on recorded data in an empty home, then six hours later, then again at the same instant.
Each run is a new process, and its start-up is included. The first two numbers compare the set-up of a new
home with a usual six-hour run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARCHIVE = Path(os.environ.get("CO2_ARCHIVE", Path(__file__).resolve().parents[2] / "shared" / "archive"))
FIRST, NEXT = "2024-06-01T00:00Z", "2024-06-01T06:00Z"
AIMS = {"first run": (240, 2500), "six hours later": (20, 2500), "repeated": (20, 2500)}


def tick(source: str, as_of: str, home: Path) -> tuple[float, float]:
    """Return the wall-clock seconds and peak megabytes of one `co2 tick`; exits if it fails."""
    command = [sys.executable, "-m", "co2_assets", "tick", "--source", source]
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [*command, "--as-of", as_of, "--home", str(home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None  # noqa: S101
    messages = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"co2 tick failed:\n{messages}")
    return time.perf_counter() - started, usage.ru_maxrss / 2**10


def main() -> None:
    """Print one line for each run, with its aim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--source", default=f"archive:{ARCHIVE}", help="where the data come from")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'co2 tick':18}{'seconds':>10}{'aim':>8}{'peak MB':>10}{'aim':>8}")
        for name, as_of in zip(AIMS, (FIRST, NEXT, NEXT), strict=True):
            seconds, megabytes = tick(arguments.source, as_of, Path(folder))
            aim_s, aim_mb = AIMS[name]
            print(f"{name:18}{seconds:10.1f}{aim_s:8d}{megabytes:10.0f}{aim_mb:8d}", flush=True)


if __name__ == "__main__":
    main()
