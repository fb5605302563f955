"""Read from the warehouse what training and forecasting need: what was known at a time, by area."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts.areas import AREAS, DENMARK, MEASURED_WITHIN, Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, POWERS
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.warehouse.database import Warehouse

# Rows for times up to this much after now are read: the last hour forecast, and those around it.
REACH_AHEAD = timedelta(hours=HORIZON_HOURS + 4)
# An area of which no production was ever measured, as in a recording, uses that of the whole country. Else
# it uses its own alone: an hour of the other among its own would be several times too high.
_MEASURED = f"""
    WITH own AS (
        SELECT count(coalesce({", ".join(POWERS)})) > 0 AS is_measured
        FROM aggregated_data WHERE price_area = $area AND hour_utc < $until
    )
    SELECT a.* REPLACE (
        {", ".join(f"if(is_measured, a.{name}, n.{name}) AS {name}" for name in POWERS)}
    )
    FROM aggregated_data a CROSS JOIN own
    LEFT JOIN aggregated_data n ON n.hour_utc = a.hour_utc AND n.price_area = $country
    WHERE a.price_area = $area AND a.hour_utc BETWEEN $first AND $last
"""


def read_areas(warehouse: Warehouse, *, since: datetime, until: datetime) -> dict[str, KnownData]:
    """Return `read_known_data` by area for the areas with a measured hour, in the order of `AREAS`."""
    return {
        area.name: read_known_data(warehouse, since=since, until=until, area=area)
        for area in measured_areas(warehouse, since=since, until=until)
    }


def still_measured(areas: Mapping[str, KnownData]) -> dict[str, KnownData]:
    """Return ``areas`` without those whose measurements ended `MEASURED_WITHIN` before those of another.

    The whole country stays, since it is always forecast.
    """
    newest = {name: known.aggregated["hour_utc"].max() for name, known in areas.items()}
    least = max((end for end in newest.values() if not pd.isna(end)), default=pd.Timestamp.max)
    return {
        name: known
        for name, known in areas.items()
        if name == DENMARK.name or newest[name] >= least - MEASURED_WITHIN
    }


def measured_areas(warehouse: Warehouse, *, since: datetime, until: datetime) -> list[Area]:
    """Return the areas that have a measured hour from ``since`` to before ``until``."""
    rows = warehouse.read(
        "SELECT DISTINCT price_area FROM aggregated_data WHERE hour_utc >= ? AND hour_utc < ?", [since, until]
    )
    return [area for area in AREAS.values() if area.name in set(rows["price_area"])]


def read_known_data(
    warehouse: Warehouse, *, since: datetime, until: datetime, area: Area = DENMARK
) -> KnownData:
    """Read all that was knowable at ``until`` of the times from ``since`` on.

    Rows that a run with a later clock has stored are left out, so that a run with an earlier ``--as-of``
    uses only what was known then.
    """
    zones = (*area.wind_solar, *area.prognosis)
    window = [since, until + REACH_AHEAD]
    # One opening of the file, for this is read often.
    with warehouse.open_reading() as reading:
        known = KnownData(
            aggregated=reading.read(
                _MEASURED,
                {
                    "area": area.name,
                    "country": DENMARK.name,
                    "until": until,
                    "first": window[0],
                    "last": window[1],
                },
            ),
            wind_solar=reading.read(
                "SELECT * FROM forecasts_hour "
                "WHERE list_contains(?, price_area) AND hour_utc BETWEEN ? AND ?",
                [list(zones), *window],
            ),
            prices=reading.read(
                "SELECT * FROM day_ahead_prices "
                "WHERE list_contains(?, price_area) AND time_utc BETWEEN ? AND ?",
                [list(area.prices), *window],
            ),
            prognosis=reading.read(
                "SELECT * FROM co2_emission_prognosis "
                "WHERE list_contains(?, price_area) AND minute_utc BETWEEN ? AND ?",
                [list(zones), *window],
            ),
            area=area,
            weather=reading.read(
                "SELECT * FROM weather_forecast WHERE hour_utc BETWEEN ? AND ?",
                window,
            ),
        )
    return known.cut(until)
