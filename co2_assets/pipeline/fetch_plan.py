"""Plan which windows of a dataset are still to be fetched, from the log of earlier fetches."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts import DATASETS, Dataset, ServiceName
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.tables import FETCH_OK
from co2_assets.http_service.errors import Incomplete
from co2_assets.pipeline.sources import FIRST_DAYS, earliest_of
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot

# A window of history for which the service returned no rows, or rows with the same gap, this often is not
# requested again.
EMPTY_ANSWERS_BELIEVED = 3

# After a fetch that put values into quarantine, the next run fetches this much time again. That is more than
# the overlap of any dataset, so that one bad answer after days without a run leaves no gap.
READ_AGAIN_FOR = timedelta(days=7)

# What is missing is asked for again for this long.
LATE_FOR = timedelta(days=7)

# The outcomes of a fetch that may go well if it asks for less.
TOO_MUCH = frozenset({"timed_out", "server_fault", "too_large", "truncated", "bad_answer"})

# The longest window doubles with each of these that passes without such an outcome.
GROWS_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class FetchWindow:
    """A span of time to fetch, ``start`` inclusive, ``end`` exclusive, naive UTC."""

    start: datetime
    end: datetime
    purpose: str  # "recent" or "history"

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}..{self.end:%Y-%m-%d %H:%M}"


def history_left(
    snapshot: Snapshot,
    settings: Settings,
    now: datetime,
    datasets: Sequence[Dataset] = DATASETS,
    *,
    patience: timedelta = timedelta(0),
) -> int:
    """Return how many windows of ``datasets`` are still to be fetched by deepening.

    The windows of an endpoint do not count if its last such fetch failed less than ``patience`` before
    ``now``, except where the next window is shorter than the one that was too long.
    """
    if snapshot.source == SourceKind.ARCHIVE:
        return 0  # the first run reads a recording completely
    left = 0
    for dataset in datasets:
        if dataset.service is ServiceName.OPEN_METEO and not settings.weather.wanted:
            continue
        log = snapshots.query(snapshot, "SELECT * FROM new_data_log WHERE dataset = ?", [dataset.name])
        longest = longest_window(dataset, log, now)
        windows = plan(
            dataset,
            log,
            now=now,
            history_days=settings.history_days,
            first_days=FIRST_DAYS,
            earliest=earliest_of(snapshot.source, dataset),
            longest=longest,
        )
        is_limited = snapshot.source == SourceKind.LIVE
        waiting = _waiting(dataset, log, now, patience, longest)
        left += sum(
            dataset.endpoint_at(window.start).dataset not in waiting
            for window in windows
            if is_for_deepening(window, now, is_limited=is_limited)
        )
    return left


def is_for_deepening(window: FetchWindow, now: datetime, *, is_limited: bool) -> bool:
    """Return whether deepening fetches the window, rather than a run that fetches the newest rows.

    If the source limits the rate of requests, such a run fetches one window only, and deepening fetches what
    is missing behind it.
    """
    return window.purpose == "history" or (is_limited and window.end < now)


def _waiting(
    dataset: Dataset, log: pd.DataFrame, now: datetime, patience: timedelta, longest: timedelta
) -> set[str]:
    """Return the endpoints whose last fetch behind the newest rows failed less than ``patience`` ago.

    One failure among several fetches at the same time counts.
    """
    is_behind = (log["purpose"] == "history") | (log["window_to_utc"] < log["fetched_at_utc"])
    waiting: set[str] = set()
    behind = log[is_behind].assign(
        endpoint=[dataset.endpoint_at(at).dataset for at in log.loc[is_behind, "window_from_utc"]]
    )
    newest = behind.groupby("endpoint")["fetched_at_utc"].transform("max")
    for row in behind[behind["fetched_at_utc"] == newest].to_dict("records"):
        size = row["window_to_utc"] - row["window_from_utc"]
        was_too_long = row["outcome"] in TOO_MUCH and size > longest
        waits = row["outcome"] != FETCH_OK and not was_too_long and now - row["fetched_at_utc"] < patience
        if waits:
            waiting.add(row["endpoint"])
    return waiting


Interval = tuple[datetime, datetime]


def subtract(wanted: Interval, covered: Sequence[Interval]) -> list[Interval]:
    """Return the parts of ``wanted`` that are in no interval of ``covered``, in time order."""
    missing: list[Interval] = []
    start, end = wanted
    for low, high in sorted(covered):
        if low > start:
            missing.append((start, min(low, end)))
        start = max(start, high)
        if start >= end:
            break
    if start < end:
        missing.append((start, end))
    return [(low, high) for low, high in missing if low < high]


def covered_by(dataset: Dataset, log: pd.DataFrame, now: datetime) -> list[Interval]:
    """Return the intervals that need no other fetch at ``now``, from the dataset's ``new_data_log`` rows.

    A fetch at time F covers its window up to F - overlap, because later rows may still arrive or change.
    If the fetch put rows into quarantine, it covers its window only up to F - `READ_AGAIN_FOR`. A window
    that was empty `EMPTY_ANSWERS_BELIEVED` times is covered as well, and so is the time that was fetched as
    often without some of its series.
    """
    intervals: list[Interval] = []
    for row in log[log["outcome"] == FETCH_OK].to_dict("records"):
        # Only later runs fetch it again: at the same instant the answer would be the same.
        is_doubtful = row["fetched_at_utc"] < now and row.get("rows_quarantined", 0) > 0
        may_change_for = READ_AGAIN_FOR if is_doubtful else dataset.overlap
        covered_to = min(row["window_to_utc"], row["fetched_at_utc"] - may_change_for)
        if covered_to > row["window_from_utc"]:
            intervals.append((row["window_from_utc"].to_pydatetime(), covered_to.to_pydatetime()))
    empty = (
        log[log["outcome"] == "empty"].groupby(["window_from_utc", "window_to_utc"], as_index=False).size()
    )
    believed = empty[empty["size"] >= EMPTY_ANSWERS_BELIEVED].to_dict("records")
    intervals += [
        (row["window_from_utc"].to_pydatetime(), row["window_to_utc"].to_pydatetime()) for row in believed
    ]
    return intervals + _fetched_often(log[log["outcome"] == Incomplete.outcome], dataset.overlap)


def _fetched_often(log: pd.DataFrame, overlap: timedelta) -> list[Interval]:
    """Return the intervals that are in the windows of `EMPTY_ANSWERS_BELIEVED` of these fetches."""
    windows = [
        (
            row["window_from_utc"].to_pydatetime(),
            min(row["window_to_utc"], row["fetched_at_utc"] - overlap).to_pydatetime(),
        )
        for row in log.to_dict("records")
    ]
    edges = sorted({edge for window in windows for edge in window})
    return [
        (low, high)
        for low, high in itertools.pairwise(edges)
        if sum(start <= low and high <= end for start, end in windows) >= EMPTY_ANSWERS_BELIEVED
    ]


def shortest_window(dataset: Dataset) -> timedelta:
    """Return a window that holds the newest rows of a run each day, and something that is already out."""
    return dataset.overlap + dataset.reach + timedelta(days=1)


def longest_window(dataset: Dataset, log: pd.DataFrame, now: datetime) -> timedelta:
    """Return the longest window to ask for at ``now``, from the dataset's `new_data_log` rows.

    A window that was too much for the service halves it, down to `shortest_window`. Then it doubles each
    day, up to the dataset's ``live_chunk``.
    """
    shortest = shortest_window(dataset)
    longest, since = dataset.live_chunk, now
    sizes = log["window_to_utc"] - log["window_from_utc"]
    # A shorter window failed for another reason.
    failures = log[log["outcome"].isin(TOO_MUCH) & (sizes > shortest)].sort_values("fetched_at_utc")
    for row in failures.to_dict("records"):
        at = min(row["fetched_at_utc"].to_pydatetime(), now)
        size = (row["window_to_utc"] - row["window_from_utc"]).to_pytimedelta()
        half = min(size, _grown(dataset, longest, at - since)) / 2
        longest = max(shortest, timedelta(hours=half // timedelta(hours=1)))
        since = at
    return _grown(dataset, longest, now - since)


def _grown(dataset: Dataset, longest: timedelta, passed: timedelta) -> timedelta:
    doublings: int = min(max(passed // GROWS_AFTER, 0), 16)
    return min(dataset.live_chunk, longest * 2.0**doublings)


def revisions_due(
    dataset: Dataset, log: pd.DataFrame, now: datetime, span: timedelta, earliest: datetime | None
) -> bool:
    """Return whether no fetch of the last day has read the last ``span`` again."""
    fetched_at = log["fetched_at_utc"].where(log["fetched_at_utc"] <= now, now)
    first = fetched_at - span
    if earliest is not None:
        first = first.where(first > earliest, pd.Timestamp(earliest))
    has_read = (
        (log["outcome"] == FETCH_OK)
        & (fetched_at > now - timedelta(days=1))
        & (log["window_from_utc"] <= first)
        & (log["window_to_utc"] >= fetched_at)
    )
    return bool(dataset.revised_for) and not has_read.any()


def plan(
    dataset: Dataset,
    log: pd.DataFrame,
    *,
    now: datetime,
    history_days: int,
    first_days: int | None,
    earliest: datetime | None,
    held_until: datetime | None = None,
    again_from: datetime | None = None,
    longest: timedelta | None = None,
    latest: datetime | None = None,
) -> list[FetchWindow]:
    """Return the windows still to be fetched, newest first, each for one request to one endpoint.

    No window is longer than ``longest``; by default that is the dataset's ``live_chunk``.

    ``log`` has the dataset's `new_data_log` rows. Windows of the newest ``first_days`` days (None: of all
    days) have the purpose ``recent``, older ones ``history``. Nothing is planned if a fetch at ``now`` or
    later has already read the newest rows.

    ``held_until`` is the time of the newest stored row, if known. Nothing after it counts as covered, so
    that rows are requested again after the service has published nothing new for days, or after a fetch
    under a clock that was ahead. All from ``again_from`` on is requested again, too, unless the newest rows
    were read at ``now``. Nothing from ``latest`` on is requested, where the source's data end there.
    """
    # From midnight, so that the oldest window has the same bounds all day and its empty answers are counted.
    begin = (now - timedelta(days=history_days)).replace(hour=0, minute=0, second=0)
    begin = max(begin, dataset.begins, earliest or dataset.begins)
    end = now + dataset.reach
    end = min(end, latest or end)
    newest_ok = _newest_read(log, latest)
    # A fetch with a time after now was made before the clock was set back: it has not seen the future.
    fetched_at = log["fetched_at_utc"].where(log["fetched_at_utc"] <= now, now)
    covered = covered_by(dataset, log.assign(fetched_at_utc=fetched_at), now)
    if held_until is not None:
        newest_row_end = min(held_until, end) + dataset.step
        covered = [(low, min(high, newest_row_end)) for low, high in covered if low < newest_row_end]
    if pd.notna(newest_ok) and (newest_ok == now or (newest_ok > now and _is_held(dataset, held_until, now))):
        covered.append((now - dataset.overlap, end))
    elif again_from is not None:
        covered = [(low, min(high, again_from)) for low, high in covered if low < again_from]
    recent_from = begin if first_days is None else max(begin, now - timedelta(days=first_days))
    longest = longest or dataset.live_chunk
    windows: list[FetchWindow] = []
    for low, high in _cut_at_endpoints(dataset, subtract((begin, end), covered), now):
        stop = high
        while stop > low:
            start = max(low, stop - longest)
            if start < recent_from < stop:
                start = recent_from
            windows.append(FetchWindow(start, stop, "recent" if stop > recent_from else "history"))
            stop = start
    return sorted(windows, key=lambda window: window.end, reverse=True)


def _newest_read(log: pd.DataFrame, latest: datetime | None) -> pd.Timestamp:
    """Return when the newest rows, up to ``latest``, were last read; not a time if never."""
    newest_end = log["fetched_at_utc"]
    if latest is not None:
        newest_end = newest_end.where(newest_end < latest, pd.Timestamp(latest))
    is_newest = (log["purpose"] == "recent") & (log["window_to_utc"] >= newest_end)
    newest: pd.Timestamp = log.loc[(log["outcome"] == FETCH_OK) & is_newest, "fetched_at_utc"].max()
    return newest


def _cut_at_endpoints(dataset: Dataset, parts: Sequence[Interval], now: datetime) -> list[Interval]:
    """Cut where one endpoint ends and the next begins: then the error of one does not cost the other.

    A cut in the future would make a window without any row yet.
    """
    cuts = [endpoint.first for endpoint in dataset.endpoints if endpoint.first and endpoint.first <= now]
    pieces: list[Interval] = []
    for low, high in parts:
        bounds = [low, *(cut for cut in cuts if low < cut < high), high]
        pieces += itertools.pairwise(bounds)
    return pieces


def _is_held(dataset: Dataset, held_until: datetime | None, now: datetime) -> bool:
    """Return whether the newest possible row is stored; never true for datasets about the future."""
    if held_until is None:
        return True
    return dataset.reach == timedelta(0) and held_until >= now - dataset.step
