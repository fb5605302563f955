"""The types with which tables and the service's datasets are declared."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# The key column of the versions of a row that the service overwrites: when each version was published.
VINTAGE: Final = "published_at_utc"
# Earlier than the first row of any dataset.
BEGINNING: Final = datetime(2000, 1, 1)


class Kind(StrEnum):
    """A column's type, by its DuckDB name."""

    TIMESTAMP = "TIMESTAMP"
    DOUBLE = "DOUBLE"
    INTEGER = "INTEGER"
    TEXT = "VARCHAR"
    BOOLEAN = "BOOLEAN"


class ServiceName(StrEnum):
    """A service that datasets come from, by the name it calls itself."""

    ENERGI_DATA_SERVICE = "EnergiDataService"
    OPEN_METEO = "Open-Meteo"


@dataclass(frozen=True)
class StuckTogether:
    """All areas of a column that stand still at once for ``after`` are stuck, sooner than one alone.

    Before ``since`` (naive UTC) the areas had one value, which says nothing more than one area does.
    """

    after: timedelta
    since: datetime


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``minimum`` and ``maximum`` bound what is physically plausible, in ``unit``; a value outside is
    quarantined. ``service_name`` is the service's name of the column; None where it does not come
    from the service. ``optional`` columns may be missing from a response: recorded sources have
    them, the live service does not. A value that stays the same for ``stuck_after`` counts as stuck;
    ``stuck_together`` is the rule for all areas at once. A text column of the key has one of
    ``values``; none are given where the areas decide.
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
    stuck_together: StuckTogether | None = None
    values: tuple[str, ...] = ()


def service_fields(columns: Iterable[Column]) -> dict[str, str]:
    """Return the names of ``columns`` by the service's names of them."""
    return {column.service_name: column.name for column in columns if column.service_name}


@dataclass(frozen=True)
class Table:
    """A warehouse table. ``columns`` are in order; no two rows have the same values in ``key``."""

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

    @property
    def keeps_vintages(self) -> bool:
        """Whether every version of a row is kept, each with the time when it was published."""
        return VINTAGE in self.key


@dataclass(frozen=True)
class Endpoint:
    """One dataset of the service: where a table's rows come from.

    ``time_field`` is the service's UTC time column, which windows refer to; ``fields`` maps the
    service's column names to the table's. The dataset has rows from ``first`` (inclusive) to ``end``
    (exclusive), naive UTC; None where there is no limit. ``areas`` is the ``PriceArea`` filter. ``step``
    is the time between rows of one series where it is not that of the dataset.
    """

    dataset: str
    time_field: str
    fields: dict[str, str]
    areas: tuple[str, ...] = ()
    first: datetime | None = None
    end: datetime | None = None
    step: timedelta | None = None


@dataclass(frozen=True)
class Dataset:
    """A raw table, its endpoints, and how it is fetched.

    ``endpoints`` are in time order and do not overlap. ``step`` is the time between rows of one
    series; rows lie at whole steps from midnight. Each fetch reads ``overlap`` again before the newest
    row, for values that come late or are revised. Rows go up to ``reach`` after now (exclusive).
    ``live_chunk`` is the longest window of one request. ``time_column`` is the table's time column. The
    dataset counts as late when its newest row is more than ``late_after`` before now; a negative one says
    how far ahead that row must be. Values may be revised for ``revised_for``: that much is read again once a
    day. Of a row, a version is stored only if it came ``versions_every`` or more after the one before. The
    live service has nothing of before ``live_from``, naive UTC; a recording may.
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
    revised_for: timedelta = timedelta(0)
    service: ServiceName = ServiceName.ENERGI_DATA_SERVICE
    versions_every: timedelta = timedelta(0)
    live_from: datetime | None = None

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def begins(self) -> datetime:
        """No row is for an earlier time, naive UTC."""
        return self.endpoints[0].first or BEGINNING

    def endpoint_at(self, time: datetime) -> Endpoint:
        """Return the endpoint that has the rows of ``time``, naive UTC."""
        has_rows = (endpoint for endpoint in self.endpoints if endpoint.end is None or time < endpoint.end)
        return next(has_rows, self.endpoints[-1])

    def step_of(self, endpoint: Endpoint) -> timedelta:
        """Return the time between rows of one series of ``endpoint``."""
        return endpoint.step or self.step

    @property
    def keeps_vintages(self) -> bool:
        """Whether every version of a row is kept: `Table.keeps_vintages` of its table."""
        return self.table.keeps_vintages
