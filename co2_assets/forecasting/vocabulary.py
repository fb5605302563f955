"""The few words that every module here shares: quantiles, horizon, column names."""

from typing import Final

from co2_assets.contracts import POWER_COLUMNS

QUANTILES: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
MEDIAN: Final = QUANTILES.index(0.5)
QUANTILE_COLUMNS: Final = tuple(f"q{round(level * 100):02d}_g_per_kwh" for level in QUANTILES)
MEDIAN_COLUMN: Final = QUANTILE_COLUMNS[MEDIAN]

HORIZON_HOURS: Final = 24
HEADLINE_LEADS: Final = (1, 6)

CO2: Final = "co2_g_per_kwh"
POWERS: Final = tuple(column.name for column in POWER_COLUMNS)
MEASURED: Final = (CO2, *POWERS)

# Forecast kinds of the service, with the measured column and the engineered one they belong to.
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
