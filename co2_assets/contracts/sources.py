"""The kinds of data source. Every database, snapshot, page and API response names its own."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class SourceKind(StrEnum):
    """A kind of source. ``AUTO`` is resolved to ``LIVE`` or ``SIMULATOR`` before a run."""

    LIVE = "live"
    ARCHIVE = "archive"
    SIMULATOR = "simulator"
    AUTO = "auto"


# The kinds whose data are stored, each in its own database.
SOURCE_LABELS: Final = (SourceKind.LIVE, SourceKind.ARCHIVE, SourceKind.SIMULATOR)

# To be named wherever the data are shown; nobody's name stands under numbers that were made up.
ATTRIBUTION: Final = "Source: Energinet, www.energidataservice.dk (CC BY 4.0)."
SIMULATED: Final = "Made up by the built-in simulator in the form of Energinet's and Open-Meteo's data."

# Said of the areas' carbon intensity where it comes from a recording: no recording of `CO2Emis` is known.
STAND_IN: Final = "Energinet's final figures, published later, are used instead of the first ones"

# The address of Energinet's service. A setting names another one, such as a mirror.
LIVE_URL: Final = "https://api.energidataservice.dk"

# The addresses of Open-Meteo: of the coming hours, and of what was forecast of past hours. Those of its
# customers, who have a key, begin otherwise.
WEATHER_URL: Final = "https://api.open-meteo.com"
WEATHER_HISTORY_URL: Final = "https://previous-runs-api.open-meteo.com"
CUSTOMER_WEATHER_URL: Final = "https://customer-api.open-meteo.com"
CUSTOMER_WEATHER_HISTORY_URL: Final = "https://customer-previous-runs-api.open-meteo.com"
# Said where the weather forecast is not requested.
WEATHER_OFF: Final = "switched off (CO2_WEATHER=off)"


@dataclass(frozen=True)
class WeatherAccess:
    """How the weather forecast is had. Where it is not ``wanted``, nothing is requested.

    The addresses are the part before ``/v1/forecast``; an empty one is that of the service, or of its
    customers where there is a ``key``, which is a secret.
    """

    wanted: bool = True
    url: str = ""
    history_url: str = ""
    key: str = field(default="", repr=False)

    @property
    def forecast_address(self) -> str:
        """The address of the coming hours."""
        return self.url or (CUSTOMER_WEATHER_URL if self.key else WEATHER_URL)

    @property
    def history_address(self) -> str:
        """The address of what was forecast of past hours."""
        return self.history_url or (CUSTOMER_WEATHER_HISTORY_URL if self.key else WEATHER_HISTORY_URL)
