"""The simulated weather: always the same, the source of wind and sun, and worse farther ahead."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from co2_assets.contracts.weather import WEATHER_POINTS, WEATHER_VARIABLES
from co2_assets.energidataservice.emulator.simulated_points import ERRORS, SITES
from co2_assets.energidataservice.emulator.simulated_weather import knotted_noise
from co2_assets.energidataservice.emulator.simulator import SimulatedGrid

GRID = SimulatedGrid(seed=5)
NOW = datetime(2024, 6, 1)
YEAR = np.arange(np.datetime64("2023-06-01", "us"), np.datetime64("2024-06-01", "us"), np.timedelta64(1, "h"))


def weather(point: str, days: int = 1, times: np.ndarray = YEAR) -> dict[str, np.ndarray]:
    return GRID.weather(point, times, days, NOW)


def test_every_point_has_every_variable_within_its_bounds() -> None:
    assert set(SITES) == {point.name for point in WEATHER_POINTS}
    for point in WEATHER_POINTS:
        for days in (1, 3):
            values = weather(point.name, days)
            for column in WEATHER_VARIABLES:
                series = values[str(column.service_name)]
                assert np.isfinite(series).all()
                assert series.min() >= (column.minimum or 0.0) or column.minimum == -50.0
                assert series.max() <= (column.maximum or 0.0)


def test_an_hour_has_the_same_forecast_however_it_is_asked_for() -> None:
    few, later = YEAR[5000:5030], datetime(2027, 3, 1)
    whole = weather("Anholt", 2)
    part = GRID.weather("Anholt", few, 2, later)
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name][5000:5030])
    other = SimulatedGrid(seed=6).weather("Anholt", few, 2, NOW)
    assert (other["wind_speed_100m"] != part["wind_speed_100m"]).any()


def test_wind_and_sun_are_those_of_the_power() -> None:
    rows = GRID.rows("PowerSystemRightNow", datetime(2023, 6, 1), NOW, NOW).set_index("Minutes1UTC")
    hours = rows.resample("h").mean().reindex(YEAR)
    known = hours["OffshoreWindPower"].notna().to_numpy()

    def correlation(point: str, variable: str, power: str) -> float:
        return float(np.corrcoef(weather(point)[variable][known], hours[power][known])[0, 1])

    assert correlation("Horns_Rev", "wind_speed_100m", "OffshoreWindPower") > 0.75
    assert correlation("Djursland", "wind_speed_100m", "OnshoreWindPower") > 0.75
    assert correlation("Djursland", "shortwave_radiation", "SolarPower") > 0.85
    assert correlation("Stockholm", "wind_speed_100m", "OffshoreWindPower") < 0.75


def test_forecasts_err_more_with_each_day_and_as_much_as_they_should() -> None:
    # Forecasts are nested, so what one day adds shows between two of them.
    one, two, three = (weather("DK_centre", days) for days in (1, 2, 3))
    for name in ("temperature_2m",):
        sizes = ERRORS[name]
        assert np.std(two[name] - one[name]) == pytest.approx(np.sqrt(sizes[1] ** 2 - sizes[0] ** 2), rel=0.1)
        assert np.std(three[name] - one[name]) == pytest.approx(
            np.sqrt(sizes[2] ** 2 - sizes[0] ** 2), rel=0.1
        )
    wind = "wind_speed_100m"
    assert np.std(three[wind] - one[wind]) > np.std(two[wind] - one[wind]) > 0.9


def test_it_is_dark_at_night_and_windier_at_sea() -> None:
    values = weather("Djursland")
    midnight = (YEAR - YEAR.astype("datetime64[D]")) == np.timedelta64(0, "h")
    assert values["shortwave_radiation"][midnight].max() == 0
    assert weather("Horns_Rev")["wind_speed_10m"].mean() > 1.2 * values["wind_speed_10m"].mean()
    assert (values["wind_speed_100m"].mean() > values["wind_speed_10m"].mean()).all()


def test_times_that_are_not_simulated_are_null() -> None:
    early = np.array(["2019-12-31T23:00", "2070-01-01T00:00"], "datetime64[us]")
    assert all(np.isnan(values).all() for values in weather("Malmo", 1, early).values())


def test_the_noise_has_unit_variance_and_forgets() -> None:
    noise = knotted_noise(1, "x", YEAR, 8)
    assert np.std(noise) == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(noise[:-2], noise[2:])[0, 1] > 0.8
    assert abs(np.corrcoef(noise[:-24], noise[24:])[0, 1]) < 0.1
    assert abs(noise.mean()) < 0.1
    assert timedelta(hours=1) == YEAR[1] - YEAR[0]
