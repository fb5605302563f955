"""The stand-in forecast: honest bands, no look ahead, and none where there is nothing to go on."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts.forecast_spec import HORIZON_HOURS, MEDIAN_COLUMN, QUANTILE_COLUMNS
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue.fallback import CAUSE, VERSION, StatisticalFallback
from co2_assets.forecasting.issue.forecast import COLUMNS, NoForecastError, issue_forecasts

ISSUE = datetime(2024, 4, 5, 12)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def measured(data: KnownData, *, before: datetime, since: datetime = datetime(2000, 1, 1)) -> KnownData:
    hours = data.aggregated["hour_utc"]
    kept = data.aggregated[(hours >= since) & (hours < before)]
    return replace(data, aggregated=kept.reset_index(drop=True))


def issue_fallback(data: KnownData, issue: datetime, *, as_of: datetime | None = None) -> pd.DataFrame:
    return issue_forecasts(StatisticalFallback(data.area), data, [issue], as_of=as_of)


def test_it_says_what_it_is_and_speaks_of_the_coming_day(data: KnownData) -> None:
    rows = issue_fallback(data, ISSUE, as_of=ISSUE + timedelta(minutes=7))
    assert list(rows.columns) == list(COLUMNS)
    assert (rows["model_version"] == VERSION).all()
    assert rows["target_hour_utc"].tolist() == [ISSUE + n * HOUR for n in range(HORIZON_HOURS)]
    assert rows["lead_hours"].tolist() == list(range(1, HORIZON_HOURS + 1))
    assert set(rows["degraded_causes"]) == {json.dumps([CAUSE])}
    assert (rows["issued_at_utc"] == ISSUE + timedelta(minutes=7)).all()
    quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy()
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_nothing_measured_later_has_a_say(data: KnownData) -> None:
    whole = issue_fallback(data, ISSUE)
    pd.testing.assert_frame_equal(whole, issue_fallback(measured(data, before=ISSUE), ISSUE))


def test_many_at_once_are_what_each_was_in_its_time(data: KnownData) -> None:
    times = [ISSUE + n * HOUR for n in range(3)]
    together = issue_forecasts(StatisticalFallback(data.area), data, times)
    alone = pd.concat([issue_fallback(data, time) for time in times], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone)


def test_late_measurements_are_named_and_widen_the_bands(data: KnownData) -> None:
    fresh = issue_fallback(measured(data, before=ISSUE), ISSUE)
    late = issue_fallback(measured(data, before=ISSUE - 5 * HOUR), ISSUE)
    assert json.loads(late["degraded_causes"].iloc[0]) == [
        CAUSE,
        "power_system_right_now: newest hour is 5 h older than it should be",
    ]

    def first_width(rows: pd.DataFrame) -> float:
        return float((rows["q90_g_per_kwh"] - rows["q10_g_per_kwh"]).head(3).mean())

    assert first_width(late) > first_width(fresh)


def test_a_single_measurement_is_enough_to_go_on(data: KnownData) -> None:
    alone = measured(data, since=ISSUE - 3 * HOUR, before=ISSUE - 2 * HOUR)
    rows = issue_fallback(alone, ISSUE)
    value = alone.aggregated["co2_g_per_kwh"].iloc[0]
    assert rows[MEDIAN_COLUMN].to_numpy() == pytest.approx(value, abs=1e-3)
    # Without a past of its own the bands are those measured on the recording: wide.
    assert (rows["q90_g_per_kwh"] - rows["q10_g_per_kwh"]).min() > 40


def test_with_nothing_measured_for_a_day_there_is_no_forecast(data: KnownData) -> None:
    with pytest.raises(NoForecastError, match="fetch power_system_right_now first"):
        issue_fallback(measured(data, before=ISSUE - 24 * HOUR), ISSUE)


def test_on_recorded_data_the_bands_hold_and_persistence_is_beaten(archive: KnownData) -> None:
    actual = archive.aggregated.set_index("hour_utc")["co2_g_per_kwh"]
    issues = [datetime(2024, 5, 1) + n * timedelta(hours=102) for n in range(48)]
    rows = pd.concat(
        [issue_fallback(archive.between(at - 80 * DAY, at + 2 * DAY), at) for at in issues],
        ignore_index=True,
    )
    rows = rows.assign(actual=rows["target_hour_utc"].map(actual)).dropna(subset=["actual"])
    truth = rows["actual"]
    for low, high, promised in (("q25", "q75", 50), ("q10", "q90", 80), ("q05", "q95", 90)):
        inside = truth.between(rows[f"{low}_g_per_kwh"], rows[f"{high}_g_per_kwh"])
        assert 100 * inside.mean() == pytest.approx(promised, abs=8)
    own = (rows[MEDIAN_COLUMN] - truth).abs().mean()
    assert own < (rows["persistence_g_per_kwh"] - truth).abs().mean()
