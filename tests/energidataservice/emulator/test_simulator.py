"""The simulated grid: the same whenever it is asked, and like the recorded one where it matters."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW, PRICE_DATASETS_SWITCH, split_rows
from co2_assets.energidataservice.emulator.catalog import KNOWN_AT, SERVED
from co2_assets.energidataservice.emulator.simulated_areas import CAPACITIES
from co2_assets.energidataservice.emulator.simulated_power import (
    CENTRAL_CAPACITY,
    EXPORT_LIMIT,
    IMPORT_LIMIT,
    HourlyState,
    simulate,
)
from co2_assets.energidataservice.emulator.simulated_weather import hours_from_epoch, sun_height
from co2_assets.energidataservice.emulator.simulator import SimulatedGrid
from co2_assets.pipeline.sources import Source, connect

YEARS = 3
HOURS = 24 * 365 * YEARS
GRID = SimulatedGrid(seed=5)


@pytest.fixture(scope="module")
def state() -> HourlyState:
    return simulate(5, HOURS)


@pytest.fixture(scope="module")
def recorded(archive_dir: Path) -> pd.DataFrame:
    frame = pd.read_parquet(archive_dir / "PowerSystemRightNow_hourly.parquet")
    return frame.set_index("HourUTC").asfreq("h")


# The same for ever


@pytest.mark.parametrize("dataset", sorted(SERVED))
def test_a_time_has_the_same_values_however_it_is_asked_for(dataset: str) -> None:
    start, end = datetime(2025, 9, 29, 5), datetime(2025, 10, 2, 5)
    later, far = datetime(2025, 10, 5), datetime(2027, 3, 1)
    few = GRID.rows(dataset, start, end, later).reset_index(drop=True)
    many = GRID.rows(dataset, start - timedelta(days=40), end + timedelta(days=2), far)
    field = SERVED[dataset].time_field
    same = many[(many[field] >= start) & (many[field] < end)].reset_index(drop=True)
    assert len(few) > 0
    pd.testing.assert_frame_equal(few, same, check_exact=True)


def test_another_seed_is_another_country() -> None:
    window = datetime(2024, 1, 1), datetime(2024, 1, 2), datetime(2024, 2, 1)
    one = SimulatedGrid(1).rows("PowerSystemRightNow", *window)["CO2Emission"].to_numpy()
    two = SimulatedGrid(2).rows("PowerSystemRightNow", *window)["CO2Emission"].to_numpy()
    assert (one[:1000] != two[:1000]).all()


@pytest.mark.parametrize("dataset", sorted(SERVED))
@pytest.mark.parametrize("now", [datetime(1999, 1, 1), datetime(2020, 1, 1), datetime(9999, 1, 1)])
def test_an_absurd_clock_is_answered(dataset: str, now: datetime) -> None:
    early = GRID.rows(dataset, datetime(1990, 1, 1), datetime(2020, 1, 1), now)
    assert early.empty
    assert {SERVED[dataset].time_field, KNOWN_AT} <= set(early)


# Like the recorded one


def co2(state: HourlyState) -> "pd.Series[float]":
    return pd.Series(state.co2_g_per_kwh, index=hours_from_epoch(len(state.co2_g_per_kwh)))


def test_intensity_has_the_recorded_level_and_spread(state: HourlyState, recorded: pd.DataFrame) -> None:
    ours, theirs = co2(state), recorded["CO2Emission"]
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.25)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.25)
    assert ours.min() > 5
    assert ours.max() < 450


@pytest.mark.parametrize("lead", [1, 2, 3, 6, 12, 24])
def test_intensity_is_as_hard_to_foresee(state: HourlyState, recorded: pd.DataFrame, lead: int) -> None:
    ours, theirs = co2(state), recorded["CO2Emission"]
    assert ours.diff(lead).abs().mean() == pytest.approx(theirs.diff(lead).abs().mean(), rel=0.3)
    assert ours.autocorr(lead) == pytest.approx(theirs.autocorr(lead), abs=0.12)


def test_production_and_exchange_have_the_recorded_levels(state: HourlyState, recorded: pd.DataFrame) -> None:
    ours = {
        "ProductionGe100MW": state.central_mw,
        "ProductionLt100MW": state.decentral_mw,
        "SolarPower": state.total("Solar"),
        "OffshoreWindPower": state.total("Offshore Wind"),
        "OnshoreWindPower": state.total("Onshore Wind"),
    }
    for name, values in ours.items():
        assert values.mean() == pytest.approx(recorded[name].mean(), rel=0.3), name
    assert abs(state.net_exchange_mw.mean() - recorded["Exchange_Sum"].mean()) < 500


def test_wind_drives_exchange_and_intensity_down(state: HourlyState) -> None:
    wind = state.total("Offshore Wind") + state.total("Onshore Wind")
    assert -0.8 < np.corrcoef(wind, state.co2_g_per_kwh)[0, 1] < -0.4
    assert np.corrcoef(wind, state.net_exchange_mw)[0, 1] < -0.7
    assert np.corrcoef(wind, state.prices["DK1"])[0, 1] < -0.3


def test_every_hour_balances_within_the_limits(state: HourlyState) -> None:
    green = np.sum(list(state.production.values()), axis=0)
    made = green + state.central_mw + state.decentral_mw
    assert np.allclose(made + state.net_exchange_mw, state.demand_mw)
    assert state.net_exchange_mw.min() >= -EXPORT_LIMIT - 1e-6
    assert state.net_exchange_mw.max() <= IMPORT_LIMIT + 1e-6
    assert 0 <= state.central_mw.min() <= state.central_mw.max() <= CENTRAL_CAPACITY
    assert all(values.min() >= 0 for values in state.production.values())


def test_the_sun_shines_by_day(state: HourlyState) -> None:
    night = sun_height(hours_from_epoch(HOURS)) == 0
    assert state.total("Solar")[night].max() == 0
    assert 0.45 < night.mean() < 0.55


def test_minutes_balance_and_miss_some() -> None:
    now = datetime(2025, 3, 1)
    rows = GRID.rows("PowerSystemRightNow", now - timedelta(days=120), now, now)
    missing = 1 - len(rows) / (120 * 1440)
    assert 0 < missing < 0.02
    steps = rows["Minutes1UTC"].diff().dropna()
    assert (steps >= timedelta(hours=1)).any()
    assert ((steps > timedelta(minutes=1)) & (steps < timedelta(hours=1))).any()
    assert rows["Minutes1UTC"].is_unique


def test_quarters_keep_the_hours_price_and_start_at_the_switch() -> None:
    day = timedelta(days=1)
    now = PRICE_DATASETS_SWITCH + 3 * day
    quarters = GRID.rows("DayAheadPrices", PRICE_DATASETS_SWITCH - day, now, now)
    hours = GRID.rows("Elspotprices", PRICE_DATASETS_SWITCH - day, now, now)
    assert quarters["TimeUTC"].min() == PRICE_DATASETS_SWITCH
    assert hours["HourUTC"].max() == PRICE_DATASETS_SWITCH - timedelta(hours=1)
    dk1 = quarters[quarters["PriceArea"] == "DK1"].set_index("TimeUTC")["DayAheadPriceEUR"]
    assert (dk1.groupby(dk1.index.floor("h")).size() == 4).all()
    assert dk1.resample("h").std().mean() > 0


# Forecasts


FORECASTS = ["ForecastDayAhead", "Forecast5Hour", "Forecast1Hour", "ForecastCurrent"]


def test_forecast_errors_grow_with_lead() -> None:
    start, end = datetime(2024, 1, 1), datetime(2024, 12, 1)
    rows = GRID.rows("Forecasts_Hour", start, end, end)
    power = GRID.rows("PowerSystemRightNow", start, end, end).set_index("Minutes1UTC")
    truth = power.resample("h").mean()
    for kind, column in (("Offshore Wind", "OffshoreWindPower"), ("Solar", "SolarPower")):
        nation = rows[rows["ForecastType"] == kind].groupby("HourUTC")[FORECASTS].sum()
        errors = nation.sub(truth[column], axis=0).abs().mean()
        assert all(far > near for far, near in pairwise(errors[name] for name in FORECASTS)), kind
        assert errors["ForecastDayAhead"] < 0.35 * truth[column].mean()


def test_a_forecast_shows_what_had_been_made_by_then() -> None:
    now = datetime(2025, 5, 14, 9, 30)
    rows = GRID.rows("Forecasts_Hour", now - timedelta(days=1), now + timedelta(days=3), now)
    rows = rows[(rows["ForecastType"] == "Onshore Wind") & (rows["PriceArea"] == "DK1")]
    rows = rows[rows[KNOWN_AT] <= now].set_index("HourUTC")
    assert rows.index.max() == datetime(2025, 5, 14, 21), "tomorrow's come at 18:00 in Denmark"
    assert rows["Forecast5Hour"].last_valid_index() == datetime(2025, 5, 14, 14)
    assert rows["Forecast1Hour"].last_valid_index() == datetime(2025, 5, 14, 10)
    assert rows["TimestampUTC"].max() <= now
    assert rows.loc["2025-05-14 14:00", "TimestampUTC"] == datetime(2025, 5, 14, 9, 0, 25)
    assert rows.loc["2025-05-14 20:00", "TimestampUTC"] == datetime(2025, 5, 14, 4, 0, 25)
    evening = datetime(2025, 5, 14, 16)
    later = GRID.rows("Forecasts_Hour", now, now + timedelta(days=3), evening)
    assert later.loc[later[KNOWN_AT] <= evening, "HourUTC"].max() == datetime(2025, 5, 15, 21)


def test_each_type_of_forecast_has_a_time_stamp_of_its_own() -> None:
    now = datetime(2025, 5, 14, 9, 30)
    rows = GRID.rows("Forecasts_Hour", now - timedelta(days=1), now + timedelta(days=1), now)
    assert rows.groupby(["PriceArea", "HourUTC"])["TimestampUTC"].nunique().eq(3).all()
    apart = rows.groupby(["PriceArea", "HourUTC"])["TimestampUTC"].agg(
        lambda stamps: stamps.max() - stamps.min()
    )
    assert (apart == timedelta(minutes=5, seconds=2)).all()


def test_a_made_forecast_is_not_made_over() -> None:
    window = datetime(2025, 5, 14), datetime(2025, 5, 15)
    frames = [
        GRID.rows("Forecasts_Hour", *window, datetime(2025, 5, 13, 20) + timedelta(hours=h))
        for h in range(0, 30, 3)
    ]
    for name in ("ForecastDayAhead", "ForecastIntraday", "Forecast5Hour", "Forecast1Hour"):
        for earlier, later in pairwise(frames):
            there = earlier[name].notna()
            assert (earlier.loc[there, name] == later.loc[there, name]).all()


def test_the_prognosis_is_as_good_as_the_recorded_one() -> None:
    start, end = datetime(2024, 1, 1), datetime(2024, 12, 1)
    rows = GRID.rows("CO2EmisProg", start, end, end)
    areas = rows.pivot_table(index="Minutes5UTC", columns="PriceArea", values="CO2Emission")
    nation = (0.6 * areas["DK1"] + 0.4 * areas["DK2"]).resample("h").mean()
    power = GRID.rows("PowerSystemRightNow", start, end, end).set_index("Minutes1UTC")
    error = (nation - power["CO2Emission"].resample("h").mean()).abs().mean()
    assert 20 < error < 38
    lead = (rows["Minutes5UTC"] - rows["FirstSeenUTC"]) / pd.Timedelta(hours=1)
    assert 16 < lead.median() < 23
    assert lead.min() > 5


# All of it through the client


def test_a_month_through_the_client_keeps_every_contract() -> None:
    now = datetime(2026, 4, 9, 9, 30)
    with connect(Source("simulator"), lambda: now) as connection:
        for dataset in DATASETS:
            frame = connection.client.fetch(dataset, now - timedelta(days=30), now + timedelta(days=3))
            good, bad = split_rows(dataset, frame)
            assert bad == []
            assert len(good) == len(frame)
            if dataset is POWER_SYSTEM_RIGHT_NOW:
                assert good["minute_utc"].max() == now - timedelta(minutes=1)


# Its two halves

PRODUCTION = ["ProductionGe100MW", "ProductionLt100MW", "OffshoreWindPower", "OnshoreWindPower", "SolarPower"]
SUMMER = datetime(2023, 5, 1), datetime(2023, 9, 1), datetime(2024, 1, 1)


@pytest.fixture(scope="module")
def both() -> pd.DataFrame:
    rows = GRID.rows("ElectricityProdex5MinRealtime", *SUMMER)
    return rows.drop(columns=KNOWN_AT).pivot(index="Minutes5UTC", columns="PriceArea")


def flows(both: pd.DataFrame, area: str) -> pd.DataFrame:
    own = both.xs(area, axis=1, level="PriceArea")
    return own[[name for name in own if name.startswith("Exchange") or name == "BornholmSE4"]]


def test_the_halves_add_up_to_the_country_minute_by_minute(both: pd.DataFrame) -> None:
    nation = GRID.rows("PowerSystemRightNow", *SUMMER).set_index("Minutes1UTC")
    same = nation.reindex(both.index)
    for name in PRODUCTION:
        assert both[name].sum(axis=1).to_numpy() == pytest.approx(same[name].to_numpy(), abs=1e-6), name
    abroad = sum(flows(both, area).drop(columns="ExchangeGreatBelt").sum(axis=1) for area in ("DK1", "DK2"))
    assert abroad.to_numpy() == pytest.approx(same["Exchange_Sum"].to_numpy(), abs=1e-6)
    belt = both["ExchangeGreatBelt"]
    assert (belt["DK1"] == -belt["DK2"]).all()


def test_the_halves_differ_as_the_real_ones_do(both: pd.DataFrame) -> None:
    mean = both.mean()
    for name in PRODUCTION:
        assert mean[name, "DK1"] > mean[name, "DK2"], name
    assert mean["OnshoreWindPower", "DK1"] > 3 * mean["OnshoreWindPower", "DK2"]
    assert (both["ExchangeGreatBelt"]["DK2"] > 0).mean() > 0.55, "mostly from west to east"
    demand = {
        area: both.xs(area, axis=1, level="PriceArea")[PRODUCTION].sum(axis=1) + flows(both, area).sum(axis=1)
        for area in ("DK1", "DK2")
    }
    share = demand["DK1"] / (demand["DK1"] + demand["DK2"])
    assert share.mean() == pytest.approx(0.6, abs=0.02)
    assert share.std() < 0.02
    for area, borders in CAPACITIES.items():
        for border, capacity in borders.items():
            # Beside the noise of production, which Germany takes up.
            assert both[border][area].abs().max() <= capacity + 50, (area, border)
    no_border = {name for name in flows(both, "DK2") if both[name]["DK2"].isna().all()}
    assert no_border == {"ExchangeNetherlands", "ExchangeGreatBritain", "ExchangeNorway"}
    assert both["BornholmSE4"]["DK1"].isna().all()


def test_the_dirtier_half_burns_more_and_imports_from_germany(both: pd.DataFrame) -> None:
    intensity = GRID.rows("CO2Emis", *SUMMER).pivot(
        index="Minutes5UTC", columns="PriceArea", values="CO2Emission"
    )
    west_is_dirtier = intensity["DK1"] - intensity["DK2"]
    central = both["ProductionGe100MW"]
    assert west_is_dirtier.corr(central["DK1"] / central.sum(axis=1)) > 0.3
    assert west_is_dirtier.corr(both["ExchangeGermany"]["DK1"]) > 0.3
