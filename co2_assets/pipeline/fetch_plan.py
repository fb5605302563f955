"""Plan which windows of a dataset are still to be fetched, from the log of earlier fetches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts import DATASETS, Dataset
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.tables import FETCH_OK
from co2_assets.energidataservice.sources import FIRST_DAYS, earliest_of
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot


def history_left(
    snapshot: Snapshot,
    settings: Settings,
    now: datetime,
    datasets: Sequence[Dataset] = DATASETS,
    *,
    patience: timedelta = timedelta(0),
) -> int:
    """Return how many windows of older history of ``datasets`` are still to be fetched.

    A dataset does not count if its last fetch of history failed less than ``patience`` before ``now``.
    """
    if snapshot.source == SourceKind.ARCHIVE:
        return 0  # the first run reads a recording completely
    left = 0
    for dataset in datasets:
        log = snapshots.query(snapshot, "SELECT * FROM new_data_log WHERE dataset = ?", [dataset.name])
        windows = plan(
            dataset,
            log,
            now=now,
            history_days=settings.history_days,
            first_days=FIRST_DAYS,
            earliest=earliest_of(snapshot.source),
        )
        history = log[log["purpose"] == "history"].sort_values("fetched_at_utc")
        newest = history.iloc[-1:]
        failed = newest.loc[newest["outcome"] != FETCH_OK, "fetched_at_utc"]
        if (now - failed < patience).any():
            continue
        left += sum(window.purpose == "history" for window in windows)
    return left


# A window of history for which the service returned no rows this often is not requested again.
EMPTY_ANSWERS_BELIEVED = 3

# After a fetch that put values into quarantine, the next run fetches this much time again. That is more than
# the overlap of any dataset, so that one bad answer after days without a run leaves no gap.
READ_AGAIN_FOR = timedelta(days=7)


@dataclass(frozen=True)
class FetchWindow:
    """A span of time to fetch, ``start`` inclusive, ``end`` exclusive, naive UTC."""

    start: datetime
    end: datetime
    purpose: str  # "recent" or "history"

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}..{self.end:%Y-%m-%d %H:%M}"


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
    that was empty `EMPTY_ANSWERS_BELIEVED` times is covered as well.
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
    return intervals + [
        (row["window_from_utc"].to_pydatetime(), row["window_to_utc"].to_pydatetime()) for row in believed
    ]


def plan(
    dataset: Dataset,
    log: pd.DataFrame,
    *,
    now: datetime,
    history_days: int,
    first_days: int | None,
    earliest: datetime | None,
    held_until: datetime | None = None,
) -> list[FetchWindow]:
    """Return the windows still to be fetched, newest first, each short enough for one request.

    ``log`` has the dataset's `new_data_log` rows. Windows of the newest ``first_days`` days (None: of all
    days) have the purpose ``recent``, older ones ``history``. Nothing is planned if a fetch at ``now`` or
    later has already read the newest rows.

    ``held_until`` is the time of the newest stored row, if known. Nothing after it counts as covered, so
    that rows are requested again after the service has published nothing new for days, or after a fetch
    under a clock that was ahead.
    """
    # From midnight, so that the oldest window has the same bounds all day and its empty answers are counted.
    begin = (now - timedelta(days=history_days)).replace(hour=0, minute=0, second=0)
    if earliest is not None:
        begin = max(begin, earliest)
    end = now + dataset.reach
    newest_ok = log.loc[(log["outcome"] == FETCH_OK) & (log["purpose"] == "recent"), "fetched_at_utc"].max()
    # A fetch with a time after now was made before the clock was set back: it has not seen the future.
    fetched_at = log["fetched_at_utc"].where(log["fetched_at_utc"] <= now, now)
    covered = covered_by(dataset, log.assign(fetched_at_utc=fetched_at), now)
    if held_until is not None:
        newest_row_end = min(held_until, end) + dataset.step
        covered = [(low, min(high, newest_row_end)) for low, high in covered if low < newest_row_end]
    if pd.notna(newest_ok) and (newest_ok == now or (newest_ok > now and _is_held(dataset, held_until, now))):
        covered.append((now - dataset.overlap, end))
    recent_from = begin if first_days is None else max(begin, now - timedelta(days=first_days))
    windows: list[FetchWindow] = []
    for low, high in subtract((begin, end), covered):
        stop = high
        while stop > low:
            start = max(low, stop - dataset.live_chunk)
            if start < recent_from < stop:
                start = recent_from
            windows.append(FetchWindow(start, stop, "recent" if stop > recent_from else "history"))
            stop = start
    return sorted(windows, key=lambda window: window.end, reverse=True)


def _is_held(dataset: Dataset, held_until: datetime | None, now: datetime) -> bool:
    """Return whether the newest possible row is stored; never true for datasets about the future."""
    if held_until is None:
        return True
    return dataset.reach == timedelta(0) and held_until >= now - dataset.step
