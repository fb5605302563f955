"""What Docker, GitHub and Render are told, held to rules that need no engine to check.

Those for the Dockerfile are hadolint's, by their numbers (https://github.com/hadolint/hadolint).
"""

import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose_file import OURS, PASSWORD, REPOSITORY, environment, put_in, read_yaml, services

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
IN_THE_IMAGE_FOR_POSTGRES = {"storage", "local_artifact_storage", "compute_logs"}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions: comments dropped, continued lines joined."""
    lines = "\n".join(line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    whole = re.sub(r"\\\n\s*", "", lines).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole if line.strip())]


def of(word: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == word]


def test_base_images_are_one_and_pinned_to_a_patch_release() -> None:
    images = {rest.split()[0] for rest in of("FROM")}
    assert len(of("FROM")) == 2, "one stage to build, one to run"
    assert len(images) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", images.pop())  # DL3006, DL3007


def test_runs_as_nobody_in_particular() -> None:
    assert of("USER")[-1] == "10001"  # DL3002, DL3066: a number, as Kubernetes can check
    assert any("useradd --uid 10001" in command for command in of("RUN"))


def test_copies_and_never_adds() -> None:
    assert of("ADD") == []  # DL3020
    assert all(Path(folder).is_absolute() for folder in of("WORKDIR"))  # DL3000


def test_nothing_is_installed_unpinned_or_cached() -> None:
    assert "PIP_NO_CACHE_DIR=1" in DOCKERFILE  # DL3042
    for command in of("RUN"):
        assert "sudo" not in command  # DL3004
        assert "apt-get" not in command, "slim has all that is needed"
        if "pip install" in command:
            assert "--constraint constraints.txt" in command or "constraints.txt)" in command  # DL3013
        assert "|" not in command.replace("||", ""), "a pipe wants SHELL with pipefail (DL4006)"


def test_has_one_health_check_and_one_command_without_a_shell() -> None:
    (check,) = of("HEALTHCHECK")
    (command,) = of("CMD")  # DL4003
    assert json.loads(command)[0] == "co2"  # DL3025
    test = json.loads(check.partition("CMD ")[2])
    assert test[0] == "python"
    assert "/healthz" in test[-1]


def test_every_file_copied_passes_the_ignore_file() -> None:
    allowed = {
        line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {name for rest in of("COPY") if not rest.startswith("--from") for name in shlex.split(rest)[:-1]}
    assert copied == allowed
    assert all((REPOSITORY / name).exists() for name in copied)


def test_editable_install_finds_the_code_where_it_is_copied() -> None:
    """The build stage installs from empty packages under the path at which the last one has the code."""
    assert of("WORKDIR") == ["/src", "/src"]


def test_every_service_of_ours_is_the_same_hardened_image() -> None:
    for name in OURS:
        service = services()[name]
        assert service["image"] == "co2-assets:local", name
        assert "build" in service or name != "code"
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name  # noqa: S108 -- a mount in a container
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert "privileged" not in service, name
        assert not service["image"].endswith(":latest"), name
        assert ":" in service["image"], name


def test_ports_are_published_to_loopback_and_only_those_of_the_pages_and_the_ui() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"webserver": ["127.0.0.1:3000:3000"], "pages": ["127.0.0.1:8050:8050"]}


def test_the_database_is_reached_by_dagster_alone() -> None:
    assert read_yaml("compose.yaml")["networks"]["storage"]["internal"] is True
    assert services()["postgres"]["networks"] == ["storage"]
    assert "networks" not in services()["pages"]
    assert not any(key.startswith("DAGSTER") for key in services()["pages"]["environment"])


def test_the_pages_cannot_write_what_they_show() -> None:
    assert services()["pages"]["volumes"] == ["data:/data:ro"]
    assert "data:/data" in services()["code"]["volumes"]
    declared = set(read_yaml("compose.yaml")["volumes"])
    used = {volume.partition(":")[0] for service in services().values() for volume in service["volumes"]}
    assert used == declared


def test_every_service_waits_for_one_that_there_is() -> None:
    for service in services().values():
        for name, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services()[name]


def test_the_password_comes_from_the_environment_and_must_be_given() -> None:
    with pytest.raises(KeyError, match=r"\.env"):
        environment("code", {})
    for name in ("code", "webserver", "daemon"):
        assert environment(name, {"POSTGRES_PASSWORD": PASSWORD})["DAGSTER_PG_PASSWORD"] == PASSWORD
    assert put_in("${A:-b}", {}) == "b"


@pytest.mark.parametrize(
    "name",
    [
        "compose.yaml",
        "render.yaml",
        "deploy/dagster.postgres.yaml",
        "deploy/helm-values.yaml",
        ".github/workflows/ci.yml",
        ".github/workflows/tick.yml",
        "Dockerfile",
    ],
)
def test_no_file_holds_a_secret(name: str) -> None:
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        found = re.search(r"(?i)(password|secret|token|api_?key)\w*\s*[:=]\s*(?P<value>\S.*)", line)
        if found is None or line.lstrip().startswith("#"):
            continue
        value = found["value"].strip("\"'")
        assert value.startswith("${") or value in ("false", "{}", "dagster-postgresql"), f"{name}: {line}"


def test_dagster_on_postgres_differs_from_dagster_on_sqlite_by_its_storage_alone() -> None:
    plain, postgres = read_yaml("dagster.yaml"), read_yaml("deploy/dagster.postgres.yaml")
    assert postgres.keys() - plain.keys() == IN_THE_IMAGE_FOR_POSTGRES
    for key in IN_THE_IMAGE_FOR_POSTGRES:
        del postgres[key]
    # With runs in a process that may be restarted under them, somebody has to give them up.
    assert postgres["run_monitoring"].pop("max_runtime_seconds") > 3600
    plain["run_monitoring"].pop("max_runtime_seconds", None)
    assert postgres == plain


def test_the_code_location_has_one_name_everywhere() -> None:
    (location,) = read_yaml("deploy/workspace.grpc.yaml")["load_from"]
    (plain,) = read_yaml("workspace.yaml")["load_from"]
    module = plain["python_module"]
    server = location["grpc_server"]
    assert server["location_name"] == module
    assert server["host"] in services()
    command = services()[server["host"]]["command"]
    options = dict(itertools.pairwise(command))
    assert (options["-m"], options["--location-name"]) == (module, module)
    assert options["-p"] == str(server["port"])
    (deployment,) = read_yaml("deploy/helm-values.yaml")["dagster-user-deployments"]["deployments"]
    assert ["-m", module] == deployment["dagsterApiGrpcArgs"][:2]


def every_step(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", ["ci.yml", "tick.yml"])
def test_workflows_are_bounded_and_may_write_nothing(name: str) -> None:
    workflow = read_yaml(f".github/workflows/{name}")
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
    for step in every_step(workflow):
        assert ("run" in step) != ("uses" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+(/\w+)?@v\d+", step["uses"])
        # What an event brings along may be anybody's text.
        assert "github.event" not in step.get("run", "")
        assert "git push" not in step.get("run", "")
        assert "git commit" not in step.get("run", "")


def test_the_tick_runs_every_six_hours_on_push_and_by_hand() -> None:
    workflow = read_yaml(".github/workflows/tick.yml")
    # YAML 1.1 reads the word "on" as true.
    when = workflow[True]
    (timer,) = when["schedule"]
    assert re.fullmatch(r"\d+ \*/6 \* \* \*", timer["cron"])
    assert when["push"] == {"branches": ["main"]}
    assert "workflow_dispatch" in when
    assert workflow["concurrency"]["cancel-in-progress"] is False
    commands = "\n".join(step.get("run", "") for step in every_step(workflow))
    assert commands.index("co2 tick") < commands.index("co2 train --if-needed")


def test_render_keeps_the_state_on_a_disk_beside_the_service_that_writes_it() -> None:
    (service,) = read_yaml("render.yaml")["services"]
    variables = {entry["key"]: entry.get("value") for entry in service["envVars"]}
    assert variables["CO2_HOME"].startswith(service["disk"]["mountPath"])
    assert service["healthCheckPath"] == "/healthz"
    assert "co2 up" in service["startCommand"]
    assert service["numInstances"] == 1
