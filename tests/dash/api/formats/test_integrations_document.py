"""What docs/integrations.md tells people to paste is whole, and its addresses are answered."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jinja2 import Environment
from markdown_it import MarkdownIt

from tests.dash.api.formats.test_evcc import JQ
from tests.support.snapshot_data import NOW

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "integrations.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
ADDRESSES = sorted(set(re.findall(r"http://HOST:8050(/[^\s'\"`)]*)", TEXT)))
# What a tool appends a path or a zone to.
BASES = {
    "/api/electricity-maps/v3": "/carbon-intensity/history?zone=DK-DK1",
    "/api/electricity-maps/v3/": "carbon-intensity/history?zone=DK-DK1",
    "/api/electricity-maps/v3/carbon-intensity/latest?zone=": "DK-DK1",
    "/api/electricity-maps/v4": "/carbon-intensity/forecast?zone=DK-DK1",
    "/api/carbon-aware-sdk": "/locations",
    "/api/neso": f"/regional/intensity/{NOW:%Y-%m-%dT%H:%MZ}/fw48h/postcode/8000",
}


def blocks(language: str) -> Iterator[str]:
    return (token.content for token in MarkdownIt().parse(TEXT) if token.info == language)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_answered(shared: httpx.Client, address: str) -> None:
    answer = shared.get(address + BASES.get(address, ""))
    assert answer.status_code == 200, answer.text
    assert answer.content


def test_every_address_was_found() -> None:
    assert TEXT.count("http://HOST:8050") >= len(ADDRESSES) > len(BASES)
    assert BASES.keys() <= set(ADDRESSES)


def test_the_settings_are_yaml() -> None:
    read = [yaml.safe_load(block) for block in blocks("yaml")]
    assert len(read) == 7
    assert all(isinstance(settings, dict) for settings in read)


def test_the_line_of_jq_is_the_one_that_is_tried() -> None:
    lines: list[Any] = [
        settings["tariffs"]["co2"]["forecast"]["jq"]
        for settings in map(yaml.safe_load, blocks("yaml"))
        if "jq" in settings.get("tariffs", {}).get("co2", {}).get("forecast", {})
    ]
    assert lines == [JQ.replace("value:", "price:")]


def test_the_sensor_takes_what_is_there(shared: httpx.Client) -> None:
    (rest,) = (settings for settings in map(yaml.safe_load, blocks("yaml")) if "rest" in settings)
    (resource,) = rest["rest"]
    answer = shared.get(resource["resource"].removeprefix("http://HOST:8050")).json()
    (sensor,) = resource["sensor"]
    assert set(sensor["json_attributes"]) <= set(answer)
    assert _rendered(sensor["value_template"], answer) == str(answer["state"])
    assert _rendered(sensor["availability"], answer) == "True"
    problem = shared.get("/api/v1/home-assistant?duration=0").json()
    assert _rendered(sensor["availability"], problem) == "False"


def _rendered(template: str, answer: Any) -> str:
    return Environment(autoescape=True).from_string(template).render(value_json=answer)


def test_the_python_is_whole() -> None:
    read = list(blocks("python"))
    assert len(read) == 2
    for block in read:
        compile(block, DOCUMENT.name, "exec")
