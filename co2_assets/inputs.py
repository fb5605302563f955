"""From the warehouse's tables to what a forecast is made of: where the two packages meet."""

from datetime import datetime, timedelta

from co2_assets.contracts.areas import DENMARK, Area
from co2_assets.forecasting.baselines import LONGEST_DAYS
from co2_assets.forecasting.calibration import WINDOW
from co2_assets.forecasting.known import KnownData
from co2_assets.forecasting.windows import REACH_BACK_HOURS
from co2_assets.warehouse.database import Warehouse

# How far past now rows may speak of: day-ahead data reach to the end of tomorrow.
REACH_AHEAD = timedelta(days=3)
# How far back of its issue time a forecast looks: recalibration reissues the forecasts of the last
# weeks, and each of those looks back to its own past.
HISTORY_NEEDED = WINDOW + max(timedelta(hours=REACH_BACK_HOURS), timedelta(days=LONGEST_DAYS))


def read_known_data(
    warehouse: Warehouse, *, since: datetime, until: datetime, area: Area = DENMARK
) -> KnownData:
    """Read all that was knowable at ``until`` of the times from ``since`` on.

    Rows written by a run whose clock stood later are cut off, so that an earlier ``--as-of`` sees
    what it would have seen.
    """
    zones = (*area.wind_solar, *area.prognosis)
    window = [since, until + REACH_AHEAD]
    return KnownData(
        aggregated=warehouse.read(
            "SELECT * FROM aggregated_data WHERE price_area = ? AND hour_utc BETWEEN ? AND ?",
            [area.name, *window],
        ),
        wind_solar=warehouse.read(
            "SELECT * FROM forecasts_hour WHERE list_contains(?, price_area) AND hour_utc BETWEEN ? AND ?",
            [list(zones), *window],
        ),
        prices=warehouse.read(
            "SELECT * FROM day_ahead_prices WHERE list_contains(?, price_area) AND time_utc BETWEEN ? AND ?",
            [list(area.prices), *window],
        ),
        prognosis=warehouse.read(
            "SELECT * FROM co2_emission_prognosis "
            "WHERE list_contains(?, price_area) AND minute_utc BETWEEN ? AND ?",
            [list(zones), *window],
        ),
        area=area,
    ).cut(until)
