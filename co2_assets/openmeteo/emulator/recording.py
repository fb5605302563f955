"""Recorded weather, with forecasts whose errors are made.

`Weather.parquet` of a recording has the weather of a reanalysis at some of the points, and beside each value
what forecasts one, two and three days before would have said. Nobody recorded those: they are the recorded
value with an error of a weather model's size. Whatever rests on them shows what such forecasts are worth, not
what those of a service were.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from co2_assets.contracts.weather import DAYS_BEFORE, WEATHER_POINTS, WeatherPoint

WEATHER = "Weather.parquet"
# The variables that were recorded, by the service's names.
VARIABLES = {
    "wind_speed_10m": "WindSpeed10m",
    "shortwave_radiation": "ShortwaveRadiation",
    "temperature_2m": "Temperature2m",
    "cloud_cover": "CloudCover",
}
_COLUMNS = ["HourUTC", "Point"] + [
    f"{name}_previous_day{days}" for name in VARIABLES.values() for days in DAYS_BEFORE
]

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]


class WeatherRecordingError(ValueError):
    """The file is not a readable recording of weather; the message says what helps."""


@dataclass(frozen=True)
class RecordedWeather:
    """The weather in `Weather.parquet` of ``folder``, a `service.WeatherGrid`.

    The file is read when it is first needed. Raises WeatherRecordingError when it cannot be read.
    """

    folder: Path

    @property
    def is_there(self) -> bool:
        """Whether the recording has weather. One without it just does not serve the dataset."""
        return (self.folder / WEATHER).is_file()

    def points(self, now: datetime) -> tuple[WeatherPoint, ...]:
        """Return the points with a forecast of an hour that is to come, in the order of the contract."""
        farthest = np.datetime64(now + timedelta(days=max(DAYS_BEFORE)), "us")
        return tuple(
            point
            for point in WEATHER_POINTS
            if (rows := self._by_point.get(point.name)) is not None
            and rows.index[0] <= farthest
            and rows.index[-1] > np.datetime64(now, "us")
        )

    def weather(self, point: str, times: Times, days_before: int, now: datetime) -> dict[str, Floats]:  # noqa: ARG002
        """Return the weather at ``times`` as it was forecast ``days_before`` days before; null where not."""
        rows = self._by_point[point].reindex(pd.DatetimeIndex(times))
        return {
            name: rows[f"{recorded}_previous_day{days_before}"].to_numpy(np.float64)
            for name, recorded in VARIABLES.items()
        }

    @cached_property
    def _by_point(self) -> dict[str, pd.DataFrame]:
        path = self.folder / WEATHER
        try:
            frame = pd.read_parquet(path, columns=_COLUMNS)
            frame = frame.astype({"HourUTC": "datetime64[us]"})
        except (OSError, ValueError) as error:
            raise WeatherRecordingError(
                f"{path} cannot be read ({error}). Copy the recording again."
            ) from error
        frame = frame.drop_duplicates(["Point", "HourUTC"]).set_index("HourUTC").sort_index()
        return {str(name): rows.drop(columns="Point") for name, rows in frame.groupby("Point")}
