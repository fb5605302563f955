"""Three days on the home page in a browser: the choice in the address, on a desktop and on a phone."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from co2_assets.warehouse.paths import Home
from co2_dash.settings import Settings
from tests.dash.pages.test_pages import FAINT_TEXTS, GRAVE, expect_charts
from tests.support.pages_server import now, serving

Opened = Callable[..., Page]
HOURS = "#hours [role=img]"


@pytest.fixture(scope="module")
def site(published_far: Home) -> Iterator[str]:
    with serving(Settings(published_far, source="live", requests_per_minute=100_000), now) as address:
        yield address


@pytest.fixture
def opened(browser: Browser, site: str) -> Iterator[Opened]:
    """Open pages; none may log an error."""
    errors: list[str] = []
    contexts = []

    def open_page(path: str, **look: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **look})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type in GRAVE else None)
        page.goto(site + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def test_the_hours_chosen_are_in_the_address_and_stay_from_page_to_page(opened: Opened) -> None:
    page = opened("/")
    chart = page.locator(".chart")
    expect(page.locator(HOURS)).to_have_count(24)
    expect(chart).to_have_attribute("aria-label", re.compile("forecast for 25 hours"))
    page.get_by_role("textbox", name="Use power for").click()
    page.get_by_role("option", name="6 hours").click()
    page.get_by_text("72 h", exact=True).click()
    expect(page.locator(HOURS)).to_have_count(71)
    expect(chart).to_have_attribute("aria-label", re.compile("forecast for 72 hours"))
    expect(page.locator(".rough")).to_contain_text("More than two days ahead")
    expect(page).to_have_url(re.compile(r"/\?hours=72$"))
    # The other choices stay.
    expect(page.locator("#window")).to_contain_text("cleanest 6 hours")
    page.get_by_role("textbox", name="Area").click()
    page.get_by_role("option", name="Western Denmark (DK1)").click()
    expect(page).to_have_url(re.compile(r"/\?hours=72&area=DK1$"))
    expect(page.locator(HOURS)).to_have_count(71)
    page.get_by_role("navigation").get_by_role("link", name="Last 24h emissions").click()
    expect(page).to_have_url(re.compile(r"/emissions\?hours=72&area=DK1$"))
    page.go_back()
    expect(page.locator(HOURS)).to_have_count(71)
    # The page before takes no choice while this one is awaited.
    page.get_by_text("24 h", exact=True).click()
    expect(page.locator(HOURS)).to_have_count(24)
    expect(page).to_have_url(re.compile(r"/\?area=DK1$"))


@pytest.mark.parametrize("query", ["?hours=%3Cb%3E", "?hours=48&hours=72", "?hours"])
def test_a_wrong_number_of_hours_is_a_day(opened: Opened, query: str) -> None:
    page = opened(f"/{query}")
    expect_charts(page, 1)
    expect(page.locator(HOURS)).to_have_count(24)
    expect(page.locator(".big-number")).to_be_visible()


def test_a_deadline_may_be_three_days_ahead(opened: Opened) -> None:
    page = opened("/?hours=72")
    expect(page.locator("#window")).to_contain_text("before 15:00 tomorrow")
    page.get_by_role("textbox", name="and be done before").click()
    page.get_by_role("option", name="12:00 on Mon 3 Jun", exact=True).click()
    expect(page.locator("#window")).to_contain_text("before 12:00 on Mon 3 Jun")
    page.get_by_role("textbox", name="and be done before").click()
    page.get_by_role("option", name="14:00 on Tue 4 Jun", exact=True).click()
    expect(page.locator("#window")).to_contain_text("before 14:00 on Tue 4 Jun")
    expect(page.locator("#hours .hour-best[role=img]")).to_have_count(3)


@pytest.mark.parametrize("hours", [24, 72])
def test_three_days_fit_on_a_phone_and_can_be_read(opened: Opened, hours: int) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    for scheme in ("light", "dark"):
        page = opened(f"/?hours={hours}", color_scheme=scheme, reduced_motion="reduce", **phone)
        expect_charts(page, 1)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        narrowest = page.evaluate(
            f"Math.min(...[...document.querySelectorAll('{HOURS}')].map(e => e.clientWidth))"
        )
        assert narrowest >= 10
        assert page.evaluate(FAINT_TEXTS) == []
        page.close()


def test_a_lead_of_three_days_can_be_typed(opened: Opened) -> None:
    page = opened("/predictions")
    outcomes = page.get_by_role("region", name="What was forecast, and what was measured").locator(".chart")
    expect(outcomes).to_have_attribute("aria-label", re.compile("Chart of 2[0-9]{3} forecast values"))
    lead = page.get_by_role("textbox", name="Lead")
    lead.fill("70")
    page.get_by_role("option", name="70 h ahead", exact=True).click()
    expect(outcomes).to_have_attribute("aria-label", re.compile("Chart of 1[0-9]{2} forecast values"))
    lead.click()
    page.get_by_role("option", name="all, 49–72 h ahead", exact=True).click()
    expect(outcomes).to_have_attribute("aria-label", re.compile("Chart of 2[0-9]{3} forecast values"))
