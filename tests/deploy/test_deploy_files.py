"""What Docker, GitHub and Render are told agrees with the rest of the project.

Whether the files are sound in themselves is for the tools of `make lint-deploy`: hadolint,
check-jsonschema and zizmor.
"""

import itertools
import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from co2_assets.contracts.forecast_spec import MARK_HOURS
from co2_assets.contracts.timetable import HOURLY_MINUTES
from deploy.compose_by_podman import put_in
from tests.support.compose_file import OURS, PASSWORD, REPOSITORY, environment, read_yaml, services

USER = 10001
IN_THE_IMAGE_FOR_POSTGRES = {"storage", "local_artifact_storage", "compute_logs"}


def instructions(word: str) -> list[str]:
    """Return what follows ``word`` in the Dockerfile, comments dropped and continued lines joined."""
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    whole = [line.partition(" ") for line in re.sub(r"\\\n\s*", "", lines).splitlines()]
    return [rest for instruction, _, rest in whole if instruction == word]


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer every GET request with this status; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_both_stages_have_the_same_python() -> None:
    """The last stage takes over the virtual environment that the first one made."""
    build, run = (rest.split()[0] for rest in instructions("FROM"))
    assert build == run


def test_the_image_runs_as_one_user_without_privileges_everywhere() -> None:
    assert instructions("USER")[-1] == str(USER)
    assert any(f"useradd --uid {USER}" in command for command in instructions("RUN"))
    values = read_yaml("deploy/helm-values.yaml")
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert deployment["podSecurityContext"]["runAsUser"] == USER
    pages = next(one for one in values["extraManifests"] if one["kind"] == "Deployment")
    assert pages["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == USER


def test_the_image_starts_everything_and_asks_the_pages_for_its_health() -> None:
    (check,) = instructions("HEALTHCHECK")
    (command,) = instructions("CMD")
    assert json.loads(command)[:2] == ["co2", "up"]
    assert "/healthz" in json.loads(check.partition("CMD ")[2])[-1]


def health_checks() -> dict[str, list[str]]:
    """Return the health checks that send an HTTP request: the image's and those of compose.yaml."""
    (image,) = instructions("HEALTHCHECK")
    commands = {"image": json.loads(image.partition("CMD ")[2])}
    commands |= {name: services()[name]["healthcheck"]["test"][1:] for name in OURS}
    return {name: command for name, command in commands.items() if "http://" in command[-1]}


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("name", ["image", "webserver", "pages"])
def test_a_health_check_goes_past_any_proxy(name: str, status: int) -> None:
    """Docker may put the proxies of its configuration into every container."""
    checks = health_checks()
    assert set(checks) == {"image", "webserver", "pages"}
    program, *options, code = checks[name]
    assert program == "python"
    with answering(status) as port:
        here = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", code)
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
        result = subprocess.run(
            [sys.executable, *options, here], env=proxies, capture_output=True, timeout=60, check=False
        )
    assert (result.returncode == 0) is (status == 200), result.stderr


def test_grpc_goes_past_any_proxy_between_the_services() -> None:
    """gRPC takes its proxy from the environment too, also for localhost."""
    (location,) = read_yaml("deploy/workspace.grpc.yaml")["load_from"]
    for name in ("code", "webserver", "daemon"):
        direct = services()[name]["environment"]["no_grpc_proxy"].split(",")
        assert {location["grpc_server"]["host"], "localhost"} <= set(direct)


def test_every_file_copied_exists_and_passes_the_ignore_file() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copies = [rest for rest in instructions("COPY") if not rest.startswith("--from")]
    copied = {name for rest in copies for name in shlex.split(rest)[:-1]}
    assert copied == allowed
    assert all((REPOSITORY / name).exists() for name in copied)


def test_editable_install_finds_the_code_where_it_is_copied() -> None:
    """The build stage installs from empty packages under the path at which the last one has the code."""
    assert instructions("WORKDIR") == ["/src", "/src"]


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


def test_the_database_is_healthy_only_when_it_is_reached_as_the_services_reach_it() -> None:
    """While the image makes the database, its server answers on a socket, and is then restarted."""
    program, *options = services()["postgres"]["healthcheck"]["test"][1:]
    assert program == "pg_isready"
    assert options[options.index("-h") + 1] == "127.0.0.1"


def test_the_password_comes_from_the_environment_and_must_be_given() -> None:
    with pytest.raises(KeyError, match=r"\.env"):
        environment("code", {})
    for name in ("code", "webserver", "daemon"):
        assert environment(name, {"POSTGRES_PASSWORD": PASSWORD})["DAGSTER_PG_PASSWORD"] == PASSWORD
    assert put_in("${A:-b}", {}) == "b"


def test_no_service_has_a_secret_of_its_own() -> None:
    for name, service in services().items():
        secrets = {
            key: value for key, value in service["environment"].items() if "PASSWORD" in key or "KEY" in key
        }
        assert all(value.startswith("${") for value in secrets.values()), name
    values = read_yaml("deploy/helm-values.yaml")
    assert values["generatePostgresqlPasswordSecret"] is False
    assert "postgresqlPassword" not in values["postgresql"]


NOTIFY = ("CO2_ALERT_URLS", "CO2_HEARTBEAT_URL", "CO2_MQTT_URL")


def test_what_alerts_need_reaches_the_process_of_the_runs_and_stands_in_no_file() -> None:
    code = services()["code"]["environment"]
    assert [code[name] for name in NOTIFY] == [f"${{{name}:-}}" for name in NOTIFY]
    (render,) = read_yaml("render.yaml")["services"]
    asked_for = {entry["key"] for entry in render["envVars"] if entry.get("sync") is False}
    assert set(NOTIFY) <= asked_for
    (deployment,) = read_yaml("deploy/helm-values.yaml")["dagster-user-deployments"]["deployments"]
    secrets = {entry["name"]: entry for entry in deployment["env"] if entry["name"] in NOTIFY}
    assert set(secrets) == set(NOTIFY)
    assert all(entry["valueFrom"]["secretKeyRef"]["optional"] is True for entry in secrets.values())


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
def test_workflows_may_write_nothing_to_the_repository(name: str) -> None:
    """The original system committed its database and its models."""
    workflow = read_yaml(f".github/workflows/{name}")
    assert workflow["permissions"] == {"contents": "read"}
    commands = "\n".join(step.get("run", "") for step in every_step(workflow))
    assert "git push" not in commands
    assert "git commit" not in commands


def test_the_runs_are_at_each_hour_on_push_and_by_hand() -> None:
    workflow = read_yaml(".github/workflows/tick.yml")
    # YAML 1.1 reads the word "on" as true.
    when = workflow[True]
    marks, between = (timer["cron"].split() for timer in when["schedule"])
    assert marks[1:] == ["*/6", "*", "*", "*"]
    assert int(between[0]) >= HOURLY_MINUTES[0]
    hours = [range(*map(int, span.split("-"))) for span in between[1].split(",")]
    issued = [hour for span in hours for hour in (*span, span.stop)]
    assert issued == [hour for hour in range(24) if hour % MARK_HOURS]
    timed = [step for step in every_step(workflow) if "github.event.schedule" in step.get("if", "")]
    steps = {step["run"]: step["if"] for step in timed}
    cron = " ".join(between)
    assert steps[".venv/bin/co2 update"] == f"${{{{ github.event.schedule == '{cron}' }}}}"
    assert f"!= '{cron}'" in steps[".venv/bin/co2 tick && .venv/bin/co2 train --if-needed"]
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
