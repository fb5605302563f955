"""Nothing is shown for another choice than the reader's, while the server is slow, away and back again."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from co2_assets.warehouse.paths import Home
from co2_dash.page_requests import PATH
from co2_dash.pages.components import made_for, made_for_options
from co2_dash.settings import Settings
from tests.support.pages_server import now, serving

WAITING = "Waiting for the server …"
LOST = "No answer from the server. This is shown once it is back."
# Dash adds a query to the address.
PARTS = f"**{PATH}*"


@pytest.fixture(scope="module")
def site(published: Home) -> Iterator[str]:
    with serving(Settings(published, source="live", requests_per_minute=100_000), now) as address:
        yield address


@pytest.fixture
def opened(browser: Browser, site: str) -> Iterator[Callable[[str], Page]]:
    """Open a page, whose console may complain: its server goes away."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})

    def open_page(path: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(site + path)
        return page

    yield open_page
    context.close()


def asks_for(route: Route, output: str) -> bool:
    """Return whether a request is for the callback that has this output."""
    return output in str(json.loads(route.request.post_data or "{}").get("output"))


@contextmanager
def held(page: Page, output: str) -> Iterator[list[Route]]:
    """Hold back the requests for a part of the page; the test lets them through."""
    waiting: list[Route] = []
    page.route(PARTS, lambda route: waiting.append(route) if asks_for(route, output) else route.continue_())
    yield waiting
    page.unroute(PARTS)


@contextmanager
def away(page: Page) -> Iterator[None]:
    """Let the server be away, as after it was stopped."""
    for address in (PARTS, "**/token"):
        page.route(address, lambda route: route.abort())
    yield
    for address in (PARTS, "**/token"):
        page.unroute(address)


def poll(page: Page, times: int) -> None:
    """Do what the timer does every 30 seconds, for the given time, and wait for its answer."""
    with page.expect_request("**/token"):
        page.evaluate(f"window.dash_clientside.set_props('poll', {{n_intervals: {times}}})")


def choose(page: Page, name: str, option: str) -> None:
    page.get_by_role("textbox", name=name).click()
    page.get_by_role("option", name=option, exact=True).click()


def expect_waiting(page: Page, words: str = WAITING) -> None:
    answer = page.locator("#window > div")
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(page.locator("#window .advice")).to_be_hidden()
    said = "getComputedStyle(document.querySelector('#window > div'), '::after').content"
    page.wait_for_function(f"words => {said} === JSON.stringify(words)", arg=words)


def wait_for_requests(page: Page, waiting: list[Route], number: int) -> None:
    """Let the browser go on until it has made so many requests."""
    for _ in range(300):
        if len(waiting) >= number:
            return
        page.evaluate("() => new Promise(requestAnimationFrame)")
    pytest.fail(f"{len(waiting)} of {number} requests were made")


def test_a_slow_answer_for_another_choice_is_never_shown(opened: Callable[[str], Page]) -> None:
    page = opened("/")
    advice = page.locator("#window .advice")
    expect(advice).to_contain_text("cleanest 3 hours")
    with held(page, "window.children") as waiting:
        choose(page, "Use power for", "6 hours")
        expect_waiting(page)
        choose(page, "Use power for", "2 hours")
        wait_for_requests(page, waiting, 2)
        # The answer to the first choice comes while the second is awaited.
        waiting[0].continue_()
        expect_waiting(page)
        waiting[1].continue_()
        expect(advice).to_be_visible()
        expect(advice).to_contain_text("cleanest 2 hours")
        choose(page, "and be done before", "22:00")
        expect_waiting(page)
        wait_for_requests(page, waiting, 3)
        waiting[2].continue_()
        expect(advice).to_be_visible()
        expect(advice).to_contain_text("before 22:00")


def test_the_advice_is_asked_for_again_once_the_server_is_back(opened: Callable[[str], Page]) -> None:
    page = opened("/")
    advice = page.locator("#window .advice")
    expect(advice).to_contain_text("cleanest 3 hours")
    with away(page):
        choose(page, "Use power for", "6 hours")
        expect_waiting(page, LOST)
        expect(page.locator("#offline")).to_contain_text("what you see may be old")
        poll(page, 1)
        expect_waiting(page, LOST)
    poll(page, 2)
    expect(advice).to_be_visible()
    expect(advice).to_contain_text("cleanest 6 hours")
    # The choice that the advice on the page is for needs no server.
    with away(page):
        choose(page, "Use power for", "1 hour")
        expect_waiting(page, LOST)
        choose(page, "Use power for", "6 hours")
        expect(advice).to_be_visible()


def test_a_page_takes_choices_though_one_asked_for_before_it_never_came(
    opened: Callable[[str], Page],
) -> None:
    page = opened("/")
    main, links = page.locator("#main"), page.get_by_role("navigation").get_by_role("link")
    expect(page.locator("#window .advice")).to_be_visible()
    with held(page, "_pages_content") as waiting:
        links.filter(has_text="Recent predictions").click()
        wait_for_requests(page, waiting, 1)
        expect(main).to_have_js_property("inert", True)
        links.filter(has_text="Last 24h emissions").click()
        wait_for_requests(page, waiting, 2)
        waiting[1].continue_()
        expect(page.get_by_role("heading", level=1)).to_have_text("Measured emissions")
        expect(main).to_have_js_property("inert", False)
        waiting[0].abort()


@pytest.mark.parametrize("status", [429, 503])
def test_what_a_busy_server_refused_is_asked_for_again(opened: Callable[[str], Page], status: int) -> None:
    page = opened("/")
    advice = page.locator("#window .advice")
    expect(advice).to_contain_text("cleanest 3 hours")
    page.route(PARTS, lambda route: route.fulfill(status=status, json={"status": status}))
    choose(page, "Use power for", "6 hours")
    expect_waiting(page)
    page.unroute(PARTS)
    poll(page, 1)
    expect(advice).to_be_visible()
    expect(advice).to_contain_text("cleanest 6 hours")


def test_numbers_of_another_area_are_hidden_until_the_server_is_back(opened: Callable[[str], Page]) -> None:
    page = opened("/")
    number = page.locator(".big-number")
    expect(number).to_be_visible()
    country = number.inner_text()
    with away(page):
        choose(page, "Area", "Western Denmark (DK1)")
        expect(number).to_be_hidden()
        expect(page.locator("#window .advice")).to_be_hidden()
        expect(page.get_by_role("textbox", name="Area")).to_be_visible()
    poll(page, 1)
    expect(number).to_be_visible()
    expect(number).not_to_have_text(country)
    expect(page).to_have_url(re.compile(r"\?area=DK1$"))


def test_charts_and_tiles_of_another_choice_are_hidden(opened: Callable[[str], Page]) -> None:
    page = opened("/emissions")
    chart, tiles = page.locator(".chart").first, page.locator("#tiles .tile-number").first
    expect(chart).to_have_attribute("aria-label", re.compile("over 24 hours"))
    section = page.get_by_role("region", name="Carbon intensity")
    section.get_by_role("button", name="Read as table").click()
    expect(section.locator(".ag-row").first).to_be_visible()
    with away(page):
        page.get_by_text("7 d", exact=True).click()
        for part in (chart, tiles, section.locator(".ag-row").first):
            expect(part).to_be_hidden()
    poll(page, 1)
    expect(chart).to_have_attribute("aria-label", re.compile("over 168 hours"))
    for part in (chart, tiles, section.locator(".ag-row").first):
        expect(part).to_be_visible()
    assert page.locator("[data-waiting]").count() == 0


def test_a_part_names_its_choices_by_the_ids_of_their_components() -> None:
    from co2_dash.data.state import state_of

    state = state_of(None, now())
    assert json.loads(made_for(state)["data-for"]) == {"area": "DK"}
    named = json.loads(made_for_options(state, {"range": "7 d"})["data-for"])
    assert named == {"area": "DK", '{"name":"range","type":"choice"}': "7 d"}
