"""What is kept of a snapshot: so much and no more, and nobody waits for what another asks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import pytest

from co2_assets.warehouse.paths import Home
from co2_dash.api.cached_response import MOST_BYTES_KEPT
from co2_dash.data import queries
from co2_dash.data import snapshot_store as store
from co2_dash.data.snapshot_store import SnapshotStore, View
from co2_dash.settings import Settings
from tests.support import snapshot_data
from tests.support.pages_server import now, serving

HISTORY = "/api/v1/carbon-intensity/history"
# Nothing here takes this long; it only keeps a fault from hanging the tests.
LONG_S = 30


@pytest.fixture
def empty(tmp_path: Path) -> View:
    home = Home(tmp_path)
    snapshot_data.publish_empty(home)
    found = SnapshotStore(Settings(home, source="live")).view()
    assert found is not None
    return found


def test_what_is_remembered_is_bounded_in_bytes(empty: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_REMEMBERED_BYTES", 100_000)
    empty = View(empty.snapshot)
    for number in range(50):
        empty.remember(number, lambda: b"x" * 9_000)
        # What is asked for again stays.
        empty.remember(0, lambda: b"made anew")
        assert empty.remembered_bytes <= 100_000
    assert empty.remembered(0) == b"x" * 9_000
    assert empty.remembered(49) is not None
    assert empty.remembered(1) is None


def test_what_is_remembered_is_bounded_in_number(empty: View) -> None:
    for number in range(3 * store.MOST_REMEMBERED):
        empty.remember(number, lambda: None)
    kept = [number for number in range(3 * store.MOST_REMEMBERED) if number in empty._kept]
    assert kept == list(range(2 * store.MOST_REMEMBERED, 3 * store.MOST_REMEMBERED))


def test_what_is_large_is_made_again(empty: View) -> None:
    made = [empty.remember("large", lambda: b"x" * 2_000, 1_500) for _ in range(2)]
    assert made[0] == made[1] == b"x" * 2_000
    assert empty.remembered("large") is None
    assert empty.remembered_bytes == 0


def test_nobody_waits_for_the_build_of_another(empty: View) -> None:
    begun, end = threading.Event(), threading.Event()

    def slow() -> bytes:
        begun.set()
        assert end.wait(LONG_S)
        return b"slow"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(empty.remember, "slow", slow)
        assert begun.wait(LONG_S)
        assert empty.remember("quick", lambda: b"quick") == b"quick"
        assert empty.frame("SELECT 1 AS one")["one"].tolist() == [1]
        # The same is built once, and handed to both.
        second = pool.submit(empty.remember, "slow", lambda: b"another")
        end.set()
        assert first.result(LONG_S) == b"slow"
        assert second.result(LONG_S) == b"slow"


def test_a_build_that_fails_is_tried_again(empty: View) -> None:
    def fail() -> bytes:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError, match="not now"):
        empty.remember("key", fail)
    assert empty.remember("key", lambda: b"now") == b"now"


def test_queries_of_many_threads_come_out_right(view: View) -> None:
    def ask(number: int) -> int:
        return int(view.frame("SELECT count(*) + ? AS n FROM aggregated_data", [number])["n"].iloc[0])

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(ask, range(64)))
    assert [count - number for number, count in enumerate(counts)] == [counts[0]] * 64


def test_long_histories_leave_nothing_behind(
    tmp_path: Path, archive_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)
    opened: list[View] = []
    monkeypatch.setattr(store, "View", lambda snapshot: opened.append(View(snapshot)) or opened[-1])
    settings = Settings(home, source="live", requests_per_minute=100_000)
    with serving(settings, now) as address, httpx.Client(base_url=address, timeout=30) as client:
        asked_for = {"start": "2024-03-18T12:00:00Z", "end": "2024-06-01T12:00:00Z"}
        first = client.get(HISTORY, params=asked_for)
        assert len(first.content) > MOST_BYTES_KEPT
        sizes = [len(value) for value in opened[0]._kept.values() if isinstance(value, bytes)]
        assert max(sizes, default=0) <= MOST_BYTES_KEPT
        # It is still answered alike, and not sent twice.
        assert client.get(HISTORY, params=asked_for).content == first.content
        again = client.get(HISTORY, params=asked_for, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304


def test_a_short_answer_does_not_wait_for_a_long_one(
    tmp_path: Path, archive_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    snapshot_data.publish(home, archive_dir)
    begun, end = threading.Event(), threading.Event()
    measured = queries.measured

    def slowly(view: View, area: str, start: datetime, stop: datetime) -> pd.DataFrame:
        if stop - start > timedelta(days=30):
            begun.set()
            assert end.wait(LONG_S)
        return measured(view, area, start, stop)

    monkeypatch.setattr(queries, "measured", slowly)
    settings = Settings(home, source="live")
    with (
        serving(settings, now) as address,
        httpx.Client(base_url=address, timeout=LONG_S) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        long = pool.submit(client.get, HISTORY, params={"start": "2024-04-01T00:00:00Z"})
        assert begun.wait(LONG_S)
        assert client.get("/api/last-24h-emissions").status_code == 200
        assert client.get("/healthz").status_code == 200
        assert not long.done()
        end.set()
        assert long.result(LONG_S).status_code == 200
