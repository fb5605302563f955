"""Keys in any letters, and how often the parts of pages may be asked for."""

from collections.abc import Callable

import httpx
import pytest

from co2_dash.api.access import PARTS_PER_VISIT
from co2_dash.page_requests import PATH
from tests.dash.api.test_api import refused

Client = Callable[..., httpx.Client]
STATUS = "/api/v1/status"
# The last byte of the second in UTF-8 is that of a no-break space in Latin-1.
KEYS = ("nøgle", "voilà", "clé\u00a0", "鍵", "plain")


@pytest.fixture
def guarded(asked: Client) -> httpx.Client:
    return asked(api_keys=frozenset(KEYS))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_a_key_may_have_any_letters(guarded: httpx.Client, key: str, coding: str) -> None:
    if coding == "latin-1" and key == "鍵":
        return
    sent = key.encode(coding)
    for headers in ({b"X-API-Key": sent}, {b"Authorization": b"Bearer  " + sent}):
        assert guarded.get(STATUS, headers=headers).status_code == 200, headers
    for wrong in (sent[:-1], sent + b"x", "ñ".encode(coding), b"\xff\xfe", b""):
        refused(guarded.get(STATUS, headers={b"X-API-Key": wrong}), 401)


def test_a_key_that_is_no_text_of_the_environment_is_taken_as_it_is(asked: Client) -> None:
    # What `os.environ` makes of a variable whose bytes are no UTF-8.
    client = asked(api_keys=frozenset({"n\udcf8gle"}))
    assert client.get(STATUS, headers={b"X-API-Key": b"n\xf8gle"}).status_code == 200
    refused(client.get(STATUS, headers={b"X-API-Key": b"ngle"}), 401)


def test_of_two_keys_the_first_counts(guarded: httpx.Client) -> None:
    both = [(b"X-API-Key", b"plain"), (b"X-API-Key", b"wrong")]
    assert guarded.get(STATUS, headers=both).status_code == 200
    refused(guarded.get(STATUS, headers=both[::-1]), 401)


def test_a_key_may_be_the_password_of_any_user(guarded: httpx.Client) -> None:
    for key in ("plain", "nøgle", "鍵"):
        assert guarded.get(STATUS, auth=("anybody", key)).status_code == 200
        refused(guarded.get(STATUS, auth=(key, "wrong")), 401)
    for broken in ("Basic", "Basic plain", "Basic ====", "Basic cGxhaW4="):
        refused(guarded.get(STATUS, headers={"Authorization": broken}), 401)


def test_parts_of_pages_have_a_limit_of_their_own(asked: Client) -> None:
    client = asked(requests_per_minute=1)
    answers = [client.post(PATH, json={}) for _ in range(PARTS_PER_VISIT + 1)]
    assert [answer.status_code for answer in answers] == [400] * PARTS_PER_VISIT + [429]
    refused(answers[-1], 429)
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert client.get(STATUS).status_code == 200
    assert client.get("/").status_code == 200
