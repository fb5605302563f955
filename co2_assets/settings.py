"""The settings of a process: the home folder, the source of the data, the time, and the seed."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from dateutil import parser as dateutil_parser

from co2_assets.contracts.sources import LIVE_URL, SourceKind, WeatherAccess
from co2_assets.contracts.time import bounded_utc, utc_now
from co2_assets.contracts.timetable import Timetable
from co2_assets.warehouse.errors import UnusableHome
from co2_assets.warehouse.paths import home_folder

DEFAULT_HISTORY_DAYS = 730
# A quarter of a year.
DEFAULT_BACKFILL_DAYS = 90
# A model needs some weeks to learn from. The service has less than ten years of history.
MINIMUM_HISTORY_DAYS = 30
MAXIMUM_HISTORY_DAYS = 3650
# A shorter text would be found by chance in an answer, and taken out of it as a secret.
SHORTEST_KEY = 8
# The seed is stored in a 32-bit column.
MAXIMUM_SEED = 2**31 - 1


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and says what is allowed."""


def parse_instant(text: str, name: str = "time") -> datetime:
    """Return an ISO 8601 instant as naive UTC; a text without an offset is read as UTC.

    ``name`` is what the error message calls it. Raises SettingsError if the text is not an instant, or
    one outside of the years that can be computed with.
    """
    try:
        instant = dateutil_parser.isoparse(text.strip())
    except (ValueError, OverflowError) as error:
        raise SettingsError(
            f"{name} {text!r} is not an ISO 8601 instant; write it as 2024-06-01T00:00Z"
        ) from error
    try:
        return bounded_utc(instant).replace(microsecond=0)
    except ValueError as error:
        raise SettingsError(f"{name} {text!r} cannot be used: {error}") from error


def hourly_update_in(environment: Mapping[str, str]) -> bool:
    """Return whether CO2_HOURLY_UPDATE is ``on``, as it is when it is not set.

    Raises SettingsError if it is neither ``on`` nor ``off``.
    """
    text = environment.get("CO2_HOURLY_UPDATE") or "on"
    return _is_on("CO2_HOURLY_UPDATE", text)


def _is_on(name: str, text: str) -> bool:
    if text not in ("on", "off"):
        raise SettingsError(f"{name} {text!r} is neither on nor off")
    return text == "on"


def weather_in(environment: Mapping[str, str]) -> WeatherAccess:
    """Return how the weather forecast is had, from CO2_WEATHER and the variables that begin so.

    Raises SettingsError for a value that cannot be used.
    """
    return WeatherAccess(
        wanted=_is_on("CO2_WEATHER", environment.get("CO2_WEATHER") or "on"),
        url=environment.get("CO2_WEATHER_URL", ""),
        history_url=environment.get("CO2_WEATHER_HISTORY_URL", ""),
        key=environment.get("CO2_WEATHER_KEY", "").strip(),
    )


def _is_address(text: str) -> bool:
    """Return whether the text is an http or https address that a path can be added to."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and all(label for label in (parts.hostname or "").removesuffix(".").split("."))
        and port != 0
        and not (parts.query or parts.fragment)
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def _is_heartbeat(text: str) -> bool:
    """Return whether the text is an http or https address that can be asked as it stands."""
    address, mark, query = text.partition("?")
    return _is_address(address) and query.isprintable() and query.isascii() and " " not in query + mark


def _is_broker(text: str) -> bool:
    """Return whether the text is the address of an MQTT broker, without a path."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("mqtt", "mqtts")
        and bool(parts.hostname)
        and port != 0
        and parts.path in ("", "/")
        and not (parts.query or parts.fragment)
        and text.isprintable()
        and " " not in text
    )


