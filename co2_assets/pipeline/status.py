"""The state of the pipeline, read from the published tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from co2_assets.contracts import CO2_EMISSION, WEATHER_FORECAST
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import CLOCK_TOLERANCE, HEADLINE_LEADS, ForecastKind
from co2_assets.contracts.sources import STAND_IN, WEATHER_OFF, SourceKind
from co2_assets.contracts.tables import FETCH_OK
from co2_assets.contracts.time import hour_containing, utc_now
from co2_assets.contracts.timetable import Timetable
from co2_assets.settings import Settings
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.history import history_files
from co2_assets.warehouse.issue_archive import ALL_PREDICTIONS, issue_files, oldest_issue, query_all
from co2_assets.warehouse.paths import Home, SourceFolder
from co2_assets.warehouse.snapshots import Snapshot
from co2_assets.warehouse.views import newest_forecast_where

# Said of the weather of a recording: it is recorded, but what forecasts said of it is not.
MADE_ERRORS = "recorded weather; the errors of its forecasts are made"


def instant(value: datetime | None) -> str | None:
    """Return a naive UTC time as ISO 8601 with its offset."""
    return None if value is None or pd.isna(value) else f"{value:%Y-%m-%dT%H:%M:%SZ}"


def clock(snapshot: Snapshot, settings: Settings) -> datetime:
    """Return the present time of the pipeline, naive UTC; for a recording it is the time of its last run."""
    if settings.as_of is not None:
        return settings.as_of
    return snapshot.as_of_utc if snapshot.source == SourceKind.ARCHIVE else utc_now()


@dataclass(frozen=True)
class Status:
    """The state of one source's pipeline at ``now``, naive UTC; forecast and scores are those of one area.

    ``notes`` say, by dataset, that it is switched off or that something of it is made up.
    ``oldest_issued_at`` is when the oldest forecast that is kept was issued, where none was by ``now``.
    """

    snapshot: Snapshot
    price_area: str
    now: datetime
    issued_at: datetime | None
    timetable: Timetable
    degraded_causes: str
    champion: dict[str, Any] | None
    score: dict[str, Any] | None
    datasets: pd.DataFrame
    failed_fetches: pd.DataFrame
    quarantined: int
    set_aside: tuple[str, ...]
    notes: Mapping[str, str] = field(default_factory=dict)
    oldest_issued_at: datetime | None = None

    @property
    def forecast_age(self) -> timedelta | None:
        """How long ago the newest forecast was issued; None if there is none."""
        return None if self.issued_at is None else self.now - self.issued_at

    @property
    def overdue(self) -> bool:
        """Whether there is no live forecast, or the newest is stale or was issued ahead of the clock."""
        return self.issued_at is None or not self.timetable.is_fresh(self.issued_at, self.now)

    @property
    def next_due(self) -> datetime | None:
        """When the next forecast is due; None without a forecast, and for a recording, which stands still."""
        if self.issued_at is None or self.snapshot.source == SourceKind.ARCHIVE:
            return None
        return self.timetable.next_due(self.issued_at)

    @property
    def is_ahead(self) -> bool:
        """Whether the newest forecast was issued ahead of the clock."""
        return self.forecast_age is not None and self.forecast_age < -CLOCK_TOLERANCE

    def as_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        age = self.forecast_age
        return {
            "source": self.snapshot.source,
            "price_area": self.price_area,
            "now_utc": instant(self.now),
            "snapshot": self.snapshot.version,
            "published_at_utc": instant(self.snapshot.published_at_utc),
            "forecast": {
                "issue_time_utc": instant(self.issued_at and hour_containing(self.issued_at)),
                "issued_at_utc": instant(self.issued_at),
                "next_due_utc": instant(self.next_due),
                "age_hours": None if age is None else round(age / timedelta(hours=1), 2),
                "stale": self.overdue,
                "overdue": self.overdue,
                "ahead_of_clock": self.is_ahead,
                "degraded_causes": self.degraded_causes,
            },
            "champion": self.champion,
            "live_score_leads_1_6": self.score,
            "datasets": [
                {**row, "note": self.notes.get(row["dataset"])}
                for row in self.datasets.map(_plain).to_dict("records")
            ],
            "failed_fetches": self.failed_fetches.map(_plain).to_dict("records"),
            "quarantined_values": self.quarantined,
            "set_aside": list(self.set_aside),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | pd.Timestamp):
        return instant(value)
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _first(frame: pd.DataFrame) -> dict[str, Any] | None:
    return None if frame.empty else {str(name): _plain(value) for name, value in frame.iloc[0].items()}


def _set_aside(settings: Settings, source: str) -> tuple[str, ...]:
    """Return for each database or file that was set aside the note that gives the reason and the remedy."""
    folder = Home(settings.home).source(source)
    archives = [issue_files(folder), *history_files(folder).values()]
    sentences = []
    for path in [*folder.set_aside, *(path for files in archives for path in files.set_aside())]:
        note = path.with_name(path.name + ".txt")
        known = note.read_text(encoding="utf-8").strip() if note.exists() else f"{path} was set aside."
        sentences.append(known)
    return tuple(sentences)


def _notes(settings: Settings, source: str, held: Collection[str]) -> dict[str, str]:
    """Return what is to be said of a dataset beside its rows; ``held`` are the datasets with rows."""
    notes = {}
    if source == SourceKind.ARCHIVE:
        notes[WEATHER_FORECAST.name] = MADE_ERRORS
        if CO2_EMISSION.name in held:
            notes[CO2_EMISSION.name] = STAND_IN
    if not settings.weather.wanted:
        notes[WEATHER_FORECAST.name] = WEATHER_OFF
    return notes


def newest_forecast(snapshot: Snapshot, area_name: str, by: datetime | None) -> pd.DataFrame:
    """Return the rows of `predictions` of the newest forecast, ordered by lead.

    ``by`` is the latest instant of issue to consider, naive UTC, also of a month that the snapshot no longer
    has; None considers all.
    """
    if by is None:
        return snapshots.query(
            snapshot, "SELECT * FROM current_forecast WHERE price_area = ? ORDER BY lead_hours", [area_name]
        )
    condition = f"p.kind = '{ForecastKind.LIVE}' AND p.price_area = ? AND p.issued_at_utc <= ?"
    return query_all(
        _folder_of(snapshot),
        snapshot,
        f"SELECT * FROM ({newest_forecast_where(condition, ALL_PREDICTIONS)}) ORDER BY lead_hours",
        [area_name, by + CLOCK_TOLERANCE],
    )


def oldest_forecast(snapshot: Snapshot, area_name: str) -> datetime | None:
    """Return when the oldest forecast of an area that is kept was issued; None where there is none."""
    return oldest_issue(_folder_of(snapshot), snapshot, area_name)


def _folder_of(snapshot: Snapshot) -> SourceFolder:
    """Return the folder of the source, whose archive has the forecasts of past months."""
    return SourceFolder(snapshot.path.parent.parent, snapshot.source)


def read_status(snapshot: Snapshot, settings: Settings, area_name: str = DENMARK.name) -> Status:
    """Read the state of the pipeline for one area from ``snapshot``."""
    forecast = newest_forecast(snapshot, area_name, settings.as_of)
    datasets = snapshots.query(snapshot, "SELECT * FROM dataset_freshness ORDER BY dataset")
    held = datasets.loc[datasets["row_count"] > 0, "dataset"]
    notes = _notes(settings, snapshot.source, set(held))
    # What is switched off has no failures any more.
    switched_off = [name for name, note in notes.items() if note == WEATHER_OFF]
    return Status(
        snapshot=snapshot,
        price_area=area_name,
        now=clock(snapshot, settings),
        issued_at=None if forecast.empty else forecast["issued_at_utc"].iloc[0].to_pydatetime(),
        timetable=settings.timetable,
        degraded_causes="[]" if forecast.empty else forecast["degraded_causes"].iloc[0],
        champion=_first(
            snapshots.query(
                snapshot,
                "SELECT model_version, trained_at_utc, test_mae_g_per_kwh, "
                "test_persistence_mae_g_per_kwh, reason FROM champions WHERE price_area = ?",
                [area_name],
            )
        ),
        score=_first(
            snapshots.query(
                snapshot,
                """
                SELECT kind, window_from_utc, window_to_utc, n_hours, mae_g_per_kwh, accuracy_percent,
                    persistence_accuracy_percent, skill_persistence, coverage_80_percent
                FROM model_evaluations
                WHERE price_area = ? AND kind IN ('live', 'hindcast') AND cadence = 'six_hour'
                    AND lead_from_hours = ? AND lead_to_hours = ?
                ORDER BY window_to_utc DESC, kind DESC LIMIT 1
                """,
                [area_name, *HEADLINE_LEADS],
            )
        ),
        datasets=datasets,
        # The last fetch of each dataset, if it failed.
        failed_fetches=snapshots.query(
            snapshot,
            """
            SELECT dataset, fetched_at_utc, outcome, message FROM new_data_log
            WHERE NOT list_contains(?::VARCHAR[], dataset)
            QUALIFY row_number() OVER (PARTITION BY dataset ORDER BY fetched_at_utc DESC) = 1
                AND outcome <> ?
            """,
            [switched_off, FETCH_OK],
        ),
        quarantined=int(
            snapshots.query(
                snapshot, "SELECT count(*) AS n FROM quarantined_values WHERE released_at_utc IS NULL"
            )["n"].iloc[0]
        ),
        set_aside=_set_aside(settings, snapshot.source),
        notes=notes,
        oldest_issued_at=oldest_forecast(snapshot, area_name) if forecast.empty else None,
    )
