"""The scale of the last 30 days of an area, as a snapshot has them."""

from datetime import datetime

from co2_assets.advice.intensity_scale import SCALE_DAYS, Scale, scale_of
from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.time import HOUR
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.snapshots import Snapshot


def last_month(snapshot: Snapshot, now: datetime, area_name: str = DENMARK.name) -> Scale | None:
    """Return the scale of the 30 days up to the last hour measured by now; None where it is too little."""
    measured = snapshots.query(
        snapshot,
        """
        WITH measured AS (
            SELECT hour_utc, co2_g_per_kwh FROM aggregated_data
            WHERE price_area = ? AND isfinite(co2_g_per_kwh) AND hour_utc < ?
        )
        SELECT co2_g_per_kwh FROM measured
        WHERE hour_utc >= (SELECT max(hour_utc) FROM measured) - ? ORDER BY hour_utc
        """,
        [area_name, now, SCALE_DAYS - HOUR],
    )
    return scale_of([float(value) for value in measured["co2_g_per_kwh"]])