@dataclass(frozen=True)
class Settings:
    """Settings of one process, from the environment (``CO2_*``) and the command line, which comes first.

    ``as_of`` (naive UTC) replaces the clock; with None the clock is used. ``live_url`` is the address of the
    live service: the part before ``/dataset``. ``hourly_update``: forecasts are made each hour, not only at
    the six-hour marks. ``weather``: whether the weather forecast is fetched, from where, and with which key.
    ``alert_urls`` are the addresses that alerts go to, parted by commas or spaces, in the form of apprise;
    ``heartbeat_url`` is asked after each forecast that was issued; the forecast is sent to the MQTT broker
    ``mqtt_url``. All three hold secrets.
    """

    home: Path = Path("data")
    source: str = SourceKind.AUTO
    as_of: datetime | None = None
    history_days: int = DEFAULT_HISTORY_DAYS
    seed: int = 1
    live_url: str = LIVE_URL
    hourly_update: bool = True
    weather: WeatherAccess = WeatherAccess()  # noqa: RUF009 -- it cannot be changed
    alert_urls: str = field(default="", repr=False)
    heartbeat_url: str = field(default="", repr=False)
    mqtt_url: str = field(default="", repr=False)

    @property
    def timetable(self) -> Timetable:
        """When forecasts are due."""
        return Timetable(self.hourly_update)

    def __post_init__(self) -> None:
        if not MINIMUM_HISTORY_DAYS <= self.history_days <= MAXIMUM_HISTORY_DAYS:
            raise SettingsError(
                f"history days must be {MINIMUM_HISTORY_DAYS}..{MAXIMUM_HISTORY_DAYS}, "
                f"not {self.history_days}"
            )
        if not 0 <= self.seed <= MAXIMUM_SEED:
            raise SettingsError(f"the seed must be 0..{MAXIMUM_SEED}, not {self.seed}")
        addresses = {
            "CO2_LIVE_URL": self.live_url,
            "CO2_WEATHER_URL": self.weather.forecast_address,
            "CO2_WEATHER_HISTORY_URL": self.weather.history_address,
        }
        for name, address in addresses.items():
            if not _is_address(address):
                raise SettingsError(
                    f"{name} {address!r} is not the address of a service; "
                    "write it as https://HOST or http://HOST:PORT/PATH"
                )
        # Such characters stay the same in an address, so that the key can be found and hidden in any answer.
        if not re.fullmatch(r"[A-Za-z0-9._~-]*", self.weather.key):
            raise SettingsError(
                "CO2_WEATHER_KEY is not a key: copy it again, letters, digits and . _ ~ - without line breaks"
            )
        if 0 < len(self.weather.key) < SHORTEST_KEY:
            raise SettingsError(f"CO2_WEATHER_KEY has under {SHORTEST_KEY} characters: copy it again, whole")
        # The address is a secret: whoever knows it can say that all is well.
        if self.heartbeat_url and not _is_heartbeat(self.heartbeat_url):
            raise SettingsError(
                "CO2_HEARTBEAT_URL is not an address that can be asked; write it as https://HOST/PATH"
            )
        if self.mqtt_url and not _is_broker(self.mqtt_url):
            raise SettingsError(
                "CO2_MQTT_URL is not the address of a broker; write it as mqtt://USER:PASSWORD@HOST:1883, or "
                "mqtts:// with TLS, with / : @ # ? and % of a password as %2F %3A %40 %23 %3F %25"
            )
        if self.as_of is not None and self.as_of > utc_now() and self.source != SourceKind.SIMULATOR:
            raise SettingsError(f"as-of {self.as_of:%Y-%m-%dT%H:%MZ} is in the future")
        if self.as_of is not None and self.source == SourceKind.LIVE:
            raise SettingsError(
                "the live service cannot be asked for an earlier time: it overwrites its forecasts; "
                "use --as-of with --source archive:DIR or simulator"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables of `environment`, such as CO2_HOME and CO2_SOURCE.

        Raises SettingsError for a value that cannot be used.
        """
        env = os.environ if environment is None else environment
        settings = cls()
        if env.get("CO2_HOME"):
            try:
                settings = replace(settings, home=home_folder(env["CO2_HOME"]))
            except UnusableHome as error:
                raise SettingsError(f"CO2_HOME: {error}") from error
        if env.get("CO2_SOURCE"):
            settings = replace(settings, source=env["CO2_SOURCE"])
        if env.get("CO2_AS_OF"):
            settings = replace(settings, as_of=parse_instant(env["CO2_AS_OF"], "CO2_AS_OF"))
        if env.get("CO2_LIVE_URL"):
            settings = replace(settings, live_url=env["CO2_LIVE_URL"])
        settings = replace(
            settings,
            hourly_update=hourly_update_in(env),
            weather=weather_in(env),
            alert_urls=env.get("CO2_ALERT_URLS", "").strip(),
            heartbeat_url=env.get("CO2_HEARTBEAT_URL", "").strip(),
            mqtt_url=env.get("CO2_MQTT_URL", "").strip(),
        )
        for name, own in (("CO2_HISTORY_DAYS", "history_days"), ("CO2_SEED", "seed")):
            if env.get(name):
                try:
                    number = int(env[name])
                except ValueError as error:
                    raise SettingsError(f"{name} {env[name]!r} is not a whole number") from error
                settings = replace(settings, **{own: number})  # type: ignore[arg-type]
        return settings

    def environment(self) -> dict[str, str]:
        """Return these settings as environment variables for processes that are started."""
        kind, colon, folder = self.source.partition(":")
        variables = {
            "CO2_HOME": str(self.home.resolve()),
            "CO2_SOURCE": f"{kind}:{Path(folder).expanduser().resolve()}" if colon else kind,
            "CO2_HISTORY_DAYS": str(self.history_days),
            "CO2_SEED": str(self.seed),
            "CO2_LIVE_URL": self.live_url,
            "CO2_HOURLY_UPDATE": "on" if self.hourly_update else "off",
            "CO2_WEATHER": "on" if self.weather.wanted else "off",
            "CO2_WEATHER_URL": self.weather.url,
            "CO2_WEATHER_HISTORY_URL": self.weather.history_url,
            "CO2_WEATHER_KEY": self.weather.key,
            "CO2_ALERT_URLS": self.alert_urls,
            "CO2_HEARTBEAT_URL": self.heartbeat_url,
            "CO2_MQTT_URL": self.mqtt_url,
        }
        if self.as_of is not None:
            variables["CO2_AS_OF"] = f"{self.as_of:%Y-%m-%dT%H:%M:%SZ}"
        return variables
