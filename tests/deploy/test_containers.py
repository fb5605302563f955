"""`deploy/containers.sh` tells podman of each service what compose.yaml tells Docker. No container is run."""

import json
import re
import subprocess
from typing import Any

import pytest

from deploy.compose_by_podman import ContainerError, ports, read_services, seconds, start_order, translate
from tests.support.compose_file import OURS, PASSWORD, REPOSITORY, environment, services

SCRIPT = REPOSITORY / "deploy/containers.sh"
GIVEN = {"POSTGRES_PASSWORD": PASSWORD, "CO2_SOURCE": "simulator"}
EVERY = (*OURS, "postgres")


def told(name: str, changed: dict[str, Any] | None = None) -> list[str]:
    """Return what podman is told of a service, with some of its keys changed."""
    given = services()
    given[name] |= changed or {}
    return translate(name, given, GIVEN, "co2-try").arguments


def values(arguments: list[str], option: str) -> list[str]:
    return [word.partition("=")[2] for word in arguments if word.startswith(f"--{option}=")]


@pytest.mark.parametrize("name", EVERY)
def test_a_service_keeps_its_protection(name: str) -> None:
    arguments = told(name)
    assert values(arguments, "read-only") == ["true"]
    # Without this podman makes /run and /var/tmp writable.
    assert values(arguments, "read-only-tmpfs") == ["false"]
    assert values(arguments, "cap-drop") == ["ALL"]
    assert values(arguments, "security-opt") == ["no-new-privileges"]
    folders = [path.partition(":")[0] for path in values(arguments, "tmpfs")]
    assert folders == services()[name]["tmpfs"]
    user = services()[name].get("user")
    assert values(arguments, "user") == ([user] if user else [])


@pytest.mark.parametrize("name", EVERY)
def test_a_service_keeps_its_image_its_command_and_its_folders(name: str) -> None:
    service = services()[name]
    end = [service["image"], *service.get("command", [])]
    assert told(name)[-len(end) :] == end
    assert values(told(name), "volume") == [f"co2-try-{volume}" for volume in service["volumes"]]


@pytest.mark.parametrize("name", EVERY)
def test_a_service_keeps_its_health_check_and_its_ending(name: str) -> None:
    arguments, service = told(name), services()[name]
    (command,) = values(arguments, "health-cmd")
    assert ["CMD", *json.loads(command)] == service["healthcheck"]["test"]
    for key in ("interval", "timeout", "start_period"):
        assert values(arguments, f"health-{key.replace('_', '-')}") == [service["healthcheck"][key]]
    assert values(arguments, "restart") == ["unless-stopped"]
    assert values(arguments, "stop-timeout") == [service["stop_grace_period"].removesuffix("s")]
    assert values(arguments, "init") == ["true"] * (name in OURS)


@pytest.mark.parametrize("name", EVERY)
def test_the_values_of_the_environment_stand_in_no_argument(name: str) -> None:
    """Everybody on a machine can read the arguments of its processes."""
    container = translate(name, services(), GIVEN, "co2-try")
    assert container.environment == environment(name, GIVEN)
    assert values(container.arguments, "env") == list(container.environment)
    assert not any(PASSWORD in word for word in container.arguments)


def test_a_service_finds_the_others_by_their_names() -> None:
    for name in EVERY:
        assert values(told(name), "add-host") == [f"{other}:127.0.0.1" for other in services()]
    assert ports(read_services()) == [3000, 4000, 5432, 8050]


def test_a_service_starts_after_those_that_it_needs() -> None:
    order = start_order(read_services())
    assert sorted(order) == sorted(EVERY)
    assert order[:2] == ["postgres", "code"]


def test_what_is_not_known_is_an_error_and_never_left_out() -> None:
    with pytest.raises(ContainerError, match=r"'devices' of compose\.yaml"):
        told("code", {"devices": ["/dev/null"]})
    with pytest.raises(ContainerError, match="'retries' of a health check"):
        told("code", {"healthcheck": {"test": ["CMD", "true"], "retries": 5}})
    with pytest.raises(ContainerError, match="only CMD"):
        told("code", {"healthcheck": {"test": ["CMD-SHELL", "true"]}})
    assert seconds("2m") == 120
    with pytest.raises(ContainerError, match="like 90s"):
        seconds("1h30m")


def test_the_script_says_how_it_is_used() -> None:
    shown = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True).stdout
    wrong = subprocess.run([SCRIPT, "no-such"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr == shown
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"deploy/containers\.sh (\S+)", makefile):
        assert f"\n  {command} " in shown


def test_the_script_asks_for_the_images_that_the_other_files_name() -> None:
    """The Debian releases in it have the versions of Python and PostgreSQL that are asked for."""
    text = SCRIPT.read_text(encoding="utf-8")
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    (release,) = re.findall(r"^python_release=(\w+)$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM python:3\.11\S*-slim-(\w+)", dockerfile, re.MULTILINE)) == {release}
    assert services()["postgres"]["image"].startswith("postgres:17.")
    assert "postgres_release=trixie\n" in text
