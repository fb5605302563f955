"""The kinds of data source. Every database, snapshot, page and API response names its own."""

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

# The address of Energinet's service. A setting names another one, such as a mirror.
LIVE_URL: Final = "https://api.energidataservice.dk"
