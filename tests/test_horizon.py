"""The horizon is one constant: with 96 hours the pipeline, the pages, the API and the command follow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from co2_assets.contracts.areas import AREAS

REPOSITORY = Path(__file__).resolve().parent.parent
HORIZON = 96
LEADS = list(range(1, HORIZON + 1))


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process gives in which the constant was set before anything else was imported."""
    home = tmp_path_factory.mktemp("longer") / "home"
    command = [sys.executable, "-m", "tests.support.longer_horizon", str(home)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


def test_forecasts_and_scores_reach_as_far(facts: dict[str, Any]) -> None:
    stored = facts["stored"]
    assert stored["areas"] == sorted(AREAS)
    assert stored["forecast_leads"]
    assert all(leads == LEADS for leads in stored["forecast_leads"])
    ranges = [tuple(bounds) for bounds in stored["score_ranges"]]
    aged = [(1 + age, 6 + age) for age in range(1, 6)]
    days = [(1, 24), (25, 48), (49, 72), (73, HORIZON)]
    by_day = [(7, 24), *days, (1, HORIZON)]
    assert ranges == sorted([*((lead, lead) for lead in LEADS), (1, 6), *aged, *by_day])
    assert f"{HORIZON} h ahead" in stored["architecture"]


def test_the_command_and_the_api_give_every_hour(facts: dict[str, Any]) -> None:
    for forecast in (facts["printed"]["hours"], facts["shown"]["api"]["hours"]):
        assert [hour["lead_hours"] for hour in forecast] == LEADS
    described = facts["shown"]["openapi"]
    assert f"the coming {HORIZON} hours" in described["info"]["description"]
    (duration,) = [
        parameter["schema"]
        for parameter in described["paths"]["/api/v1/carbon-intensity/cleanest-window"]["get"]["parameters"]
        if parameter["name"] == "duration"
    ]
    assert duration["maximum"] == HORIZON


def test_the_home_page_shows_every_hour(facts: dict[str, Any]) -> None:
    shown = facts["shown"]
    assert f"the coming {HORIZON} hours" in shown["home"]
    assert f"{HORIZON} hours, until " in shown["home"]
    (line,) = [trace for trace in shown["forecast_chart"]["data"] if trace.get("name") == "Forecast"]
    assert len(line["y"]) == HORIZON
    assert None not in line["y"]


def test_the_predictions_page_knows_every_lead(facts: dict[str, Any]) -> None:
    shown = facts["shown"]
    assert f"{HORIZON} h ahead" in shown["predictions"]
    assert f"{HORIZON + 1} h ahead" not in shown["predictions"]
    (errors,) = [trace for trace in shown["lead_chart"]["data"] if trace["name"] == "This forecast"]
    assert errors["x"] == LEADS
    assert shown["lead_chart"]["layout"]["xaxis"]["tickvals"][-1] == HORIZON
    bars = [trace["name"] for trace in shown["calibration_chart"]["data"]]
    assert bars == [
        "1–6 h ahead",
        "7–12 h ahead",
        "13–24 h ahead",
        "25–48 h ahead",
        "49–72 h ahead",
        f"73–{HORIZON} h ahead",
    ]
    assert shown["outcomes_chart"]["data"]
