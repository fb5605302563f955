"""One name for the code location, however Dagster is started, and a project that `dg` can load."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster_dg_cli.cli.utils import create_temp_workspace_file
from dagster_dg_core.config import DgRawCliConfig
from dagster_dg_core.context import DgContext

from co2_assets.cli.dagster_client import LOCATION
from co2_assets.defs.assets.all_assets import all_assets

REPOSITORY = Path(__file__).resolve().parents[2]


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_code_location_has_one_name() -> None:
    """The state of schedules and sensors belongs to the name: a second one would lose it."""
    (local,) = read_yaml(REPOSITORY / "workspace.yaml")["load_from"]
    (remote,) = read_yaml(REPOSITORY / "deploy" / "workspace.grpc.yaml")["load_from"]
    code = read_yaml(REPOSITORY / "compose.yaml")["services"]["code"]["command"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"][
        "project"
    ]
    assert local["python_module"] == LOCATION  # without another name, Dagster takes that of the module
    assert project["code_location_name"] == LOCATION
    assert remote["grpc_server"]["location_name"] == LOCATION
    assert code[code.index("--location-name") + 1] == LOCATION


def test_dg_dev_loads_the_location_of_that_name() -> None:
    context = DgContext.for_project_environment(REPOSITORY, DgRawCliConfig())
    with create_temp_workspace_file(context) as path:
        (location,) = read_yaml(Path(path))["load_from"]
    assert location["python_module"]["location_name"] == LOCATION
    assert location["python_module"]["module_name"] == "co2_assets.definitions"


def test_dg_can_load_the_definitions() -> None:
    command = [sys.executable, "-m", "dagster_dg_cli.cli.entrypoint", "check", "defs"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All definitions loaded successfully" in checked.stdout


def test_every_asset_that_is_made_here_links_to_its_source() -> None:
    for asset in all_assets():
        if isinstance(asset, dg.AssetSpec):
            continue
        (spec,) = asset.specs
        (reference,) = spec.metadata["dagster/code_references"].code_references
        source = Path(reference.file_path)
        assert source.is_relative_to(REPOSITORY / "co2_assets" / "defs" / "assets"), spec.key
        line = source.read_text(encoding="utf-8").splitlines()[reference.line_number - 1]
        assert line.strip().startswith("@dg.asset"), spec.key
