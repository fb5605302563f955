"""What the documents say of the code is what the code says."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from from_definitions import direct, in_order
from generate import MADE, put
from markdown_it import MarkdownIt
from markdown_it.token import Token

from co2_assets.cli.output import status_table
from co2_assets.contracts.danish_time import date_and_clock, span
from co2_assets.contracts.timetable import Timetable
from co2_assets.definitions import build_definitions
from co2_assets.forecasting.inputs.input_lists import MASKABLE_FEEDS, POWER_FEED
from co2_assets.forecasting.issue.fallback import CAUSE
from co2_assets.forecasting.network.trained_model import NO_WEATHER_CAUSE
from co2_assets.http_service.errors import ServiceError
from co2_assets.pipeline.status import Status
from co2_assets.settings import Settings
from co2_assets.warehouse.recovery import LOST
from co2_assets.warehouse.snapshots import Snapshot
from co2_dash.data.notices import notices
from co2_dash.data.state import DataState

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"

DOCUMENTS = sorted([*DOCS.glob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md"])
FOLDERS = ("co2_assets/", "co2_dash/", "docs/", "tests/", "bench/", "deploy/", ".github/")
NOW = datetime(2024, 6, 1, 9)

_MARKDOWN = MarkdownIt("commonmark").enable("table")


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_from_the_code_is_up_to_date(name: str) -> None:
    file, make = MADE[name]
    text = (DOCS / file).read_text(encoding="utf-8")
    assert put(text, name, make()) == text, f"docs/{file} is out of date: run `python docs/generate.py`"


def test_without_its_markers_nothing_is_put_anywhere() -> None:
    with pytest.raises(ValueError, match="graph"):
        put("no markers here", "graph", "a picture")


def test_an_arrow_that_a_longer_path_implies_is_left_out() -> None:
    parents = {"c": {"a", "b"}, "b": {"a"}, "a": set()}
    assert in_order(parents) == ["a", "b", "c"]
    assert direct(parents, "c") == {"b"}


def inlines(path: Path) -> Iterator[Token]:
    """Yield the links, images, code and text of a document, as a Markdown parser reads it."""
    for block in _MARKDOWN.parse(path.read_text(encoding="utf-8")):
        yield from block.children or ()


def code(path: Path) -> Iterator[str]:
    """Yield what stands between backticks."""
    return (token.content for token in inlines(path) if token.type == "code_inline")


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    blocks = _MARKDOWN.parse(path.read_text(encoding="utf-8"))
    titles = [
        "".join(token.content for token in words.children or ())
        for heading, words in itertools.pairwise(blocks)
        if heading.type == "heading_open"
    ]
    kept = ("".join(c for c in title.lower() if c.isalnum() or c in "-_ ") for title in titles)
    return {title.replace(" ", "-") for title in kept}


def test_headings_become_anchors_as_on_github(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# A `co2 status` line: *so*\n\ntext\n", encoding="utf-8")
    assert anchors(path) == {"a-co2-status-line-so"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    targets = [token.attrs.get("href") or token.attrs.get("src") for token in inlines(path)]
    for link in (urlsplit(str(target)) for target in targets if target):
        if link.scheme:
            continue
        target = (path.parent / link.path).resolve() if link.path else path
        assert target.exists(), f"{path.name} links to {link.path}"
        if link.fragment and target.suffix == ".md":
            assert link.fragment in anchors(target), f"{path.name} links to {link.path}#{link.fragment}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_paths_that_are_named_exist(path: Path) -> None:
    """Names such as `co2_assets/defs/checks.py` or `tests/deploy/`; what benchmarks write is made anew."""
    for name in code(path):
        if name.startswith(FOLDERS) and not name.startswith("bench/out/") and " " not in name:
            assert (REPOSITORY / name).exists(), f"{path.name} names {name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_programs_and_targets_that_are_named_exist(path: Path) -> None:
    """`python -m bench.growth --years 1` names a module, `make bench` a target of the Makefile."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8").splitlines()
    for words in (name.split() for name in code(path)):
        if words[:2] == ["python", "-m"]:
            assert find_spec(words[2]) is not None, f"{path.name} names {words[2]}"
        if words[:1] == ["make"]:
            assert any(line.startswith(f"{words[1]}:") for line in makefile), f"{path.name}: make {words[1]}"


OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")


def kinds(error: type[ServiceError]) -> set[str]:
    """Return the outcome of this error and of every kind of it."""
    return {error.outcome}.union(*(kinds(kind) for kind in error.__subclasses__()))


def test_every_check_has_its_remedy() -> None:
    graph = build_definitions(Settings()).resolve_asset_graph()
    names = {key.name for key in graph.asset_check_keys}
    assert "forecast_on_time" in names
    assert {name for name in names if f"`{name}`" not in OPERATIONS} == set()


def test_every_outcome_of_a_fetch_has_its_remedy() -> None:
    outcomes = {"ok", LOST} | kinds(ServiceError)
    assert {name for name in outcomes if f"| `{name}` |" not in OPERATIONS} == set()


def test_every_feed_and_stand_in_that_a_degraded_forecast_names_is_explained() -> None:
    assert CAUSE.partition(";")[0] in OPERATIONS
    assert NO_WEATHER_CAUSE.partition(";")[0] in OPERATIONS
    for feed in (POWER_FEED, *MASKABLE_FEEDS):
        assert f"`{feed}:`" in OPERATIONS


def test_every_line_of_the_status_is_explained() -> None:
    snapshot = Snapshot("00000001-0", Path("snapshot"), "live", NOW, NOW)
    nothing = pd.DataFrame()
    state = Status(snapshot, "DK", NOW, None, Timetable(), "[]", None, None, nothing, nothing, 0, ())
    lines, *_ = status_table(state).renderables
    labels = {line.partition("  ")[0] for line in lines.plain.splitlines()}
    assert {"Source", "Forecast", "Quarantine"} <= labels
    assert {label for label in labels if f"| `{label}` |" not in OPERATIONS} == set()


def test_every_banner_of_the_pages_is_explained() -> None:
    good = DataState(
        NOW, version="1", source="live", issued_at_utc=NOW, model_version="m", measured_until_utc=NOW
    )
    old = timedelta(hours=9)
    states = {
        "simulated": replace(good, source="simulator"),
        "replayed": replace(good, source="archive", replayed=True),
        "empty": DataState(NOW),
        "no-forecast": replace(good, issued_at_utc=None),
        "stale": replace(good, issued_at_utc=NOW - old),
        "ended": replace(good, has_ended=True),
        "degraded": replace(good, degraded_causes=("no prices",)),
    }
    for name, state in states.items():
        (notice,) = notices(state)
        assert notice.name == name
        title = notice.title.replace(span(old), "...").replace(date_and_clock(NOW), "...")
        title = title.replace(good.area.title, "...")
        assert f"| {title} |" in OPERATIONS
