"""Whether another forecast is worth making now, read from what is published."""

import json
from datetime import datetime, timedelta

from co2_assets.contracts.areas import AREAS
from co2_assets.contracts.sources import SourceKind
from co2_assets.contracts.time import hour_containing
from co2_assets.forecasting.inputs.windows import PAST_HOURS
from co2_assets.forecasting.issue.degradation import MODEL_CAUSE
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot


def reason_to_update(snapshot: Snapshot, now: datetime) -> str | None:
    """Return why a forecast should be made at ``now``, naive UTC; None if this hour has a good one."""
    hour = hour_containing(now)
    newest = snapshots.query(
        snapshot,
        "SELECT DISTINCT price_area, issue_time_utc, degraded_causes FROM current_forecast ORDER BY ALL",
    )
    of_this_hour = newest[newest["issue_time_utc"] == hour]
    if of_this_hour.empty:
        return f"No forecast of {hour:%H:%M} UTC yet."
    if snapshot.source == SourceKind.ARCHIVE:
        return None  # its time stands still, so nothing comes late
    # An area that is no longer measured has no forecast.
    measured = snapshots.query(
        snapshot,
        "SELECT DISTINCT price_area FROM aggregated_data WHERE hour_utc >= ?",
        [hour - PAST_HOURS * timedelta(hours=1)],
    )["price_area"]
    if missing := [name for name in AREAS if name in set(measured) - set(of_this_hour["price_area"])]:
        return f"No forecast of {hour:%H:%M} UTC yet for {', '.join(missing)}."
    causes = dict.fromkeys(cause for text in of_this_hour["degraded_causes"] for cause in json.loads(text))
    # What a model lacks does not come from the service.
    late = [cause for cause in causes if not cause.startswith(MODEL_CAUSE)]
    return f"Inputs were late: {'; '.join(late)}" if late else None


def outdone_forecasts(snapshot: Snapshot) -> dict[str, str]:
    """Return the champion by area, where it was promoted after the newest forecast was issued."""
    rows = snapshots.query(
        snapshot,
        """
        SELECT DISTINCT c.price_area, c.model_version
        FROM champions c JOIN current_forecast f USING (price_area)
        WHERE f.model_version NOT IN (
            SELECT model_version FROM champions WHERE champions.price_area = c.price_area
        )
        """,
    )
    return dict(zip(rows["price_area"], rows["model_version"], strict=True))
