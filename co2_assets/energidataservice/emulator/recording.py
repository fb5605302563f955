"""A recorded grid: the parquet files of a folder, faults and gaps as they were recorded."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from co2_assets.contracts import PRICE_DATASETS_SWITCH
from co2_assets.contracts.time import daily_publication
from co2_assets.energidataservice.emulator.catalog import KNOWN_AT

POWER_SYSTEM = "PowerSystemRightNow_hourly.parquet"
FORECASTS = "Forecasts_Hour.parquet"
PRICES = "DayAheadPrices.parquet"
PROGNOSIS = "CO2EmisProg.parquet"
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
DATASETS = frozenset(
    {"PowerSystemRightNow", "Forecasts_Hour", "Elspotprices", "DayAheadPrices", "CO2EmisProg"}
)
# The hour of the Danish day before by which prices are out (the auction: about 12:45).
PRICES_OUT_HOUR = 13


class ArchiveError(ValueError):
    """The folder is not a readable recording; the message says what is missing and what to do."""


@dataclass(frozen=True)
class RecordedGrid:
    """The recording in ``folder``; the Grid that the emulator serves.

    Files are read when first needed and kept. Raises ArchiveError when one is missing, unreadable
    or without its columns.
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
        """The datasets recorded."""
        return DATASETS

    @property
    def first_hour(self) -> datetime:
        """The first hour whose production is recorded, UTC."""
        first: datetime = self._power_system["HourUTC"].iloc[0].to_pydatetime()
        return first

    @property
    def end(self) -> datetime:
        """The instant up to which production is recorded, UTC."""
        last: datetime = self._power_system[KNOWN_AT].iloc[-1].to_pydatetime()
        return last

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
        """Return the recorded rows of a served dataset; see `catalog.Grid`."""
        if dataset == "PowerSystemRightNow":
            # Hours not yet knowable are left out before they are spread over their minutes.
            hours = _between(self._power_system, "HourUTC", start - pd.Timedelta(hours=1), end)
            return _between(_minutes(hours[hours[KNOWN_AT] <= now]), "Minutes1UTC", start, end)
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
        # A recorded value is the mean of its hour: any minute of it tells of the whole.
        return frame.assign(**{KNOWN_AT: frame["HourUTC"] + pd.Timedelta(hours=1)})

    @cached_property
    def _forecasts(self) -> pd.DataFrame:
        frame = self._read(FORECASTS).sort_values("HourUTC", kind="stable", ignore_index=True)
        seen = frame.pop("FirstSeenUTC")
        return frame.assign(**{"TimestampUTC": seen, KNOWN_AT: seen})

    @cached_property
    def _prices(self) -> pd.DataFrame:
        frame = self._read(PRICES).sort_values("TimeUTC", kind="stable", ignore_index=True)
        known = daily_publication(frame["TimeUTC"].to_numpy(), days_before=1, hour=PRICES_OUT_HOUR)
        return frame.assign(**{KNOWN_AT: known})

    @cached_property
    def _prognosis(self) -> pd.DataFrame:
        frame = self._read(PROGNOSIS).sort_values("Minutes5UTC", kind="stable", ignore_index=True)
        return frame.assign(**{KNOWN_AT: frame["FirstSeenUTC"]})

    def _read(self, name: str) -> pd.DataFrame:
        path = self.folder / name
        try:
            frame = pd.read_parquet(path, columns=list(FILES[name]))
        except (OSError, ValueError) as error:
            raise ArchiveError(f"{path} cannot be read ({error}). Copy the recording again.") from error
        times = [column for column in FILES[name] if column.endswith("UTC")]
        return frame.astype(dict.fromkeys(times, "datetime64[us]"))


def _between(frame: pd.DataFrame, column: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return the rows of ``start`` .. ``end``; ``frame`` is in order of ``column``."""
    times = frame[column].to_numpy()
    first, last = np.searchsorted(times, np.array([start, end], dtype="datetime64[us]"))
    return frame.iloc[first:last]


def _minutes(hours: pd.DataFrame) -> pd.DataFrame:
    """Return each hour as its 60 minutes, all of the hour's value: their mean is the record."""
    minutes = hours.loc[hours.index.repeat(60)].reset_index(drop=True)
    minute = np.tile(np.arange(60), len(hours)).astype("timedelta64[m]")
    minutes.insert(0, "Minutes1UTC", minutes.pop("HourUTC").to_numpy() + minute)
    return minutes


def _quarters(hours: pd.DataFrame) -> pd.DataFrame:
    """Return each hour's price as that of its four quarters."""
    quarters = hours.loc[hours.index.repeat(4)].reset_index(drop=True)
    quarters["TimeUTC"] += np.tile(np.arange(4) * 15, len(hours)).astype("timedelta64[m]")
    return quarters
