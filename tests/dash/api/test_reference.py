"""The API's reference page in a browser: every endpoint, nothing from elsewhere, nothing in the console."""

import httpx
from playwright.sync_api import Browser, expect


def test_the_reference_shows_every_endpoint_from_files_of_its_own(
    browser: Browser, shared: httpx.Client
) -> None:
    complaints: list[str] = []
    requested: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{shared.base_url}/docs")
    paths = list(shared.get("/openapi.json").json()["paths"])
    expect(page.locator(".opblock-summary-path")).to_have_count(len(paths))
    shown = [text.replace("\u200b", "") for text in page.locator(".opblock-summary-path").all_inner_texts()]
    assert sorted(shown) == sorted(paths)
    assert set(page.locator(".opblock-summary-method").all_inner_texts()) == {"GET", "POST"}

    page.locator(".opblock", has_text="/healthz").locator("button").first.click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")

    own = str(shared.base_url).rstrip("/")
    assert [url for url in requested if not url.startswith((own, "data:", "blob:"))] == []
    assert complaints == []
    context.close()
