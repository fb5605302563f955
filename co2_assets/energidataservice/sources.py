"""The sources of data: the live service, a recording, and the simulator."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from co2_assets.contracts import Dataset
from co2_assets.contracts.sources import LIVE_URL, SourceKind
from co2_assets.contracts.time import wall_clock
from co2_assets.energidataservice.client import LIVE_INTERVAL, EnergiDataService
from co2_assets.energidataservice.emulator.catalog import Grid
from co2_assets.energidataservice.emulator.recording import ArchiveError, RecordedGrid
from co2_assets.energidataservice.emulator.service import EmulatedService, Fault
from co2_assets.energidataservice.emulator.simulated_weather import EPOCH
from co2_assets.energidataservice.emulator.simulator import DEFAULT_SEED, SimulatedGrid
from co2_assets.energidataservice.errors import ServiceError

# Days that a first run fetches of a source with years of data: enough to train and to forecast.
FIRST_DAYS = 60


class SourceError(ValueError):
    """There is no such source; the message names those there are, or what is missing."""


@dataclass(frozen=True)
class Source:
    """A chosen source. ``folder`` is that of the recording, None for other kinds."""

    kind: SourceKind
    folder: Path | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.folder}" if self.folder else self.kind


@dataclass(frozen=True)
class Connection:
    """An open source, to be used as a context manager.

    ``label`` is live, archive or simulator. A first run fetches the newest ``first_days`` days (None:
    everything). An ``unlimited`` source has no rate limit. ``earliest`` and ``latest`` are the first
    and the last instant of its data, naive UTC, where they are known. ``datasets`` are those of the
    service that it has (None: all).
    """

    label: SourceKind
    client: EnergiDataService
    first_days: int | None
    unlimited: bool
    earliest: datetime | None = None
    latest: datetime | None = None
    datasets: frozenset[str] | None = None

    def has(self, dataset: Dataset) -> bool:
        """Whether the source has ``dataset``."""
        return self.datasets is None or any(e.dataset in self.datasets for e in dataset.endpoints)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()


def earliest_of(kind: str) -> datetime | None:
    """First instant of the data of this kind of source, naive UTC; None where it is not known in advance."""
    return EPOCH + timedelta(days=1) if kind == SourceKind.SIMULATOR else None


def parse_source(text: str) -> Source:
    """Read ``live``, ``simulator``, ``auto`` or ``archive:DIR``; SourceError for anything else."""
    kind, colon, folder = text.partition(":")
    if kind == SourceKind.ARCHIVE and folder:
        try:
            source = Source(SourceKind.ARCHIVE, Path(folder).expanduser().resolve())
        except (RuntimeError, OSError) as error:
            raise SourceError(
                f"no recording in {folder}: {error}. Write the path of its folder in full"
            ) from error
        _recording(source)
        return source
    if kind in (SourceKind.AUTO, SourceKind.LIVE, SourceKind.SIMULATOR) and not colon:
        return Source(SourceKind(kind))
    raise SourceError(
        f"no source {text!r}. There are: live (the real service), simulator (built in), auto (live, "
        "else the simulator), and archive:DIR (a recording in the folder DIR)"
    )


def obstacle_to_live(
    base_url: str = LIVE_URL,
    *,
    rate_limit_file: Path | None = None,
    transport: httpx.BaseTransport | None = None,
) -> ServiceError | None:
    """Return why the live service cannot be used now, after ten seconds at most; None if it can.

    ``rate_limit_file`` keeps the times of live requests, and this one counts too.
    """
    with EnergiDataService(
        now=wall_clock, transport=transport, base_url=base_url, rate_limit_file=rate_limit_file
    ) as client:
        return client.obstacle()


def connect(
    source: Source,
    now: Callable[[], datetime],
    *,
    live_url: str = LIVE_URL,
    rate_limit_file: Path | None = None,
    seed: int = DEFAULT_SEED,
    fault: Fault | None = None,
) -> Connection:
    """Open a source as of the pipeline's clock ``now``.

    ``live_url`` is the address of the live service. ``rate_limit_file`` keeps the times of live requests.
    ``seed`` selects the simulated grid. ``fault`` is passed to the emulator (recording and simulator).
    Raises SourceError for ``auto``, which the caller must resolve with `obstacle_to_live`, and for a
    recording that cannot be read.
    """
    if source.kind == SourceKind.LIVE:
        client = EnergiDataService(
            now=now, base_url=live_url, min_interval=LIVE_INTERVAL, rate_limit_file=rate_limit_file
        )
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
    # No real wait before an emulated request is repeated.
    return EnergiDataService(
        now=now,
        transport=EmulatedService(grid, now, fault),
        base_url="http://emulated",
        min_interval=timedelta(0),
        serves_optional=True,
        sleep=lambda _seconds: None,
    )
