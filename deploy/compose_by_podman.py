"""The services of compose.yaml as containers of podman, for a machine without Docker.

Every line of a service is kept: command, environment, user, read-only root, tmpfs, capabilities, health
check, restart policy and time to stop. The network alone is another: all services share the network of the
machine, where each finds the others under their names on the loopback. A key of compose.yaml that is not
known here is an error, so that nothing is left out in silence.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

COMPOSE_FILE = Path(__file__).resolve().parents[1] / "compose.yaml"
LOOPBACK = "127.0.0.1"
# podman would raise these two, which not every machine lets it do. No service comes near them.
LIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
_VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<rule>[-?])(?P<rest>[^}]*)\}")
# Read elsewhere: by `containers.sh build`, by start_order, by ports and as the network of the machine.
_READ_ELSEWHERE = {"build", "depends_on", "ports", "networks"}


class ContainerError(RuntimeError):
    """A container could not be started, or compose.yaml asks for what is not known here."""


def put_in(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with ``${NAME:-default}`` and ``${NAME:?message}`` put in, as compose does."""

    def value(match: re.Match[str]) -> str:
        given = variables.get(match["name"], "")
        if not given and match["rule"] == "?":
            raise KeyError(f"{match['name']}: {match['rest']}")
        return given or ("" if match["rule"] == "?" else match["rest"])

    return _VARIABLE.sub(value, text)


def read_services(path: Path = COMPOSE_FILE) -> dict[str, dict[str, Any]]:
    """Return the services by name, anchors merged and variables not yet put in."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    return services


def start_order(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the services, each after those that it depends on."""
    return list(
        TopologicalSorter({name: one.get("depends_on", {}) for name, one in services.items()}).static_order()
    )


def ports(services: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """Return the ports on which the services listen, by their commands and health checks."""
    words = [
        word
        for service in services.values()
        for option, word in zip(service.get("command", []), service.get("command", [])[1:], strict=False)
        if option in {"-p", "--port"}
    ]
    named = {
        int(service["environment"]["DAGSTER_PG_PORT"])
        for service in services.values()
        if "DAGSTER_PG_PORT" in service.get("environment", {})
    }
    return sorted({int(word) for word in words} | named)


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as 90s or 2m."""
    match = re.fullmatch(r"(\d+)([sm])", duration)
    if not match:
        raise ContainerError(f"compose.yaml has the duration {duration!r}; write it like 90s or 2m")
    return int(match[1]) * (60 if match[2] == "m" else 1)


def _options(key: str, value: Any, project: str) -> Iterator[str]:
    """Yield podman's options for one key of a service."""
    match key:
        case "read_only":
            # podman would put a writable tmpfs on /run and /var/tmp as well. Docker does not.
            yield f"--read-only={str(value).lower()}"
            yield "--read-only-tmpfs=false"
        case "tmpfs":
            # Docker's begin empty, and no program in them can be run.
            yield from (f"--tmpfs={path}:notmpcopyup,noexec" for path in value)
        case "cap_drop":
            yield from (f"--cap-drop={name}" for name in value)
        case "security_opt":
            yield from (f"--security-opt={option.removesuffix(':true')}" for option in value)
        case "init":
            yield f"--init={str(value).lower()}"
        case "user":
            yield f"--user={value}"
        case "restart":
            yield f"--restart={value}"
        case "stop_grace_period":
            yield f"--stop-timeout={seconds(value)}"
        case "volumes":
            yield from (f"--volume={project}-{volume}" for volume in value)
        case "environment":
            # The values stand in podman's environment: its arguments can be read by everybody here.
            yield from (f"--env={name}" for name in value)
        case "healthcheck":
            yield from _health_options(value)
        case _:
            raise ContainerError(
                f"deploy/compose_by_podman.py does not know {key!r} of compose.yaml: add it there"
            )


def _health_options(check: Mapping[str, Any]) -> Iterator[str]:
    kind, *command = check["test"]
    if kind != "CMD":
        raise ContainerError(f"a health check of compose.yaml is a {kind}: only CMD is known here")
    yield f"--health-cmd={json.dumps(command)}"
    for key, value in check.items():
        if key == "test":
            continue
        if key not in {"interval", "timeout", "start_period"}:
            raise ContainerError(
                f"deploy/compose_by_podman.py does not know {key!r} of a health check: add it there"
            )
        yield f"--health-{key.replace('_', '-')}={value}"


@dataclass(frozen=True)
class Container:
    """What podman is told about one service; ``environment`` has the values of its ``--env`` options."""

    name: str
    arguments: list[str]
    environment: dict[str, str]


def translate(
    name: str, services: Mapping[str, Mapping[str, Any]], variables: Mapping[str, str], project: str
) -> Container:
    """Return the container of one service."""
    service = services[name]
    options = [
        option
        for key, value in service.items()
        if key not in _READ_ELSEWHERE | {"image", "command"}
        for option in _options(key, value, project)
    ]
    full_name = f"{project}-{name}"
    arguments = [
        *("run", "--detach", f"--name={full_name}", "--pull=never", "--network=host"),
        *(f"--add-host={other}:{LOOPBACK}" for other in services),
        *LIMITS,
        *options,
        service["image"],
        *service.get("command", []),
    ]
    environment = {
        key: put_in(str(value), variables) for key, value in service.get("environment", {}).items()
    }
    return Container(full_name, arguments, environment)


def podman(
    *arguments: str, environment: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run podman and return what it said; raises ContainerError with its message."""
    surroundings = {**os.environ, **(environment or {})}
    if not Path("/run/systemd/system").exists():
        # Its timers ask for the health of containers; without them the caller asks.
        surroundings["DISABLE_HC_SYSTEMD"] = "true"
    try:
        result = subprocess.run(  # noqa: S603
            ["podman", *arguments],  # noqa: S607
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ContainerError("podman is not installed (Debian: apt-get install podman catatonit)") from None
    if check and result.returncode != 0:
        raise ContainerError(f"podman {' '.join(arguments[:2])}: {result.stderr.strip()}")
    return result
