"""Paths on disk: one home folder, and in it one folder for each kind of source.

Data of the simulator or of an archive are never in the same database as those of the live service.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from co2_assets.contracts.sources import SOURCE_LABELS
from co2_assets.warehouse.errors import UnusableHome

# In the name of a database that was set aside; the time follows.
DAMAGED = ".damaged-"
# DuckDB reads ? as the end of a path and a backslash as a separator, and takes UTF-8 alone. Dagster's SQLite
# URLs also end a path at ?, and decode %41. Files would lie outside of the home, or could not be opened.
_MISREAD = re.compile(r"[?\\\udc80-\udcff]|%[0-9A-Fa-f]{2}")


def home_folder(text: str | Path) -> Path:
    """Return the home folder that a person named, with a leading ``~`` expanded: a shell may not have.

    Raises UnusableHome for the ``~name`` of a user who does not exist.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UnusableHome(
            f"the home folder {str(text)!r} begins with a user whom this machine does not know: "
            "write the path in full"
        ) from error


@dataclass(frozen=True)
class SourceFolder:
    """The files of one kind of source, under ``root``."""

    root: Path
    label: str

    @property
    def database(self) -> Path:
        """The DuckDB file that runs write; only runs open it."""
        return self.root / "warehouse.duckdb"

    @property
    def holds_data(self) -> bool:
        """Whether anything was ever stored here: a database, a damaged one, a snapshot or a past month."""
        folders = (self.snapshots, self.history, self.issues)
        return self.database.exists() or bool(self.set_aside) or any(folder.exists() for folder in folders)

    @property
    def set_aside(self) -> list[Path]:
        """Databases that could not be read and were set aside, oldest first."""
        named = sorted(self.root.glob(f"{self.database.name}{DAMAGED}*"))
        return [path for path in named if path.suffix not in (".txt", ".wal")]

    @property
    def snapshots(self) -> Path:
        """Folder of published read-only copies and the pointer to the newest."""
        return self.root / "snapshots"

    @property
    def issues(self) -> Path:
        """Folder of the issued forecasts of past months, a Parquet file each."""
        return self.root / "issues"

    @property
    def history(self) -> Path:
        """Folder of past months of the raw tables: a folder for each table, a Parquet file for each month."""
        return self.root / "history"

    @property
    def models(self) -> Path:
        """Folder of the models' weights and their metadata files."""
        return self.root / "models"

    @property
    def requests(self) -> Path:
        """File with the time of each dataset's last request: the rate limit also holds after a restart."""
        return self.root / "last_requests.json"


@dataclass(frozen=True)
class Home:
    """The folder with all state: ``--home``, ``CO2_HOME``, or ``data``.

    Raises UnusableHome for a path that the databases would read as another one.
    """

    root: Path

    def __post_init__(self) -> None:
        # Dagster is given the path with all links resolved, the warehouse the path as it was named.
        for path in (os.path.abspath(self.root), os.path.realpath(self.root)):
            if found := _MISREAD.search(path):
                raise UnusableHome(
                    f"the home folder {path!r} has {found[0]!r} in its path, which a database would read as "
                    "something else: choose a folder without question marks, backslashes, % before two "
                    "hexadecimal digits, and letters that are not UTF-8"
                )

    def source(self, label: str) -> SourceFolder:
        """Return the folder of ``live``, ``archive`` or ``simulator``; ValueError otherwise."""
        if label not in SOURCE_LABELS:
            raise ValueError(f"no source {label!r}; there are {', '.join(SOURCE_LABELS)}")
        return SourceFolder(self.root / label, str(label))

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME: run and event storage."""
        return self.root / "dagster"

    @property
    def alerts(self) -> Path:
        """File with what alerts have said, and what is still to be sent."""
        return self.root / "alerts.json"

    @property
    def active_source_file(self) -> Path:
        """File with the label of the source that the pages show: the one published last."""
        return self.root / "active_source"

    def set_active_source(self, label: str) -> None:
        """Let the pages show ``label``. The file is replaced in one step: they may read it at any time."""
        if self.active_source() == label:
            return
        unfinished = self.active_source_file.with_suffix(".unfinished")
        unfinished.write_text(label + "\n", encoding="utf-8")
        unfinished.replace(self.active_source_file)

    def active_source(self) -> str | None:
        """Return the label of the source that was last published, or None before the first run."""
        try:
            label = self.active_source_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        return label if label in SOURCE_LABELS else None
