"""Take pictures of the pages: ``python -m bench.screenshots --home DIR --source archive --out docs/images``.

Serves what was last published under the home folder and photographs each page on a desktop, on a
phone 375 pixels wide, and in the dark theme. Needs playwright and Chromium: CO2_CHROMIUM is its path.
Unless that is set, chromium-headless-shell is used where it is installed: the same pages without a
browser's windows take two thirds of the processor time.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

PAGES = {"forecast": "/", "emissions": "/emissions", "predictions": "/predictions", "models": "/models"}
LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 375, "height": 812},
        "color_scheme": "light",
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}
CHROMIUM = os.environ.get("CO2_CHROMIUM") or shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str) -> bool:
    """Tell whether the server of the pages answers."""
    try:
        return httpx.get(f"{address}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


@contextmanager
def served(home: Path, source: str, **environment: str) -> Iterator[str]:
    """Serve the pages in another process until the block ends; yield their address."""
    port = free_port()
    command = [sys.executable, "-m", "co2_dash", "--port", str(port)]
    command += ["--home", str(home), "--source", source]
    process = subprocess.Popen(command, env={**os.environ, **environment})  # noqa: S603 -- our own command
    address = f"http://127.0.0.1:{port}"
    try:
        while not answers(address):
            if process.poll() is not None:
                raise RuntimeError(f"the pages ended at once, with status {process.returncode}")
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=15)


def settled(page: Page) -> None:
    """Wait until every chart is drawn or replaced by a text, and every open table has its rows."""
    page.wait_for_function(
        """() => {
            const sections = [...document.querySelectorAll('main section')];
            const charts = sections.map(s => s.querySelector('.chart')).filter(c => c);
            const open = sections.filter(s => s.querySelector('[id*="table-button"]'))
                .filter(s => s.querySelector('[aria-expanded="true"]')
                    || !(s.querySelector('.chart') || s.classList.contains('closed')));
            return document.querySelector('main h1')
                && charts.every(c => !c.ariaLabel.endsWith(': loading'))
                && charts.every(c => c.hidden || c.querySelector('.main-svg'))
                && open.every(s => s.querySelector('.table .ag-row, .table p'));
        }"""
    )


def photograph(browser: Browser, address: str, folder: Path, area: str) -> list[Path]:
    """Photograph every page of an area in every look; return the files."""
    taken = []
    for look, options in LOOKS.items():
        context = browser.new_context(**options, reduced_motion="reduce", locale="en-GB")
        page = context.new_page()
        for name, path in PAGES.items():
            page.goto(f"{address}{path}?area={area}")
            settled(page)
            file = folder / f"{name}-{look}.png"
            # On a phone what matters is the first screen.
            page.screenshot(path=file, full_page=look != "phone")
            taken.append(file)
        context.close()
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("CO2_HOME", "data")))
    parser.add_argument("--source", default=os.environ.get("CO2_SOURCE", "auto"))
    parser.add_argument("--area", default="DK", help="DK, DK1 or DK2")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with served(given.home, given.source) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        for file in photograph(browser, address, given.out, given.area):
            print(file)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
