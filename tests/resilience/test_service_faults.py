"""Whatever the service answers, no bad row gets in, and the next good answer makes the table whole."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from bench.service_faults import FAULTS, HARMLESS, each, edited, frozen, late, only, stuck
from co2_assets.contracts import (
    CO2_EMISSION_PROGNOSIS,
    DAY_AHEAD_PRICES,
    FORECASTS_HOUR,
    POWER_SYSTEM_RIGHT_NOW,
    Dataset,
    split_rows,
)
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.pipeline.fetch_plan import plan
from co2_assets.pipeline.quarantine import NotInQuarantine, breaks_contract, release
from co2_assets.settings import Settings
from tests.support.resilience_runs import COUNTRY, DAY, FORECAST, HOUR, T0, at, fetch, rows, tick, warehouse

POWER = POWER_SYSTEM_RIGHT_NOW
# What each fault is logged as; the others are read as good answers, less the rows that are not.
OUTCOMES = {
    "429 with Retry-After": "rate_limited",
    "429": "rate_limited",
    "403": "refused",
    "500": "server_fault",
    "502": "server_fault",
    "503": "server_fault",
    "connect time-out": "unreachable",
    "connection refused": "unreachable",
    "time-out in the body": "timed_out",
    "connection lost in the body": "unreachable",
    "truncated JSON": "truncated",
    "HTML": "bad_answer",
    "empty 200": "bad_answer",
    "no records": "empty",
    "missing column": "schema_changed",
    "renamed column": "schema_changed",
    "retyped column": "schema_changed",
    "wrong total": "bad_answer",
    "1.2 million rows": "bad_answer",
}


@pytest.fixture(scope="session")
def whole(second: Settings) -> pd.DataFrame:
    """The minutes as they are where nothing ever went wrong."""
    return rows(second, POWER.name)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_lets_nothing_bad_in_and_the_next_fetch_heals_it(
    home: Settings, whole: pd.DataFrame, name: str
) -> None:
    report = fetch(at(home, T0 + 5 * HOUR), POWER, FAULTS[name])
    logged = warehouse(home).read(
        "SELECT outcome FROM new_data_log WHERE dataset = ? AND fetched_at_utc = ?",
        [POWER.name, T0 + 5 * HOUR],
    )["outcome"]
    assert logged.tolist() == [OUTCOMES.get(name, "ok")]
    assert (report.error is None) == (name not in OUTCOMES)
    if name in HARMLESS:
        assert report.new == 5 * 60
    assert warehouse(home).read(f"SELECT 1 FROM {POWER.name} WHERE {breaks_contract(POWER.table)}").empty

    report = fetch(at(home, T0 + 6 * HOUR), POWER)
    assert report.error is None
    pd.testing.assert_frame_equal(rows(home, POWER.name), whole)


def test_every_fault_is_accounted_for() -> None:
    assert set(OUTCOMES) <= set(FAULTS)
    assert not set(OUTCOMES) & HARMLESS


@pytest.mark.parametrize("dataset", [POWER, FORECASTS_HOUR, CO2_EMISSION_PROGNOSIS], ids=lambda d: d.name)
def test_a_dataset_that_stood_still_for_three_days_is_made_up_for(home: Settings, dataset: Dataset) -> None:
    # It stops between two fetches, so that one of them still gets something.
    since = T0 + 8 * HOUR + (timedelta(0) if dataset is POWER else DAY)
    now = T0
    while now < T0 + 3 * DAY:
        now += 12 * HOUR
        fetch(at(home, now), dataset, frozen(since))
    fetch(at(home, now + 6 * HOUR), dataset)
    with_all = warehouse(home).read(
        f"SELECT DISTINCT {dataset.time_column} AS t FROM {dataset.name} WHERE {dataset.time_column} >= ?",
        [T0 - DAY],
    )["t"]
    gaps = with_all.sort_values().diff().dropna()
    assert (gaps == dataset.step).all(), gaps[gaps != dataset.step]


def test_a_null_takes_no_known_value_away(home: Settings) -> None:
    before = rows(home, POWER.name)
    fetch(at(home, T0 + 6 * HOUR), POWER, each(lambda row: {**row, "SolarPower": None}))
    after = rows(home, POWER.name)
    assert after[after["minute_utc"] < T0].reset_index(drop=True).equals(before)
    assert after.loc[after["minute_utc"] >= T0, "solar_mw"].isna().all()


def test_rows_of_the_future_are_kept_apart_with_the_reason(home: Settings) -> None:
    now = T0 + 6 * HOUR
    report = fetch(at(home, now), POWER, FAULTS["clock a day ahead"])
    assert report.quarantined > 0
    assert rows(home, POWER.name)["minute_utc"].max() < now
    kept_apart = rows(home, "quarantined_values")
    assert kept_apart["reason"].str.contains("received at 2024-10-05 06:00: in the future").all()
    assert (kept_apart["column_name"] == "minute_utc").all()


def test_a_version_stamped_in_the_future_counts_as_known_when_it_came(home: Settings) -> None:
    now = T0 + 18 * HOUR
    ahead = f"{now + DAY:%Y-%m-%dT%H:%M:%S}"
    fetch(at(home, now), FORECASTS_HOUR, each(lambda row: {**row, "TimestampUTC": ahead}))
    assert rows(home, FORECASTS_HOUR.name)["published_at_utc"].max() == now


def test_a_stuck_prognosis_is_kept_apart(home: Settings) -> None:
    fetch(at(home, T0 + 18 * HOUR), CO2_EMISSION_PROGNOSIS, stuck(60.0))
    kept_apart = rows(home, "quarantined_values")
    assert len(kept_apart)
    assert set(kept_apart["reason"]) == {"the same for 12:00:00 or longer: stuck"}
    fetch(at(home, T0 + 19 * HOUR), CO2_EMISSION_PROGNOSIS)
    assert rows(home, CO2_EMISSION_PROGNOSIS.name)["minute_utc"].max() > T0 + DAY


def test_what_is_the_same_for_long_but_not_too_long_is_no_fault() -> None:
    def minutes(count: int) -> pd.DataFrame:
        times = pd.date_range(T0, periods=count + 1, freq="min", unit="us")
        return pd.DataFrame({"price_area": "DK", "minute_utc": times, "co2_g_per_kwh": 80.0}).assign(
            co2_g_per_kwh=[80.0] * count + [81.0]
        )

    assert split_rows(POWER, minutes(359))[1] == []
    good, bad = split_rows(POWER, minutes(360))
    assert len(bad) == 360
    assert good["co2_g_per_kwh"].tolist() == [81.0]
    with_gap = minutes(400).drop(index=[200])
    assert split_rows(POWER, with_gap)[1] == []


def test_a_quarantined_row_can_be_released(home: Settings) -> None:
    now = T0 + 6 * HOUR
    minute = T0 + HOUR
    text = f"{minute:%Y-%m-%dT%H:%M:%S}"
    spike = edited(
        lambda _, records: [
            {**r, "ProductionLt100MW": 5417.0} if r["Minutes1UTC"] == text else r for r in records
        ]
    )
    fetch(at(home, now), POWER, spike)
    (kept_apart,) = rows(home, "quarantined_values").to_dict("records")
    assert (kept_apart["dataset"], kept_apart["column_name"]) == (POWER.name, "production_lt_100_mw")
    assert (kept_apart["value"], kept_apart["reason"]) == ("5417.0", "above 3000 MW")

    for _ in range(2):
        assert release(warehouse(home), kept_apart["row_key"], now=now) == 1
        stored = rows(home, POWER.name).query("minute_utc == @minute")
        assert stored["production_lt_100_mw"].tolist() == [5417.0]
        assert stored["co2_g_per_kwh"].notna().all()
    # A person's word: the contract's check lets it pass.
    assert warehouse(home).read(f"SELECT 1 FROM {POWER.name} WHERE {breaks_contract(POWER.table)}").empty
    with pytest.raises(NotInQuarantine, match="co2 quarantine"):
        release(warehouse(home), "no such key", now=now)


def _log(*fetches: tuple[datetime, datetime, datetime]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "window_from_utc": pd.Timestamp(start),
                "window_to_utc": pd.Timestamp(end),
                "fetched_at_utc": pd.Timestamp(fetched),
                "purpose": "recent",
                "outcome": "ok",
            }
            for start, end, fetched in fetches
        ]
    )


@pytest.mark.parametrize("ahead", [3 * HOUR, 20 * HOUR, 400 * DAY])
def test_a_clock_that_ran_ahead_does_not_stop_the_fetching(ahead: timedelta) -> None:
    begin = T0 - 60 * DAY
    log = _log((begin, T0 + ahead, T0 + ahead))
    for dataset in (POWER, DAY_AHEAD_PRICES, CO2_EMISSION_PROGNOSIS):
        for later in (6 * HOUR, 30 * HOUR):
            windows = plan(
                dataset, log, now=T0 + later, history_days=60, first_days=60, earliest=None, held_until=T0
            )
            # All from the newest row held on is asked for.
            assert min(window.start for window in windows if window.end > T0) <= T0 + dataset.step
            assert max(window.end for window in windows) == T0 + later + dataset.reach


def issued(settings: Settings) -> pd.DataFrame:
    """The live forecast of the settings' time."""
    live = rows(settings, "predictions").query("kind == 'live'")
    return live[live["issue_time_utc"] == settings.as_of].reset_index(drop=True)


