"""Pages under a path of a proxy's host."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from co2_assets.warehouse.paths import Home
from co2_dash.settings import Settings, from_environment
from tests.support import snapshot_data
from tests.support.pages_server import now, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Iterator[str]:
    made = Home(tmp_path_factory.mktemp("prefix"))
    snapshot_data.publish(made, archive_dir)
    with serving(Settings(made, source="live", path_prefix="/co2"), now) as address:
        yield address


def test_pages_under_a_path_find_all_their_parts(browser: Browser, site: str) -> None:
    page = browser.new_page()
    outside: list[str] = []
    page.on(
        "request",
        lambda request: outside.append(request.url) if not request.url.startswith(f"{site}/co2/") else None,
    )
    page.goto(f"{site}/co2/?hours=48")
    expect(page.locator("#now .big-number")).to_have_text("57")
    expect(page.locator(".chart .main-svg").first).to_be_visible()
    page.get_by_role("button", name="Read as table").click()
    expect(page.locator(".ag-row").first).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Last 24h emissions").click()
    expect(page).to_have_url(re.compile(r"/co2/emissions\?hours=48$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Measured emissions")
    expect(page.get_by_role("navigation").locator(".nav-link[data-active]")).to_have_text(
        "Last 24h emissions"
    )
    page.goto(f"{site}/co2/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    page.get_by_role("link", name="CO₂ in the socket").click()
    expect(page).to_have_url(f"{site}/co2/")
    # As a browser writes the address of a picture that is in the page.
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []
    page.close()


def test_a_proxy_may_take_the_path_off(site: str) -> None:
    assert httpx.get(f"{site}/emissions").status_code == 200
    assert "/co2/assets/" in httpx.get(f"{site}/emissions").text
    assert httpx.get(f"{site}/co2/emissions/").headers["location"] == "/co2/emissions"
    assert httpx.get(f"{site}/co2/openapi.json").json()["servers"] == [{"url": "/co2"}]
    assert httpx.get(f"{site}/co2/api/best-model").status_code == 200
    # A path that only begins with the same letters is another one.
    assert httpx.get(f"{site}/co2x").status_code == 404


@pytest.mark.parametrize(("text", "prefix"), [("", ""), ("/", ""), ("/co2/", "/co2"), ("/a/b-c", "/a/b-c")])
def test_a_path_is_taken_with_and_without_its_last_slash(text: str, prefix: str) -> None:
    assert from_environment({"CO2_PATH_PREFIX": text}).path_prefix == prefix


@pytest.mark.parametrize(
    "text", ["co2", "/a b", "http://host/co2", '/"', "//host", "/..", "/a/./b", "/api", "/api/x"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="CO2_PATH_PREFIX"):
        from_environment({"CO2_PATH_PREFIX": text})
