"""What can be read before the scripts of a page are there."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from co2_assets.warehouse.paths import Home
from co2_dash.settings import Settings
from tests.support import snapshot_data
from tests.support.pages_server import now, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Iterator[str]:
    made = Home(tmp_path_factory.mktemp("first"))
    snapshot_data.publish(made, archive_dir)
    with serving(Settings(made, source="live"), now) as address:
        yield address


@pytest.fixture
def without_scripts(browser: Browser, site: str) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 812})
    page = context.new_page()
    page.goto(f"{site}/")
    yield page
    context.close()


def test_the_answer_and_a_sketch_are_there_without_a_script(without_scripts: Page) -> None:
    first = without_scripts.locator(".first")
    expect(first.locator(".big-number")).to_have_text("57")
    expect(first.locator(".word")).to_have_text("Typical")
    expect(first.locator(".advice")).to_have_text(re.compile(r"^(Best: \d\d:00–\d\d:00|Now is as clean)"))
    expect(first.locator(".sketch polyline")).to_be_visible()
    box = first.locator(".advice").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 500


def test_the_sketch_keeps_the_place_of_the_chart_until_that_is_drawn(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.route("**/async-plotlyjs*", lambda route: route.abort())
    page.goto(f"{site}/")
    expect(page.locator("#now .big-number")).to_have_text("57")
    expect(page.locator(".chart > .sketch")).to_be_visible()
    page.unroute_all()
    page.reload()
    expect(page.locator(".chart .main-svg").first).to_be_visible()
    expect(page.locator(".chart > .sketch")).to_be_hidden()
    page.close()


def test_an_answer_for_another_area_than_the_remembered_one_is_not_shown(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.add_init_script("localStorage.setItem('co2-area', 'DK1')")
    # The areas of a home with one: as the server would list two.
    document = httpx.get(f"{site}/").text.replace('data-areas="DK"', 'data-areas="DK DK1"')
    page.route(f"{site}/", lambda route: route.fulfill(body=document, content_type="text/html"))
    page.route("**/dash_renderer*", lambda route: route.abort())
    page.goto(f"{site}/")
    expect(page.locator("._dash-loading")).to_contain_text("Loading the page")
    expect(page.locator(".first")).to_have_count(0)
    page.close()


@pytest.mark.parametrize("address", ["/emissions", "/models", "/nowhere"])
def test_other_pages_have_no_answer(site: str, address: str) -> None:
    assert 'class="first"' not in httpx.get(f"{site}{address}").text
