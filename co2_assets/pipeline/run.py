"""What a run works with, opened once: the service, the warehouse, the model folder, the clock."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from co2_assets.contracts.forecast_spec import ForecastKind
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.time import utc_now
from co2_assets.contracts.timetable import DEFAULT_TIMETABLE, Timetable
from co2_assets.forecasting.forecaster import Forecaster
from co2_assets.forecasting.network.forecaster import NetworkForecaster
from co2_assets.pipeline.sources import (
    Connection,
    SourceError,
    connect,
    obstacle_to_live,
    parse_source,
)
from co2_assets.settings import Settings, SettingsError
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home, SourceFolder
from co2_assets.warehouse.recovery import restore_if_damaged
from co2_assets.warehouse.snapshots import Snapshot

logger = logging.getLogger(__name__)

# What trains and loads the models unless another one is given.
DEFAULT_FORECASTER: Forecaster = NetworkForecaster()


@dataclass(frozen=True)
class Run:
    """One run's surroundings. ``now`` stands still, so that all steps of a run agree on it.

    ``forecaster`` trains, saves and loads the models. ``timetable`` says when forecasts are due.
    ``notice`` says what had to be mended before the run could begin, with its remedy.
    """

    folder: SourceFolder
    service: Connection
    warehouse: Warehouse
    now: datetime
    history_days: int
    seed: int
    forecaster: Forecaster = DEFAULT_FORECASTER
    timetable: Timetable = DEFAULT_TIMETABLE
    notice: str | None = None
    publications: list[Snapshot] = field(default_factory=list)

    @property
    def is_published(self) -> bool:
        """Whether this run has published already."""
        return bool(self.publications)

    @property
    def models(self) -> Path:
        """Folder of weights and sidecars."""
        return self.folder.models

    def has_issued(self) -> bool:
        """Return whether a live forecast was issued at the run's clock."""
        rows = self.warehouse.read(
            "SELECT 1 FROM predictions WHERE kind = ? AND issued_at_utc = ? LIMIT 1",
            [ForecastKind.LIVE.value, self.now],
        )
        return not rows.empty

    def publish(self) -> Snapshot:
        """Publish what has been committed as a new read-only snapshot; pages turn to this source."""
        snapshot = snapshots.publish(
            self.warehouse, self.folder.snapshots, as_of_utc=self.now, published_at_utc=utc_now()
        )
        self.publications.append(snapshot)
        Home(self.folder.root.parent).set_active_source(self.folder.label)
        return snapshot


def resolve_source(settings: Settings) -> str:
    """Return the source to use, ``auto`` resolved.

    Once live data are held, ``auto`` stays live: an outage gives degraded forecasts, not made-up
    ones. Before that, the service is tried once; without it the simulator stands in, as it does for
    a time of the past, which the service cannot be asked for.
    """
    if settings.source != SourceKind.AUTO:
        return settings.source
    live = Home(settings.home).source(SourceKind.LIVE)
    if settings.as_of is not None:
        reason = "The live service cannot be asked for an earlier time"
    elif live.holds_data:
        return SourceKind.LIVE
    else:
        obstacle = obstacle_to_live(settings.live_url, rate_limit_file=live.requests)
        if obstacle is None:
            return SourceKind.LIVE
        reason = f"The live service cannot be used ({obstacle})"
    logger.warning(
        "%s: using the built-in simulator of the Danish grid. Its numbers are made up, marked so "
        "everywhere, and kept in a database of their own.",
        reason,
    )
    return SourceKind.SIMULATOR


def fetched_source(settings: Settings) -> str:
    """Return the source that a run fetches from; ``auto`` is what `resolve_source` returns.

    Raises SettingsError where ``auto`` would turn a home of recorded or live data to another source: only a
    source that is asked for by name does.
    """
    if settings.source != SourceKind.AUTO:
        return settings.source
    active = source_label(settings)
    if active == SourceKind.ARCHIVE:
        return held_source(settings)
    holds_live = active == SourceKind.LIVE or Home(settings.home).source(SourceKind.LIVE).holds_data
    if settings.as_of is not None and holds_live:
        raise SettingsError(
            f"{settings.home} holds live data, and the live service cannot be asked for an earlier time: "
            "choose a --home of its own for a run with --as-of"
        )
    return resolve_source(settings)


