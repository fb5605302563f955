"""What the operator decides: which data are shown, and who may ask the API how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from co2_assets.contracts.sources import SOURCE_LABELS, SourceKind
from co2_assets.contracts.timetable import DEFAULT_TIMETABLE, Timetable
from co2_assets.settings import hourly_update_in, weather_in
from co2_assets.warehouse.paths import Home, home_folder
from co2_dash.path_prefix import path_prefix_of

DEFAULT_REQUESTS_PER_MINUTE = 600


@dataclass(frozen=True)
class Settings:
    """Where the data lie and how the API is guarded.

    ``source`` is ``live``, ``archive``, ``simulator`` or ``auto``: what the last run resolved it to.
    ``api_keys`` empty leaves the API open. ``cors_origins`` empty sends no CORS header at all.
    ``trusted_proxies`` are the addresses whose ``X-Forwarded-`` headers are believed. ``timetable`` says when
    forecasts are due, ``weather_wanted`` whether the pipeline requests the weather forecast.
    ``path_prefix`` is the path under which a proxy shows the pages where it does not say so itself, empty for
    the root.
    """

    home: Home
    source: str = SourceKind.AUTO
    api_keys: frozenset[str] = frozenset()
    requests_per_minute: int = DEFAULT_REQUESTS_PER_MINUTE
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    timetable: Timetable = DEFAULT_TIMETABLE
    weather_wanted: bool = True
    path_prefix: str = ""

    def snapshot_folder(self) -> Path | None:
        """Folder of the snapshots shown now, or None while ``auto`` has not been resolved."""
        label = self.home.active_source() if self.source == SourceKind.AUTO else self.source
        return None if label is None else self.home.source(label).snapshots


def source_label(name: str) -> str:
    """Return the label of a source: ``archive:DIR`` is ``archive``; ValueError when unknown."""
    label = name.partition(":")[0]
    if label not in (SourceKind.AUTO, *SOURCE_LABELS):
        raise ValueError(f"no source {name!r}; there are {SourceKind.AUTO}, {', '.join(SOURCE_LABELS)}")
    return label


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings from variables; ValueError names the one that is wrong.

    ``CO2_HOME``, ``CO2_SOURCE``; ``CO2_API_KEYS``, ``CO2_CORS_ORIGINS`` and ``CO2_TRUSTED_PROXIES``,
    lists parted by commas; ``CO2_API_REQUESTS_PER_MINUTE``, a whole number per client;
    ``CO2_HOURLY_UPDATE`` and ``CO2_WEATHER``, on or off, as for the pipeline; ``CO2_PATH_PREFIX``, a path.
    """
    pace = environment.get("CO2_API_REQUESTS_PER_MINUTE", str(DEFAULT_REQUESTS_PER_MINUTE))
    if not pace.isdecimal() or int(pace) < 1:
        raise ValueError(f"CO2_API_REQUESTS_PER_MINUTE is {pace!r}: give a whole number of at least 1")
    return Settings(
        home=Home(home_folder(environment.get("CO2_HOME") or "data")),
        source=source_label(environment.get("CO2_SOURCE") or SourceKind.AUTO),
        api_keys=frozenset(_listed(environment, "CO2_API_KEYS")),
        requests_per_minute=int(pace),
        cors_origins=_listed(environment, "CO2_CORS_ORIGINS"),
        trusted_proxies=_listed(environment, "CO2_TRUSTED_PROXIES"),
        timetable=Timetable(hourly_update_in(environment)),
        weather_wanted=weather_in(environment).wanted,
        path_prefix=path_prefix_of(environment.get("CO2_PATH_PREFIX", "")),
    )


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environment.get(name, "").split(",") if part.strip())