def test_feeds_that_are_hours_late_are_named(home: Settings) -> None:
    settings = at(home, T0 + 6 * HOUR)
    assert tick(settings, late(5 * HOUR, lambda: T0 + 6 * HOUR), assets=FORECAST)
    forecast = issued(settings)
    assert len(forecast) == HORIZON_HOURS
    assert f"{POWER.name}: newest hour is 5 h older" in forecast["degraded_causes"].iloc[0]
    # What came late is there for the next.
    assert tick(at(home, T0 + 12 * HOUR), assets=FORECAST)
    assert issued(at(home, T0 + 12 * HOUR))["degraded_causes"].iloc[0] == "[]"


def test_measurements_that_stand_still_for_three_days(home: Settings) -> None:
    stands_still = only(frozen(T0), "PowerSystemRightNow")
    for hours in (6, 18):
        settings = at(home, T0 + hours * HOUR)
        assert tick(settings, stands_still, assets=COUNTRY)
        assert f"newest hour is {hours} h older" in issued(settings)["degraded_causes"].iloc[0]
    # With nothing of the last day there is nothing to go on, and no number is made up.
    for hours in (30, 72):
        settings = at(home, T0 + hours * HOUR)
        assert not tick(settings, stands_still, assets=COUNTRY)
        assert issued(settings).empty
    settings = at(home, T0 + 78 * HOUR)
    assert tick(settings, assets=FORECAST)
    assert issued(settings)["degraded_causes"].iloc[0] == "[]"
    hours_held = rows(settings, "aggregated_data")["hour_utc"]
    assert set(pd.date_range(T0, T0 + 77 * HOUR, freq="h")) <= set(hours_held)
