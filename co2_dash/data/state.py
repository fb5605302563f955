"""What a reader must know before believing a number: whose now it is, how old, from where."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts.areas import AREAS, DENMARK, Area
from co2_assets.contracts.sources import SourceKind
from co2_assets.warehouse.snapshots import Snapshot
from co2_dash.data import queries
from co2_dash.data.snapshot_store import SnapshotStore, View

# A forecast is issued every six hours; an hour's grace for the run itself.
STALE_AFTER = timedelta(hours=7)
# A simulated run that was published later than this after its clock ran as of another time: one that
# is merely slow is ended after two hours (`max_runtime_seconds` in dagster.yaml).
REPLAY_BEYOND = timedelta(hours=2)


@dataclass(frozen=True)
class DataState:
    """The state of an area's data at a reader's ``now_utc``; all times naive UTC.

    ``version`` is empty when nothing has been published. ``issue_time_utc`` and ``model_version``
    are None without a forecast, ``measured_until_utc`` (the end of the last measured hour) without
    measurements. ``replayed`` data have a clock of their own, which stands still.
    """

    now_utc: datetime
    price_area: str = DENMARK.name
    version: str = ""
    source: str = ""
    as_of_utc: datetime | None = None
    published_at_utc: datetime | None = None
    replayed: bool = False
    issue_time_utc: datetime | None = None
    model_version: str | None = None
    measured_until_utc: datetime | None = None
    degraded_causes: tuple[str, ...] = ()

    @property
    def area(self) -> Area:
        """The area that is looked at."""
        return AREAS[self.price_area]

    @property
    def empty(self) -> bool:
        """Nothing was published, or what was holds neither forecast nor measurement."""
        return self.issue_time_utc is None and self.measured_until_utc is None

    @property
    def simulated(self) -> bool:
        return self.source == SourceKind.SIMULATOR

    @property
    def recorded(self) -> bool:
        """The data are recorded ones, or real ones shown as of an earlier time."""
        return self.source == SourceKind.ARCHIVE or (self.replayed and not self.simulated)

    @property
    def live(self) -> bool:
        return self.source == SourceKind.LIVE and not self.replayed

    @property
    def forecast_age(self) -> timedelta | None:
        return None if self.issue_time_utc is None else self.now_utc - self.issue_time_utc

    @property
    def data_age(self) -> timedelta | None:
        """Time since the last measured hour was over."""
        return None if self.measured_until_utc is None else self.now_utc - self.measured_until_utc

    @property
    def stale(self) -> bool:
        age = self.forecast_age
        return age is not None and age > STALE_AFTER

    @property
    def ready(self) -> bool:
        """There is a forecast and it is not stale."""
        return self.issue_time_utc is not None and not self.stale

    @property
    def token(self) -> str:
        """Changes exactly when something on a page other than an age does."""
        hour = self.now_utc.strftime("%Y%m%d%H")
        return f"{self.version or 'none'}.{hour}{'.stale' if self.stale else ''}"


def area_named(name: object) -> str:
    """Return the area that an address names; the whole country where it names none that there is."""
    return name if isinstance(name, str) and name in AREAS else DENMARK.name


def state_of(view: View | None, wall_clock_utc: datetime, price_area: str = DENMARK.name) -> DataState:
    """Judge the newest snapshot.

    Now is the wall clock, except for a replayed snapshot: then it is the time that the pipeline ran as
    of, or that of the newest data where the pipeline has stepped back since.
    """
    if view is None:
        return DataState(now_utc=wall_clock_utc, price_area=price_area)
    facts = view.remember(("facts", price_area), lambda: _facts(view, price_area))
    now = facts.now_utc if facts.replayed else wall_clock_utc
    return replace(facts, now_utc=now)


def _facts(view: View, price_area: str) -> DataState:
    """What does not change while the snapshot stays, with the pipeline's clock for now."""
    snapshot = view.snapshot
    forecast = queries.current_forecast(view, price_area)
    last_hour = queries.last_measured_hour(view, price_area)
    issue = None if forecast.empty else forecast["issue_time_utc"].iloc[0].to_pydatetime()
    measured_until = None if last_hour is None else last_hour + timedelta(hours=1)
    source = snapshot.source.partition(":")[0]
    # A replay may step back to a time before what is already there; now is never before that.
    now = max(time for time in (snapshot.as_of_utc, issue, measured_until) if time is not None)
    return DataState(
        now_utc=now,
        price_area=price_area,
        version=view.version,
        source=source,
        as_of_utc=snapshot.as_of_utc,
        published_at_utc=snapshot.published_at_utc,
        replayed=_is_replayed(source, snapshot),
        issue_time_utc=issue,
        model_version=None if forecast.empty else str(forecast["model_version"].iloc[0]),
        measured_until_utc=measured_until,
        degraded_causes=_causes(forecast),
    )


def _is_replayed(source: str, snapshot: Snapshot) -> bool:
    """Tell by the source: the live service cannot be asked for an earlier time, so however long a run
    took, its forecast ages by the wall clock; a recording always ends in the past."""
    if source == SourceKind.SIMULATOR:
        return abs(snapshot.published_at_utc - snapshot.as_of_utc) > REPLAY_BEYOND
    return source == SourceKind.ARCHIVE


def _causes(forecast: pd.DataFrame) -> tuple[str, ...]:
    causes: dict[str, None] = {}
    for text in forecast["degraded_causes"].dropna():
        causes.update(dict.fromkeys(str(cause) for cause in json.loads(text)))
    return tuple(causes)


# What moves with the clock alone (ages, the mark of now) is drawn again this often.
CLOCK_MINUTES = 10


def clock_token(now_utc: datetime) -> str:
    """Return what changes every ten minutes."""
    return f"{now_utc:%Y%m%d%H}{now_utc.minute // CLOCK_MINUTES}"


def tokens(state: DataState) -> dict[str, str]:
    """Return what a page compares to know whether to draw again: one for data, one for time."""
    return {"data": state.token, "clock": clock_token(state.now_utc)}


@dataclass(frozen=True)
class Reader:
    """The store, and the wall clock in naive UTC."""

    store: SnapshotStore
    wall_clock: Callable[[], datetime]

    def look(self, price_area: str = DENMARK.name) -> tuple[View | None, DataState]:
        """Return the newest view and the state it makes now of an area."""
        view = self.store.view()
        return view, state_of(view, self.wall_clock(), price_area)
