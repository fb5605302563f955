"""compose.yaml as Docker would read it: anchors merged, variables put in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "of-a-database-that-lives-for-one-test"  # noqa: S105
OURS = ("code", "webserver", "daemon", "pages")

_VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<rule>[-?])(?P<rest>[^}]*)\}")


def read_yaml(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_yaml("compose.yaml")["services"]
    return found


def put_in(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with ``${NAME:-default}`` and ``${NAME:?message}`` put in, as compose does."""

    def value(match: re.Match[str]) -> str:
        given = variables.get(match["name"], "")
        if not given and match["rule"] == "?":
            raise KeyError(f"{match['name']}: {match['rest']}")
        return given or ("" if match["rule"] == "?" else match["rest"])

    return _VARIABLE.sub(value, text)


def environment(name: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service."""
    return {key: put_in(value, variables) for key, value in services()[name]["environment"].items()}
