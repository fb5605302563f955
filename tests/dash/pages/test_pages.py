"""The pages in a browser, with and without data, in every state, with no error in the console."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.paths import Home
from co2_dash.settings import Settings
from tests.support import snapshot_data
from tests.support.pages_server import now, serving

PAGES = {
    "/": "Next 6h forecast",
    "/emissions": "Last 24h emissions",
    "/predictions": "Recent predictions vs actual",
    "/models": "Model performance",
}
HEADINGS = {**PAGES, "/": "When is power clean?", "/emissions": "Measured emissions"}
CHARTS = {"/": 1, "/emissions": 2, "/predictions": 4, "/models": 2}
Opened = Callable[..., Page]
GRAVE = ("error", "warning")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Home:
    """Live data, a replay of the same hours, and a simulator that has not run yet."""
    made = Home(tmp_path_factory.mktemp("pages"))
    snapshot_data.publish(made, archive_dir, causes='["prices: none for tomorrow"]')
    snapshot_data.publish(made, archive_dir, source="archive", published_at=datetime(2026, 1, 1))
    snapshot_data.publish_empty(made, "simulator")
    return made


@pytest.fixture(scope="module")
def site(home: Home) -> Iterator[str]:
    with serving(Settings(home), now) as address:
        yield address


@pytest.fixture(scope="module")
def desktop(browser: Browser) -> Iterator[BrowserContext]:
    """The context of most pages, so that they share the browser's cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def opened(browser: Browser, desktop: BrowserContext, home: Home, site: str) -> Iterator[Opened]:
    """Open pages of a source, on a desktop unless ``look`` says otherwise; none may log an error."""
    errors: list[str] = []
    pages: list[Page] = []

    def open_page(path: str, source: str = "live", address: str = site, **look: Any) -> Page:
        home.active_source_file.write_text(source, encoding="utf-8")
        context = browser.new_context(**look) if look else desktop
        page = context.new_page()
        pages.append(page)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type in GRAVE else None,
        )
        page.goto(address + path)
        return page

    yield open_page
    for page in pages:
        page.close() if page.context is desktop else page.context.close()
    assert errors == []


def expect_charts(page: Page, number: int) -> None:
    """Wait until every chart of the page is drawn, or a text is in its place."""
    charts = page.locator(".chart")
    expect(charts).to_have_count(number)
    for index in range(number):
        expect(charts.nth(index)).not_to_have_attribute("aria-label", re.compile(": loading$"))
        place = charts.nth(index).locator("xpath=..")
        expect(place.locator(".main-svg:visible, .nothing:visible").first).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_its_title_charts_and_texts(opened: Opened, path: str) -> None:
    page = opened(path)
    expect(page.get_by_role("heading", level=1)).to_have_text(HEADINGS[path])
    expect(page).to_have_title(f"{PAGES[path]} · CO₂ in the socket")
    expect_charts(page, CHARTS[path])
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(list(PAGES.values()))
    for index in range(CHARTS[path]):
        label = page.locator(".chart").nth(index).get_attribute("aria-label")
        assert label is not None
        assert re.match(r"(Chart|Stacked area) of .*\d", label)
    if path == "/models":
        expect(page.locator(".table .ag-row").first).to_be_visible()
        expect(page.locator("#champion")).to_contain_text(snapshot_data.CHAMPION)


def walk(page: Page) -> Iterator[str]:
    """Visit all pages through the navigation; yield each when its charts are drawn."""
    for path, name in PAGES.items():
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(HEADINGS[path])
        expect_charts(page, CHARTS[path])
        yield path


def test_before_anything_is_published_the_page_says_so(opened: Opened, tmp_path: Path) -> None:
    with serving(Settings(Home(tmp_path)), now) as address:
        page = opened("/", address=address)
        expect(page.locator("#notice-empty")).to_contain_text("this page fills by itself")
        expect_charts(page, 1)
        page.close()


def test_a_replay_is_not_shown_as_live(opened: Opened) -> None:
    page = opened("/emissions", source="archive")
    expect(page.locator("#origin")).to_have_text("Replay")
    expect(page).to_have_title("Replay · Last 24h emissions · CO₂ in the socket")
    page.get_by_role("link", name="Model performance").click()
    expect(page).to_have_title("Replay · Model performance · CO₂ in the socket")
    expect(page.locator("#notice-replayed")).to_contain_text(
        "Replay of recorded data as of Sat 1 Jun 2024 15:20 CEST"
    )


