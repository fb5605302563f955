"""From minutes to hours, and from hours to what was known of each hour once it was over."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts.areas import DENMARK, Area
from co2_assets.contracts.forecast_spec import (
    CO2,
    FLOWS,
    LAG_HOURS,
    MEASURED,
    PROGNOSIS,
    ROLLING_HOURS,
    WIND_SOLAR_FORECAST,
    price_column,
)
from co2_assets.contracts.time import hours_since_epoch
from co2_assets.forecasting.inputs.calendar import CALENDAR_COLUMNS, calendar
from co2_assets.forecasting.inputs.known_data import KnownData

# A mean over fewer minutes is not that of the hour.
LEAST_MINUTES = 45

LAG_COLUMNS = tuple(f"co2_lag_{lag}h_g_per_kwh" for lag in LAG_HOURS)
ROLLING_COLUMNS = tuple(
    f"co2_rolling_{kind}_{hours}h_g_per_kwh" for hours in ROLLING_HOURS for kind in ("mean", "std")
)


def minutes_of(step: timedelta) -> int:
    """Whole minutes that one measurement in ``step`` stands for."""
    return step // timedelta(minutes=1)


def aggregate_hours(
    measurements: pd.DataFrame, now: datetime, *, step: timedelta = timedelta(minutes=1)
) -> pd.DataFrame:
    """Hourly means of what is measured every ``step``, for hours that are over and well enough observed.

    ``measurements`` has the columns of `power_system_right_now` or of `co2_emission`, ``now`` is naive
    UTC. An hour counts when it ended by ``now`` and has a carbon intensity in at least 45 different
    minutes; of the others nothing is said, gaps stay gaps. Returns the columns of `aggregated_data`, key
    order; production that was not measured in at least 45 of those minutes is null, as are the flows, which
    another dataset has.
    """
    whole = pd.Timestamp(now).floor("h")
    over = (measurements["minute_utc"] < whole).to_numpy() & measurements[CO2].notna().to_numpy()
    done = measurements[over].drop_duplicates(["price_area", "minute_utc"], keep="last")
    hour = done["minute_utc"].dt.floor("h").rename("hour_utc")
    groups = done.groupby([done["price_area"], hour], sort=True)
    names = [name for name in MEASURED if name in done]
    minutes = groups[names].count() * minutes_of(step)
    result = groups[names].mean().where(minutes >= LEAST_MINUTES)
    result.insert(0, "minutes_observed", minutes[CO2])
    result = result[result["minutes_observed"] >= LEAST_MINUTES]
    columns = ["price_area", "hour_utc", "minutes_observed", *MEASURED, *FLOWS]
    return result.reset_index().reindex(columns=columns)


def engineer_features(
    aggregated: pd.DataFrame,
    wind_solar: pd.DataFrame,
    prices: pd.DataFrame,
    prognosis: pd.DataFrame,
    area: Area = DENMARK,
) -> pd.DataFrame:
    """The model's view of every hour of ``area`` measured so far.

    Takes the tables `aggregated_data`, `forecasts_hour`, `day_ahead_prices` and
    `co2_emission_prognosis`; returns the columns of `engineered_features`, one row per measured
    hour, in time order. Lags count hours, not rows; a rolling window with a missing hour is null.
    Forecasts and prognosis are those that were known when the hour began. A row never changes when
    later data come, nor with how far back the data reach, beyond its own 12 hours.
    """
    return features_of(KnownData(aggregated, wind_solar, prices, prognosis, area))


def features_of(data: KnownData) -> pd.DataFrame:
    """The columns of `engineered_features` for every measured hour of ``data``, in time order."""
    area = data.area
    own = data.aggregated[data.aggregated["price_area"] == area.name].sort_values("hour_utc")
    hours = hours_since_epoch(own["hour_utc"])
    began = hours * 3600
    columns: dict[str, object] = {
        "price_area": area.name,
        "hour_utc": own["hour_utc"].to_numpy(),
    }
    measured = data.measured_at(hours)
    columns |= dict(zip(MEASURED, measured.T[: len(MEASURED)], strict=True))
    before = _co2_before(data, hours, max(*LAG_HOURS, *ROLLING_HOURS))
    columns |= {name: before[:, lag] for name, lag in zip(LAG_COLUMNS, LAG_HOURS, strict=True)}
    windows = [before[:, :length] for length in ROLLING_HOURS]
    spreads = [moment for window in windows for moment in (window.mean(axis=1), window.std(axis=1, ddof=1))]
    columns |= dict(zip(ROLLING_COLUMNS, spreads, strict=True))
    columns |= dict(zip(CALENDAR_COLUMNS, calendar(hours).T, strict=True))
    columns["is_holiday"] = np.asarray(columns["is_holiday"]) > 0
    columns |= dict(zip(WIND_SOLAR_FORECAST, data.wind_solar_at(hours, began).T, strict=True))
    zones = [price_column(zone) for zone in area.prices]
    columns |= dict(zip(zones, data.prices_at(hours, began).T, strict=True))
    columns[PROGNOSIS] = data.prognosis_at(hours, began)
    columns |= dict(zip(FLOWS, measured.T[len(MEASURED) :], strict=True))
    return pd.DataFrame(columns, index=pd.RangeIndex(len(hours)))


def _co2_before(data: KnownData, hours: NDArray[np.int64], back: int) -> NDArray[np.float64]:
    """Carbon intensity 0, 1, .. ``back`` hours before each hour, NaN in gaps."""
    lags = np.arange(back + 1)
    return data.measured_at(hours[:, None] - lags)[..., MEASURED.index(CO2)]
