"""Bring a raw table up to date: plan what is missing, ask for it, write it, log it.

The plan is worked out anew each time from what `new_data_log` says was fetched, so a failed, killed
or skipped run leaves a hole that the next one sees and fills.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts import Dataset, split_rows
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.contracts.tables import NEW_DATA_LOG
from co2_assets.energidataservice.errors import ServiceError
from co2_assets.pipeline import Pipeline
from co2_assets.quarantine import keep_apart, take_back
from co2_assets.warehouse.database import Transaction
from co2_assets.warehouse.transaction import VINTAGE, store_rows

# A window of history that came back empty this often is taken to hold nothing.
EMPTY_ANSWERS_BELIEVED = 3
# After an answer of which something was quarantined for the first time, the next run reads this far back
# again, which is further than any dataset's overlap: one bad answer after days away would leave a hole.
READ_AGAIN_FOR = timedelta(days=7)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Window:
    """A stretch of time to ask for, ``start`` inclusive, ``end`` exclusive."""

    start: datetime
    end: datetime
    purpose: str  # recent, or history

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}..{self.end:%Y-%m-%d %H:%M}"


@dataclass
class FetchReport:
    """What one update of a raw table did; ``error`` is the failure that ended it, if any.

    ``is_served`` is false where the source has no such data, so that nothing was asked for.
    """

    windows: list[Window] = field(default_factory=list)
    received: int = 0
    new: int = 0
    changed: int = 0
    quarantined: int = 0
    remaining: int = 0
    error: ServiceError | None = None
    is_served: bool = True

    def sentence(self) -> str:
        """Return the report as one line for a person."""
        if self.error is not None:
            return str(self.error)
        if not self.is_served:
            return "the source has no such data; nothing asked for"
        if not self.windows:
            return "up to date, nothing asked for"
        text = f"{self.received:,} rows received, {self.new:,} new, {self.changed:,} revised"
        if self.quarantined:
            text += f", {self.quarantined:,} values quarantined"
        return text


Interval = tuple[datetime, datetime]


def subtract(wanted: Interval, covered: Sequence[Interval]) -> list[Interval]:
    """Return the parts of ``wanted`` that no interval of ``covered`` holds, in time order."""
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
    """Return what earlier fetches had settled by ``now``, from the dataset's ``new_data_log`` rows.

    A fetch at F settles its window up to F - overlap: what lies later may still come or change, and
    where rows were quarantined so may what lies days before. A window that stayed empty often enough
    counts as settled too.
    """
    intervals: list[Interval] = []
    for row in log[log["outcome"] == "ok"].to_dict("records"):
        # Not by the same run again: at one instant the service gives one answer.
        is_doubtful = row["fetched_at_utc"] < now and row.get("rows_quarantined", 0) > 0
        may_change_for = READ_AGAIN_FOR if is_doubtful else dataset.overlap
        settled_to = min(row["window_to_utc"], row["fetched_at_utc"] - may_change_for)
        if settled_to > row["window_from_utc"]:
            intervals.append((row["window_from_utc"].to_pydatetime(), settled_to.to_pydatetime()))
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
) -> list[Window]:
    """Return the windows still to be fetched, newest first, each no longer than one request's.

    ``log`` holds the dataset's `new_data_log` rows. Windows of the newest ``first_days`` (None:
    all) are ``recent``, older ones ``history``. Nothing is planned when a fetch at ``now`` or later
    has already read the newest rows.

    ``held_until`` is the time of the newest row held, where it is known: whatever a fetch asked
    for, nothing is settled past it. So a dataset that stood still for days, or one read under a
    clock that ran ahead, is asked again for what it did not give.
    """
    # From midnight, so that the oldest window keeps its bounds for a day and may be believed empty.
    begin = (now - timedelta(days=history_days)).replace(hour=0, minute=0, second=0)
    if earliest is not None:
        begin = max(begin, earliest)
    end = now + dataset.reach
    newest_ok = log.loc[(log["outcome"] == "ok") & (log["purpose"] == "recent"), "fetched_at_utc"].max()
    # A fetch stamped later than now was made under a clock since set back: it saw no future.
    fetched_at = log["fetched_at_utc"].where(log["fetched_at_utc"] <= now, now)
    covered = covered_by(dataset, log.assign(fetched_at_utc=fetched_at), now)
    if held_until is not None:
        newest_row_end = min(held_until, end) + dataset.step
        covered = [(low, min(high, newest_row_end)) for low, high in covered if low < newest_row_end]
    if pd.notna(newest_ok) and (newest_ok == now or (newest_ok > now and _is_held(dataset, held_until, now))):
        covered.append((now - dataset.overlap, end))
    recent_from = begin if first_days is None else max(begin, now - timedelta(days=first_days))
    windows: list[Window] = []
    for low, high in subtract((begin, end), covered):
        stop = high
        while stop > low:
            start = max(low, stop - dataset.live_chunk)
            if start < recent_from < stop:
                start = recent_from
            windows.append(Window(start, stop, "recent" if stop > recent_from else "history"))
            stop = start
    return sorted(windows, key=lambda window: window.end, reverse=True)


def _is_held(dataset: Dataset, held_until: datetime | None, now: datetime) -> bool:
    """Whether all there can be at ``now`` is surely held: of what lies ahead that is never sure."""
    if held_until is None:
        return True
    return dataset.reach == timedelta(0) and held_until >= now - dataset.step


def update(
    pipeline: Pipeline, dataset: Dataset, *, deepen: bool = False, progress: Progress = lambda _: None
) -> FetchReport:
    """Fetch what the plan asks for and store it, window by window, each in its own transaction.

    Without ``deepen`` the newest days are brought up to date; with it, older history is fetched as
    far as the pace of the source allows: one request when it is limited, all of it otherwise. A
    ServiceError is logged in `new_data_log` and returned in the report, never raised: the forecast
    must go on without this dataset.
    """
    service = pipeline.service
    if not service.has(dataset):
        return FetchReport(is_served=False)
    log = pipeline.warehouse.read("SELECT * FROM new_data_log WHERE dataset = ?", [dataset.name])
    held = pipeline.warehouse.read(f"SELECT max({dataset.time_column}) AS t FROM {dataset.name}")["t"].iloc[0]
    if pd.isna(held):
        # Whatever was fetched is gone, or was all quarantined: none of it counts.
        log = log[log["outcome"] == "empty"]
    windows = plan(
        dataset,
        log,
        now=pipeline.now,
        history_days=pipeline.history_days,
        first_days=service.first_days,
        earliest=service.earliest,
        held_until=held.to_pydatetime() if pd.notna(held) else None,
    )
    todo = [window for window in windows if (window.purpose == "history") is deepen]
    if not service.unlimited:
        todo = todo[:1]
    report = FetchReport(remaining=len(windows) - len(todo))
    for number, window in enumerate(todo, start=1):
        progress(f"fetching {window} UTC ({number} of {len(todo)})")
        report.windows.append(window)
        if not _fetch_window(pipeline, dataset, window, report):
            report.remaining += len(todo) - number + 1
            break
    return report


def _fetch_window(pipeline: Pipeline, dataset: Dataset, window: Window, report: FetchReport) -> bool:
    """Fetch and store one window; add to ``report``; return whether it went well."""
    started = time.perf_counter()
    try:
        rows = pipeline.service.client.fetch(dataset, window.start, window.end)
    except ServiceError as error:
        report.error = error
        with pipeline.warehouse.open_transaction() as transaction:
            _log(pipeline, dataset, window, started, transaction, outcome=error.outcome, message=str(error))
        return False
    good, bad = split_rows(dataset, rows, now=pipeline.now)
    if VINTAGE in good:
        # The service's clock may run ahead; what we hold was known when we got it.
        good[VINTAGE] = good[VINTAGE].where(good[VINTAGE] <= pipeline.now, pipeline.now)
        good = good.drop_duplicates(subset=list(dataset.table.key), keep="last")
    with pipeline.warehouse.open_transaction() as transaction:
        count = store_rows(dataset, good.assign(fetched_at_utc=pipeline.now), transaction)
        quarantined = keep_apart(bad, pipeline.now, transaction)
        if dataset in MEASUREMENTS:
            take_back(dataset, [row for row in bad if row.is_stuck], transaction)
        _log(
            pipeline,
            dataset,
            window,
            started,
            transaction,
            outcome="ok",
            rows_received=len(rows),
            rows_new=count.new,
            rows_changed=count.changed,
            rows_quarantined=quarantined,
        )
    report.received += len(rows)
    report.new += count.new
    report.changed += count.changed
    report.quarantined += quarantined
    return True


def _log(
    pipeline: Pipeline,
    dataset: Dataset,
    window: Window,
    started: float,
    transaction: Transaction,
    *,
    outcome: str,
    message: str | None = None,
    rows_received: int = 0,
    rows_new: int = 0,
    rows_changed: int = 0,
    rows_quarantined: int = 0,
) -> None:
    row = {
        "dataset": dataset.name,
        "fetched_at_utc": pipeline.now,
        "window_from_utc": window.start,
        "window_to_utc": window.end,
        "purpose": window.purpose,
        "outcome": outcome,
        "rows_received": rows_received,
        "rows_new": rows_new,
        "rows_changed": rows_changed,
        "rows_quarantined": rows_quarantined,
        "duration_s": round(time.perf_counter() - started, 3),
        "message": message,
    }
    transaction.upsert(NEW_DATA_LOG, pd.DataFrame([row]))
