"""Rows of a raw dataset held against its contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd

from co2_assets.contracts.schema import VINTAGE, Dataset, Endpoint, Kind, StuckTogether
from co2_assets.contracts.series import not_asked_for

# A column of received rows that is there only if a value could not be read. It holds a dictionary from the
# name of a column to an UnreadableCell for such a row, and null for the others.
UNREADABLE = "unreadable"


class UnreadableCell(NamedTuple):
    """What was received in the place of a value, and why it cannot be read."""

    text: str
    reason: str


@dataclass(frozen=True)
class BadRow:
    """One value that breaks its contract. It is quarantined; its row is not written to the table.

    ``row_json`` is the whole row as received, so that it can be released. ``is_stuck`` says that the
    value is plausible by itself and was rejected because it did not change: rows with the same value
    that came earlier may have been accepted.
    """

    dataset: str
    row_key: str
    column: str
    value: str
    reason: str
    row_json: str = "{}"
    is_stuck: bool = False


def split_rows(
    dataset: Dataset,
    rows: pd.DataFrame,
    *,
    now: datetime | None = None,
    window: tuple[datetime, datetime] | None = None,
) -> tuple[pd.DataFrame, list[BadRow]]:
    """Separate the rows that keep their contract from those that break it.

    ``rows`` has the table's columns (but ``fetched_at_utc``), in any order, with any index, and perhaps
    the column UNREADABLE. A row is bad when a value could not be read, when its key is null, when its
    time is between two steps of the dataset, when a value is out of bounds or stuck, when all its values
    are null, or when its time is at or after ``now`` plus the dataset's ``reach``. ``now`` is naive UTC;
    without it no time is in the future. Rows that `not_asked_for` names are bad too; ``window`` is what
    was requested. One null value among others is no fault: gaps are real. Returns the good rows, sorted
    by key, one for each key (the last one given), and one BadRow for each bad value.
    """
    rows = rows.reset_index(drop=True)
    table = dataset.table
    key = list(table.key)
    rows, bad = _take_out_unreadable(dataset, rows)
    is_bad = pd.Series(False, index=rows.index)

    def reject(mask: pd.Series, column: str, reason: str, *, is_stuck: bool = False) -> None:
        nonlocal is_bad
        if not mask.any():
            return
        is_bad |= mask
        rejected = rows.loc[mask]
        for row, text in zip(rejected.to_dict("records"), _json_lines(rejected), strict=True):
            row_key = _row_key({name: row[name] for name in key})
            bad.append(BadRow(dataset.name, row_key, column, str(row[column]), reason, text, is_stuck))

    for name in key:
        reject(rows[name].isna(), name, "the key is missing")
    for endpoint in dataset.endpoints:
        step = dataset.step_of(endpoint)
        minutes = step // timedelta(minutes=1)
        reason = f"between two rows of this dataset, which come every {minutes} min from midnight UTC"
        reject(_between_steps(rows[dataset.time_column], endpoint, step), dataset.time_column, reason)
    if now is not None:
        end = now + dataset.reach
        ahead = f"at or after {end:%Y-%m-%d %H:%M} UTC, received at {now:%Y-%m-%d %H:%M}: in the future"
        reject(rows[dataset.time_column] >= end, dataset.time_column, ahead)
    for mask, at_fault, reason in not_asked_for(dataset, rows, window):
        reject(mask & ~is_bad, at_fault, reason)
    values = [c for c in table.columns if c.name not in key and c.name in rows and c.kind is Kind.DOUBLE]
    for column in values:
        series = rows[column.name]
        if column.minimum is not None:
            reject(series < column.minimum, column.name, f"below {column.minimum:g} {column.unit}")
        if column.maximum is not None:
            reject(series > column.maximum, column.name, f"above {column.maximum:g} {column.unit}")
        if column.stuck_after is not None:
            stuck = _is_stuck(dataset, rows, column.name, column.stuck_after) & ~is_bad
            reason = f"the same for {column.stuck_after} or longer: stuck"
            reject(stuck, column.name, reason, is_stuck=True)
        if column.stuck_together is not None:
            stuck = _are_stuck_together(dataset, rows, column.name, column.stuck_together) & ~is_bad
            reason = f"the same for {column.stuck_together.after} or longer in all areas at once: stuck"
            reject(stuck, column.name, reason, is_stuck=True)
    if values:
        reject(
            rows[[c.name for c in values]].isna().all(axis=1) & ~is_bad,
            values[0].name,
            "every value is null",
        )
    good = rows.loc[~is_bad].drop_duplicates(subset=key, keep="last").sort_values(key, ignore_index=True)
    return good, bad


def _between_steps(
    times: "pd.Series[pd.Timestamp]", endpoint: Endpoint, step: timedelta
) -> "pd.Series[bool]":
    """Return for each time whether it is the endpoint's and lies between two steps from midnight."""
    since_midnight = (times - times.dt.normalize()).dt.total_seconds()
    off: pd.Series[bool] = since_midnight % step.total_seconds() > 0
    if endpoint.first is not None:
        off &= times >= endpoint.first
    if endpoint.end is not None:
        off &= times < endpoint.end
    return off


