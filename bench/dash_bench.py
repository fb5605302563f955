"""Measure the pages: ``python -m bench.dash_bench [--home DIR --source LABEL]``; prints one row a line.

On a slow line (1.6 Mbit/s, 300 ms), when the answer, the sketch of the forecast and the chart are there.
First contentful paint and bytes over the wire of the home page (plotly.js apart), on a first and on a
second visit; and how long the forecast endpoint takes under 16 parallel clients while snapshots are
published. Without a home it makes one from the recorded archive (CO2_ARCHIVE).
"""

import argparse
import http.client
import os
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from bench.screenshots import CHROMIUM, CHROMIUM_FLAGS, served, settled
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home

REPOSITORY = Path(__file__).resolve().parent.parent
CLIENTS = 16
REQUESTS_PER_CLIENT = 400
PUBLISH_EVERY_S = 1.0
ENDPOINT = "/api/v1/carbon-intensity/forecast"
PLOTLY = "plotly.min.js"
SLOW_LINE = {
    "offline": False,
    "latency": 300,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}
# In the order in which they come.
SLOW_PARTS = {
    "the answer": ".first .big-number",
    "the sketch of the forecast": ".first .sketch",
    "the page": "#now .big-number",
    "the chart": ".chart .scatterlayer .trace",
}


@dataclass(frozen=True)
class Visit:
    """One load of the home page: seconds to the first paint, bytes over the wire."""

    first_paint_s: float
    kilobytes: float
    plotly_kilobytes: float


def visit(page: Page, address: str) -> Visit:
    """Load the home page until its chart stands."""
    wire: dict[str, float] = {}
    names: dict[str, str] = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.responseReceived", lambda e: names.update({e["requestId"]: e["response"]["url"]}))
    session.on("Network.loadingFinished", lambda e: wire.update({e["requestId"]: e["encodedDataLength"]}))
    page.goto(address)
    settled(page)
    paint_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    plotly = sum(size for request, size in wire.items() if PLOTLY in names.get(request, ""))
    session.detach()
    return Visit(paint_ms / 1000, (sum(wire.values()) - plotly) / 1000, plotly / 1000)


def measure_page(browser: Browser, address: str, visits: int = 5) -> None:
    """Print the rows of first visits (nothing cached) and of second ones."""
    first, second = [], []
    for _ in range(visits):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        first.append(visit(page, address))
        second.append(visit(page, address))
        context.close()
    for name, taken in (("first visit", first), ("second visit", second)):
        paint = statistics.median(v.first_paint_s for v in taken)
        size = statistics.median(v.kilobytes for v in taken)
        plotly = statistics.median(v.plotly_kilobytes for v in taken)
        print(f"home page, {name}: first contentful paint {paint:.2f} s (median of {visits})")
        print(f"home page, {name}: {size:,.0f} kB over the wire, besides {plotly:,.0f} kB of plotly.js")


def measure_slow_line(browser: Browser, address: str) -> None:
    """Print when each part of the home page is there, on a phone with a slow line and nothing cached."""
    context = browser.new_context(viewport={"width": 375, "height": 812}, is_mobile=True, has_touch=True)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_LINE)
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    for name, selector in SLOW_PARTS.items():
        page.wait_for_selector(selector, timeout=60_000)
        print(f"home page, 1.6 Mbit/s and 300 ms: {name} after {time.perf_counter() - started:.1f} s")
    context.close()


def ask_many(port: int) -> tuple[list[float], int]:
    """Ask one after another over one connection; return seconds of each answer and number of errors.

    The plainest client there is: it shares the two cores with the server that it measures.
    """
    seconds, errors = [], 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(REQUESTS_PER_CLIENT):
        started = time.perf_counter()
        connection.request("GET", ENDPOINT, headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        response.read()
        seconds.append(time.perf_counter() - started)
        errors += response.status != httpx.codes.OK
    connection.close()
    return seconds, errors


def publish_on(home: Home, source: str, stop: threading.Event) -> int:
    """Publish the same warehouse again and again until told to stop; return how often."""
    folder, times = home.source(source), 0
    warehouse = Warehouse(folder.database, source)
    newest = snapshots.current(folder.snapshots)
    as_of = newest.as_of_utc if newest else datetime.now(UTC).replace(tzinfo=None)
    while not stop.wait(PUBLISH_EVERY_S):
        now = datetime.now(UTC).replace(tzinfo=None)
        snapshots.publish(warehouse, folder.snapshots, as_of_utc=as_of, published_at_utc=now)
        times += 1
    return times


def measure_api(address: str, home: Home, source: str) -> int:
    """Print the rows of the endpoint under load; return the number of errors."""
    httpx.get(address + ENDPOINT, timeout=30, trust_env=False).raise_for_status()
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        publisher = pool.submit(publish_on, home, source, stop)
        started = time.perf_counter()
        port = httpx.URL(address).port or 80
        clients = [pool.submit(ask_many, port) for _ in range(CLIENTS)]
        answers = [client.result() for client in clients]
        took = time.perf_counter() - started
        stop.set()
        published = publisher.result()
    seconds = sorted(second for taken, _ in answers for second in taken)
    errors = sum(count for _, count in answers)
    p50, p95, p99 = (1000 * seconds[int(len(seconds) * share)] for share in (0.50, 0.95, 0.99))
    print(
        f"GET {ENDPOINT}, {CLIENTS} clients, {published} publications meanwhile: "
        f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {len(seconds) / took:,.0f} a second, "
        f"{errors} errors in {len(seconds):,}"
    )
    return errors


def made_from_archive(root: Path) -> tuple[Home, str]:
    """Return a home with a snapshot made of the recorded archive, as the tests make theirs."""
    from tests.support import snapshot_data

    archive = Path(os.environ.get("CO2_ARCHIVE", REPOSITORY.parent / "shared" / "archive"))
    home = Home(root)
    snapshot_data.publish(
        home, archive, source="archive", published_at=datetime.now(UTC).replace(tzinfo=None)
    )
    return home, "archive"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home with a published snapshot; it is published anew")
    parser.add_argument("--source", default="archive", help="live, archive or simulator")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, source = (Home(given.home), given.source) if given.home else made_from_archive(Path(folder))
        limit = {"CO2_API_REQUESTS_PER_MINUTE": "10000000", "CO2_API_KEYS": ""}
        with served(home.root, source, **limit) as address:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
                measure_page(browser, address)
                measure_slow_line(browser, address)
                browser.close()
            errors = measure_api(address, home, source)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
