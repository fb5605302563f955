"""What was knowable, and from when.

Publication times as the service's users recorded them (see the rules below; Energinet,
EnergiDataService, https://www.energidataservice.dk). The service overwrites its rows, so a row
fetched long after the fact counts as known from the time its publication rule says, never before.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from co2_assets.contracts import CO2_MAXIMUM, PRICE_DATASETS_SWITCH
from co2_assets.contracts.areas import DENMARK, Area
from co2_assets.contracts.forecast_spec import CO2, FLOWS, MEASURED, WIND_SOLAR
from co2_assets.contracts.time import (
    day_before_at,
    hours_since_epoch,
    same_day_at,
    second_of,
    seconds_since_epoch,
)
from co2_assets.contracts.weather import WEATHER_POINTS, WEATHER_VARIABLES
from co2_assets.forecasting.inputs.versions import Versions, codes, known_by_rule
from co2_assets.forecasting.inputs.zeros_for_nulls import believed_zeros, days_of_zeros

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# Day-ahead prices are out about 12:45 Danish time the day before delivery.
PRICES_OUT_CLOCK = 13.0
# The day-ahead wind and solar forecast is out about 18:00 Danish time the day before; recorded
# copies were first seen from 18:07 on.
DAY_AHEAD_OUT_CLOCK = 18.25
# The intraday forecast is out about 08:00 Danish time, on the day itself.
INTRADAY_OUT_CLOCK = 8.25
# Forecast5Hour is known 5 h and Forecast1Hour 1 h before the hour; the margin is for publication.
PUBLICATION_MARGIN_SECONDS = 300
HOURS_AHEAD = {"forecast_1_hour_mw": 1, "forecast_5_hour_mw": 5}
DAY_AHEAD = "forecast_day_ahead_mw"
INTRADAY = "forecast_intraday_mw"
ONSHORE = "Onshore Wind"
# Columns that stay null until the day-ahead forecast has long been out.
LATER_COLUMNS = (INTRADAY, "forecast_5_hour_mw", "forecast_1_hour_mw", "forecast_current_mw")
# Freshest first.
WIND_SOLAR_PRODUCTS = ("forecast_1_hour_mw", "forecast_5_hour_mw", INTRADAY, DAY_AHEAD)

# Prices of an hour since `PRICE_DATASETS_SWITCH`.
QUARTERS = 4
# An hour of the prognosis counts once three quarters of its 12 values are there, as for minutes.
_SLOTS = 12
_LEAST_SLOTS = 9

# What is known of an hour that is over, in the order of `KnownData.measured`.
HOURLY = (*MEASURED, *FLOWS)

WEATHER_COLUMNS = tuple(column.name for column in WEATHER_VARIABLES)


def no_weather() -> pd.DataFrame:
    """Return `weather_forecast` without a row."""
    times = dict.fromkeys(("hour_utc", "published_at_utc"), "datetime64[us]")
    kinds = {"point": "str", **times, **dict.fromkeys(WEATHER_COLUMNS, "float64")}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


@dataclass(frozen=True)
class KnownData:
    """The tables a forecast is made from, each with the columns of its table.

    ``aggregated`` is `aggregated_data`, ``wind_solar`` `forecasts_hour`, ``prices``
    `day_ahead_prices`, ``prognosis`` `co2_emission_prognosis`, ``weather`` `weather_forecast`. Any may be
    empty. Frames are never changed; look-ups are built on first use and kept.
    """

    aggregated: pd.DataFrame
    wind_solar: pd.DataFrame
    prices: pd.DataFrame
    prognosis: pd.DataFrame
    area: Area = DENMARK
    weather: pd.DataFrame = field(default_factory=no_weather)

    def cut(self, as_of: datetime) -> "KnownData":
        """Only what was knowable at ``as_of`` (naive UTC): later values and rows are gone."""
        second = second_of(as_of)
        hour_end = pd.Timestamp(as_of) - timedelta(hours=1)
        prices_known = day_before_at(hours_since_epoch(self.prices["time_utc"]), PRICES_OUT_CLOCK)
        return replace(
            self,
            aggregated=self.aggregated[self.aggregated["hour_utc"] <= hour_end],
            wind_solar=_cut_wind_solar(self.wind_solar, second),
            prices=self.prices[prices_known <= second],
            prognosis=self.prognosis[self.prognosis["published_at_utc"] <= pd.Timestamp(as_of)],
            weather=self.weather[self.weather["published_at_utc"] <= pd.Timestamp(as_of)],
        )

    def between(self, start: datetime, end: datetime) -> "KnownData":
        """Only rows that speak of times from ``start`` to before ``end``."""

        def rows(frame: pd.DataFrame, column: str) -> pd.DataFrame:
            return frame[(frame[column] >= pd.Timestamp(start)) & (frame[column] < pd.Timestamp(end))]

        return replace(
            self,
            aggregated=rows(self.aggregated, "hour_utc"),
            wind_solar=rows(self.wind_solar, "hour_utc"),
            # Judged by whole days, which may now be cut.
            prices=rows(self._real_prices, "time_utc"),
            prognosis=rows(self.prognosis, "minute_utc"),
            weather=rows(self.weather, "hour_utc"),
        )

    @cached_property
    def first_hour(self) -> int:
        """First hour measured, as hours since 1970; 0 when nothing was."""
        hours = self._measured_hours
        return int(hours.min()) if len(hours) else 0

    @cached_property
    def measured(self) -> Floats:
        """Measured values, shape (hours, len(HOURLY)), row 0 at `first_hour`, NaN in gaps."""
        hours = self._measured_hours
        length = int(hours.max()) - self.first_hour + 1 if len(hours) else 0
        table = np.full((length, len(HOURLY)), np.nan)
        own = self.aggregated[self.aggregated["price_area"] == self.area.name]
        table[hours - self.first_hour] = own.reindex(columns=list(HOURLY)).to_numpy(np.float64)
        return table

    @cached_property
    def has_flows(self) -> bool:
        """Whether any flow over a border of the area was measured."""
        return bool((~np.isnan(self.measured[:, len(MEASURED) :])).any())

    def measured_at(self, hours: Integers) -> Floats:
        """Measured values of ``hours``: shape (*hours.shape, len(HOURLY)), NaN where there are none.

        Hours outside the recording are not measured. Looks neither left nor right: the caller asks
        only for hours that were over.
        """
        index = hours - self.first_hour
        inside = (index >= 0) & (index < len(self.measured))
        if not len(self.measured):
            return np.full((*np.shape(hours), len(HOURLY)), np.nan)
        values = self.measured[np.clip(index, 0, len(self.measured) - 1)]
        return np.where(inside[..., None], values, np.nan)

    def co2_at(self, hours: Integers) -> Floats:
        """Carbon intensity of ``hours``, as of `measured_at`; the array is the caller's own."""
        index = hours - self.first_hour
        inside = (index >= 0) & (index < len(self.measured))
        values = np.full(np.shape(hours), np.nan)
        values[inside] = self.measured[index[inside], MEASURED.index(CO2)]
        return values

    def wind_solar_at(self, hours: Integers, as_of: Integers) -> Floats:
        """Freshest forecasts of ``hours`` knowable at ``as_of``, MW: shape (..., len(WIND_SOLAR)).

        ``as_of`` (seconds since 1970) broadcasts against ``hours``. Summed over the area's zones;
        NaN where a zone has none.
        """
        totals = []
        for kind in WIND_SOLAR:
            total: Floats = np.zeros(np.broadcast_shapes(np.shape(hours), np.shape(as_of)))
            for zone in self.area.wind_solar:
                value = np.full(total.shape, np.nan)
                for product in WIND_SOLAR_PRODUCTS:
                    fresh = self._wind_solar_versions[zone, kind, product].at(hours, as_of)
                    value = np.where(np.isnan(value), fresh, value)
                total = total + value
            totals.append(total)
        return np.stack(totals, axis=-1)

    def prices_at(self, hours: Integers, as_of: Integers) -> Floats:
        """Day-ahead prices of ``hours`` knowable at ``as_of``, EUR/MWh: shape (..., zones)."""
        return np.stack([self._price_versions[zone].at(hours, as_of) for zone in self.area.prices], axis=-1)

    def prognosis_at(self, hours: Integers, as_of: Integers) -> Floats:
        """Energinet's prognosis of ``hours`` in its newest version at ``as_of``, g/kWh."""
        parts = [
            weight * self._prognosis_versions[zone].at(hours, as_of)
            for zone, weight in self.area.prognosis.items()
        ]
        total: Floats = np.sum(parts, axis=0)
        return total

    def weather_at(self, hours: Integers, as_of: Integers) -> Floats:
        """Weather forecast of ``hours`` in its newest version at ``as_of``, in the units of the table.

        Shape (..., len(WEATHER_POINTS), len(WEATHER_VARIABLES)).
        """
        return np.stack([self._weather_versions[p.name].at(hours, as_of) for p in WEATHER_POINTS], axis=-2)

    def last_weather_hour(self, as_of: Integers) -> Integers:
        """The last hour of which a weather forecast of each point was knowable at ``as_of``.

        Shape (..., len(WEATHER_POINTS)), `NEVER_HOUR` where there was none.
        """
        return np.stack([self._weather_versions[p.name].last_hour(as_of) for p in WEATHER_POINTS], axis=-1)

    @cached_property
    def _measured_hours(self) -> Integers:
        own = self.aggregated["price_area"] == self.area.name
        return hours_since_epoch(self.aggregated.loc[own, "hour_utc"])

    @cached_property
    def _wind_solar_versions(self) -> dict[tuple[str, str, str], Versions]:
        frame = self.wind_solar[self.wind_solar["price_area"].isin(self.area.wind_solar)]
        hours = hours_since_epoch(frame["hour_utc"])
        known = _wind_solar_known(frame)
        result = {}
        zones = frame["price_area"].to_numpy()
        kinds = frame["forecast_type"].to_numpy()
        for zone in self.area.wind_solar:
            rows = {kind: np.flatnonzero((zones == zone) & (kinds == kind)) for kind in WIND_SOLAR}
            for product in WIND_SOLAR_PRODUCTS:
                versions = {
                    kind: (hours[own], known[product][own], frame[product].to_numpy(np.float64)[own])
                    for kind, own in rows.items()
                }
                onshore = versions[ONSHORE]
                for kind, (own_hours, instants, values) in versions.items():
                    result[zone, kind, product] = (
                        Versions(own_hours, instants, np.where(values == 0, np.nan, values))
                        if kind == ONSHORE
                        else Versions(*believed_zeros(own_hours, instants, values, *onshore))
                    )
        return result

    @cached_property
    def _real_prices(self) -> pd.DataFrame:
        """The prices less the zeros that stand for nulls."""
        is_null = days_of_zeros(
            self.prices["price_area"].to_numpy(),
            hours_since_epoch(self.prices["time_utc"]),
            self.prices["price_eur_per_mwh"].to_numpy(np.float64),
        )
        return self.prices[~is_null]

    @cached_property
    def _price_versions(self) -> dict[str, Versions]:
        hourly = hourly_prices(self._real_prices)
        result = {}
        for zone in self.area.prices:
            own = hourly[hourly["zone"] == zone]
            zone_hours, prices = own["hour"].to_numpy(np.int64), own["price"].to_numpy(np.float64)
            known = day_before_at(zone_hours, PRICES_OUT_CLOCK)
            result[zone] = Versions(zone_hours, known, prices)
        return result

    @cached_property
    def _prognosis_versions(self) -> dict[str, Versions]:
        return {
            zone: _hourly_prognosis(self.prognosis[self.prognosis["price_area"] == zone])
            for zone in self.area.prognosis
        }

    @cached_property
    def _weather_versions(self) -> dict[str, Versions]:
        points = self.weather["point"].to_numpy()
        hours = hours_since_epoch(self.weather["hour_utc"])
        known = seconds_since_epoch(self.weather["published_at_utc"])
        values = self.weather[list(WEATHER_COLUMNS)].to_numpy(np.float64)
        rows = {point.name: np.flatnonzero(points == point.name) for point in WEATHER_POINTS}
        return {name: Versions(hours[own], known[own], values[own]) for name, own in rows.items()}


