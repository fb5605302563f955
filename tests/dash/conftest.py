"""Published snapshots, applications over them, and one browser for all."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from bench.screenshots import CHROMIUM, CHROMIUM_FLAGS
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.warehouse.paths import Home
from co2_dash.data.snapshot_store import SnapshotStore, View
from co2_dash.settings import Settings
from tests.support import snapshot_data
from tests.support.made_once import made_once
from tests.support.pages_server import now, serving

# A page that does not draw never will; a slow machine may take its time.
expect.set_options(timeout=30_000)
MakeClient = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Home:
    """A home with a live snapshot of 1 June 2024, 13:20 UTC. Not to be written to."""

    def make(folder: Path) -> None:
        snapshot_data.publish(Home(folder), archive_dir)

    return Home(made_once(tmp_path_factory, "published-home", make))


@pytest.fixture(scope="session")
def published_far(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Home:
    """The same as ``published``, with forecasts that reach as far as they can. Not to be written to."""

    def make(folder: Path) -> None:
        snapshot_data.publish(Home(folder), archive_dir, reach=HORIZON_HOURS)

    return Home(made_once(tmp_path_factory, "far-home", make))


@pytest.fixture(scope="session")
def far_view(published_far: Home) -> View:
    """The view of the snapshot in ``published_far``."""
    found = SnapshotStore(Settings(published_far, source="live")).view()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def view(published: Home) -> View:
    """The view of the snapshot in ``published``."""
    found = SnapshotStore(Settings(published, source="live")).view()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def shared(published: Home) -> Iterator[httpx.Client]:
    """A client of the published home under ordinary settings, for all tests that change nothing."""
    settings = Settings(published, source="live", requests_per_minute=100_000)
    with serving(settings, now) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture
def asked(published: Home, shared: httpx.Client) -> Iterator[MakeClient]:
    """Give clients: the shared one, or one of another home, clock or settings given as keywords."""
    with ExitStack() as stack:

        def ask(home: Home = published, clock: Callable[[], datetime] = now, **settings: Any) -> httpx.Client:
            if home is published and clock is now and not settings:
                return shared
            chosen = Settings(home, **{"source": "live", "requests_per_minute": 100_000, **settings})
            address = stack.enter_context(serving(chosen, clock))
            return stack.enter_context(httpx.Client(base_url=address, timeout=30))

        yield ask


# By module and not by session: while it lives, playwright's event loop runs in this thread, and
# other tests of the process could not run their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium; in CI it must be there, elsewhere its absence skips."""
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        except Error as error:
            message = f"no browser at {CHROMIUM} (CO2_CHROMIUM names another): {error}"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        yield chromium
        chromium.close()
