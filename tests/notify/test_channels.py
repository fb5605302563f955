"""Addresses are parted and tried, and none of their secrets is shown."""

import logging
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from co2_assets.cli.commands import app
from co2_assets.notify.channels import Kind, channels
from co2_assets.settings import Settings, SettingsError
from tests.support.environment import without_settings
from tests.support.receiver import Receiver, receiving


def of(text: str) -> list[str]:
    return [channel.name for channel in channels(Settings(alert_urls=text))]


def test_addresses_are_parted_by_commas_and_spaces() -> None:
    three = ["address 1 (ntfy)", "address 2 (JSON)", "address 3 (E-Mail)"]
    for text in (
        "ntfy://topic json://h/x?to=a,b  mailto://u:p@gmail.com",
        "ntfy://topic,json://h/x?to=a,b,mailto://u:p@gmail.com",
        " ntfy://topic, json://h/x?to=a,b ,\nmailto://u:p@gmail.com,",
    ):
        assert of(text) == three
    assert of("") == of(" , ") == []
    assert of("ntfy://topic ntfy://topic ntfy://other") == ["address 1 (ntfy)", "address 3 (ntfy)"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ntfy://topic slack://a-secret/x", "address 2 begins with slack:// and cannot be used"),
        ("hunter2", "address 1 cannot be used"),
        ("nope://hunter2@host", "address 1 begins with nope:// and"),
        ("json://", "address 1 begins with json:// and"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secret(
    text: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        of(text)
    for secret in ("a-secret", "hunter2"):
        assert secret not in str(refused.value) + caplog.text
    assert "appriseit.com" in str(refused.value)


def test_settings_show_no_address() -> None:
    settings = Settings(alert_urls="ntfy://hunter2", heartbeat_url="https://hc-ping.com/hunter2")
    assert "hunter2" not in repr(settings)
    assert replace(settings, seed=2).environment()["CO2_ALERT_URLS"] == "ntfy://hunter2"


@pytest.mark.parametrize("url", ["hc-ping.com/hunter2", "ftp://h/hunter2", "https://", "https://h/hunter2 b"])
def test_a_heartbeat_that_cannot_be_asked_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(SettingsError, match="CO2_HEARTBEAT_URL") as refused:
        Settings(heartbeat_url=url)
    assert "hunter2" not in str(refused.value)


def test_an_error_of_the_library_is_a_failure(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (channel,) = channels(Settings(alert_urls=receiver.alert_url))

    def broken(**_: object) -> bool:
        raise RuntimeError("a fault of the library")

    monkeypatch.setattr(channel.plugin, "notify", broken)
    assert channel.send("title", "text", Kind.NEWS) == "the library failed; the log has the error"
    assert "a fault of the library" in caplog.text


def test_the_reason_of_a_failure_has_no_part_of_the_address(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"json://user:pass%20word@127.0.0.1:{receiver.port}/a-secret?k=other"
    (channel,) = channels(Settings(alert_urls=address))

    def refused(**_: object) -> bool:
        logging.getLogger("apprise").warning("Not sent to /a-secret as user with 'pass word'.")
        return False

    monkeypatch.setattr(channel.plugin, "notify", refused)
    assert channel.send("title", "text", Kind.NEWS) == "Not sent to /... as ... with '...'."
    assert caplog.text == ""
    assert "secret" not in repr(channel)


def test_the_test_says_of_each_address_whether_it_works(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    runner = CliRunner()
    with receiving() as other:
        other.status = 403
        monkeypatch.setenv("CO2_ALERT_URLS", receiver.alert_url)
        good = runner.invoke(app, ["alert-test"])
        assert (good.exit_code, good.stdout) == (0, "address 1 (JSON): took the message\n")
        monkeypatch.setenv("CO2_ALERT_URLS", f"{other.alert_url},{receiver.alert_url}")
        bad = runner.invoke(app, ["alert-test"])
    assert bad.exit_code == 1
    first, second = bad.stdout.splitlines()
    assert first.startswith("address 1 (JSON): FAILED. ")
    assert second == "address 2 (JSON): took the message"
    assert "a-secret" not in bad.stdout + bad.stderr
    assert receiver.titles == ["a test", "a test"]


@pytest.mark.parametrize(("urls", "words"), [("", "is not set"), ("nope://x", "cannot be used")])
def test_the_test_needs_addresses_that_can_be_used(
    monkeypatch: pytest.MonkeyPatch, urls: str, words: str
) -> None:
    without_settings(monkeypatch)
    monkeypatch.setenv("CO2_ALERT_URLS", urls)
    result = CliRunner().invoke(app, ["alert-test"])
    assert result.exit_code == 2
    assert words in result.stderr
