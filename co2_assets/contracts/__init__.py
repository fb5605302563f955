"""What everything else agrees on: tables, datasets, areas, sources, forecasts and time.

Declarations and small pure functions belong here, and nothing that reads a file or the network.
This package imports no other of ours. The client requests the columns declared here, the warehouse
creates its tables from them, the checks compare the rows with them, and `docs/data_contracts.md` is
printed from them.

Times are UTC throughout. The service's ``*DK`` columns repeat an hour each autumn and are never
read. Facts about the service: Energinet, EnergiDataService (https://www.energidataservice.dk,
CC BY 4.0).
"""

from co2_assets.contracts.columns import CO2_MAXIMUM, FETCHED_AT, POWER_COLUMNS, PRICE_AREA
from co2_assets.contracts.datasets import (
    CO2_EMISSION,
    CO2_EMISSION_PROGNOSIS,
    DANISH_PRICE_AREAS,
    DATASETS,
    DAY_AHEAD_PRICES,
    FORECASTS_HOUR,
    POWER_SYSTEM_RIGHT_NOW,
    PRICE_AREAS,
    PRICE_DATASETS_SWITCH,
    dataset_named,
)
from co2_assets.contracts.schema import VINTAGE, Column, Dataset, Endpoint, Kind, Table
from co2_assets.contracts.validation import UNREADABLE, BadRow, UnreadableCell, split_rows

__all__ = [
    "CO2_EMISSION",
    "CO2_EMISSION_PROGNOSIS",
    "CO2_MAXIMUM",
    "DANISH_PRICE_AREAS",
    "DATASETS",
    "DAY_AHEAD_PRICES",
    "FETCHED_AT",
    "FORECASTS_HOUR",
    "POWER_COLUMNS",
    "POWER_SYSTEM_RIGHT_NOW",
    "PRICE_AREA",
    "PRICE_AREAS",
    "PRICE_DATASETS_SWITCH",
    "UNREADABLE",
    "VINTAGE",
    "BadRow",
    "Column",
    "Dataset",
    "Endpoint",
    "Kind",
    "Table",
    "UnreadableCell",
    "dataset_named",
    "split_rows",
]
