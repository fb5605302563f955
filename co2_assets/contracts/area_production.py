"""The production of each price area and the flows over its borders: the dataset, and which borders there are.

Facts about the service: Energinet, EnergiDataService (https://www.energidataservice.dk, CC BY 4.0).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from co2_assets.contracts.columns import FETCHED_AT, FLOW_COLUMNS, POWER_COLUMNS, power_column
from co2_assets.contracts.schema import BEGINNING, Column, Dataset, Endpoint, Kind, Table

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
    Border(GREAT_BELT, ("DK1", "DK2")),
    Border("exchange_germany_mw", ("DK1", "DK2")),
    Border("exchange_netherlands_mw", ("DK1",), datetime(2019, 9, 7)),
    Border("exchange_great_britain_mw", ("DK1",), datetime(2023, 12, 29)),
    Border("exchange_norway_mw", ("DK1",)),
    Border(SWEDEN, ("DK1", "DK2")),
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
    Column(
        "price_area",
        Kind.TEXT,
        "Price area measured (DK1 or DK2).",
        nullable=False,
        service_name="PriceArea",
    ),
    Column(
        "minute_utc",
        Kind.TIMESTAMP,
        "Start of the five minutes measured.",
        "UTC",
        nullable=False,
        service_name="Minutes5UTC",
    ),
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
            {column.service_name: column.name for column in _COLUMNS if column.service_name},
            areas=("DK1", "DK2"),
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
    # Values were seen to come, or to be revised, days late, as those of the whole country are.
    revised_for=timedelta(days=7),
)
