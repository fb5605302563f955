"""Every area is forecast, and adding one is a row of configuration."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import pandas as pd
import pytest
from typer.testing import CliRunner

from co2_assets.cli.commands import app
from co2_assets.contracts import CO2_EMISSION
from co2_assets.contracts.areas import AREAS, Area
from co2_assets.contracts.forecast_spec import FLOWS, HORIZON_HOURS, POWERS
from co2_assets.contracts.sources import STAND_IN
from co2_assets.contracts.tables import AGGREGATED_DATA
from co2_assets.energidataservice.emulator.recording import DECLARATION
from co2_assets.energidataservice.emulator.simulator import SimulatedGrid
from co2_assets.pipeline import sources
from co2_assets.pipeline.forecast_inputs import read_areas
from co2_assets.pipeline.hourly import store_hours
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.retraining import read_retraining_inputs
from co2_assets.pipeline.run import open_run
from co2_assets.pipeline.run import published_snapshot as newest_snapshot
from co2_assets.pipeline.status import read_status
from co2_assets.settings import Settings
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home
from co2_dash.app import create_app
from co2_dash.data import queries
from co2_dash.data.freshness import freshness_rows
from co2_dash.data.notices import attribution
from co2_dash.data.snapshot_store import SnapshotStore
from co2_dash.data.state import state_of
from co2_dash.pages.shell import attributions
from co2_dash.settings import Settings as PagesSettings
from tests.support.pipeline_runs import T0, checks, failures, published, rows_of, run, simulated, tables

ISLAND = Area("DK3", "An island", CO2_EMISSION.name, ("DK2",), {"DK2": 1.0})


@dataclass(frozen=True)
class WithIsland(SimulatedGrid):
    """The simulated grid with one more area, twice as dirty as its neighbour."""

    def rows(self, dataset: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
        rows = super().rows(dataset, start, end, now)
        if dataset != "CO2Emis":
            return rows
        island = rows[rows["PriceArea"] == "DK2"]
        island = island.assign(PriceArea="DK3", CO2Emission=2 * island["CO2Emission"])
        return pd.concat([rows, island], ignore_index=True)


def test_an_area_is_added_by_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("dict[str, Area]", AREAS), ISLAND.name, ISLAND)
    monkeypatch.setattr(sources, "SimulatedGrid", WithIsland)
    settings = simulated(tmp_path / "home")
    result = run(settings)
    assert result.success, failures(result)

    content = {name: rows for name, rows in tables(settings).items() if "price_area" in rows}
    for name in ("aggregated_data", "engineered_features", "model_table", "predictions", "model_evaluations"):
        assert set(content[name]["price_area"]) == set(AREAS), name
    hours = content["aggregated_data"].pivot(index="hour_utc", columns="price_area", values="co2_g_per_kwh")
    assert (hours["DK3"] / hours["DK2"]).median() == pytest.approx(2, rel=1e-3)
    live = content["predictions"].query("price_area == 'DK3' and kind == 'live'")
    assert len(live) == HORIZON_HOURS
    assert live["model_version"].iloc[0] == content["model_table"]["model_version"].iloc[0]
    assert read_status(published(settings), settings, "DK3").champion is not None

    told = CliRunner().invoke(
        app, ["forecast", "--area", "DK3", "--source", "simulator", "--home", str(settings.home), "--json"]
    )
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["price_area"] == "DK3"
    pages = create_app(PagesSettings(Home(settings.home), source="simulator"), clock=lambda: T0)
    transport = httpx.ASGITransport(app=pages.server)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://pages") as client:
            return await client.get("/api/v1/carbon-intensity/forecast", params={"price_area": "DK3"})

    answer = asyncio.run(ask())
    assert answer.status_code == 200
    assert len(answer.json()["hours"]) == 24


def test_an_area_that_there_is_not_is_refused_by_name(second_home: Path) -> None:
    for command in ("forecast", "status"):
        told = CliRunner().invoke(app, [command, "--area", "SE9", "--home", str(second_home)])
        assert told.exit_code == 2
        assert "there are DK, DK1, DK2" in " ".join(told.stderr.split())


def test_the_parts_make_the_whole(second_home: Path) -> None:
    hours = rows_of(simulated(second_home), "aggregated_data").pivot(
        index="hour_utc", columns="price_area", values="co2_g_per_kwh"
    )
    nation = 0.6 * hours["DK1"] + 0.4 * hours["DK2"]
    assert (nation / hours["DK"]).median() == pytest.approx(1, abs=0.01)


def test_each_half_has_its_own_production(second_home: Path) -> None:
    content = tables(simulated(second_home))
    for name in ("aggregated_data", "engineered_features"):
        hours = content[name].pivot(index="hour_utc", columns="price_area", values="onshore_wind_mw")
        assert (hours["DK1"] > hours["DK2"]).mean() > 0.9, name
        whole = (hours["DK1"] + hours["DK2"]) / hours["DK"]
        assert whole.median() == pytest.approx(1, abs=0.01)


def test_production_of_the_whole_country_tells_of_its_parts_where_nothing_else_does(
    second_home: Path, tmp_path: Path
) -> None:
    content = rows_of(simulated(second_home), "aggregated_data")
    until = content["hour_utc"].max() + timedelta(hours=1)
    rows = content.copy()
    rows.loc[rows["price_area"] != "DK", [*POWERS, *FLOWS]] = float("nan")

    def winds(rows: pd.DataFrame, folder: Path) -> dict[str, "pd.Series[float]"]:
        database = Warehouse(folder / "warehouse.duckdb", "simulator")
        with database.open_transaction() as transaction:
            transaction.upsert(AGGREGATED_DATA, rows)
        areas = read_areas(database, since=until - timedelta(days=9), until=until)
        return {
            name: known.aggregated.set_index("hour_utc").sort_index()["onshore_wind_mw"]
            for name, known in areas.items()
        }

    shared = winds(rows, tmp_path / "shared")
    pd.testing.assert_series_equal(shared["DK1"], shared["DK"])
    # One hour of its own, long ago, and what is missing is a gap: the country's number is another quantity.
    first = (rows["price_area"] == "DK1") & (rows["hour_utc"] == rows["hour_utc"].min())
    rows.loc[first, "onshore_wind_mw"] = 100.0
    own = winds(rows, tmp_path / "own")
    assert own["DK1"].isna().all()
    pd.testing.assert_series_equal(own["DK2"], own["DK"])


def archived(folder: Path, home: Path, as_of: datetime, history_days: int = 30) -> Settings:
    return Settings(home=home, source=f"archive:{folder}", as_of=as_of, history_days=history_days)


def test_a_recording_without_areas_says_so_and_asks_for_nothing(tmp_path: Path, archive_dir: Path) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    for path in archive_dir.glob("*.parquet"):
        if path.name != DECLARATION:
            (folder / path.name).symlink_to(path)
    settings = archived(folder, tmp_path / "home", datetime(2024, 6, 1))
    with open_run(settings) as pipeline:
        report = update(pipeline, CO2_EMISSION)
        assert report.sentence() == "the source does not have this dataset; nothing was requested"
        assert pipeline.warehouse.read("SELECT * FROM new_data_log").empty
    result = run(settings, assets=[CO2_EMISSION.name])
    assert result.success
    told = checks(result)
    assert all(check.passed for check in told.values())
    assert set(told) >= {"co2_emission_fetched", "co2_emission_on_time", "co2_emission_contract"}


def test_the_settled_declaration_stands_in_for_the_areas(tmp_path: Path, archive_dir: Path) -> None:
    settings = archived(archive_dir, tmp_path / "home", datetime(2023, 10, 1, 0, 20))
    with open_run(settings) as pipeline:
        report = update(pipeline, CO2_EMISSION)
        assert report.error is None
        assert report.quarantined == 0
        store_hours(pipeline)
        hours = pipeline.warehouse.read("SELECT * FROM aggregated_data ORDER BY hour_utc, price_area")
        snapshot = pipeline.publish()
    assert hours["hour_utc"].max() == datetime(2023, 9, 30, 23), "known at the end of the hour, not before"
    assert set(hours["minutes_observed"]) == {60}
    settled = pd.read_parquet(archive_dir / DECLARATION).set_index(["HourUTC", "PriceArea"])["CO2PerkWh"]
    expected = settled.reindex(pd.MultiIndex.from_frame(hours[["hour_utc", "price_area"]]))
    assert hours["co2_g_per_kwh"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-4)

    state = read_status(snapshot, settings, "DK1")
    assert state.notes["co2_emission"] == STAND_IN
    view = SnapshotStore(PagesSettings(Home(settings.home), source="archive")).view()
    assert view is not None
    shown = state_of(view, datetime(2026, 1, 1), "DK1")
    assert STAND_IN in attribution(shown, measured_only=True)
    assert STAND_IN in " ".join(str(part) for part in attributions(shown))
    assert STAND_IN not in attribution(state_of(view, datetime(2026, 1, 1), "DK"))


def test_areas_whose_recording_ended_are_left_out_without_an_alarm(tmp_path: Path, archive_dir: Path) -> None:
    settings = archived(archive_dir, tmp_path / "home", datetime(2023, 12, 10))
    result = run(settings)
    assert result.success, failures(result)
    told = checks(result)
    for name in ("co2_emission_fetched", "co2_emission_on_time", "forecast_on_time", "model_usable"):
        assert told[name].passed, told[name].description
    assert told["co2_emission_on_time"].description == (
        "The recording of this dataset ends at 2023-11-15 00:00 UTC."
    )
    with open_run(settings) as pipeline:
        held = pipeline.warehouse.read("SELECT DISTINCT price_area FROM aggregated_data")
        assert set(held["price_area"]) == set(AREAS)
        for table in ("predictions", "model_table", "model_evaluations"):
            rows = pipeline.warehouse.read(f"SELECT DISTINCT price_area FROM {table}")
            assert list(rows["price_area"]) == ["DK"], table
        assert update(pipeline, CO2_EMISSION).windows == [], "nothing later is asked for"
    snapshot = newest_snapshot(settings)
    assert snapshot is not None
    rule = read_retraining_inputs(
        snapshot, settings, now=datetime(2023, 12, 10), training_running=False, memory={}
    )
    assert rule.areas_without_model == ()
    assert read_status(snapshot, settings).failed_fetches.empty
    view = SnapshotStore(PagesSettings(Home(settings.home), source="archive")).view()
    assert view is not None
    assert queries.areas(view) == ["DK"]
    rows = freshness_rows(view, state_of(view, datetime(2026, 1, 1))).set_index("dataset")
    assert rows.loc["co2_emission", "state"] == "recording ended"
    assert "recording ended" not in set(rows.drop("co2_emission")["state"])
