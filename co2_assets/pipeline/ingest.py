"""Bring a raw table up to date: plan the windows to fetch, fetch them, store the rows, log the fetch.

The plan is computed from `new_data_log` in each run. So a fetch that failed, or a run that was killed or
skipped, leaves a gap that the next run finds and fills.
"""

import logging
import time
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import pandas as pd

from co2_assets.contracts import VINTAGE, Dataset, split_rows
from co2_assets.contracts.areas import MEASUREMENTS
from co2_assets.contracts.tables import FETCH_OK, NEW_DATA_LOG
from co2_assets.http_service.errors import ServiceError, storable
from co2_assets.pipeline.fetch_plan import (
    TOO_MUCH,
    FetchWindow,
    is_for_deepening,
    longest_window,
    plan,
    revisions_due,
    shortest_window,
)
from co2_assets.pipeline.progress import Progress
from co2_assets.pipeline.quarantine import quarantine_rows, remove_stuck, requarantine_stored
from co2_assets.pipeline.run import Run
from co2_assets.pipeline.stored_series import oldest_hole
from co2_assets.warehouse.errors import BadRows, WarehouseError
from co2_assets.warehouse.transaction import Transaction, store_rows

logger = logging.getLogger(__name__)

# `new_data_log.outcome` of a fetch that ended with an error that has no name of its own.
FAILED = ServiceError.outcome


class IngestError(Exception):
    """The rows of one dataset could not be read or stored, for a reason that has no name of its own."""


