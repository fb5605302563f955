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
from tests.support.reverse_proxy import proxying


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Home:
    made = Home(tmp_path_factory.mktemp("prefix"))
    snapshot_data.publish(made, archive_dir)
    return made


@pytest.fixture(scope="module")
def site(home: Home) -> Iterator[str]:
    with serving(Settings(home, source="live", path_prefix="/co2"), now) as address:
        yield address


@pytest.fixture(scope="module")
def site_behind_proxies(home: Home) -> Iterator[str]:
    """Knows no path; it is told by whoever is at 127.0.0.1."""
    with serving(Settings(home, source="live", trusted_proxies=("127.0.0.1",)), now) as address:
        yield address


def test_pages_under_a_path_find_all_their_parts(browser: Browser, site: str) -> None:
    find_all_their_parts(browser, site)


def test_pages_find_their_parts_under_the_path_that_a_proxy_names(
    browser: Browser, site_behind_proxies: str
) -> None:
    with proxying(site_behind_proxies, "/co2") as address:
        find_all_their_parts(browser, address)


def find_all_their_parts(browser: Browser, site: str) -> None:
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


def test_programs_find_everything_under_the_path_that_a_proxy_names(site_behind_proxies: str) -> None:
    with (
        proxying(site_behind_proxies, "/a/b-c") as address,
        httpx.Client(base_url=f"{address}/a/b-c") as client,
    ):
        assert "/a/b-c/assets/" in client.get("/emissions").text
        assert client.get("/emissions/?area=DK1").headers["location"] == "/a/b-c/emissions?area=DK1"
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/a/b-c"}]
        assert client.get("/api/best-model").status_code == 200
        assert client.get("/swagger/swagger-ui.css").status_code == 200
        assert client.get("/swagger").headers.get("location") in (None, "/a/b-c/swagger/")


def test_one_server_is_shown_under_several_paths(site_behind_proxies: str) -> None:
    def shown(*named: str) -> str:
        headers = [("X-Forwarded-Prefix", path) for path in named]
        return httpx.get(f"{site_behind_proxies}/emissions", headers=headers).text

    assert 'href="/assets/favicon.svg"' in shown()
    assert 'href="/co2/assets/favicon.svg"' in shown("/co2/")
    assert 'href="/assets/favicon.svg"' in shown("/")
    # Two proxies, one behind the other, in two lines or in one.
    assert 'href="/a/b/assets/favicon.svg"' in shown("/a", "/b")
    assert 'href="/a/b/assets/favicon.svg"' in shown("/a, /b")
    assert "servers" not in httpx.get(f"{site_behind_proxies}/openapi.json").json()


def test_a_proxy_overrides_the_setting(home: Home) -> None:
    settings = Settings(home, source="live", path_prefix="/co2", trusted_proxies=("127.0.0.1",))
    with serving(settings, now) as address:
        assert "/x/assets/" in httpx.get(address, headers={"X-Forwarded-Prefix": "/x"}).text
        assert "/co2/assets/" in httpx.get(address).text


def test_what_a_proxy_names_leads_to_no_other_path(site_behind_proxies: str) -> None:
    def status(path: str, named: str) -> int:
        return httpx.get(f"{site_behind_proxies}{path}", headers={"X-Forwarded-Prefix": named}).status_code

    assert status("/metrics", "/x") == 200
    assert status("/x/metrics", "/x") == 404
    assert status("/emissions/metrics", "/emissions") == 404


def test_nobody_else_is_believed(site: str) -> None:
    headers = {"X-Forwarded-Prefix": "/elsewhere"}
    assert "/co2/assets/" in httpx.get(f"{site}/emissions", headers=headers).text
    assert httpx.get(f"{site}/elsewhere/emissions", headers=headers).status_code == 404


@pytest.mark.parametrize("named", ["co2", "//host", "/a/../b", '/"', "/api"])
def test_a_proxy_that_names_no_path_is_told_so(site_behind_proxies: str, named: str) -> None:
    answer = httpx.get(f"{site_behind_proxies}/emissions", headers={"X-Forwarded-Prefix": named})
    assert answer.status_code == 400
    assert "X-Forwarded-Prefix" in answer.json()["detail"]
    assert "give a path such as /co2" in answer.json()["detail"]


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
