"""How answers travel: HEAD, compression, what the asker has already, addresses beside the pages."""

import asyncio
import gzip
import re
from collections.abc import Callable

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from co2_dash import http as answers
from co2_dash.http import Compression

MakeClient = Callable[..., httpx.Client]
FORECAST = "/api/v1/carbon-intensity/forecast"
HISTORY = "/api/v1/carbon-intensity/history"


def script_of(client: httpx.Client) -> str:
    found = re.search(r'src="(/_dash-component-suites/dash_mantine_components/[^"]*)"', client.get("/").text)
    assert found is not None
    return found[1]


class Files:
    """An application that gives the same text at every address, and counts what it is asked."""

    def __init__(self, text: bytes, tag: bytes = b'"t"', kind: bytes = b"text/javascript") -> None:
        self.text, self.tag, self.kind = text, tag, kind
        self.asked = 0

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked += 1
        headers = [(b"content-type", self.kind), (b"etag", self.tag)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.text.replace(b"PATH", scope["path"].encode())})


def got(app: Compression, path: str) -> bytes:
    return gzip.decompress(sent_by(app, path))


def sent_by(app: Compression, path: str) -> bytes:
    """Return the body as it is sent to who takes gzip."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"accept-encoding", b"gzip")]
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    asyncio.run(app(scope, receive, send))
    body: bytes = sent[1]["body"]
    return body


@pytest.mark.parametrize("path", ["/assets/a", "/api/v1/a"])
@pytest.mark.parametrize(
    ("kind", "compressed"),
    [
        ("image/png", False),
        ("font/woff2", False),
        ("application/zip", False),
        ("application/vnd.apache.parquet", False),
        ("image/svg+xml", True),
        ("text/csv; charset=utf-8", True),
    ],
)
def test_what_is_compressed_in_itself_is_left_alone(path: str, kind: str, compressed: bool) -> None:
    files = Files(b"plain bytes " * 1000, kind=kind.encode())
    assert (sent_by(Compression(files), path) != files.text) is compressed


def test_an_invented_address_of_a_file_is_not_compressed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = []
    real = gzip.compress
    monkeypatch.setattr(
        gzip, "compress", lambda body, *level, **more: compressed.append(body) or real(body, *level, **more)
    )
    files = Files(b"let a = 1;" * 1000)
    app = Compression(files)
    for number in range(3 * answers.MOST_KEPT_ADDRESSES):
        assert got(app, f"/assets/a.v{number}.js") == files.text
    assert len(compressed) == 1
    assert len(app.starts) == answers.MOST_KEPT_ADDRESSES
    asked = files.asked
    got(app, f"/assets/a.v{number}.js")
    assert files.asked == asked


def test_compressed_files_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_KEPT_BYTES", 500)
    app = Compression(Files(b"let PATH = 1;" * 1000))
    for number in range(40):
        assert got(app, f"/assets/{number}.js").startswith(f"let /assets/{number}.js".encode())
        assert sum(map(len, app.bodies.values())) == app.bodies.currsize <= 500
    assert got(app, "/assets/0.js").startswith(b"let /assets/0.js")


def test_an_invented_fingerprint_gives_the_file_itself(shared: httpx.Client) -> None:
    path = script_of(shared)
    invented = re.sub(r"\.v[^.]*\.", ".v9_9_9m123.", path)
    assert invented != path
    assert shared.get(invented).content == shared.get(path).content


@pytest.mark.parametrize(
    "path",
    ["/", "/emissions", "/healthz", "/readyz", "/docs", "/openapi.json", "/token", FORECAST, "/nothing"],
)
def test_head_is_get_without_the_body(shared: httpx.Client, path: str) -> None:
    whole, head = shared.get(path), shared.head(path)
    assert head.status_code == whole.status_code
    assert head.content == b""
    assert set(head.headers) == set(whole.headers)
    # Dash writes a page anew each time, with other tokens in it.
    if not whole.headers["content-type"].startswith("text/html"):
        for name in ("content-length", "content-type"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("path", ["/assets/pages.css", "/swagger/swagger-ui.css"])
def test_a_part_of_a_file_is_not_compressed(shared: httpx.Client, path: str) -> None:
    headers = {"Accept-Encoding": "gzip", "Range": "bytes=5-24"}
    whole, part = shared.get(path), shared.get(path, headers=headers)
    assert (part.status_code, part.content) == (206, whole.content[5:25])
    assert "content-encoding" not in part.headers
    assert part.headers["content-range"] == f"bytes 5-24/{len(whole.content)}"


def test_head_is_of_the_whole_file(shared: httpx.Client) -> None:
    part = {"Range": "bytes=5-24"}
    whole, head = shared.get("/assets/pages.css"), shared.head("/assets/pages.css", headers=part)
    assert (head.status_code, head.headers["content-length"]) == (200, whole.headers["content-length"])


def test_head_keeps_to_keys_and_tags(asked: MakeClient, shared: httpx.Client) -> None:
    assert asked(api_keys=frozenset({"right"})).head(FORECAST).status_code == 401
    assert shared.head(FORECAST, headers={"If-None-Match": "*"}).status_code == 304


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v1/status/x"])
def test_what_is_no_endpoint_is_a_problem(shared: httpx.Client, path: str) -> None:
    answer = shared.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "/docs" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/emissions", "/predictions", "/models", "/docs"])
def test_a_slash_too_many_leads_to_the_page(shared: httpx.Client, path: str) -> None:
    moved = shared.get(f"{path}/?area=DK1")
    assert (moved.status_code, moved.headers["location"]) == (308, f"{path}?area=DK1")
    assert shared.get(f"{path}/", follow_redirects=True).status_code == 200


@pytest.mark.parametrize("path", ["//evil.example/", "///", "/nothing/", "/emissions//"])
def test_no_other_address_is_led_anywhere(shared: httpx.Client, path: str) -> None:
    assert shared.get(f"{str(shared.base_url).rstrip('/')}{path}").status_code == 404


@pytest.mark.parametrize("path", [FORECAST, "/assets/pages.css"])
def test_plain_and_compressed_answers_share_no_strong_tag(shared: httpx.Client, path: str) -> None:
    both = [shared.get(path, headers={"Accept-Encoding": coding}) for coding in ("gzip", "identity")]
    assert [answer.headers.get("content-encoding") for answer in both] == ["gzip", None]
    tags = {answer.headers["etag"] for answer in both}
    assert len([tag for tag in tags if not tag.startswith("W/")]) < 2
    assert len(tags) == 2 or tags.pop().startswith("W/")
    for answer in both:
        assert "accept-encoding" in answer.headers["vary"].lower()
        for coding in ("gzip", "identity"):
            for tag in (answer.headers["etag"], "*", f'"other", {answer.headers["etag"]}'):
                headers = {"Accept-Encoding": coding, "If-None-Match": tag}
                again = shared.get(path, headers=headers)
                assert (again.status_code, again.content) == (304, b""), (coding, tag)


def test_a_tag_of_dash_gets_its_quotes_and_is_recognized(shared: httpx.Client) -> None:
    path = re.sub(r"\.v[^.]*\.", ".", script_of(shared))
    for coding in ("gzip", "identity"):
        tag = shared.get(path, headers={"Accept-Encoding": coding}).headers["etag"]
        assert re.fullmatch(r'(W/)?"[0-9a-f]{32}"', tag)
        assert shared.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_a_star_asks_for_what_there_is(shared: httpx.Client) -> None:
    star = {"If-None-Match": "*"}
    assert shared.get("/", headers=star).status_code == 304
    assert shared.get("/nothing", headers=star).status_code == 404
    assert shared.get("/api/v1/nothing", headers=star).status_code == 404


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("not-gzip", False),
        ("", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(shared: httpx.Client, accepted: str, compressed: bool) -> None:
    for path in (FORECAST, "/", "/assets/pages.css"):
        answer = shared.get(path, headers={"Accept-Encoding": accepted})
        assert ("content-encoding" in answer.headers) is compressed, path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{FORECAST}?area=SE3", "there is no such area; there are DK, DK1, DK2"),
        (f"{HISTORY}?start=5", "write the time as ISO 8601 with its offset, as 2024-06-01T00:00:00Z"),
    ],
)
def test_a_check_of_ours_says_what_it_means(shared: httpx.Client, path: str, words: str) -> None:
    assert [error["message"] for error in shared.get(path).json()["errors"]] == [words]
