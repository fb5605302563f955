"""What ``auto`` becomes, and what is said when it is the simulator."""

from pathlib import Path
from typing import Any

import pytest

from co2_assets.pipeline import run as run_module
from co2_assets.pipeline.run import open_run, resolve_source
from co2_assets.settings import Settings


def test_auto_names_network_settings_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks://127.0.0.1:9")
    settings = Settings(home=tmp_path, live_url="https://service.invalid")
    assert resolve_source(settings) == "simulator"
    assert "not socks://" in caplog.text
    assert "Its numbers are made up" in caplog.text
    assert list(tmp_path.iterdir()) == [], "a look that sent nothing leaves nothing"


def test_auto_looks_at_the_address_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[Any, ...]] = []

    def look(*arguments: Any, **options: Any) -> None:
        looks.append((*arguments, options))

    monkeypatch.setattr(run_module, "obstacle_to_live", look)
    settings = Settings(home=tmp_path, live_url="http://mirror:8080/data")
    assert resolve_source(settings) == "live"
    ((url, options),) = looks
    assert url == "http://mirror:8080/data"
    # Its requests count within the rate limit of the runs.
    with open_run(Settings(home=tmp_path, source="live")) as run:
        assert options == {"rate_limit_file": run.folder.requests}
