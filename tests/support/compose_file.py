"""compose.yaml as Docker would read it: anchors merged, variables put in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.compose_by_podman import put_in, read_services

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "of-a-database-that-lives-for-one-test"  # noqa: S105
OURS = ("code", "webserver", "daemon", "pages")


def read_yaml(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    return read_services()


def environment(name: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service."""
    return {key: put_in(value, variables) for key, value in services()[name]["environment"].items()}
