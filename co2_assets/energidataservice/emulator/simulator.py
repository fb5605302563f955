"""A simulated Danish grid, to try everything without a network.

It is deterministic: for one seed a minute always has the same values, whatever is requested. Weather,
market and physics are in `simulated_weather` and `simulated_power`. This module makes rows of the
service from them, each with the instant from which it is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from co2_assets.contracts import PRICE_AREAS, PRICE_DATASETS_SWITCH
from co2_assets.contracts.time import daily_publication
from co2_assets.contracts.weather import WEATHER_POINTS, WeatherPoint
from co2_assets.energidataservice.emulator.catalog import KNOWN_AT, PRICES_PUBLISHED_HOUR, SERVED
from co2_assets.energidataservice.emulator.simulated_areas import (
    CENTRAL,
    CENTRAL_SHARE,
    DECENTRAL,
    DECENTRAL_SHARE,
    EAST,
    GERMANY,
    KINDS,
    WEST,
    HalfState,
    halves,
)
from co2_assets.energidataservice.emulator.simulated_points import forecast_weather
from co2_assets.energidataservice.emulator.simulated_power import CAPACITY, HourlyState, simulate
from co2_assets.energidataservice.emulator.simulated_weather import EPOCH, Floats, persistent_noise

Times = npt.NDArray[np.datetime64]

DEFAULT_SEED = 2020
# No year from this one on is simulated: a clock that is far ahead must not fill the memory.
LAST_YEAR = 2060
# Danish hours at which the daily forecasts are published.
FORECAST_PUBLISHED_HOUR, INTRADAY_PUBLISHED_HOUR, PROGNOSIS_PUBLISHED_HOUR = 18, 6, 15
PROGNOSIS_LATEST_DELAY_MINUTES = 90
# How long after the hour each type of forecast is published: the service stamps each type by itself.
# Recorded were 23 and 25 seconds for wind, and 5 minutes earlier for the sun.
STAMPED_AFTER = {
    "Offshore Wind": np.timedelta64(23, "s"),
    "Onshore Wind": np.timedelta64(25, "s"),
    "Solar": np.timedelta64(-277, "s"),
}
# Standard deviation: it gives the mean absolute error of the recorded prognosis a day ahead, 29 g/kWh.
PROGNOSIS_ERROR_G_PER_KWH = 36.0
PROGNOSIS_LEAST_SHARE = 0.3
# One day in four has a gap of up to 40 minutes, one day in 45 a gap of one to three whole hours.
SHORT_GAP_CHANCE, LONG_GAP_CHANCE = 0.25, 1 / 45
_HOUR, _MINUTE, _DAY = np.timedelta64(3600, "s"), np.timedelta64(60, "s"), np.timedelta64(1, "D")
# Standard deviation of the noise from minute to minute: in MW, or below 1 as a share of the value.
_FLICKER = {"CO2Emission": 0.004, "SolarPower": 0.01, "ProductionGe100MW": 2.0, "ProductionLt100MW": 1.0}
_WIND_FLICKER = {"OffshoreWindPower": 4.0, "OnshoreWindPower": 3.0}
# Western Denmark's share of the noise in MW.
_WESTERN_NOISE = {
    CENTRAL: CENTRAL_SHARE,
    DECENTRAL: DECENTRAL_SHARE,
    **{
        KINDS[kind]: CAPACITY[WEST, kind] / (CAPACITY[WEST, kind] + CAPACITY[EAST, kind])
        for kind in ("Offshore Wind", "Onshore Wind")
    },
}


@lru_cache(maxsize=2)
def _state(seed: int, years: int) -> HourlyState:
    days = (datetime(EPOCH.year + years, 1, 1) - EPOCH).days
    return simulate(seed, 24 * days)


@lru_cache(maxsize=2)
def _halves(seed: int, years: int) -> dict[str, HalfState]:
    return halves(_state(seed, years), seed)


@dataclass(frozen=True)
class SimulatedGrid:
    """The simulated grid of ``seed``, from 2020 on; a `catalog.Grid`."""

    seed: int = DEFAULT_SEED

    @property
    def datasets(self) -> frozenset[str]:
        """All datasets of the service."""
        return frozenset(SERVED)

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
        """Return the simulated rows of a served dataset; see `catalog.Grid`."""
        # Forecasts reach two days after now, and nothing reaches further.
        now = min(now, datetime(LAST_YEAR, 1, 1))
        start, end = max(start, EPOCH + timedelta(days=1)), min(end, now + timedelta(days=3))
        years = max(now.year - EPOCH.year, 0) + 2
        state = _state(self.seed, years)
        if dataset == "PowerSystemRightNow":
            return self._minutes(state, _grid_times(start, min(end, now), _MINUTE))
        if dataset == "CO2Emis":
            return self._by_area(state, _grid_times(start, min(end, now), 5 * _MINUTE))
        if dataset == "ElectricityProdex5MinRealtime":
            times = _grid_times(start, min(end, now), 5 * _MINUTE)
            return self._production_by_area(_halves(self.seed, years), times)
        if dataset == "Forecasts_Hour":
            return self._forecasts(state, _grid_times(start, end, _HOUR), np.datetime64(now, "us"))
        if dataset == "CO2EmisProg":
            return self._prognosis(state, _grid_times(start, end, 5 * _MINUTE))
        if dataset == "Elspotprices":
            times = _grid_times(start, min(end, PRICE_DATASETS_SWITCH), _HOUR)
            return _price_rows(state, times, "HourUTC", "SpotPriceEUR")
        if dataset == "DayAheadPrices":
            times = _grid_times(max(start, PRICE_DATASETS_SWITCH), end, 15 * _MINUTE)
            return _price_rows(state, times, "TimeUTC", "DayAheadPriceEUR")
        raise KeyError(dataset)

    def points(self, now: datetime) -> tuple[WeatherPoint, ...]:  # noqa: ARG002 -- those of a recording change
        """Return the points of which there is weather: all."""
        return WEATHER_POINTS

    def weather(self, point: str, times: Times, days_before: int, now: datetime) -> dict[str, Floats]:
        """Return the weather at a point as it was forecast; see `forecast_weather`."""
        state = _state(self.seed, max(min(now.year, LAST_YEAR) - EPOCH.year, 0) + 2)
        return forecast_weather(state, self.seed, point, times, days_before)

    def _minutes(self, state: HourlyState, times: Times) -> pd.DataFrame:
        """Return the measured minutes: interpolated between the hours, with noise and gaps."""
        columns = {
            "CO2Emission": state.co2_g_per_kwh,
            "ProductionGe100MW": state.central_mw,
            "ProductionLt100MW": state.decentral_mw,
            "SolarPower": state.total("Solar"),
            "OffshoreWindPower": state.total("Offshore Wind"),
            "OnshoreWindPower": state.total("Onshore Wind"),
            "Exchange_Sum": state.net_exchange_mw,
        }
        values = {name: _between_hours(hourly, times) for name, hourly in columns.items()}
        flicker, measured = self._by_day(times)
        balance = np.zeros(len(times))
        for row, (name, size) in enumerate((_FLICKER | _WIND_FLICKER).items()):
            scale = size * values[name] if size < 1 else size
            values[name] = values[name] + scale * flicker[row]
            if name != "CO2Emission":
                balance += scale * flicker[row]
        # Exchange takes up the noise of production, so that the power balance holds each minute.
        values["Exchange_Sum"] = values["Exchange_Sum"] - balance
        frame = pd.DataFrame({"Minutes1UTC": times, **values, KNOWN_AT: times + _MINUTE})
        return frame[measured]

    def _by_area(self, state: HourlyState, times: Times) -> pd.DataFrame:
        """Return the carbon intensity of each price area, with the gaps of the national one."""
        flicker, measured = self._by_day(times)
        nation = _between_hours(state.co2_g_per_kwh, times) * (1 + _FLICKER["CO2Emission"] * flicker[0])
        by_area = state.by_area(nation, _between_hours(state.lean, times))
        frames = [
            pd.DataFrame(
                {
                    "Minutes5UTC": times,
                    "PriceArea": area,
                    "CO2Emission": values,
                    KNOWN_AT: times + 5 * _MINUTE,
                }
            )[measured]
            for area, values in by_area.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def _production_by_area(self, both: Mapping[str, HalfState], times: Times) -> pd.DataFrame:
        """Return the production and the flows of each price area, whose sums are those of the country.

        They have the noise and the gaps of the national minutes; the noise is parted by capacity.
        """
        flicker, measured = self._by_day(times)
        frames = []
        for area, half in both.items():
            hourly = {**half.production, **half.flows}
            values = {name: _between_hours(series, times) for name, series in hourly.items()}
            balance = np.zeros(len(times))
            for row, (name, size) in enumerate((_FLICKER | _WIND_FLICKER).items()):
                if name == "CO2Emission":
                    continue
                western = _WESTERN_NOISE.get(name, 1.0)
                share = western if area == WEST else 1 - western
                noise = (size * values[name] if size < 1 else size * share) * flicker[row]
                values[name] = values[name] + noise
                balance += noise
            values[GERMANY] = values[GERMANY] - balance
            frame = pd.DataFrame({"Minutes5UTC": times, "PriceArea": area, **values})
            frames.append(frame.assign(**{KNOWN_AT: times + 5 * _MINUTE})[measured])
        return pd.concat(frames, ignore_index=True)

    def _by_day(self, times: Times) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return the noise (shape: series, times) and whether each time was measured (shape: times)."""
        series = len(_FLICKER) + len(_WIND_FLICKER)
        days = times.astype("datetime64[D]")
        unique = np.unique(days)
        flicker = np.empty((series, len(unique) * 1440))
        measured = np.ones(len(unique) * 1440, dtype=bool)
        for position, day in enumerate(unique.astype(np.int64).tolist()):
            chance = np.random.default_rng([self.seed, day])
            first = position * 1440
            flicker[:, first : first + 1440] = chance.standard_normal((series, 1440))
            short, long, begin, length = chance.random(4).tolist()
            if short < SHORT_GAP_CHANCE:
                gap = first + int(begin * 1400)
                measured[gap : gap + 1 + int(length * 40)] = False
            if long < LONG_GAP_CHANCE:
                gap = first + 60 * int(begin * 20)
                measured[gap : gap + 60 * (1 + int(length * 3))] = False
        position_of_time = np.searchsorted(unique, days) * 1440 + (times - days) // _MINUTE
        return flicker[:, position_of_time], measured[position_of_time]

    def _forecasts(self, state: HourlyState, times: Times, now: np.datetime64) -> pd.DataFrame:
        """Return the row of each hour as it was at ``now``: the service overwrites it until the hour."""
        day_ahead = daily_publication(times, days_before=1, hour=FORECAST_PUBLISHED_HOUR)
        intraday = daily_publication(times, days_before=0, hour=INTRADAY_PUBLISHED_HOUR)
        # The hours before its publication have no intraday forecast.
        intraday = np.where(intraday < times, intraday, np.datetime64("NaT", "us"))
        events = {
            "ForecastDayAhead": day_ahead,
            "ForecastIntraday": intraday,
            "Forecast5Hour": times - 5 * _HOUR,
            "Forecast1Hour": times - _HOUR,
            "ForecastCurrent": times,
        }
        frames = []
        for (area, kind), capacity in CAPACITY.items():
            published = {name: event + STAMPED_AFTER[kind] for name, event in events.items()}
            known = {name: instant <= now for name, instant in published.items()}
            stamp = published["ForecastDayAhead"]
            for name, instant in published.items():
                stamp = np.where(known[name], np.maximum(stamp, instant), stamp)
            hour = _position(times)
            production = state.production[area, kind]
            truth = (production[hour] + production[hour + 1]) / 2
            parts = {name: error[hour] for name, error in state.errors[area, kind].items()}
            near = parts["current"] + parts["1_hour"]
            middle = near + parts["5_hour"]
            deviation = {
                "ForecastDayAhead": middle + parts["day_ahead"],
                "ForecastIntraday": middle + 0.7 * parts["day_ahead"],
                "Forecast5Hour": middle,
                "Forecast1Hour": near,
                "ForecastCurrent": parts["current"],
            }
            # There is always some wind over a whole price area: a recorded onshore forecast of zero was
            # always a missing value.
            least = 1.0 if kind == "Onshore Wind" else 0.0
            issued = {name: np.clip(truth + error, least, capacity) for name, error in deviation.items()}
            newest = issued["ForecastDayAhead"]
            for name, values in issued.items():
                newest = np.where(known[name], values, newest)
            visible = {name: np.where(known[name], values, np.nan) for name, values in issued.items()}
            visible["ForecastCurrent"] = newest
            frames.append(
                pd.DataFrame(
                    {
                        "HourUTC": times,
                        "PriceArea": area,
                        "ForecastType": kind,
                        **visible,
                        "TimestampUTC": stamp,
                    }
                )
            )
        rows = pd.concat(frames, ignore_index=True)
        return rows.assign(**{KNOWN_AT: rows["TimestampUTC"]})

    def _prognosis(self, state: HourlyState, times: Times) -> pd.DataFrame:
        """Return the prognosis as first published, in the afternoon of the Danish day before."""
        published = daily_publication(times, days_before=1, hour=PROGNOSIS_PUBLISHED_HOUR)
        unique, position = np.unique(published, return_inverse=True)
        delays = [
            np.random.default_rng([self.seed, 1, day]).integers(PROGNOSIS_LATEST_DELAY_MINUTES)
            for day in unique.astype("datetime64[D]").astype(np.int64).tolist()
        ]
        seen = published + np.array(delays, dtype="timedelta64[m]")[position]
        count = len(state.co2_g_per_kwh)
        error = PROGNOSIS_ERROR_G_PER_KWH * persistent_noise(self.seed, "prognosis", count, 20.0)
        tilt = state.lean + 0.06 * persistent_noise(self.seed, "prognosis tilt", count, 20.0)
        # Without this floor it could stay at the lowest value for a night, which would count as stuck.
        least = PROGNOSIS_LEAST_SHARE * state.co2_g_per_kwh
        nation = _between_hours(np.maximum(state.co2_g_per_kwh + error, least), times)
        by_area = state.by_area(nation, _between_hours(0.65 * np.tanh(tilt / 0.65), times))
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "Minutes5UTC": times,
                        "PriceArea": area,
                        "CO2Emission": np.round(values),
                        "FirstSeenUTC": seen,
                        KNOWN_AT: seen,
                    }
                )
                for area, values in by_area.items()
            ],
            ignore_index=True,
        )


