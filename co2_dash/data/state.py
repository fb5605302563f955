"""The state of the data that a page or an answer shows: the time of "now", their age, their source."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.time import hour_containing
from co2_assets.contracts.timetable import DEFAULT_TIMETABLE, Timetable
from co2_assets.contracts.weather import WEATHER_FORECAST
from co2_assets.warehouse.snapshots import Snapshot
from co2_dash.data import queries
from co2_dash.data.snapshot_store import SnapshotStore, View

# Simulated data are a replay when they were published more than this after the time that they are for.
# A slow run cannot be the reason: Dagster ends a run after two hours (`max_runtime_seconds` in
# dagster.yaml).
REPLAY_BEYOND = timedelta(hours=2)


@dataclass(frozen=True)
class DataState:
    """The state of an area's data at ``now_utc``. All times are naive UTC.

    ``wall_clock_utc`` is the clock of this machine, where it is not ``now_utc``.

    ``version`` is empty when nothing has been published. ``issued_at_utc`` and ``model_version`` are None
    without a forecast, ``measured_until_utc`` (the end of the last measured hour) is None without
    measurements. ``has_ended``: the area is neither measured nor forecast any more, while others are.
    ``rests_on_weather``: forecasts of the weather are held. ``weather_wanted`` is False where it is switched
    off. For ``replayed`` data ``now_utc`` is a fixed time, not the wall clock.
    """

    now_utc: datetime
    area: Area = DENMARK
    version: str = ""
    source: str = ""
    as_of_utc: datetime | None = None
    published_at_utc: datetime | None = None
    replayed: bool = False
    issued_at_utc: datetime | None = None
    model_version: str | None = None
    measured_until_utc: datetime | None = None
    has_ended: bool = False
    degraded_causes: tuple[str, ...] = ()
    rests_on_weather: bool = False
    weather_wanted: bool = True
    wall_clock_utc: datetime | None = None
    timetable: Timetable = DEFAULT_TIMETABLE

    @property
    def switched_off(self) -> frozenset[str]:
        """The raw datasets that are not requested, by the operator's settings."""
        return frozenset() if self.weather_wanted else frozenset({WEATHER_FORECAST.name})

    @property
    def issue_time_utc(self) -> datetime | None:
        """The hour in which the forecast was issued, which is its first."""
        return None if self.issued_at_utc is None else hour_containing(self.issued_at_utc)

    @property
    def empty(self) -> bool:
        """There is neither a forecast nor a measurement."""
        return self.issue_time_utc is None and self.measured_until_utc is None

    @property
    def simulated(self) -> bool:
        return self.source == SourceKind.SIMULATOR

    @property
    def recorded(self) -> bool:
        """The data come from a recording, or they are real data shown as of an earlier time."""
        return self.source == SourceKind.ARCHIVE or (self.replayed and not self.simulated)

    @property
    def live(self) -> bool:
        return self.source == SourceKind.LIVE and not self.replayed

    @property
    def forecast_age(self) -> timedelta | None:
        return None if self.issued_at_utc is None else self.now_utc - self.issued_at_utc

    @property
    def next_due_utc(self) -> datetime | None:
        """When the next forecast is due; None without one, and for replayed data, which stand still."""
        if self.issued_at_utc is None or self.replayed:
            return None
        return self.timetable.next_due(self.issued_at_utc)

    @property
    def ahead_by(self) -> timedelta | None:
        """How far the time of the last run lies ahead of this machine's clock; None where it does not."""
        clock = self.wall_clock_utc or self.now_utc
        ahead = max(self.issued_at_utc or clock, self.as_of_utc or clock) - clock
        return ahead if ahead > CLOCK_TOLERANCE else None

    @property
    def stale(self) -> bool:
        """There is a forecast, but later ones were missed, or the data are ahead of the clock."""
        if self.issued_at_utc is None:
            return False
        return not self.timetable.is_fresh(self.issued_at_utc, self.now_utc) or self.ahead_by is not None

    @property
    def ready(self) -> bool:
        """There is a forecast, and it is not stale."""
        return self.issue_time_utc is not None and not self.stale

    @property
    def token(self) -> str:
        """Text that changes exactly when something on a page changes, apart from ages."""
        hour = self.now_utc.strftime("%Y%m%d%H")
        return f"{self.version or 'none'}.{hour}{'.stale' if self.stale else ''}"