def test_the_home_page_shows_the_number_and_says_why_the_forecast_is_degraded(opened: Opened) -> None:
    page = opened("/")
    expect(page.locator("#origin")).to_have_text("Live")
    expect(page.locator("#notice-degraded")).to_contain_text("prices: none for tomorrow")
    expect(page.locator(".big-number")).to_have_text("57")
    expect(page.locator(".word")).to_have_text("Typical")
    expect(page.locator("#now")).to_contain_text("Measured 14:00–15:00 CEST, 23 min ago")
    expect(page.locator(".strip-time")).to_have_text([f"{hour}:00" for hour in range(15, 21)])
    expect(page.locator("#facts")).to_contain_text("Sat 1 Jun 2024 14:00 CEST (83 min ago)")
    expect(page.locator("#facts")).to_contain_text(snapshot_data.CHAMPION)


def test_the_cleanest_time_follows_length_and_deadline(opened: Opened) -> None:
    page = opened("/")
    expect(page.locator("#window")).to_contain_text("cleanest 3 hours before 14:00 tomorrow")
    page.get_by_role("textbox", name="Use power for").click()
    page.get_by_role("option", name="6 hours").click()
    expect(page.locator("#window")).to_contain_text("cleanest 6 hours before 14:00 tomorrow")
    page.get_by_role("textbox", name="and be done before").click()
    page.get_by_role("option", name="22:00", exact=True).click()
    expect(page.locator("#window")).to_contain_text("before 22:00")
    expect(page.locator("#window")).to_contain_text("Now is as clean as it gets before 22:00")
    expect(page.locator("#window")).to_contain_text("8 times in 10")


def test_a_deadline_that_is_too_early_is_kept_and_explained(opened: Opened) -> None:
    page = opened("/")
    deadline = page.get_by_role("textbox", name="and be done before")
    window = page.locator("#window")
    expect(window).to_contain_text("before 14:00 tomorrow")
    deadline.click()
    page.get_by_role("option", name="19:00", exact=True).click()
    expect(window).to_contain_text("before 19:00")
    page.get_by_role("textbox", name="Use power for").click()
    page.get_by_role("option", name="8 hours").click()
    expect(window).to_contain_text(
        "8 hours from now end after 19:00, so this advice is for the whole forecast."
    )
    expect(window).to_contain_text("cleanest 8 hours before 14:00 tomorrow")
    expect(deadline).to_have_value("19:00")
    page.get_by_role("textbox", name="Use power for").click()
    page.get_by_role("option", name="2 hours").click()
    expect(window).to_contain_text("before 19:00")
    expect(window).not_to_contain_text("whole forecast")


def test_the_table_of_a_chart_can_be_opened_and_closed(opened: Opened) -> None:
    page = opened("/emissions")
    section = page.get_by_role("region", name="Production and exchange")
    assert page.locator('script[src*="dash_ag_grid"]').count() == 0
    section.get_by_role("button", name="Read as table").click()
    # The hours run up to now, where the table opens.
    expect(section.locator(".ag-row").last).to_contain_text("2024-06-01 14:00")
    expect(section.get_by_text("Offshore wind (MW)", exact=True)).to_be_visible()
    button = section.get_by_role("button", name="Hide the table")
    expect(button).to_have_attribute("aria-expanded", "true")
    button.click()
    expect(section.locator(".ag-row")).to_have_count(0)


def test_a_chart_can_be_downloaded_and_the_file_names_its_source(opened: Opened) -> None:
    page = opened("/emissions", source="archive")
    expect_charts(page, 2)
    page.get_by_text("7 d", exact=True).click()
    region = page.get_by_role("region", name="Carbon intensity")
    expect(region.locator(".chart")).to_have_attribute("aria-label", re.compile("over 168 hours"))
    with page.expect_download() as download:
        region.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "intensity-archive-DK-20240601T1320Z.csv"
    with download.value.path().open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 168
    assert rows[-1]["hour_utc"] == "2024-06-01T12:00:00Z"
    assert rows[-1]["hour_danish"] == "2024-06-01T14:00:00+02:00"
    assert float(rows[-1]["co2_g_per_kwh"]) == pytest.approx(56.98)
    assert {row["data_source"] for row in rows} == {"replay"}


