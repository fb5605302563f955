"""Where the data come from: the live service, a recording, or the simulator."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from co2_assets.contracts import Dataset
from co2_assets.contracts.sources import SourceKind
from co2_assets.energidataservice.client import LIVE_INTERVAL, EnergiDataService, wall_clock
from co2_assets.energidataservice.emulator.catalog import Grid
from co2_assets.energidataservice.emulator.recording import ArchiveError, RecordedGrid
from co2_assets.energidataservice.emulator.service import EmulatedService, Fault
from co2_assets.energidataservice.emulator.simulated_weather import EPOCH
from co2_assets.energidataservice.emulator.simulator import DEFAULT_SEED, SimulatedGrid

# What a first run fetches of a source that has years: enough to be useful at once.
FIRST_DAYS = 60


class SourceError(ValueError):
    """A source that is not there; the message says which there are, or what is missing."""


@dataclass(frozen=True)
class Source:
    """``kind`` is auto, live, archive or simulator; ``folder`` is the recording's."""

    kind: SourceKind
    folder: Path | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.folder}" if self.folder else self.kind


@dataclass(frozen=True)
class Connection:
    """A source opened. Close it, or use it as a context manager.

    ``label`` is live, archive or simulator: whose data these are. ``first_days`` is how much of the
    newest to fetch on a first run (None: everything). ``unlimited`` sources may be asked as often
    as one likes. ``earliest`` is the first instant and ``latest`` the last that the source holds,
    where they are known: naive UTC. ``datasets`` are the service's that it has (None: all).
    """

    label: SourceKind
    client: EnergiDataService
    first_days: int | None
    unlimited: bool
    earliest: datetime | None = None
    latest: datetime | None = None
    datasets: frozenset[str] | None = None

    def has(self, dataset: Dataset) -> bool:
        """Whether the source has rows of ``dataset`` to give."""
        return self.datasets is None or any(e.dataset in self.datasets for e in dataset.endpoints)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()


def earliest_of(kind: str) -> datetime | None:
    """The first instant that a source of this kind holds, naive UTC, where it is known without opening it."""
    return EPOCH + timedelta(days=1) if kind == SourceKind.SIMULATOR else None


def parse_source(text: str) -> Source:
    """Read ``live``, ``simulator``, ``auto`` or ``archive:DIR``; SourceError for anything else."""
    kind, colon, folder = text.partition(":")
    if kind == SourceKind.ARCHIVE and folder:
        source = Source(SourceKind.ARCHIVE, Path(folder).expanduser().resolve())
        _recording(source)
        return source
    if kind in (SourceKind.AUTO, SourceKind.LIVE, SourceKind.SIMULATOR) and not colon:
        return Source(SourceKind(kind))
    raise SourceError(
        f"no source {text!r}. There are: live (the real service), simulator (built in), auto (live, "
        "else the simulator), and archive:DIR (a recording in the folder DIR)"
    )


def live_is_reachable(transport: httpx.BaseTransport | None = None) -> bool:
    """Ask the live service once, within five seconds, whether it answers: what ``auto`` turns on."""
    with EnergiDataService(now=wall_clock, transport=transport) as client:
        return client.reachable()


def connect(
    source: Source,
    now: Callable[[], datetime],
    *,
    pace_file: Path | None = None,
    seed: int = DEFAULT_SEED,
    fault: Fault | None = None,
) -> Connection:
    """Open a source as of the pipeline's clock ``now``.

    ``pace_file`` keeps the times of live requests. ``seed`` chooses the simulated grid. ``fault``
    is given to the emulator (recording and simulator). SourceError for ``auto``, which the caller resolves
    by `live_is_reachable`, and for a recording that cannot be read.
    """
    if source.kind == SourceKind.LIVE:
        client = EnergiDataService(now=now, min_interval=LIVE_INTERVAL, pace_file=pace_file)
        return Connection(SourceKind.LIVE, client, FIRST_DAYS, unlimited=False)
    if source.kind == SourceKind.SIMULATOR:
        client = _emulated(SimulatedGrid(seed), now, fault)
        return Connection(
            SourceKind.SIMULATOR,
            client,
            FIRST_DAYS,
            unlimited=True,
            earliest=earliest_of(SourceKind.SIMULATOR),
        )
    if source.kind == SourceKind.ARCHIVE:
        grid = _recording(source)
        try:
            earliest, latest = grid.first_hour, grid.end
        except ArchiveError as error:
            raise SourceError(str(error)) from error
        client = _emulated(grid, now, fault)
        return Connection(
            SourceKind.ARCHIVE,
            client,
            None,
            unlimited=True,
            earliest=earliest,
            latest=latest,
            datasets=grid.datasets,
        )
    raise SourceError(f"the source {source} must be resolved to live or simulator before it is opened")


def _recording(source: Source) -> RecordedGrid:
    if source.folder is None:
        raise SourceError("an archive needs its folder: --source archive:DIR")
    try:
        return RecordedGrid(source.folder)
    except ArchiveError as error:
        raise SourceError(str(error)) from error


def _emulated(grid: Grid, now: Callable[[], datetime], fault: Fault | None) -> EnergiDataService:
    # Retrying an emulated fault need not keep anyone waiting.
    return EnergiDataService(
        now=now,
        transport=EmulatedService(grid, now, fault),
        base_url="http://emulated",
        min_interval=timedelta(0),
        serves_optional=True,
        sleep=lambda _seconds: None,
    )