@dataclass
class FetchReport:
    """The result of one update of a raw table.

    ``error`` is the first failure, if there was one; the windows of other endpoints were fetched still.
    ``requarantined`` counts the rows that were stored before and do not belong into the table.
    ``not_served`` says why nothing was requested, if the source does not have the dataset or it is switched
    off.
    """

    windows: list[FetchWindow] = field(default_factory=list)
    received: int = 0
    new: int = 0
    changed: int = 0
    quarantined: int = 0
    remaining: int = 0
    requarantined: int = 0
    error: ServiceError | IngestError | None = None
    not_served: str = ""

    @property
    def is_served(self) -> bool:
        """Whether the dataset is requested of this source."""
        return not self.not_served

    def sentence(self) -> str:
        """Return the report as one line for a person."""
        if self.error is not None:
            return storable(str(self.error))
        if not self.is_served:
            return f"{self.not_served}; nothing was requested"
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

    Without ``deepen`` the newest days are brought up to date; with it, older history is fetched. If the
    source limits the rate of requests, one window of each endpoint is fetched, else all of them. ``progress``
    gets a line before each window. An error is logged in `new_data_log` and returned in the report, not
    raised, because the forecast is made without this dataset then. Only errors of the warehouse itself,
    such as a full disk, are raised.
    """
    report = FetchReport(not_served=run.service.why_not(dataset))
    try:
        report.requarantined = requarantine_stored(run.warehouse, dataset, now=run.now)
    except Exception as error:  # noqa: BLE001 -- it is named in the report
        report.error = _ingest_error(error)
    if not report.is_served:
        return report
    windows = _windows(run, dataset, deepen=deepen)
    is_limited = not run.service.unlimited
    todo = [w for w in windows if is_for_deepening(w, run.now, is_limited=is_limited) is deepen]
    if is_limited:
        todo = _first_of_each_endpoint(dataset, todo)
    report.remaining = len(windows) - len(todo)
    failed: set[str] = set()
    for number, window in enumerate(todo, start=1):
        endpoint = dataset.endpoint_at(window.start).dataset
        if endpoint in failed:
            report.remaining += 1
            continue
        progress(f"fetching {window} UTC ({number} of {len(todo)})")
        if failure := _fetch_newest(run, dataset, window, report):
            report.error = report.error or failure
            report.remaining += 1
            failed.add(endpoint)
    return report


def _windows(run: Run, dataset: Dataset, *, deepen: bool) -> list[FetchWindow]:
    with run.warehouse.open_reading() as reading:
        log = reading.read("SELECT * FROM new_data_log WHERE dataset = ?", [dataset.name])
        held = reading.read(f"SELECT max({dataset.time_column}) AS t FROM {dataset.name}")["t"].iloc[0]
    longest = longest_window(dataset, log, run.now)
    again_from = None
    if pd.isna(held):
        # The table is empty: earlier fetches that stored rows do not count.
        log = log[log["outcome"] == "empty"]
    elif not deepen:
        again_from = _again_from(run, dataset, log, longest)
    return plan(
        dataset,
        log,
        now=run.now,
        history_days=run.history_days,
        first_days=run.service.first_days,
        earliest=run.service.earliest_of(dataset),
        held_until=held.to_pydatetime() if pd.notna(held) else None,
        again_from=again_from,
        longest=longest,
        latest=run.service.end_of(dataset),
    )


def _again_from(run: Run, dataset: Dataset, log: pd.DataFrame, longest: timedelta) -> datetime | None:
    """Return from when on rows are requested again, because some are missing or may have been revised."""
    # As much as fits into the one request for the newest rows.
    first = run.now + dataset.reach - longest
    span = min(dataset.revised_for, run.now - first)
    earliest = run.service.earliest_of(dataset)
    series = run.service.series_of(dataset, run.now)
    times = [oldest_hole(run.warehouse, dataset, run.now, earliest, series)]
    if revisions_due(dataset, log, run.now, span, earliest):
        times.append(run.now - span)
    return max(first, min(known)) if (known := [time for time in times if time is not None]) else None


def _first_of_each_endpoint(dataset: Dataset, windows: list[FetchWindow]) -> list[FetchWindow]:
    """Return one window of each endpoint: the service limits requests by endpoint."""
    first: dict[str, FetchWindow] = {}
    for window in windows:
        first.setdefault(dataset.endpoint_at(window.start).dataset, window)
    return list(first.values())


def _fetch_newest(
    run: Run, dataset: Dataset, window: FetchWindow, report: FetchReport
) -> ServiceError | IngestError | None:
    """Fetch and store one window; return the failure, or None.

    If the newest window was too much for the service, its newest part is fetched instead, so that there is
    something to forecast from. The rest comes in shorter windows.
    """
    error = _fetch_window(run, dataset, window, report)
    newest = FetchWindow(max(window.start, window.end - shortest_window(dataset)), window.end, window.purpose)
    is_too_much = isinstance(error, ServiceError) and error.outcome in TOO_MUCH
    if not is_too_much or newest == window or window.end < run.now:
        return error
    report.remaining += 1
    return _fetch_window(run, dataset, newest, report)


def _fetch_window(
    run: Run, dataset: Dataset, window: FetchWindow, report: FetchReport
) -> ServiceError | IngestError | None:
    """Fetch and store one window, add the result to ``report``, and return the failure, or None."""
    started = time.perf_counter()
    report.windows.append(window)
    error: ServiceError | IngestError
    try:
        return _store_window(run, dataset, window, started, report)
    except ServiceError as service_error:
        error, outcome = service_error, service_error.outcome
    except Exception as other_error:  # noqa: BLE001 -- it is logged and returned
        error, outcome = _ingest_error(other_error), FAILED
        # The error may hold half a character, which no log file can.
        trace = storable("".join(traceback.format_exception(other_error)))
        logger.error("%s, %s: %s", dataset.name, window, trace)  # noqa: TRY400
    with run.warehouse.open_transaction() as transaction:
        _log(run, dataset, window, started, transaction, outcome=outcome, message=storable(str(error)))
    return error


def _ingest_error(error: Exception) -> IngestError:
    """Return ``error`` as one of this dataset's rows, or raise it again if it is the warehouse's."""
    is_of_warehouse = isinstance(
        error, WarehouseError | duckdb.OperationalError | duckdb.InternalError | duckdb.FatalException
    )
    if is_of_warehouse and not isinstance(error, BadRows):
        raise error
    named = IngestError(
        f"the rows could not be read or stored ({type(error).__name__}: {error}). The other datasets go on; "
        "the next run asks again. Please report it with the log of this run."
    )
    named.__cause__ = error
    return named


def _store_window(
    run: Run, dataset: Dataset, window: FetchWindow, started: float, report: FetchReport
) -> ServiceError | None:
    """Fetch, store and log one window; return the failure, also logged, if only a part of it came."""
    try:
        rows, error = run.service.client.fetch(dataset, window.start, window.end), None
    except ServiceError as part_of_it:
        if part_of_it.rows is None:
            raise
        rows, error = part_of_it.rows, part_of_it
    good, bad = split_rows(dataset, rows, now=run.now, window=(window.start, window.end))
    if VINTAGE in good:
        # The clock of the service may be ahead of ours: what we received was known when we received it.
        good[VINTAGE] = good[VINTAGE].where(good[VINTAGE] <= run.now, run.now)
        good = good.drop_duplicates(subset=list(dataset.table.key), keep="last")
    with run.warehouse.open_transaction() as transaction:
        good = _far_enough_apart(dataset, good, run.now, transaction)
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
            outcome=FETCH_OK if error is None else error.outcome,
            message=None if error is None else storable(str(error)),
            rows_received=len(rows),
            rows_new=count.new,
            rows_changed=count.changed,
            rows_quarantined=quarantined,
        )
    report.received += len(rows)
    report.new += count.new
    report.changed += count.changed
    report.quarantined += quarantined
    return error


def _far_enough_apart(
    dataset: Dataset, rows: pd.DataFrame, now: datetime, transaction: Transaction
) -> pd.DataFrame:
    """Return ``rows`` without the versions that came too soon after the stored one of their row."""
    if not dataset.versions_every or rows.empty:
        return rows
    same = [name for name in dataset.table.key if name != VINTAGE]
    newest = transaction.read(
        f"SELECT {', '.join(same)}, max({VINTAGE}) AS newest FROM {dataset.name} "
        f"WHERE {VINTAGE} > ? GROUP BY ALL",
        [now - dataset.versions_every],
    )
    after = rows[VINTAGE] - rows[same].merge(newest, how="left", on=same)["newest"].to_numpy()
    chosen: pd.DataFrame = rows[~((after > timedelta(0)) & (after < dataset.versions_every))]
    return chosen


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
