"""A recorded grid: the parquet files of a folder, with the faults and gaps as recorded.

Of `CO2Emis` nothing was recorded. A recording may have Energinet's settled declaration of the same quantity,
by the hour, which stands in for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from co2_assets.contracts import PRICE_DATASETS_SWITCH
from co2_assets.contracts.time import daily_publication
from co2_assets.energidataservice.emulator.catalog import KNOWN_AT, PRICES_PUBLISHED_HOUR

POWER_SYSTEM = "PowerSystemRightNow_hourly.parquet"
FORECASTS = "Forecasts_Hour.parquet"
PRICES = "DayAheadPrices.parquet"
PROGNOSIS = "CO2EmisProg.parquet"
DECLARATION = "DeclarationEmissionHour.parquet"
FILES = {
    POWER_SYSTEM: (
        "HourUTC",
        "ProductionGe100MW",
        "ProductionLt100MW",
        "SolarPower",
        "OffshoreWindPower",
        "OnshoreWindPower",
        "Exchange_Sum",
        "CO2Emission",
    ),
    FORECASTS: ("HourUTC", "PriceArea", "ForecastType", "ForecastDayAhead", "FirstSeenUTC"),
    PRICES: ("TimeUTC", "PriceArea", "DayAheadPriceEUR"),
    PROGNOSIS: ("Minutes5UTC", "PriceArea", "CO2Emission", "FirstSeenUTC"),
}
# Files that a recording may lack: then it does not serve their dataset.
OPTIONAL_FILES = {DECLARATION: ("HourUTC", "PriceArea", "CO2PerkWh")}
DATASETS = frozenset(
    {"PowerSystemRightNow", "Forecasts_Hour", "Elspotprices", "DayAheadPrices", "CO2EmisProg"}
)


class ArchiveError(ValueError):
    """The folder is not a readable recording; the message says what is missing and what helps."""


@dataclass(frozen=True)
class RecordedGrid:
    """The recording in ``folder``, a `catalog.Grid`.

    A file is read when it is first needed, and kept in memory. Raises ArchiveError when a file or a
    column is missing or cannot be read.
    """

    folder: Path

    def __post_init__(self) -> None:
        missing = [name for name in FILES if not (self.folder / name).is_file()]
        if missing:
            raise ArchiveError(
                f"no recording in {self.folder}: {', '.join(missing)} missing. Give the folder that holds "
                f"{', '.join(FILES)}: --source archive:DIR"
            )

    @property
    def datasets(self) -> frozenset[str]:
        """The recorded datasets."""
        return DATASETS | {"CO2Emis"} if self._has_declaration else DATASETS

    @property
    def ends(self) -> Mapping[str, datetime]:
        """The end of the datasets that have one of their own, naive UTC, by name."""
        if not self._has_declaration or self._declaration.empty:
            return {}
        return {"CO2Emis": self._declaration[KNOWN_AT].iloc[-1].to_pydatetime()}

    @property
    def first_hour(self) -> datetime:
        """The first hour with recorded production, naive UTC."""
        first: datetime = self._power_system["HourUTC"].iloc[0].to_pydatetime()
        return first

    @property
    def end(self) -> datetime:
        """The end of the last hour with recorded production, naive UTC."""
        last: datetime = self._power_system[KNOWN_AT].iloc[-1].to_pydatetime()
        return last

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
        """Return the recorded rows of a served dataset; see `catalog.Grid`."""
        if dataset == "PowerSystemRightNow":
            # Hours that are not known yet are left out before each becomes 60 minutes.
            hours = _between(self._power_system, "HourUTC", start - pd.Timedelta(hours=1), end)
            return _between(
                _parts(hours[hours[KNOWN_AT] <= now], "Minutes1UTC", 60), "Minutes1UTC", start, end
            )
        if dataset == "CO2Emis" and self._has_declaration:
            hours = _between(self._declaration, "HourUTC", start - pd.Timedelta(hours=1), end)
            return _between(
                _parts(hours[hours[KNOWN_AT] <= now], "Minutes5UTC", 12), "Minutes5UTC", start, end
            )
        if dataset == "Forecasts_Hour":
            return _between(self._forecasts, "HourUTC", start, end)
        if dataset == "CO2EmisProg":
            return _between(self._prognosis, "Minutes5UTC", start, end)
        if dataset == "Elspotprices":
            hours = _between(self._prices, "TimeUTC", start, min(end, PRICE_DATASETS_SWITCH))
            return hours.rename(columns={"TimeUTC": "HourUTC", "DayAheadPriceEUR": "SpotPriceEUR"})
        if dataset == "DayAheadPrices":
            return _quarters(_between(self._prices, "TimeUTC", max(start, PRICE_DATASETS_SWITCH), end))
        raise KeyError(dataset)

    @cached_property
    def _power_system(self) -> pd.DataFrame:
        frame = self._read(POWER_SYSTEM).sort_values("HourUTC", ignore_index=True)
        # A recorded value is the mean of its hour, so it is known at the end of the hour.
        return frame.assign(**{KNOWN_AT: frame["HourUTC"] + pd.Timedelta(hours=1)})

    @property
    def _has_declaration(self) -> bool:
        return (self.folder / DECLARATION).is_file()

    @cached_property
    def _declaration(self) -> pd.DataFrame:
        frame = self._read(DECLARATION).sort_values("HourUTC", kind="stable", ignore_index=True)
        # It was published much later. The value that it stands in for is out at the end of the hour.
        known = frame["HourUTC"] + pd.Timedelta(hours=1)
        return frame.rename(columns={"CO2PerkWh": "CO2Emission"}).assign(**{KNOWN_AT: known})

    @cached_property
    def _forecasts(self) -> pd.DataFrame:
        frame = self._read(FORECASTS).sort_values("HourUTC", kind="stable", ignore_index=True)
        seen = frame.pop("FirstSeenUTC")
        return frame.assign(**{"TimestampUTC": seen, KNOWN_AT: seen})

    @cached_property
    def _prices(self) -> pd.DataFrame:
        frame = self._read(PRICES).sort_values("TimeUTC", kind="stable", ignore_index=True)
        known = daily_publication(frame["TimeUTC"].to_numpy(), days_before=1, hour=PRICES_PUBLISHED_HOUR)
        return frame.assign(**{KNOWN_AT: known})

    @cached_property
    def _prognosis(self) -> pd.DataFrame:
        frame = self._read(PROGNOSIS).sort_values("Minutes5UTC", kind="stable", ignore_index=True)
        return frame.assign(**{KNOWN_AT: frame["FirstSeenUTC"]})

    def _read(self, name: str) -> pd.DataFrame:
        path = self.folder / name
        try:
            columns = (FILES | OPTIONAL_FILES)[name]
            frame = pd.read_parquet(path, columns=list(columns))
        except (OSError, ValueError) as error:
            raise ArchiveError(f"{path} cannot be read ({error}). Copy the recording again.") from error
        times = [column for column in columns if column.endswith("UTC")]
        return frame.astype(dict.fromkeys(times, "datetime64[us]"))


def _between(frame: pd.DataFrame, column: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return the rows from ``start`` to ``end`` (exclusive); ``frame`` is sorted by ``column``."""
    times = frame[column].to_numpy()
    first, last = np.searchsorted(times, np.array([start, end], dtype="datetime64[us]"))
    return frame.iloc[first:last]


def _parts(hours: pd.DataFrame, time_field: str, count: int) -> pd.DataFrame:
    """Return ``count`` rows for each hour, all with its value, so that their mean is the recorded one.

    They are in the order of their times.
    """
    parts = hours.loc[hours.index.repeat(count)].reset_index(drop=True)
    minute = np.tile(np.arange(count) * (60 // count), len(hours)).astype("timedelta64[m]")
    parts.insert(0, time_field, parts.pop("HourUTC").to_numpy() + minute)
    return parts.sort_values(time_field, kind="stable", ignore_index=True)


def _quarters(hours: pd.DataFrame) -> pd.DataFrame:
    """Return four rows for each hour, one for each quarter, all with its price."""
    quarters = hours.loc[hours.index.repeat(4)].reset_index(drop=True)
    quarters["TimeUTC"] += np.tile(np.arange(4) * 15, len(hours)).astype("timedelta64[m]")
    return quarters
