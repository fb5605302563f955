"""Where data come from: the label that every database, snapshot, page and answer carries."""

from enum import StrEnum
from typing import Final


class SourceKind(StrEnum):
    """A kind of source; ``AUTO`` is a wish, resolved to one of the others before a run."""

    LIVE = "live"
    ARCHIVE = "archive"
    SIMULATOR = "simulator"
    AUTO = "auto"


# The kinds that data are kept of, each in a database of its own.
SOURCE_LABELS: Final = (SourceKind.LIVE, SourceKind.ARCHIVE, SourceKind.SIMULATOR)