def state_of(
    view: View | None,
    wall_clock_utc: datetime,
    area_name: str = DENMARK.name,
    timetable: Timetable = DEFAULT_TIMETABLE,
    weather_wanted: bool = True,
) -> DataState:
    """Return the state of an area's data in a snapshot.

    ``now_utc`` is the wall clock. For a replayed snapshot it is the time that the pipeline ran as of, or
    the time of the newest data where that is later.
    """
    if view is None:
        return DataState(
            now_utc=wall_clock_utc,
            area=AREAS[area_name],
            timetable=timetable,
            weather_wanted=weather_wanted,
        )
    at_publication = view.remember(("state", area_name), lambda: _state_at_publication(view, area_name))
    now = at_publication.now_utc if at_publication.replayed else wall_clock_utc
    return replace(
        at_publication,
        now_utc=now,
        wall_clock_utc=wall_clock_utc,
        timetable=timetable,
        weather_wanted=weather_wanted,
    )


def _state_at_publication(view: View, area_name: str) -> DataState:
    """Return the state by the pipeline's own clock; it stays the same for the snapshot."""
    snapshot = view.snapshot
    forecast = queries.current_forecast(view, area_name)
    last_hour = queries.last_measured_hour(view, area_name)
    issued_at = None if forecast.empty else forecast["issued_at_utc"].iloc[0].to_pydatetime()
    measured_until = None if last_hour is None else last_hour + timedelta(hours=1)
    source = snapshot.source.partition(":")[0]
    # A replay can run as of a time before its newest data. "Now" is never before the newest data.
    now = max(time for time in (snapshot.as_of_utc, issued_at, measured_until) if time is not None)
    return DataState(
        now_utc=now,
        area=AREAS[area_name],
        version=view.version,
        source=source,
        as_of_utc=snapshot.as_of_utc,
        published_at_utc=snapshot.published_at_utc,
        replayed=_is_replayed(source, snapshot),
        issued_at_utc=issued_at,
        model_version=None if forecast.empty else str(forecast["model_version"].iloc[0]),
        measured_until_utc=measured_until,
        has_ended=measured_until is not None and area_name not in queries.areas(view),
        degraded_causes=_causes(forecast),
        rests_on_weather=queries.has_rows(view, WEATHER_FORECAST.name),
    )


def _is_replayed(source: str, snapshot: Snapshot) -> bool:
    """Tell whether the data are shown as of a time of their own.

    Live data never are, however long the run took: the live service has no earlier time to ask for. A
    recording always is, because it ends in the past.
    """
    if source == SourceKind.SIMULATOR:
        return abs(snapshot.published_at_utc - snapshot.as_of_utc) > REPLAY_BEYOND
    return source == SourceKind.ARCHIVE


def _causes(forecast: pd.DataFrame) -> tuple[str, ...]:
    causes: dict[str, None] = {}
    for text in forecast["degraded_causes"].dropna():
        causes.update(dict.fromkeys(str(cause) for cause in json.loads(text)))
    return tuple(causes)


# What changes with the clock alone (ages, the line at "now") is drawn again this often.
CLOCK_MINUTES = 10


def clock_token(now_utc: datetime) -> str:
    """Return text that changes every `CLOCK_MINUTES`."""
    return f"{now_utc:%Y%m%d%H}{now_utc.minute // CLOCK_MINUTES}"


def tokens(state: DataState) -> dict[str, str]:
    """Return the two texts that a page compares to know whether to draw again: for the data, for the time."""
    return {"data": state.token, "clock": clock_token(state.now_utc)}


@dataclass(frozen=True)
class Reader:
    """Reads the newest snapshot. ``wall_clock`` gives naive UTC."""

    store: SnapshotStore
    wall_clock: Callable[[], datetime]
    timetable: Timetable = DEFAULT_TIMETABLE
    weather_wanted: bool = True

    def look(self, area_name: str = DENMARK.name) -> tuple[View | None, DataState]:
        """Return the view of the newest snapshot, None while there is none, and an area's state now."""
        view = self.store.view()
        return view, self.state(view, area_name)

    def state(self, view: View | None, area_name: str) -> DataState:
        """Return an area's state now in a view that is held, so that several areas are of one snapshot."""
        return state_of(view, self.wall_clock(), area_name, self.timetable, self.weather_wanted)
