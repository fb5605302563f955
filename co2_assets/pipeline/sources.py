"""The sources of data: the live services, a recording, and the simulator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from co2_assets.contracts import WEATHER_FORECAST, Dataset, ServiceName
from co2_assets.contracts.series import series_of
from co2_assets.contracts.sources import LIVE_URL, WEATHER_OFF, SourceKind, WeatherAccess
from co2_assets.contracts.time import wall_clock
from co2_assets.contracts.weather import WeatherPoint
from co2_assets.energidataservice.client import LIVE_INTERVAL, EnergiDataService
from co2_assets.energidataservice.emulator.catalog import Grid
from co2_assets.energidataservice.emulator.recording import ArchiveError, RecordedGrid
from co2_assets.energidataservice.emulator.service import EmulatedService
from co2_assets.energidataservice.emulator.simulated_weather import EPOCH
from co2_assets.energidataservice.emulator.simulator import DEFAULT_SEED, SimulatedGrid
from co2_assets.http_service.client import Closes
from co2_assets.http_service.emulated import Fault
from co2_assets.http_service.errors import ServiceError
from co2_assets.openmeteo.client import OpenMeteo, all_points
from co2_assets.openmeteo.emulator.recording import RecordedWeather, WeatherRecordingError
from co2_assets.openmeteo.emulator.service import EmulatedOpenMeteo, WeatherGrid

SIMULATOR_BEGINS = EPOCH + timedelta(days=1)
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
class ServiceClients:
    """The clients of the services; a dataset is fetched from its own.

    ``open_meteo`` is None where the weather forecast is not wanted or not recorded.
    """

    energinet: EnergiDataService
    open_meteo: OpenMeteo | None
    weather_wanted: bool = True

    def fetch(self, dataset: Dataset, start: datetime, end: datetime) -> pd.DataFrame:
        """Return the rows of ``start`` (inclusive) to ``end`` (exclusive), naive UTC.

        Raises what the client of the dataset's service raises, and ValueError for a dataset that is not
        served.
        """
        if dataset.service is ServiceName.ENERGI_DATA_SERVICE:
            return self.energinet.fetch(dataset, start, end)
        if self.open_meteo is None:
            raise ValueError(f"{dataset.name} is not served: ask `Connection.has` first")
        return self.open_meteo.fetch(dataset, start, end)

    def close(self) -> None:
        """Close the connections; the clients cannot be used afterwards."""
        self.energinet.close()
        if self.open_meteo is not None:
            self.open_meteo.close()


@dataclass(frozen=True)
class Connection(Closes):
    """An open source, to be used as a context manager.

    ``label`` is live, archive or simulator. A first run fetches the newest ``first_days`` days (None:
    everything). An ``unlimited`` source has no rate limit. ``earliest`` and ``latest`` are the first
    and the last instant of its data, naive UTC, where they are known. ``datasets`` are those of the
    services that it has (None: all), and ``points(now)`` those of which it has weather. ``ends`` has the
    ends of those datasets of the services that end before ``latest``, naive UTC.
    """

    label: SourceKind
    client: ServiceClients
    first_days: int | None
    unlimited: bool
    earliest: datetime | None = None
    latest: datetime | None = None
    datasets: frozenset[str] | None = None
    points: Callable[[datetime], Sequence[WeatherPoint]] = all_points
    ends: Mapping[str, datetime] = field(default_factory=dict)

    def has(self, dataset: Dataset) -> bool:
        """Whether the source has ``dataset``, and it is wanted."""
        return not self.why_not(dataset)

    def why_not(self, dataset: Dataset) -> str:
        """Return why nothing is requested of ``dataset``; an empty text where it is."""
        if dataset.service is ServiceName.OPEN_METEO and not self.client.weather_wanted:
            return WEATHER_OFF
        if self.datasets is None or any(e.dataset in self.datasets for e in dataset.endpoints):
            return ""
        return "the source does not have this dataset"

    def series_of(self, dataset: Dataset, now: datetime) -> list[tuple[str, ...]]:
        """Return the series of ``dataset`` that the source has at ``now``, naive UTC."""
        return series_of(dataset, {point.name for point in self.points(now)})

    def earliest_of(self, dataset: Dataset) -> datetime | None:
        """Return the first instant of the data of ``dataset``, naive UTC, where it is known."""
        return earliest_of(self.label, dataset) if self.earliest is None else self.earliest

    def end_of(self, dataset: Dataset) -> datetime | None:
        """Return the end of ``dataset``, naive UTC, where the source has nothing of it from then on."""
        return self.ends.get(dataset.endpoints[-1].dataset)

    def close(self) -> None:
        """Close the connections; the source cannot be used afterwards."""
        self.client.close()


def earliest_of(kind: str, dataset: Dataset) -> datetime | None:
    """First instant of a dataset of this kind of source, naive UTC; None where it is not known in advance."""
    if kind == SourceKind.LIVE:
        return dataset.live_from
    return SIMULATOR_BEGINS if kind == SourceKind.SIMULATOR else None


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
    weather: WeatherAccess = WeatherAccess(),  # noqa: B008 -- it cannot be changed
) -> Connection:
    """Open a source as of the pipeline's clock ``now``.

    ``live_url`` is the address of the live service. ``rate_limit_file`` keeps the times of live requests.
    ``seed`` selects the simulated grid. ``fault`` is passed to the emulators (recording and simulator).
    ``weather`` says whether the weather forecast is wanted, and where the live one is.
    Raises SourceError for ``auto``, which the caller must resolve with `obstacle_to_live`, and for a
    recording that cannot be read.
    """
    if source.kind == SourceKind.LIVE:
        energinet = EnergiDataService(
            now=now, base_url=live_url, min_interval=LIVE_INTERVAL, rate_limit_file=rate_limit_file
        )
        open_meteo = (
            OpenMeteo(now=now, access=weather, rate_limit_file=rate_limit_file) if weather.wanted else None
        )
        clients = ServiceClients(energinet, open_meteo, weather.wanted)
        return Connection(SourceKind.LIVE, clients, FIRST_DAYS, unlimited=False)
    if source.kind == SourceKind.SIMULATOR:
        simulated = SimulatedGrid(seed)
        return Connection(
            SourceKind.SIMULATOR,
            _emulated(simulated, simulated, now, fault, weather),
            FIRST_DAYS,
            unlimited=True,
            earliest=SIMULATOR_BEGINS,
        )
    if source.kind == SourceKind.ARCHIVE:
        grid = _recording(source)
        recorded = RecordedWeather(grid.folder)
        is_there = recorded.is_there and weather.wanted
        try:
            earliest, latest, ends = grid.first_hour, grid.end, grid.ends
            if is_there:
                recorded.points(latest)  # it is read once, so that what is wrong with it is said now
        except (ArchiveError, WeatherRecordingError) as error:
            raise SourceError(str(error)) from error
        names = {e.dataset for e in WEATHER_FORECAST.endpoints} if is_there else set()
        return Connection(
            SourceKind.ARCHIVE,
            _emulated(grid, recorded if is_there else None, now, fault, weather),
            None,
            unlimited=True,
            earliest=earliest,
            latest=latest,
            datasets=grid.datasets | names,
            points=recorded.points if is_there else all_points,
            ends=ends,
        )
    raise SourceError(f"the source {source} must be resolved to live or simulator before it is opened")


def _recording(source: Source) -> RecordedGrid:
    if source.folder is None:
        raise SourceError(
            "an archive needs its folder: --source archive:DIR; for a home that holds one, leave --source out"
        )
    try:
        return RecordedGrid(source.folder)
    except ArchiveError as error:
        raise SourceError(str(error)) from error


def _emulated(
    grid: Grid,
    weather_grid: WeatherGrid | None,
    now: Callable[[], datetime],
    fault: Fault | None,
    weather: WeatherAccess,
) -> ServiceClients:
    # No real wait before an emulated request is repeated.
    options: dict[str, Any] = {"min_interval": timedelta(0), "sleep": lambda _seconds: None}
    energinet = EnergiDataService(
        now=now,
        transport=EmulatedService(grid, now, fault),
        base_url="http://emulated",
        serves_optional=True,
        **options,
    )
    if weather_grid is None or not weather.wanted:
        return ServiceClients(energinet, None, weather.wanted)
    coming, past = (
        EmulatedOpenMeteo(weather_grid, now, keeps_history=keeps_history, fault=fault)
        for keeps_history in (False, True)
    )
    open_meteo = OpenMeteo(
        now=now,
        access=WeatherAccess(url="http://emulated", history_url="http://emulated"),
        points=weather_grid.points,
        transports=(coming, past),
        **options,
    )
    return ServiceClients(energinet, open_meteo)
