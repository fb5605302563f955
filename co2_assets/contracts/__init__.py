"""What everything else agrees on: tables, datasets, areas, sources, forecasts and time.

Declarations and small pure functions belong here, and nothing that reads a file or the network.
This package imports no other of ours. The client requests the columns declared here, the warehouse
creates its tables from them, the checks compare the rows with them, and `docs/data_contracts.md` is
printed from them.

Times are UTC throughout. The service's ``*DK`` columns repeat an hour each autumn and are never
read. Facts about the services: Energinet, EnergiDataService (https://www.energidataservice.dk,
CC BY 4.0), and Open-Meteo (https://open-meteo.com/en/docs, CC BY 4.0).
"""

from co2_assets.contracts.area_production import AREA_PRODUCTION
from co2_assets.contracts.columns import (
    CO2_MAXIMUM,
    DANISH_PRICE_AREAS,
    FETCHED_AT,
    POWER_COLUMNS,
    PRICE_AREA,
)
from co2_assets.contracts.datasets import (
    CO2_EMISSION,
    CO2_EMISSION_PROGNOSIS,
    DATASETS,
    DAY_AHEAD_PRICES,
    FORECASTS_HOUR,
    POWER_SYSTEM_RIGHT_NOW,
    PRICE_AREAS,
    PRICE_DATASETS_SWITCH,
    dataset_named,
    datasets_of,
)
from co2_assets.contracts.schema import VINTAGE, Column, Dataset, Endpoint, Kind, ServiceName, Table
from co2_assets.contracts.validation import UNREADABLE, BadRow, UnreadableCell, split_rows
from co2_assets.contracts.weather import WEATHER_FORECAST

__all__ = [
    "AREA_PRODUCTION",
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
    "WEATHER_FORECAST",
    "BadRow",
    "Column",
    "Dataset",
    "Endpoint",
    "Kind",
    "ServiceName",
    "Table",
    "UnreadableCell",
    "dataset_named",
    "datasets_of",
    "split_rows",
]
