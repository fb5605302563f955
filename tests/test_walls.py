"""Who may import whom, and what has no place in the code."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MOST_LINES = 400
CHECK_WALLS = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(no_cache=True, no_logo=True))
"""

MODULES = sorted(
    path for package in ("co2_assets", "co2_dash") for path in (REPOSITORY / package).rglob("*.py")
)


def name_of(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Yield every module that is imported anywhere in a file, relative ones made absolute."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # A name may be a module of its own: `from co2_assets import pipeline`.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_nobody_imports_over_a_wall() -> None:
    """The walls stand in pyproject.toml, [tool.importlinter]."""
    # In a process of its own, because import-linter sets up logging and so switches off other loggers.
    checked = subprocess.run(
        [sys.executable, "-c", CHECK_WALLS], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout


def test_every_module_stands_in_a_ring() -> None:
    """A new folder or module at the top must be given its place in the walls first."""
    pipeline = {path.stem for path in (REPOSITORY / "co2_assets").iterdir() if path.suffix == ".py"}
    assert pipeline == {"__init__", "__main__", "definitions", "settings"}
    rings = {path.name for path in (REPOSITORY / "co2_assets").iterdir() if (path / "__init__.py").exists()}
    assert rings == {
        "contracts",
        "energidataservice",
        "openmeteo",
        "http_service",
        "advice",
        "warehouse",
        "forecasting",
        "pipeline",
        "notify",
        "defs",
        "cli",
    }
    rooms = {path.name for path in (REPOSITORY / "co2_dash").iterdir() if (path / "__init__.py").exists()}
    assert rooms == {"data", "advice", "charts", "pages", "api"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{name_of(path)} has {lines} lines: it wants to be two modules"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_pickle_no_shell_and_no_deferred_annotations(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    forbidden = ("pickle", "cPickle", "dill", "joblib", "shelve", "marshal")
    for module in imports(path):
        assert module.partition(".")[0] not in forbidden, f"{path} imports {module}"
        # Dagster reads the annotations of assets and their Config as they stand.
        assert module != "__future__.annotations", path
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("torch.load", "torch.save", "eval", "exec", "os.system"), (
                f"{path}: {called}"
            )
            shell = [k for k in node.keywords if k.arg == "shell"]
            assert not any(ast.unparse(k.value) != "False" for k in shell), f"{path}: {called} with a shell"


def tracked_texts() -> list[Path]:
    """Files that git keeps, or would keep: what a stranger gets."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kinds = {".py", ".toml", ".yaml", ".yml", ".md", ".txt", ".json", ".js", ".css", ""}
    return [path for name in listed if (path := REPOSITORY / name).suffix in kinds and path.is_file()]


def test_no_path_of_one_machine_in_what_is_tracked() -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    # Written apart, so that this file keeps its own rule.
    of_a_machine = re.compile("|".join(("/" + "work/", "/" + r"home/\w", "/" + r"Users/\w", "/" + "root/")))
    for path in tracked_texts():
        found = of_a_machine.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{path.relative_to(REPOSITORY)} holds {found and found[0]}"


def test_neither_databases_nor_models_are_tracked() -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kinds = {".duckdb", ".db", ".sqlite", ".safetensors", ".pt", ".pth", ".pkl", ".h5", ".parquet", ".log"}
    assert [name for name in listed if Path(name).suffix in kinds] == []