def hourly_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Return the price of each hour that has all its parts: the columns zone, hour (since 1970), price.

    ``prices`` has the columns of `day_ahead_prices`. Up to `PRICE_DATASETS_SWITCH` an hour may have one
    price, at its beginning. Otherwise it needs its four quarters, because they can lie far apart.
    """
    real = prices[prices["price_eur_per_mwh"].notna()].drop_duplicates(
        ["price_area", "time_utc"], keep="last"
    )
    times = real["time_utc"]
    hours = hours_since_epoch(times)
    parts = pd.DataFrame(
        {
            "zone": real["price_area"].to_numpy(),
            "hour": hours,
            "price": real["price_eur_per_mwh"].to_numpy(np.float64),
            "whole": (seconds_since_epoch(times) == hours * 3600)
            & (times < PRICE_DATASETS_SWITCH).to_numpy(),
        }
    )
    groups = parts.groupby(["zone", "hour"])
    hourly = groups.agg(
        price=("price", "mean"), count=("price", "size"), whole=("whole", "any")
    ).reset_index()
    complete = (hourly["count"] == QUARTERS) | ((hourly["count"] == 1) & hourly["whole"])
    return hourly.loc[complete, ["zone", "hour", "price"]]


def _wind_solar_known(frame: pd.DataFrame) -> dict[str, Integers]:
    """Instant from which each row's value of each product is knowable; `Versions` drops nulls."""
    hours = hours_since_epoch(frame["hour_utc"])
    published = seconds_since_epoch(frame["published_at_utc"])
    series = codes(frame, ["price_area", "forecast_type", "hour_utc"])
    is_first_publication = frame[list(LATER_COLUMNS)].isna().to_numpy().all(axis=1)
    rules = {
        DAY_AHEAD: np.where(is_first_publication, published, day_before_at(hours, DAY_AHEAD_OUT_CLOCK)),
        INTRADAY: same_day_at(hours, INTRADAY_OUT_CLOCK),
    }
    for product, ahead in HOURS_AHEAD.items():
        rules[product] = (hours - ahead) * 3600 + PUBLICATION_MARGIN_SECONDS
    known = {}
    for product, rule in rules.items():
        real = frame[product].notna().to_numpy()
        known[product] = published.copy()
        known[product][real] = known_by_rule(series[real], published[real], rule[real])
    return known