def test_predictions_follow_the_lead_and_kind_chosen(opened: Opened) -> None:
    page = opened("/predictions")
    outcomes = page.get_by_role("region", name="What was forecast, and what was measured").locator(".chart")
    expect(outcomes).to_have_attribute("aria-label", re.compile("Chart of 2[0-9]{3} forecast values"))
    page.get_by_role("textbox", name="Lead").click()
    page.get_by_role("option", name="3 h ahead", exact=True).click()
    expect(outcomes).to_have_attribute("aria-label", re.compile("Chart of 1[0-9]{2} forecast values"))
    page.get_by_role("textbox", name="Forecasts").click()
    page.get_by_role("option", name="Issued afterwards", exact=True).click()
    expect(outcomes).to_have_attribute("aria-label", re.compile("No forecast of this kind"))
    expect(outcomes).to_be_hidden()
    page.get_by_role("textbox", name="Forecasts").click()
    page.get_by_role("option", name="Issued live, every six hours").click()
    # A chart that is shown again after the text is as wide as before.
    drawn = outcomes.locator(".main-svg").first
    expect(drawn).to_be_visible()
    width = (outcomes.bounding_box() or {})["width"]
    expect(drawn).to_have_attribute("width", f"{width:.0f}")


def test_the_address_bar_and_the_links_lead_to_the_same_pages(opened: Opened) -> None:
    page = opened("/")
    page.get_by_role("link", name="Model performance").click()
    expect(page).to_have_url(re.compile("/models$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Model performance")
    expect(page).to_have_title("Model performance · CO₂ in the socket")
    expect_charts(page, CHARTS["/models"])
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(HEADINGS["/"])
    expect_charts(page, CHARTS["/"])


def test_the_area_chosen_is_kept_from_page_to_page_and_back(opened: Opened) -> None:
    page = opened("/")
    expect_charts(page, 1)
    number = page.locator(".big-number")
    country = number.inner_text()
    chooser = page.get_by_role("textbox", name="Area")
    chooser.click()
    page.get_by_role("option", name="Western Denmark (DK1)").click()
    expect(page).to_have_url(re.compile(r"/\?area=DK1$"))
    expect(number).not_to_have_text(country)
    west = number.inner_text()
    for path in walk(page):
        assert page.url.endswith(f"{path}?area=DK1")
        expect(chooser).to_have_value("Western Denmark (DK1)")
    page.get_by_role("navigation").get_by_role("link", name="Last 24h emissions").click()
    expect(page.locator(".nothing").nth(1)).to_contain_text("No production of this area")
    page.locator(".brand").click()
    expect(page).to_have_url(re.compile(r"/\?area=DK1$"))
    expect(number).to_have_text(west)
    page.get_by_role("navigation").get_by_role("link", name="Last 24h emissions").click()
    expect(page.locator(".nothing").nth(1)).to_contain_text("No production of this area")
    page.goto(page.url.replace("/emissions", "/"))
    expect(number).to_have_text(west)
    chooser.click()
    page.get_by_role("option", name="Denmark", exact=True).click()
    expect(number).to_have_text(country)
    expect(page).to_have_url(re.compile("/$"))
    page.go_back()
    expect(number).to_have_text(west)


def test_no_page_is_wider_than_a_phone(opened: Opened) -> None:
    page = opened("/", viewport={"width": 375, "height": 812}, is_mobile=True, has_touch=True)
    for path in walk(page):
        if path == "/models":
            expect(page.locator(".table .ag-row").first).to_be_visible()
        for width in (320, 375):
            page.set_viewport_size({"width": width, "height": 812})
            page.wait_for_function("width => window.innerWidth === width", arg=width)
            assert page.evaluate("document.documentElement.scrollWidth") == width, path


def test_every_page_says_on_a_phone_that_its_data_are_made_up_and_none_yet(opened: Opened) -> None:
    phone = {"viewport": {"width": 375, "height": 500}, "is_mobile": True, "has_touch": True}
    page = opened("/", source="simulator", **phone)
    for path in walk(page):
        expect(page.locator("#notice-simulated")).to_contain_text("none of these numbers is real")
        expect(page.locator("#notice-empty")).to_contain_text("this page fills by itself")
        words = page.locator(".nothing").first
        expect(words).to_have_text(re.compile("yet|No forecast of this kind|No training curve"))
        expect(page.locator(".nav-link[data-active]")).to_be_in_viewport(ratio=1)
        # The text takes the height of a text, not that of a chart.
        expect(page.locator(".chart").first).to_be_hidden()
        for button in page.locator("section:has(.chart[hidden])").get_by_role("button").all():
            expect(button).to_be_hidden()
        assert (words.bounding_box() or {})["height"] < 80, path
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        expect(page.locator("#origin")).to_have_text("Simulated")
        expect(page.locator("#origin")).to_be_in_viewport()
        expect(page).to_have_title(re.compile("^Simulated · "))
        # The name beside it stays on one line.
        assert (page.locator(".brand").bounding_box() or {})["height"] < 40, path


def test_a_table_on_a_phone_shows_when_what_was_measured_and_what_was_forecast(opened: Opened) -> None:
    page = opened("/", viewport={"width": 375, "height": 812}, is_mobile=True, has_touch=True)
    expect_charts(page, 1)
    page.get_by_role("button", name="Read as table").click()
    headings, table = page.locator(".ag-header-cell:visible"), page.locator(".ag-root-wrapper").bounding_box()
    assert table is not None
    for index, words in enumerate(["Danish time", "Measured", "Forecast"]):
        expect(headings.nth(index)).to_contain_text(words)
        box = headings.nth(index).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= table["x"] + table["width"]


# The texts of a page whose colour has less contrast with the background than WCAG 2.2 (1.4.3) asks for
# their size. The texts of charts are tested in `test_words`.
FAINT_TEXTS = """() => {
    const parts = c => c.match(/[\\d.]+/g).map((v, i) => v * (c.startsWith('color') && i < 3 ? 255 : 1));
    const over = (top, under) => {
        const a = top.length > 3 ? top[3] : 1;
        return [0, 1, 2].map(i => a * top[i] + (1 - a) * under[i]);
    };
    const behind = e => {
        const layers = [];
        for (; e; e = e.parentElement) layers.push(parts(getComputedStyle(e).backgroundColor));
        return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
    };
    const light = c => {
        const [r, g, b] = c.map(v => v / 255).map(
            v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = [];
    for (const e of document.querySelectorAll('body *')) {
        const words = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join(' ').trim();
        if (!words || e.closest('svg, script, style, [aria-hidden=true]') || !e.checkVisibility()) continue;
        const style = getComputedStyle(e), ground = behind(e);
        const [a, b] = [light(over(parts(style.color), ground)), light(ground)].sort((x, y) => y - x);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < (large ? 3 : 4.5)) faint.push(`${words.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_texts_stand_out_from_the_background(opened: Opened, scheme: str) -> None:
    page = opened("/", color_scheme=scheme, reduced_motion="reduce")
    for path in walk(page):
        expect(page.locator(".nav-link[data-active]")).to_have_text(PAGES[path])
        if path == "/models":
            expect(page.locator(".table .ag-row").first).to_be_visible()
        assert page.evaluate(FAINT_TEXTS) == [], path


def test_only_what_has_changed_is_drawn_again(opened: Opened) -> None:
    page = opened("/emissions")
    expect_charts(page, 2)
    page.get_by_role("button", name="Read as table").first.click()
    expect(page.locator(".ag-row").first).to_be_visible()
    page.evaluate(
        """() => {
            window.drawn = 0;
            for (const graph of document.querySelectorAll('.js-plotly-plot')) {
                graph.on('plotly_afterplot', () => { window.drawn += 1; });
            }
            document.querySelector('.ag-row').dataset.old = 'yes';
        }"""
    )

    def answered(part: str, chart: str) -> Callable[[Response], bool]:
        """Recognize the answer to a request for a part of a chart."""
        identity = json.dumps({"chart": chart, "type": part}, separators=(",", ":"))
        return lambda answer: identity in (answer.request.post_data or "").partition('"inputs"')[0]

    with (
        page.expect_response(answered("figure", "intensity")) as first,
        page.expect_response(answered("figure", "production")) as second,
        page.expect_response(answered("table", "intensity")) as listed,
    ):
        # As after a new snapshot with the same measurements.
        page.evaluate("window.dash_clientside.set_props('data-token', {data: 'another'})")
    assert [answer.value.json()["response"] for answer in (first, second, listed)] == [{}, {}, {}]
    assert page.evaluate("window.drawn") == 0
    assert page.locator(".ag-row[data-old=yes]").count() == 1
    page.get_by_text("7 d", exact=True).click()
    expect(page.locator(".chart").first).to_have_attribute("aria-label", re.compile("over 168 hours"))
    page.wait_for_function("window.drawn > 0")


def test_a_hover_says_first_when_it_is(opened: Opened) -> None:
    page = opened("/emissions")
    expect_charts(page, 2)
    for index in range(2):
        chart = page.locator(".chart").nth(index)
        chart.scroll_into_view_if_needed()
        box = chart.locator(".nsewdrag").first.bounding_box()
        assert box is not None
        for step in (0.5, 0.52):
            page.mouse.move(box["x"] + box["width"] * step, box["y"] + box["height"] / 2)
        # The first line is the day.
        expect(chart.locator(".hoverlayer text").nth(1)).to_have_text(
            re.compile(r"^\d\d:\d\d–\d\d:\d\d CEST · .* UTC$")
        )


def test_the_reader_chooses_light_or_dark_and_charts_follow(opened: Opened) -> None:
    page = opened("/", color_scheme="dark")
    expect_charts(page, 1)
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    measured = page.locator(".legend li", has_text="Measured").locator(".stroke")
    expect(measured).to_have_css("border-top-color", "rgb(242, 246, 245)")
    page.get_by_label("Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "light")
    expect(measured).to_have_css("border-top-color", "rgb(36, 48, 46)")


def test_the_keyboard_reaches_content_links_and_choices(opened: Opened) -> None:
    # An address that names an area leaves no question for it between the choices.
    page = opened("/?area=DK2")
    expect_charts(page, 1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("textbox", name="Area")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("textbox", name="Use power for")).to_be_focused()


def test_a_new_snapshot_is_shown_while_a_run_is_writing_and_the_zoom_stays(
    opened: Opened, tmp_path: Path, archive_dir: Path
) -> None:
    home, clock = Home(tmp_path), [now()]
    snapshot_data.publish(home, archive_dir)
    with serving(Settings(home, source="live"), lambda: clock[0]) as address:
        page = opened("/", address=address)
        expect_charts(page, 1)
        chart = page.locator(".chart")
        old_words = chart.get_attribute("aria-label") or ""
        shown = "document.querySelector('.js-plotly-plot').layout.xaxis.range"
        whole = page.evaluate(shown)
        chart.scroll_into_view_if_needed()
        area = page.locator(".nsewdrag").first.bounding_box()
        assert area is not None
        page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + 100)
        page.mouse.down()
        page.mouse.move(area["x"] + area["width"] * 0.8, area["y"] + 120, steps=5)
        page.mouse.up()
        zoomed = page.evaluate(shown)
        assert zoomed != whole
        later = timedelta(hours=5)
        snapshot_data.publish(home, archive_dir, now=snapshot_data.NOW + later)
        clock[0] += later
        # A run has begun to write again: it has the database open from here on.
        with Warehouse(home.source("live").database, "live").open_transaction():
            # What the timer does every 30 seconds.
            page.evaluate("window.dash_clientside.set_props('poll', {n_intervals: 1})")
            expect(page.locator("#facts")).to_contain_text("Sat 1 Jun 2024 20:00 CEST")
            expect(chart).not_to_have_attribute("aria-label", old_words)
            assert page.evaluate(shown) == zoomed
        page.close()


def test_a_server_that_is_gone_is_noticed_at_once_wherever_the_reader_is(opened: Opened) -> None:
    page = opened("/")
    expect(page.locator(".big-number")).to_be_visible()
    page.clock.install()
    page.route("**/token", lambda route: route.fulfill(json={"error": "not the tokens"}, status=203))
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.evaluate("window.dash_clientside.set_props('poll', {n_intervals: 1})")
    notice = page.locator("#offline")
    expect(notice).to_contain_text(re.compile(r"No answer from the server since \d\d:\d\d CES?T: what you"))
    expect(notice).to_be_in_viewport()
    page.unroute("**/token")
    page.clock.fast_forward(10_000)
    expect(notice).to_be_empty()
