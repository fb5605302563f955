"""What the documents say of the code is what the code says."""

import inspect
import re
from pathlib import Path

import pytest
from from_definitions import direct, in_order
from generate import MADE, put

import co2_dash.data.notices as notices_module
from co2_assets.cli.output import status_table
from co2_assets.definitions import build_definitions
from co2_assets.energidataservice.errors import ServiceError
from co2_assets.forecasting.inputs.windows import MASKABLE_FEEDS, POWER_FEED
from co2_assets.forecasting.issue.fallback import CAUSE
from co2_assets.settings import Settings
from co2_assets.warehouse.recovery import LOST

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"

DOCUMENTS = sorted([*DOCS.glob("*.md"), REPOSITORY / "README.md"])
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:)(?P<target>[^)#\s]*)(#(?P<anchor>[^)\s]+))?\)")


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


def anchors(text: str) -> set[str]:
    """Return the anchors that a Markdown reader gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in _LINK.finditer(text):
        target = (path.parent / link["target"]).resolve() if link["target"] else path
        assert target.exists(), f"{path.name} links to {link['target']}"
        if link["anchor"] and target.suffix == ".md":
            assert link["anchor"] in anchors(target.read_text(encoding="utf-8")), link[0]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_paths_that_are_named_exist(path: Path) -> None:
    """Names such as `co2_assets/defs/checks.py` or `tests/deploy/`; what benchmarks write is made anew."""
    for name in re.findall(
        r"`((?:co2_assets|co2_dash|docs|tests|bench(?!/out)|deploy)/[\w./-]*)`", path.read_text("utf-8")
    ):
        assert (REPOSITORY / name).exists(), f"{path.name} names {name}"


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
    for feed in (POWER_FEED, *MASKABLE_FEEDS):
        assert f"`{feed}:`" in OPERATIONS


def test_every_line_of_the_status_is_explained() -> None:
    printed = inspect.getsource(status_table)
    labels = set(re.findall(r'"([A-Z][a-z]+) {2,}', printed))
    assert {"Source", "Forecast", "Quarantine"} <= labels
    assert {label for label in labels if f"| `{label}` |" not in OPERATIONS} == set()


def test_every_banner_of_the_pages_is_explained() -> None:
    titles = re.findall(r'Notice\(\s*"[\w-]+",\s*f?"([^"{]+)', inspect.getsource(notices_module))
    assert len(titles) >= 5
    for title in titles:
        assert title.strip() in " ".join(OPERATIONS.split()), title