def _cut_wind_solar(frame: pd.DataFrame, as_of: int) -> pd.DataFrame:
    """Rows as they stood at ``as_of`` (seconds since 1970).

    A row fetched later is wound back: what was not yet knowable is null and its time stamp is what
    it would have been, so that every value left is known from the same instant as before.
    """
    known = _wind_solar_known(frame)
    published = seconds_since_epoch(frame["published_at_utc"])
    wound_back = frame.copy()
    for product, instants in known.items():
        wound_back[product] = frame[product].where(instants <= as_of)
    seen = published <= as_of
    wound_back["forecast_current_mw"] = frame["forecast_current_mw"].where(seen)
    only_day_ahead = wound_back[list(LATER_COLUMNS)].isna().to_numpy().all(axis=1)
    stamp = np.where(seen, published, np.where(only_day_ahead, known[DAY_AHEAD], as_of))
    wound_back["published_at_utc"] = stamp.astype("datetime64[s]").astype("datetime64[us]")
    keep = wound_back[list(WIND_SOLAR_PRODUCTS)].notna().any(axis=1)
    return wound_back[keep]


def _hourly_prognosis(frame: pd.DataFrame) -> Versions:
    """Hourly means of one zone's five-minute prognosis, one version per publication that changed it.

    At any instant each five minutes count in their newest version, as on the service's own page. A value
    of zero stands for none: the lowest that was recorded in 2023 and 2024 is 14 g/kWh, and the lowest
    settled by the hour 4.6.
    """
    real = frame[((frame[CO2] > 0) & (frame[CO2] <= CO2_MAXIMUM)).to_numpy(bool)]
    hours = hours_since_epoch(real["minute_utc"])
    seconds = seconds_since_epoch(real["minute_utc"])
    published = seconds_since_epoch(real["published_at_utc"])
    slots = (seconds - hours * 3600) // (3600 // _SLOTS)
    order = np.lexsort((published, hours))
    hours, published, slots = hours[order], published[order], slots[order]
    is_new = np.ones(len(hours), dtype=bool)
    is_new[1:] = (hours[1:] != hours[:-1]) | (published[1:] != published[:-1])
    version = np.cumsum(is_new) - 1
    table = np.full((int(is_new.sum()), _SLOTS), np.nan)
    table[version, slots] = real[CO2].to_numpy(np.float64)[order]
    newest = pd.DataFrame(table).groupby(hours[is_new]).ffill().to_numpy()
    enough = (~np.isnan(newest)).sum(axis=1) >= _LEAST_SLOTS
    counts = np.maximum((~np.isnan(newest)).sum(axis=1), 1)
    means = np.where(enough, np.nansum(newest, axis=1) / counts, np.nan)
    return Versions(hours[is_new], published[is_new], means)
