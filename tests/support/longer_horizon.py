"""A program: run the pipeline and the pages with a horizon of 96 hours, and print what they give.

It needs a process of its own, for the constant is read when the modules are imported. Its argument is
an empty folder; what it prints last is one JSON object.
"""

# ruff: noqa: E402, S102 - the constant is set before anything reads it
from pathlib import Path

from co2_assets.contracts import forecast_spec

HORIZON_HOURS = 96
_LINE = f"\nHORIZON_HOURS: Final = {forecast_spec.HORIZON_HOURS}\n"
_MODULE = Path(forecast_spec.__file__).read_text(encoding="utf-8")
if _LINE not in _MODULE:
    raise RuntimeError(f"{forecast_spec.__file__} does not say {_LINE.strip()}: look for it in another form")
# What the module would be with another number there: all that follows from it too, but classes stay the same.
_changed = {"__name__": forecast_spec.__name__}
exec(_MODULE.replace(_LINE, f"\nHORIZON_HOURS: Final = {HORIZON_HOURS}\n"), _changed)
vars(forecast_spec).update({name: value for name, value in _changed.items() if name.isupper()})

import json
import sys
from datetime import timedelta
from typing import Any

import httpx
from typer.testing import CliRunner

from co2_assets.cli.commands import app
from co2_assets.contracts.areas import DENMARK
from co2_assets.settings import Settings
from co2_assets.warehouse.paths import Home
from co2_dash.settings import Settings as PageSettings
from tests.support.pages_server import serving
from tests.support.pipeline_runs import T0, failures, run, simulated, tables


def stored(settings: Settings) -> dict[str, Any]:
    """Run the six-hour job once; tell how far the stored forecasts and scores reach."""
    result = run(settings)
    if not result.success:
        raise RuntimeError(str(failures(result)))
    held = tables(settings)
    scores, model = held["model_evaluations"], held["model_table"].iloc[0]
    return {
        "forecast_leads": [
            leads.tolist()
            for _, leads in held["predictions"].groupby(["price_area", "issue_time_utc"])["lead_hours"]
        ],
        "areas": sorted(set(held["predictions"]["price_area"])),
        "score_ranges": sorted(set(zip(scores["lead_from_hours"], scores["lead_to_hours"], strict=True))),
        "architecture": model["architecture"],
    }


def printed(settings: Settings) -> dict[str, Any]:
    """What `co2 forecast --json` prints."""
    options = ["--home", str(settings.home), "--source", "simulator", "--json"]
    options += ["--hours", str(HORIZON_HOURS), "--as-of", f"{settings.as_of}"]
    result = CliRunner().invoke(app, ["forecast", *options], catch_exceptions=False)
    forecast: dict[str, Any] = json.loads(result.stdout)
    return forecast


class Browser:
    """Asks the pages as Dash's own script does in a browser."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.callbacks = client.get("/_dash-dependencies").raise_for_status().json()

    def page(self, path: str) -> str:
        """The content of a page, as JSON."""
        values = {"_pages_location.pathname": path, "_pages_location.search": ""}
        return json.dumps(self._answer("_pages_content.children", values, {}))

    def chart(self, name: str, **options: str) -> dict[str, Any]:
        """The figure of a chart."""
        identity = {"chart": name, "type": "figure"}
        values = {
            "theme.data": "light",
            "options.data": options,
            "figure.id": identity,
            "_pages_location.search": "",
        }
        answer = self._answer('"type":"figure"}.figure', values, {"chart": name})
        (figure,) = [part["figure"] for part in answer.values() if "figure" in part]
        return dict(figure)

    def _answer(self, output: str, values: dict[str, Any], matched: dict[str, str]) -> dict[str, Any]:
        (callback,) = [
            one for one in self.callbacks if output in one["output"] and not one["clientside_function"]
        ]

        def identity(text: str) -> Any:
            if not text.startswith("{"):
                return text
            return {name: matched.get(name, part) for name, part in json.loads(text).items()}

        def part(of: dict[str, Any]) -> dict[str, Any]:
            own = identity(of["id"])
            kind = own["type"] if isinstance(own, dict) else own
            return {"id": own, "property": of["property"], "value": values.get(f"{kind}.{of['property']}")}

        outputs = []
        for text in callback["output"].strip(".").split("..."):
            name, _, property_name = text.rpartition(".")
            outputs.append({"id": identity(name), "property": property_name})
        body = {
            "output": callback["output"],
            "outputs": outputs if callback["output"].startswith("..") else outputs[0],
            "inputs": [part(one) for one in callback["inputs"]],
            "state": [part(one) for one in callback["state"]],
            "changedPropIds": [],
        }
        answer = self.client.post("/_dash-update-component", json=body).raise_for_status().json()
        return dict(answer["response"])


def shown(settings: Settings) -> dict[str, Any]:
    """What the API and the pages give."""
    pages = PageSettings(Home(settings.home), source="simulator", requests_per_minute=100_000)
    now = T0 + timedelta(minutes=20)
    with serving(pages, lambda: now) as address, httpx.Client(base_url=address, timeout=60) as client:
        browser = Browser(client)
        every = {"hours": str(HORIZON_HOURS)}
        scored = {"period": "30 d", "kind": "hindcast"}
        return {
            "api": client.get("/api/v1/carbon-intensity/forecast", params=every).raise_for_status().json(),
            "openapi": client.get("/openapi.json").raise_for_status().json(),
            "home": browser.page("/"),
            "predictions": browser.page("/predictions"),
            "forecast_chart": browser.chart("forecast", **every),
            "lead_chart": browser.chart("leads", **scored),
            "calibration_chart": browser.chart("calibration", **scored),
            "outcomes_chart": browser.chart("outcomes", **scored, lead=str(HORIZON_HOURS)),
        }


def main() -> None:
    """Do all of it in the folder given."""
    settings = simulated(Path(sys.argv[1]))
    facts = {"stored": stored(settings), "printed": printed(settings), "shown": shown(settings)}
    print(json.dumps({"horizon": HORIZON_HOURS, "area": DENMARK.name, **facts}, default=int))


if __name__ == "__main__":
    main()
