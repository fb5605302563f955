"""How rough more than two days ahead is: by scores where there are any, by the bands otherwise."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.contracts import tables
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home
from co2_dash.advice.roughness import TypicalError, roughness_sentence, typical_error
from co2_dash.data.snapshot_store import SnapshotStore, View
from co2_dash.settings import Settings
from tests.support import snapshot_data
from tests.support.snapshot_data import NOW


def hours(width: float) -> list[ForecastHour]:
    return [ForecastHour(NOW + timedelta(hours=n), 50, 50 - width / 2, 50 + width / 2) for n in range(3)]


def test_without_scores_the_widths_of_the_bands_are_told() -> None:
    words = roughness_sentence(None, hours(20), hours(90))
    assert "90 g CO₂/kWh wide" in words
    assert "within a day it is 20" in words


def test_scores_are_told_with_what_was_scored() -> None:
    words = roughness_sentence(TypicalError(16.4, 33.6, "live"), hours(20), hours(90))
    assert "missed by 34 g CO₂/kWh on average (as it was issued); within a day by 16." in words
    test = roughness_sentence(TypicalError(16.4, 33.6, "test"), hours(20), hours(90))
    assert "in the model’s test" in test


def scored(home: Home, rows: Iterable[tuple[str, str, datetime, int, float]]) -> View:
    """Publish evaluations of single leads: kind, cadence, when, lead, error."""
    folder = home.source("live")
    folder.root.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse(folder.database, "live")
    frame = snapshot_data.filled(
        tables.MODEL_EVALUATIONS,
        [
            {
                "evaluation_id": f"{kind}-{cadence}-{at:%d}",
                "cadence": cadence,
                "price_area": "DK",
                "model_version": snapshot_data.CHAMPION,
                "kind": kind,
                "lead_from_hours": lead,
                "lead_to_hours": lead,
                "window_from_utc": at - timedelta(days=7),
                "window_to_utc": at,
                "evaluated_at_utc": at,
                "n_hours": 10,
                "n_forecasts": 10,
                "mae_g_per_kwh": error,
            }
            for kind, cadence, at, lead, error in rows
        ],
    )
    with warehouse.open_transaction() as transaction:
        transaction.upsert(tables.MODEL_EVALUATIONS, frame)
    snapshots.publish(warehouse, folder.snapshots, as_of_utc=NOW, published_at_utc=NOW)
    view = SnapshotStore(Settings(home, source="live")).view()
    assert view is not None
    return view


def test_the_newest_live_scores_of_near_and_far_leads_count(tmp_path: Path) -> None:
    old, new = NOW - timedelta(days=2), NOW - timedelta(days=1)
    rows = [
        ("live", "six_hour", old, 1, 10.0),
        ("live", "six_hour", old, 24, 20.0),
        ("live", "six_hour", old, 48, 99.0),
        ("live", "six_hour", old, 49, 30.0),
        ("live", "six_hour", old, 72, 40.0),
        # It has no lead of more than two days.
        ("live", "six_hour", new, 1, 1.0),
        ("live", "hourly", new, 1, 2.0),
        ("live", "hourly", new, 60, 2.0),
        ("test", "six_hour", new, 1, 3.0),
        ("test", "six_hour", new, 60, 4.0),
    ]
    view = scored(Home(tmp_path / "all"), rows)
    assert typical_error(view, "DK") == TypicalError(15.0, 35.0, "live")
    assert typical_error(view, "DK1") is None
    only_test = scored(Home(tmp_path / "test"), [row for row in rows if row[0] == "test"])
    assert typical_error(only_test, "DK") == TypicalError(3.0, 4.0, "test")


def test_without_far_scores_or_a_snapshot_nothing_is_told(tmp_path: Path) -> None:
    assert typical_error(None, "DK") is None
    assert typical_error(scored(Home(tmp_path), [("live", "six_hour", NOW, 1, 10.0)]), "DK") is None
