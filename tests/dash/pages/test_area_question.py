"""The first visit asks where power is used; the browser keeps the answer, and the address comes first."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from co2_assets.warehouse.paths import Home
from co2_dash.data import queries
from co2_dash.data.snapshot_store import View
from co2_dash.pages.home_question import QUESTION, question
from co2_dash.settings import Settings
from tests.support import snapshot_data
from tests.support.pages_server import now, serving

FORBIDDEN = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden'); }})"


def page_at(client: httpx.Client, path: str, address: str) -> str:
    """Return the layout that the server makes of a page's address."""
    names = ("_pages_content.children", "_pages_store.data")
    outputs = [dict(zip(("id", "property"), name.split("."), strict=True)) for name in names]
    where = {"pathname": path, "search": address}
    body = {
        "output": f"..{'...'.join(names)}..",
        "outputs": outputs,
        "inputs": [
            {"id": "_pages_location", "property": name, "value": value} for name, value in where.items()
        ],
        "state": [],
        "changedPropIds": ["_pages_location.search"],
    }
    answer = client.post("/_dash-update-component", json=body)
    assert answer.status_code == 200, answer.text
    return json.dumps(answer.json()["response"]["_pages_content"], ensure_ascii=False)


@pytest.mark.parametrize(
    ("path", "address", "asks"),
    [
        ("/", "", True),
        ("/", "?hours=72", True),
        ("/", "?area=", True),
        ("/", "?area=DK", False),
        ("/", "?area=dk1", False),
        ("/", "?price_area=DK2", False),
        ("/", "?area=SE3", False),
        ("/emissions", "", False),
    ],
)
def test_the_home_page_asks_where_the_address_names_no_area(
    shared: httpx.Client, path: str, address: str, asks: bool
) -> None:
    assert (QUESTION in page_at(shared, path, address)) is asks


@pytest.mark.parametrize("path", ["/", "/emissions", "/predictions", "/models"])
def test_every_page_says_that_it_cannot_show_the_area_of_its_address(shared: httpx.Client, path: str) -> None:
    for address, words in (("?area=SE3", "no such area"), ("?area=DK1&price_area=DK2", "more than one area")):
        page = page_at(shared, path, address)
        assert words in page
        assert "There are DK, DK1, DK2; these are the numbers of Denmark." in page
    assert "cannot be followed" not in page_at(shared, path, "?area=dk2&utm_source=x")


def test_the_question_offers_the_areas_that_have_forecasts(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offered(areas: list[str]) -> list[str]:
        monkeypatch.setattr(queries, "areas_forecast", lambda _view: areas)
        return re.findall(r"data-answer='(\w+)'", repr(question(view)))

    assert offered(["DK", "DK1", "DK2"]) == ["DK1", "DK2", "DK"]
    assert offered(["DK", "DK2"]) == ["DK2", "DK"]
    assert offered(["DK"]) == offered([]) == []
    assert question(None) == []


def test_the_document_names_the_areas_that_can_be_followed(
    shared: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for path in ("/", "/models", "/nothing"):
        assert 'data-areas="DK DK1 DK2"' in shared.get(path).text
    nothing = Home(tmp_path_factory.mktemp("nothing"))
    with serving(Settings(nothing), now) as address:
        assert 'data-areas=""' in httpx.get(address, timeout=30).text
    snapshot_data.publish_empty(nothing, "simulator")
    with serving(Settings(nothing), now) as address:
        assert 'data-areas=""' in httpx.get(address, timeout=30).text


def test_the_areas_are_read_where_nobody_waits_for_them(
    published: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = []

    def areas_forecast(_view: View) -> list[str]:
        try:
            readers.append(asyncio.get_running_loop())
        except RuntimeError:
            readers.append(None)
        return ["DK2"]

    monkeypatch.setattr(queries, "areas_forecast", areas_forecast)
    with serving(Settings(published, source="live"), now) as address:
        for path in ("/", "/models", "/nothing"):
            assert 'data-areas="DK2"' in httpx.get(f"{address}{path}", timeout=30).text
    assert readers == [None] * 3, "by a thread, not by the loop that takes requests"


@pytest.fixture(scope="module")
def site(published: Home) -> Iterator[str]:
    with serving(Settings(published, source="live", requests_per_minute=100_000), now) as address:
        yield address


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """Open one page after another for a visitor who is new here; none may log an error."""
    context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
    errors: list[str] = []

    def open_page(path: str, script: str = "") -> Page:
        for earlier in context.pages:
            earlier.close()
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type in ("error", "warning") else None,
        )
        if script:
            page.add_init_script(script)
        page.goto(site + path)
        return page

    yield open_page
    context.close()
    assert errors == []


def test_the_answer_is_followed_until_another_is_chosen(visit: Callable[..., Page]) -> None:
    page = visit("/?hours=48")
    asked = page.get_by_role("region", name=QUESTION)
    expect(asked).to_be_visible()
    expect(page.locator(".big-number")).to_be_visible()
    page.get_by_role("button", name="West of the Great Belt").press("Enter")
    chooser = page.get_by_role("textbox", name="Area")
    expect(chooser).to_have_value("Western Denmark (DK1)")
    expect(asked).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/\?hours=48&area=DK1$"))
    # The keyboard goes on with the page, not from its beginning.
    assert page.evaluate("document.activeElement.id") == "main"
    # The next visit follows it, and every link keeps it.
    page = visit("/models")
    chooser = page.get_by_role("textbox", name="Area")
    expect(chooser).to_have_value("Western Denmark (DK1)")
    expect(page).to_have_url(re.compile(r"/models\?area=DK1$"))
    expect(page.get_by_role("link", name="State of the data")).to_have_attribute("href", "/models?area=DK1")
    # An address comes first, and is no choice of the reader.
    page = visit("/?area=dk2")
    expect(page.get_by_role("textbox", name="Area")).to_have_value("Eastern Denmark (DK2)")
    page.goto(page.url.partition("?")[0])
    chooser = page.get_by_role("textbox", name="Area")
    expect(chooser).to_have_value("Western Denmark (DK1)")
    # The whole country is a choice as well: it is not asked for again.
    chooser.click()
    page.get_by_role("option", name="Denmark", exact=True).click()
    expect(page).to_have_url(re.compile("/$"))
    page.reload()
    expect(page.get_by_role("textbox", name="Area")).to_have_value("Denmark")
    expect(page.locator(".big-number")).to_be_visible()
    expect(page.locator(".area-question")).to_be_hidden()


def test_a_browser_that_keeps_nothing_is_asked_again(visit: Callable[..., Page]) -> None:
    page = visit("/", FORBIDDEN)
    page.get_by_role("button", name="All of Denmark").click()
    expect(page.locator(".area-question")).to_be_hidden()
    page.reload()
    page.get_by_role("button", name="East of the Great Belt").click()
    expect(page).to_have_url(re.compile(r"/\?area=DK2$"))
    expect(page.locator(".area-question")).to_have_count(0)
    page.get_by_role("navigation").get_by_role("link", name="Last 24h emissions").click()
    expect(page.get_by_role("textbox", name="Area")).to_have_value("Eastern Denmark (DK2)")
    page = visit("/", FORBIDDEN)
    expect(page.locator(".area-question")).to_be_visible()
