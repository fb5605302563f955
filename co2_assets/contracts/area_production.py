"""The production of each price area and the flows over its borders: the dataset, and which borders there are.

Facts about the service: Energinet, EnergiDataService (https://www.energidataservice.dk, CC BY 4.0).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from co2_assets.contracts.columns import (
    DANISH_PRICE_AREAS,
    FETCHED_AT,
    FIVE_MINUTES_KEY,
    FLOW_COLUMNS,
    POWER_COLUMNS,
    REVISED_FOR,
    power_column,
)
from co2_assets.contracts.schema import BEGINNING, Column, Dataset, Endpoint, Table, service_fields

GREAT_BELT: Final = "exchange_great_belt_mw"
SWEDEN: Final = "exchange_sweden_mw"
NET_EXCHANGE: Final = "net_exchange_mw"

# The cable from Bornholm to southern Sweden: Bornholm belongs to eastern Denmark.
BORNHOLM = power_column(
    "exchange_bornholm_mw",
    "BornholmSE4",
    "Flow from Sweden to Bornholm, a part of eastern Denmark; positive is import.",
    200.0,
    -200.0,
)


@dataclass(frozen=True)
class Border:
    """Where the flow of the column ``flow`` is: in the price areas ``areas``, since ``since`` (naive UTC).

    Elsewhere and before nothing flows, and the service has nulls.
    """

    flow: str
    areas: tuple[str, ...]
    since: datetime = BEGINNING


# COBRAcable (Netherlands) and Viking Link (Great Britain) went into operation on these days.
BORDERS: Final = (
    Border(GREAT_BELT, DANISH_PRICE_AREAS),
    Border("exchange_germany_mw", DANISH_PRICE_AREAS),
    Border("exchange_netherlands_mw", ("DK1",), datetime(2019, 9, 7)),
    Border("exchange_great_britain_mw", ("DK1",), datetime(2023, 12, 29)),
    Border("exchange_norway_mw", ("DK1",)),
    Border(SWEDEN, DANISH_PRICE_AREAS),
)

_POWER: Mapping[str, Column] = {column.name: column for column in POWER_COLUMNS}
# In the order of the service.
PRODUCTION_COLUMNS = tuple(
    _POWER[name]
    for name in (
        "production_ge_100_mw",
        "production_lt_100_mw",
        "offshore_wind_mw",
        "onshore_wind_mw",
        "solar_mw",
    )
)
_COLUMNS = (
    *FIVE_MINUTES_KEY,
    *PRODUCTION_COLUMNS,
    *FLOW_COLUMNS,
    BORNHOLM,
    FETCHED_AT,
)

AREA_PRODUCTION = Dataset(
    table=Table(
        "area_production",
        "Production of each price area and the flows over its borders, every five minutes, as measured. A "
        "flow is null where the area has no such border.",
        _COLUMNS,
        ("price_area", "minute_utc"),
    ),
    endpoints=(
        Endpoint(
            "ElectricityProdex5MinRealtime",
            "Minutes5UTC",
            service_fields(_COLUMNS),
            areas=DANISH_PRICE_AREAS,
            first=datetime(2014, 12, 31, 23),
        ),
    ),
    time_column="minute_utc",
    step=timedelta(minutes=5),
    overlap=timedelta(days=1),
    reach=timedelta(0),
    live_chunk=timedelta(days=120),
    late_after=timedelta(hours=1),
    description="The production of Western (DK1) and of Eastern Denmark (DK2) by kind of plant, and the "
    "flows over the Great Belt between them and over the borders with other countries. No recording has it.",
    revised_for=REVISED_FOR,
)