def _price_rows(state: HourlyState, times: Times, time_field: str, price_field: str) -> pd.DataFrame:
    """Return prices by hour or by quarter hour; quarters follow the trend and keep the hour's mean."""
    known = daily_publication(times, days_before=1, hour=PRICES_PUBLISHED_HOUR)
    hour = _position(times)
    quarter = (times - times.astype("datetime64[h]")) / (15 * _MINUTE) if time_field == "TimeUTC" else 1.5
    frames = []
    for area in PRICE_AREAS:
        price = state.prices[area]
        trend = (price[hour + 1] - price[hour - 1]) / 2
        values = price[hour] + trend * (quarter - 1.5) / 4
        frames.append(
            pd.DataFrame(
                {time_field: times, "PriceArea": area, price_field: np.round(values, 2), KNOWN_AT: known}
            )
        )
    return pd.concat(frames, ignore_index=True)


def _grid_times(start: datetime, end: datetime, step: np.timedelta64) -> Times:
    """Return the multiples of ``step`` from ``start`` (inclusive) to ``end`` (exclusive)."""
    origin = np.datetime64(EPOCH, "us")
    first = -((origin - np.datetime64(start, "us")) // step)
    last = -((origin - np.datetime64(end, "us")) // step)
    return origin + np.arange(first, max(first, last)) * step


def _position(times: Times) -> npt.NDArray[np.int64]:
    return ((times - np.datetime64(EPOCH, "us")) // _HOUR).astype(np.int64)


def _between_hours(hourly: Floats, times: Times) -> Floats:
    """Return the values at ``times``, interpolated linearly between full hours."""
    hour = _position(times)
    share = (times - np.datetime64(EPOCH, "us")) / _HOUR - hour
    return hourly[hour] * (1 - share) + hourly[hour + 1] * share
