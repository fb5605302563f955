"""Every area is forecast, and adding one is a row of configuration."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import httpx
import pandas as pd
import pytest
from typer.testing import CliRunner

from co2_assets.cli.commands import app
from co2_assets.contracts import CO2_EMISSION
from co2_assets.contracts.areas import AREAS, Area
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.energidataservice.emulator.simulator import SimulatedGrid
from co2_assets.pipeline import sources
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.run import open_run
from co2_assets.pipeline.status import read_status
from co2_assets.settings import Settings
from co2_assets.warehouse.paths import Home
from co2_dash.app import create_app
from co2_dash.settings import Settings as PagesSettings
from tests.support.pipeline_runs import T0, checks, failures, published, run, simulated, tables

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
    hours = tables(simulated(second_home))["aggregated_data"].pivot(
        index="hour_utc", columns="price_area", values="co2_g_per_kwh"
    )
    nation = 0.6 * hours["DK1"] + 0.4 * hours["DK2"]
    assert (nation / hours["DK"]).median() == pytest.approx(1, abs=0.01)


def test_production_of_the_whole_country_tells_of_its_parts(second_home: Path) -> None:
    content = tables(simulated(second_home))
    assert content["aggregated_data"].query("price_area != 'DK'")["solar_mw"].isna().all()
    features = content["engineered_features"].pivot(
        index="hour_utc", columns="price_area", values="onshore_wind_mw"
    )
    assert features["DK1"].equals(features["DK"].rename("DK1"))


def test_a_recording_without_areas_says_so_and_asks_for_nothing(tmp_path: Path, archive_dir: Path) -> None:
    settings = Settings(
        home=tmp_path / "home", source=f"archive:{archive_dir}", as_of=datetime(2024, 6, 1), history_days=30
    )
    with open_run(settings) as pipeline:
        report = update(pipeline, CO2_EMISSION)
        assert report.sentence() == "the source does not have this dataset; nothing was requested"
        assert pipeline.warehouse.read("SELECT * FROM new_data_log").empty
    result = run(settings, assets=[CO2_EMISSION.name])
    assert result.success
    told = checks(result)
    assert all(check.passed for check in told.values())
    assert set(told) >= {"co2_emission_fetched", "co2_emission_on_time", "co2_emission_contract"}