def _take_out_unreadable(dataset: Dataset, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[BadRow]]:
    """Return the rows that could be read, and one BadRow for each value that could not."""
    if UNREADABLE not in rows:
        return rows, []
    cells_of = rows[UNREADABLE]
    rows = rows.drop(columns=UNREADABLE)
    is_unreadable = cells_of.map(lambda cells: isinstance(cells, dict)).astype(bool)
    rejected = rows.loc[is_unreadable]
    received = zip(
        rejected.to_dict("records"), cells_of.loc[is_unreadable], _json_lines(rejected), strict=True
    )
    bad: list[BadRow] = []
    for row, cells, text in received:
        row_key = _row_key(
            {name: cells[name].text if name in cells else row[name] for name in dataset.table.key}
        )
        bad += [
            BadRow(dataset.name, row_key, name, cell.text, f"cannot be read: {cell.reason}", text)
            for name, cell in cells.items()
        ]
    return rows.loc[~is_unreadable], bad


def _row_key(values: Mapping[str, object]) -> str:
    """Return the key of a row as text, from its values by column."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _json_lines(rows: pd.DataFrame) -> list[str]:
    """Return each row as a JSON object."""
    return rows.to_json(orient="records", lines=True, date_format="iso", date_unit="us").splitlines()


def _is_stuck(dataset: Dataset, rows: pd.DataFrame, column: str, after: timedelta) -> "pd.Series[bool]":
    """Return for each row whether its value stayed the same, without a gap, for ``after`` or longer."""
    ordered, goes_on = _goes_on(dataset, rows, column)
    return _lasted(ordered[dataset.time_column], ~goes_on, after - dataset.step).reindex(rows.index)


def _are_stuck_together(
    dataset: Dataset, rows: pd.DataFrame, column: str, rule: StuckTogether
) -> "pd.Series[bool]":
    """Return for each row whether all areas stood still at once, without a gap, as long as ``rule`` says."""
    ordered, goes_on = _goes_on(dataset, rows, column)
    time = dataset.time_column
    areas = ordered["price_area"].nunique()
    apart = ordered[time] >= rule.since
    if areas < 2 or not apart.any():
        return pd.Series(False, index=rows.index)
    still = ordered[apart].assign(still=goes_on[apart]).groupby(time)
    # At the first of the times that an area lacks, standing still together ends.
    together = (still["price_area"].nunique() == areas) & still["still"].all()
    times = together.index.to_series()
    lasted = _lasted(times, ~(together & (times.diff() <= dataset.step)), rule.after - dataset.step)
    return rows[time].isin(times[lasted])


def _goes_on(dataset: Dataset, rows: pd.DataFrame, column: str) -> "tuple[pd.DataFrame, pd.Series[bool]]":
    """Return the rows by series and time, and whether each one repeats the value of the step before."""
    series = [name for name in dataset.table.key if name not in (dataset.time_column, VINTAGE)]
    ordered = rows.sort_values([*series, dataset.time_column], kind="stable")
    goes_on: pd.Series[bool] = (
        (ordered[series] == ordered[series].shift()).all(axis=1)
        & (ordered[column] == ordered[column].shift())
        & (ordered[dataset.time_column].diff() <= dataset.step)
    )
    return ordered, goes_on


def _lasted(
    times: "pd.Series[pd.Timestamp]", begins: "pd.Series[bool]", least: timedelta
) -> "pd.Series[bool]":
    """Return for each time whether its run, from one that ``begins`` to the next, is ``least`` long."""
    runs = times.groupby(begins.cumsum())
    lasted: pd.Series[bool] = runs.transform("max") - runs.transform("min") >= pd.Timedelta(least)
    return lasted
