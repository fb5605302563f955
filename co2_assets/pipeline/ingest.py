"""Bring a raw table up to date: plan the windows to fetch, fetch them, store the rows, log the fetch.

The plan is computed from `new_data_log` in each run. So a fetch that failed, or a run that was killed or
skipped, leaves a gap that the next run finds and fills.
"""

import time
from dataclasses import dataclass, field

import pandas as pd

from co2_assets.contracts import VINTAGE, Dataset, split_rows
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.contracts.tables import FETCH_OK, NEW_DATA_LOG
from co2_assets.energidataservice.errors import ServiceError
from co2_assets.pipeline.fetch_plan import FetchWindow, plan
from co2_assets.pipeline.progress import Progress
from co2_assets.pipeline.quarantine import quarantine_rows, remove_stuck
from co2_assets.pipeline.run import Run
from co2_assets.warehouse.transaction import Transaction, store_rows


@dataclass
class FetchReport:
    """The result of one update of a raw table; ``error`` is the failure that ended it, if there was one.

    ``is_served`` is false if the source does not have the dataset, so that nothing was requested.
    """

    windows: list[FetchWindow] = field(default_factory=list)
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
            return "the source does not have this dataset; nothing was requested"
        if not self.windows:
            return "up to date; nothing was requested"
        text = f"{self.received:,} rows received, {self.new:,} new, {self.changed:,} revised"
        if self.quarantined:
            text += f", {self.quarantined:,} values quarantined"
        return text


def update(
    run: Run, dataset: Dataset, *, deepen: bool = False, progress: Progress = lambda _: None
) -> FetchReport:
    """Fetch the planned windows and store each one in its own transaction.

    Without ``deepen`` the newest days are brought up to date; with it, older history is fetched: one window
    if the source limits the rate of requests, else all windows. ``progress`` gets a line before each
    window. A ServiceError is logged in `new_data_log` and returned in the report, not raised, because the
    forecast is made without this dataset then.
    """
    service = run.service
    if not service.has(dataset):
        return FetchReport(is_served=False)
    log = run.warehouse.read("SELECT * FROM new_data_log WHERE dataset = ?", [dataset.name])
    held = run.warehouse.read(f"SELECT max({dataset.time_column}) AS t FROM {dataset.name}")["t"].iloc[0]
    if pd.isna(held):
        # The table is empty: earlier fetches that stored rows do not count.
        log = log[log["outcome"] == "empty"]
    windows = plan(
        dataset,
        log,
        now=run.now,
        history_days=run.history_days,
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
        if not _fetch_window(run, dataset, window, report):
            report.remaining += len(todo) - number + 1
            break
    return report


def _fetch_window(run: Run, dataset: Dataset, window: FetchWindow, report: FetchReport) -> bool:
    """Fetch and store one window, add the result to ``report``, and return whether it succeeded."""
    started = time.perf_counter()
    try:
        rows = run.service.client.fetch(dataset, window.start, window.end)
    except ServiceError as error:
        report.error = error
        with run.warehouse.open_transaction() as transaction:
            _log(run, dataset, window, started, transaction, outcome=error.outcome, message=str(error))
        return False
    good, bad = split_rows(dataset, rows, now=run.now)
    if VINTAGE in good:
        # The clock of the service may be ahead of ours: what we received was known when we received it.
        good[VINTAGE] = good[VINTAGE].where(good[VINTAGE] <= run.now, run.now)
        good = good.drop_duplicates(subset=list(dataset.table.key), keep="last")
    with run.warehouse.open_transaction() as transaction:
        count = store_rows(dataset, good.assign(fetched_at_utc=run.now), transaction)
        quarantined = quarantine_rows(bad, run.now, transaction)
        if dataset in MEASUREMENTS:
            remove_stuck(dataset, [row for row in bad if row.is_stuck], transaction)
        _log(
            run,
            dataset,
            window,
            started,
            transaction,
            outcome=FETCH_OK,
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
    run: Run,
    dataset: Dataset,
    window: FetchWindow,
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
        "fetched_at_utc": run.now,
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
