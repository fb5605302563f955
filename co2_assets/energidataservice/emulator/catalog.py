"""What the emulated service can be asked for, and what a source of its rows must give.

Column names and their order are those of the service's recorded answers.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pandas as pd

# The column in which a grid says from when each row was knowable; never served.
KNOWN_AT = "known_at"


@dataclass(frozen=True)
class ServedDataset:
    """A dataset as the service has it.

    ``columns`` are served in this order when none are asked for; ``on_request`` only when named.
    ``time_field`` is the UTC column by which windows are cut; its Danish twin ends in ``DK``.
    ``order`` breaks ties of time, ascending.
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
            "CO2EmisProg",
            "Minutes5UTC",
            ("Minutes5UTC", "Minutes5DK", "PriceArea", "CO2Emission"),
            order=("PriceArea",),
            # The service keeps no vintage; a recording, and the simulator, do.
            on_request=("FirstSeenUTC",),
        ),
    )
}


class Grid(Protocol):
    """A power system whose past can be asked for: recorded or simulated."""

    @property
    def datasets(self) -> frozenset[str]:
        """The served datasets that it has rows of."""
        ...

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
        """Return the rows of a served dataset as they stood at ``now``.

        ``start`` (inclusive) and ``end`` (exclusive) bound the dataset's time field, naive UTC. The
        frame has that field, KNOWN_AT, and any of the dataset's other columns, Danish times
        excepted; what it lacks is null. Rows not knowable at ``now`` may be there: the emulator
        drops them by KNOWN_AT. Each time and key is there once at most.
        """
        ...
