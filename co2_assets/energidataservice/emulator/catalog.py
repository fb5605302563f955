"""The datasets that the emulated service serves, and the protocol of a source of their rows.

Column names and their order are those of the service's recorded answers.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pandas as pd

# The column of a grid with the instant from which each row is known; it is never served.
KNOWN_AT = "known_at"
# Danish hour by which the prices of the next day are published (the auction: at about 12:45).
PRICES_PUBLISHED_HOUR = 13


@dataclass(frozen=True)
class ServedDataset:
    """A dataset of the service.

    ``columns`` are served in this order where a request names none, columns ``on_request`` only where
    it names them. ``time_field`` is the UTC column that start and end refer to; its Danish twin ends
    in ``DK``. Rows of the same time are in ascending ``order``.
    """

    name: str
    time_field: str
    columns: tuple[str, ...]
    order: tuple[str, ...] = ()
    on_request: tuple[str, ...] = ()


def danish_twin(column: str) -> str:
    """Return the name of a UTC column's Danish twin: ``HourUTC`` -> ``HourDK``."""
    return column.removesuffix("UTC") + "DK"


SERVED: dict[str, ServedDataset] = {
    dataset.name: dataset
    for dataset in (
        ServedDataset(
            "PowerSystemRightNow",
            "Minutes1UTC",
            (
                "Minutes1UTC",
                "Minutes1DK",
                "CO2Emission",
                "ProductionGe100MW",
                "ProductionLt100MW",
                "SolarPower",
                "OffshoreWindPower",
                "OnshoreWindPower",
                "Exchange_Sum",
                "Exchange_DK1_DE",
                "Exchange_DK1_NL",
                "Exchange_DK1_GB",
                "Exchange_DK1_NO",
                "Exchange_DK1_SE",
                "Exchange_DK1_DK2",
                "Exchange_DK2_DE",
                "Exchange_DK2_SE",
                "Exchange_Bornholm_SE",
                "aFRR_ActivatedDK1",
                "aFRR_ActivatedDK2",
                "mFRR_ActivatedDK1",
                "mFRR_ActivatedDK2",
                "ImbalanceDK1",
                "ImbalanceDK2",
            ),
        ),
        ServedDataset(
            "Forecasts_Hour",
            "HourUTC",
            (
                "HourUTC",
                "HourDK",
                "PriceArea",
                "ForecastType",
                "ForecastDayAhead",
                "ForecastIntraday",
                "Forecast5Hour",
                "Forecast1Hour",
                "ForecastCurrent",
                "TimestampUTC",
                "TimestampDK",
            ),
            order=("PriceArea", "ForecastType"),
        ),
        ServedDataset(
            "Elspotprices",
            "HourUTC",
            ("HourUTC", "HourDK", "PriceArea", "SpotPriceDKK", "SpotPriceEUR"),
            order=("PriceArea",),
        ),
        ServedDataset(
            "DayAheadPrices",
            "TimeUTC",
            ("TimeUTC", "TimeDK", "PriceArea", "DayAheadPriceEUR", "DayAheadPriceDKK"),
            order=("PriceArea",),
        ),
        ServedDataset(
            "CO2Emis",
            "Minutes5UTC",
            ("Minutes5UTC", "Minutes5DK", "PriceArea", "CO2Emission"),
            order=("PriceArea",),
        ),
        ServedDataset(
            "ElectricityProdex5MinRealtime",
            "Minutes5UTC",
            (
                "Minutes5UTC",
                "Minutes5DK",
                "PriceArea",
                "ProductionLt100MW",
                "ProductionGe100MW",
                "OffshoreWindPower",
                "OnshoreWindPower",
                "SolarPower",
                "ExchangeGreatBelt",
                "ExchangeGermany",
                "ExchangeNetherlands",
                "ExchangeGreatBritain",
                "ExchangeNorway",
                "ExchangeSweden",
                "BornholmSE4",
            ),
            order=("PriceArea",),
        ),
        ServedDataset(
            "CO2EmisProg",
            "Minutes5UTC",
            ("Minutes5UTC", "Minutes5DK", "PriceArea", "CO2Emission"),
            order=("PriceArea",),
            # The service keeps no vintage; the recording and the simulator do.
            on_request=("FirstSeenUTC",),
        ),
    )
}


class Grid(Protocol):
    """A power system with a past: recorded or simulated."""

    @property
    def datasets(self) -> frozenset[str]:
        """The served datasets of which it has rows."""
        ...

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
        """Return the rows of a served dataset as they stood at ``now``.

        The dataset's time field is from ``start`` (inclusive) to ``end`` (exclusive), naive UTC. The
        frame has that field, KNOWN_AT, and any of the dataset's other columns but the Danish times;
        a missing column is served as nulls. It may have rows that are not known at ``now``: the
        emulator drops them by KNOWN_AT. No two rows have the same key.
        """
        ...
