"""The series that a dataset may have, and the times of its rows: all else was not asked for."""

import itertools
from collections.abc import Container, Iterator, Mapping
from datetime import datetime

import pandas as pd

from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.columns import PRICE_AREA
from co2_assets.contracts.schema import Dataset, Kind
from co2_assets.contracts.weather import POINT


def price_areas_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the price areas that are requested of ``dataset``, and those that are measured by it."""
    requested = [area for endpoint in dataset.endpoints for area in endpoint.areas]
    measured = [area.name for area in AREAS.values() if area.measured_in == dataset.name]
    return tuple(dict.fromkeys([*requested, *measured]))


def series_values(dataset: Dataset) -> Mapping[str, tuple[str, ...]]:
    """Return the values that each text column of the key may have, by the column's name."""
    columns = [dataset.table.column(name) for name in dataset.table.key]
    return {
        column.name: price_areas_of(dataset) if column.name == PRICE_AREA.name else column.values
        for column in columns
        if column.kind is Kind.TEXT
    }


def series_of(dataset: Dataset, held: Container[str] | None = None) -> list[tuple[str, ...]]:
    """Return every series: one value for each of the columns of `series_values`.

    ``held`` has the points that the source has, where it lacks some; it concerns datasets by point only.
    """
    values = dict(series_values(dataset))
    if held is not None and POINT.name in values:
        values[POINT.name] = tuple(name for name in values[POINT.name] if name in held)
    return list(itertools.product(*values.values()))


def not_asked_for(
    dataset: Dataset, rows: pd.DataFrame, window: tuple[datetime, datetime] | None
) -> Iterator[tuple["pd.Series[bool]", str, str]]:
    """Yield masks of the rows that nobody asked for, each with the column at fault and the reason.

    These are rows of another area or type, rows from before the dataset begins, and rows outside of
    ``window`` (start inclusive, end exclusive, naive UTC), where it is given.
    """
    for name, values in series_values(dataset).items():
        is_other = rows[name].notna() & ~rows[name].isin(values)
        yield is_other, name, f"not asked for: {name} is none of {', '.join(values)}"
    times = rows[dataset.time_column]
    yield times < dataset.begins, dataset.time_column, f"before the first row, {dataset.begins:%Y-%m-%d}"
    if window is not None:
        # Requests name whole minutes.
        start, end = window[0].replace(second=0, microsecond=0), window[1]
        outside = (times < start) | (times >= end)
        asked = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
        yield outside, dataset.time_column, f"not asked for: the request was for {asked}"
