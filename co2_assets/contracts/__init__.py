"""What the rows of every raw dataset must look like, declared once.

The client asks for these columns, the warehouse makes its tables from them, the checks hold the
rows to them and the documentation is printed from them. Facts about the service: Energinet,
EnergiDataService (https://www.energidataservice.dk, CC BY 4.0).

Times are UTC throughout. The service's ``*DK`` columns repeat an hour each autumn and are never
read.
"""

from co2_assets.contracts.datasets import (
    CO2_EMISSION,
    CO2_EMISSION_PROGNOSIS,
    CO2_MAXIMUM,
    DATASETS,
    DAY_AHEAD_PRICES,
    FETCHED_AT,
    FORECASTS_HOUR,
    POWER_COLUMNS,
    POWER_SYSTEM_RIGHT_NOW,
    PRICE_AREA,
    PRICE_AREAS,
    PRICE_DATASETS_SWITCH,
    dataset_named,
)
from co2_assets.contracts.schema import Column, Dataset, Endpoint, Kind, Table
from co2_assets.contracts.validation import BadRow, split_rows

__all__ = [
    "CO2_EMISSION",
    "CO2_EMISSION_PROGNOSIS",
    "CO2_MAXIMUM",
    "DATASETS",
    "DAY_AHEAD_PRICES",
    "FETCHED_AT",
    "FORECASTS_HOUR",
    "POWER_COLUMNS",
    "POWER_SYSTEM_RIGHT_NOW",
    "PRICE_AREA",
    "PRICE_AREAS",
    "PRICE_DATASETS_SWITCH",
    "BadRow",
    "Column",
    "Dataset",
    "Endpoint",
    "Kind",
    "Table",
    "dataset_named",
    "split_rows",
]