def refuse_older_clock(settings: Settings) -> None:
    """Raise SettingsError where ``as_of`` is before the state that the home has published of this source.

    A run would publish the older state in its place.
    """
    newest = published_snapshot(settings)
    if settings.as_of is not None and newest is not None and newest.as_of_utc > settings.as_of:
        raise SettingsError(
            f"as-of {settings.as_of:%Y-%m-%dT%H:%MZ} is before {newest.as_of_utc:%Y-%m-%dT%H:%MZ}, which "
            f"{settings.home} has published already: choose a --home of its own for the earlier time"
        )


def _refuse_shorter_recording(folder: SourceFolder, latest: datetime, home: Path) -> None:
    newest = snapshots.current(folder.snapshots)
    if newest is not None and newest.as_of_utc > latest:
        raise SettingsError(
            f"the recording ends at {latest:%Y-%m-%dT%H:%MZ}, before {newest.as_of_utc:%Y-%m-%dT%H:%MZ}, "
            f"which {home} has published already: choose a --home of its own for it"
        )


def held_source(settings: Settings) -> str:
    """Return the source to use by what works on data that are held: ``auto`` is what was last published.

    Raises SettingsError where that is a recording, whose folder only the caller knows.
    """
    label = source_label(settings)
    if settings.source != SourceKind.AUTO or label is None:
        return resolve_source(settings)
    if label == SourceKind.ARCHIVE:
        raise SettingsError(
            f"{settings.home} was last filled from a recording: name its folder, --source archive:DIR"
        )
    return label


@contextmanager
def open_run(settings: Settings, *, forecaster: Forecaster = DEFAULT_FORECASTER) -> Iterator[Run]:
    """Open what a run needs and close it afterwards; a warehouse that cannot be read is restored.

    Raises SettingsError for a source that cannot be used, and what `restore_if_damaged` raises.
    """
    home = Home(settings.home)
    # A recording without --as-of is replayed from its end, known once it is open.
    clock = [settings.as_of or utc_now()]
    try:
        service = connect(
            parse_source(fetched_source(settings)),
            lambda: clock[0],
            live_url=settings.live_url,
            rate_limit_file=home.source(SourceKind.LIVE).requests,
            weather=settings.weather,
        )
    except SourceError as error:
        raise SettingsError(str(error)) from error
    with service:
        if service.latest is not None:
            if settings.as_of is not None and service.earliest and settings.as_of <= service.earliest:
                raise SettingsError(
                    f"as-of {settings.as_of:%Y-%m-%dT%H:%MZ} lies before the recording, which holds "
                    f"{service.earliest:%Y-%m-%dT%H:%MZ} to {service.latest:%Y-%m-%dT%H:%MZ}"
                )
            clock[0] = min(clock[0], service.latest)
        folder = home.source(service.label)
        if service.latest is not None and clock[0] == service.latest:
            _refuse_shorter_recording(folder, clock[0], settings.home)
        folder.root.mkdir(parents=True, exist_ok=True)
        warehouse = Warehouse(folder.database, service.label)
        notice = restore_if_damaged(warehouse, folder.snapshots, now=clock[0])
        yield Run(
            folder=folder,
            service=service,
            warehouse=warehouse,
            notice=notice,
            now=clock[0],
            history_days=settings.history_days,
            seed=settings.seed,
            forecaster=forecaster,
            timetable=settings.timetable,
        )


def source_label(settings: Settings) -> str | None:
    """Return the kind of source whose tables are meant, without opening it; None before a first run.

    Raises SettingsError for a source that does not exist.
    """
    if settings.source == SourceKind.AUTO:
        return Home(settings.home).active_source()
    try:
        return parse_source(settings.source).kind
    except SourceError as error:
        raise SettingsError(str(error)) from error


def published_snapshot(settings: Settings) -> Snapshot | None:
    """Return the newest published snapshot of the settings' source, or None."""
    label = source_label(settings)
    return snapshots.current(Home(settings.home).source(label).snapshots) if label else None
