"""The words in which tables and the service's datasets are declared."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """A column's type, by its DuckDB name."""

    TIMESTAMP = "TIMESTAMP"
    DOUBLE = "DOUBLE"
    INTEGER = "INTEGER"
    TEXT = "VARCHAR"
    BOOLEAN = "BOOLEAN"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``minimum`` and ``maximum`` bound what is physically plausible, in ``unit``; a value outside is
    quarantined. ``service_name`` is what the service calls the column, where it comes from there.
    ``optional`` columns may be missing from an answer: recorded sources give them, the live
    service does not. ``stuck_after`` is how long one value may last before it counts as stuck.
    """

    name: str
    kind: Kind
    description: str
    unit: str = ""
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    service_name: str | None = None
    optional: bool = False
    stuck_after: timedelta | None = None


@dataclass(frozen=True)
class Table:
    """A warehouse table: its name, columns in order, the key that no two rows share, and meaning."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def column(self, name: str) -> Column:
        """Return the column called ``name``; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}")

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Endpoint:
    """One dataset of the service: where a table's rows come from.

    ``time_field`` is the service's UTC time column, by which windows are cut; ``fields`` maps the
    service's names to the table's. ``first`` (inclusive) and ``end`` (exclusive) bound what the
    dataset holds, where it was begun or frozen. ``areas`` is the ``PriceArea`` filter.
    """

    dataset: str
    time_field: str
    fields: dict[str, str]
    areas: tuple[str, ...] = ()
    first: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Dataset:
    """A raw table with its endpoints and its habits.

    ``endpoints`` is in time order and without overlap. ``step`` is the time between rows of one
    series. ``overlap`` is how far back each fetch reads again, for values that come late or are
    revised; ``reach`` is how far past now the rows go. ``live_chunk`` is the longest window asked
    for in one request. ``time_column`` is the table's time column. ``late_after`` is how far behind
    now the newest row may be before the dataset counts as late.
    """

    table: Table
    endpoints: tuple[Endpoint, ...]
    time_column: str
    step: timedelta
    overlap: timedelta
    reach: timedelta
    live_chunk: timedelta
    late_after: timedelta
    description: str = ""

    @property
    def name(self) -> str:
        return self.table.name
