"""The addresses that alerts go to, and the sending to one of them. The library apprise knows the services."""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote

from co2_assets.settings import Settings, SettingsError

if TYPE_CHECKING:
    from apprise.plugins import NotifyBase

logger = logging.getLogger(__name__)

# Addresses are parted by white space, or by a comma before the next address: one address may have commas.
_PARTED = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)|\s+")
_PARTS = re.compile(r"[/:@?&=,#\s]+")
# A shorter part of an address would be found by chance in a text.
SHORTEST_SECRET = 4
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
KNOWN_ADDRESSES = "https://appriseit.com/services/"


class Kind(StrEnum):
    """What a message is, by the words of apprise, which chooses colour and picture by it."""

    BAD = "failure"
    WELL = "success"
    NEWS = "info"


@dataclass(frozen=True)
class Channel:
    """One address. Its text is a secret, so people are told its ``number`` and the name of its service.

    ``key`` tells it from others in a file, and does not give it away.
    """

    number: int
    key: str
    address: str = field(repr=False)
    plugin: "NotifyBase" = field(repr=False)

    @property
    def name(self) -> str:
        """What people are told of it."""
        return f"address {self.number} ({self.plugin.service_name})"

    def send(self, title: str, text: str, kind: Kind) -> str | None:
        """Send a message; return None, or the reason why it was not taken."""
        import apprise

        # The library returns no reason, it logs it.
        with _library_log() as lines:
            try:
                taken = self.plugin.notify(body=text, title=title, notify_type=apprise.NotifyType(kind.value))
            except Exception:
                # Any exception: the library speaks to over a hundred services, each in its own way.
                logger.exception("%s failed", self.name)
                return "the library failed; the log has the error"
        return None if taken else _without_secrets(" ".join(lines), self.address) or "it gave no reason"


@contextmanager
def _library_log() -> Iterator[list[str]]:
    """Yield the lines that the library logs. They go nowhere else: some of them have the whole address."""
    library, lines = logging.getLogger("apprise"), _Lines()
    library.addHandler(lines)
    passed_on, library.propagate = library.propagate, False
    try:
        yield lines.said
    finally:
        library.propagate = passed_on
        library.removeHandler(lines)


class _Lines(logging.Handler):
    """Keeps what is logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _without_secrets(text: str, address: str) -> str:
    """Return ``text`` without the parts of the address: which of them are secrets depends on the service."""
    parts = {part for part in _PARTS.split(address.partition("://")[2]) if len(part) >= SHORTEST_SECRET}
    for part in sorted(parts | {unquote(part) for part in parts}, key=len, reverse=True):
        text = text.replace(part, "...")
    return text


def channels(settings: Settings) -> list[Channel]:
    """Return the addresses of CO2_ALERT_URLS, each once.

    Raises SettingsError, without a secret in it, for an address that cannot be used.
    """
    found: dict[str, Channel] = {}
    for number, address in enumerate(_parted(settings.alert_urls), start=1):
        key = hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        found.setdefault(key, Channel(number, key, address, _plugin(number, address)))
    return list(found.values())


def _parted(text: str) -> list[str]:
    return [part.strip(",") for part in _PARTED.split(text) if part.strip(",")]


def _plugin(number: int, address: str) -> "NotifyBase":
    # Here, because it takes a second and most processes send nothing.
    import apprise

    with _library_log():
        plugin = apprise.Apprise.instantiate(address)
    if plugin is None:
        # Only what stands before :// is no secret.
        scheme = _SCHEME.match(address)
        begins = f"begins with {scheme[0]}:// and " if scheme else ""
        raise SettingsError(
            f"CO2_ALERT_URLS: address {number} {begins}cannot be used; write it as {KNOWN_ADDRESSES} says, "
            "such as ntfys://ntfy.sh/TOPIC or mailtos://USER:PASSWORD@HOST?to=NAME@HOST"
        )
    return plugin
