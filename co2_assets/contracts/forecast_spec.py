"""What a forecast is: its quantiles, leads, kinds and columns, and the limits it is held to."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

from co2_assets.contracts.columns import FLOW_COLUMNS, POWER_COLUMNS


class ForecastKind(StrEnum):
    """How a forecast came about, or what an evaluation scored; kept in the tables by its value."""

    LIVE = "live"
    HINDCAST = "hindcast"  # issued later with what was known at its issue time, by the present model
    BACKFILL = "backfill"  # the same, by a model that was trained on earlier hours only
    TEST = "test"  # the test part of a training; an evaluation only


class Cadence(StrEnum):
    """What a forecast was issued for; kept in the tables by its value.

    Only the six-hour forecasts drive the retraining rule, the checks and the headline scores.
    """

    SIX_HOUR = "six_hour"  # by the six-hour job; hindcasts and backfills too
    HOURLY = "hourly"  # the first of its hour, by any other run
    UPDATE = "update"  # again within an hour: another model, or inputs that came late


def series_name(kind: str, cadence: str) -> str:
    """Return the name of the forecasts of one kind and cadence, which are scored and shown together.

    That of the six-hour ones is the kind alone, as ``live``; others are as ``live-hourly``.
    """
    return kind if cadence == Cadence.SIX_HOUR else f"{kind}-{cadence}"


QUANTILES: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
MEDIAN: Final = QUANTILES.index(0.5)


def quantile_column(level: float) -> str:
    """Name of the column that holds the quantile at ``level``, as ``q05_g_per_kwh``."""
    return f"q{round(level * 100):02d}_g_per_kwh"


QUANTILE_COLUMNS: Final = tuple(quantile_column(level) for level in QUANTILES)
MEDIAN_COLUMN: Final = QUANTILE_COLUMNS[MEDIAN]
# The central bands: the percentage of hours that should lie inside, and the quantiles at the two ends.
BAND_LEVELS: Final = {50: (0.25, 0.75), 80: (0.1, 0.9), 90: (0.05, 0.95)}

# How many hours are forecast. Lead 1 is the hour that begins at the issue time.
HORIZON_HOURS: Final = 72
# The leads of each day ahead, first and last. What the operator and the market say ends within the second.
DAYS_AHEAD: Final = tuple((first, first + 23) for first in range(1, HORIZON_HOURS + 1, 24))
NEAR_HOURS: Final = DAYS_AHEAD[0][1]
# The leads that the pages, the retraining rule and the checks look at, first and last.
HEADLINE_LEADS: Final = (1, 6)
# How many of the coming hours are shown first: as many as there are headline leads.
HEADLINE_HOURS: Final = HEADLINE_LEADS[1]
# The leads beyond the headline, by day.
LATER_LEADS: Final = ((HEADLINE_LEADS[1] + 1, NEAR_HOURS), *DAYS_AHEAD[1:])
# The whole job runs at 00, 06, 12 and 18 UTC.
MARK_HOURS: Final = 6
MARK: Final = timedelta(hours=MARK_HOURS)
# The clocks of two machines differ by less. What is further ahead of the clock was not made now.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
# Below this accuracy (100 - MAPE) of the headline leads a new model is trained.
ACCURACY_THRESHOLD_PERCENT: Final = 65.0

CO2: Final = "co2_g_per_kwh"
POWERS: Final = tuple(column.name for column in POWER_COLUMNS)
MEASURED: Final = (CO2, *POWERS)
FLOWS: Final = tuple(column.name for column in FLOW_COLUMNS)

# Forecast types of the service, with the measured column and the engineered one they belong to.
WIND_SOLAR: Final = {
    "Offshore Wind": ("offshore_wind_mw", "offshore_wind_forecast_mw"),
    "Onshore Wind": ("onshore_wind_mw", "onshore_wind_forecast_mw"),
    "Solar": ("solar_mw", "solar_forecast_mw"),
}
WIND_SOLAR_MEASURED: Final = tuple(measured for measured, _ in WIND_SOLAR.values())
WIND_SOLAR_FORECAST: Final = tuple(forecast for _, forecast in WIND_SOLAR.values())
PROGNOSIS: Final = "prognosis_g_per_kwh"

LAG_HOURS: Final = (1, 2, 3, 4, 5)
ROLLING_HOURS: Final = (6, 12)


def price_column(zone: str) -> str:
    """Name of the engineered column that holds the day-ahead price in ``zone``."""
    return f"price_{zone.lower()}_eur_per_mwh"
