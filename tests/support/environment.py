"""The environment of a test, without the settings of the machine."""

import os

import pytest

from co2_assets.settings import Settings


def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty every variable that sets something of ours; those a command puts there are taken out again."""
    given = [name for name in os.environ if name.startswith("CO2_")]
    for name in {*given, *Settings().environment(), "CO2_AS_OF", "DAGSTER_HOME"}:
        monkeypatch.setenv(name, "")
