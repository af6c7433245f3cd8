"""The walls of the house."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import movie_platform

PACKAGE = Path(movie_platform.__file__).parent
ROOT = PACKAGE.parent
GLUE = {"assets.py", "checks.py", "definitions.py", "partitions.py", "sensors.py", "schedules.py"}
PIPELINES = [path.name for path in (PACKAGE / "pipelines").iterdir() if path.is_dir() and path.name != "__pycache__"]


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_dagster_stays_in_the_glue() -> None:
    wrong = [
        f"{path} imports {name}"
        for path, tree in sources()
        for name in imports(tree)
        if name.split(".")[0] in {"dagster", "dagster_aws", "dagster_pandas", "dagster_pipes", "dagster_shared"}
        and path != Path("definitions.py")
        and path.parts[0] not in {"commands", "orchestration"}
        and not (path.parts[0] == "pipelines" and path.name in GLUE)
        and not (path.parts[0] == "engine" and name.startswith("dagster_pipes"))
    ]
    assert wrong == []


def test_pipelines_do_not_import_each_other() -> None:
    wrong = [
        f"{path} imports {name}"
        for path, tree in sources()
        if path.parts[0] == "pipelines" and len(path.parts) > 2
        for name in imports(tree)
        if name.startswith("movie_platform.pipelines.") and name.split(".")[2] != path.parts[1]
    ]
    assert wrong == []


def test_only_the_settings_read_the_environment() -> None:
    wrong = []
    for path, tree in sources():
        for node in ast.walk(tree):
            read = isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
            if read and path != Path("settings.py"):
                wrong.append(f"{path}:{node.lineno}")
    assert wrong == []


def test_nothing_evaluates_data() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "package", ["dagster", "dagster_aws", "dagster_pandas", "pandas", "pyarrow", "pandera", "pytest"]
)
def test_every_package_that_was_asked_for_is_really_used(package: str) -> None:
    importlib.import_module(package)
    used = {name.split(".")[0] for _, tree in sources() for name in imports(tree)}
    for path in (ROOT / "movie_platform_tests").rglob("*.py"):
        used |= {name.split(".")[0] for name in imports(ast.parse(path.read_text()))} & {"pytest"}
    configured = (ROOT / "deploy" / "dagster.yaml").read_text()
    assert package in used or f"module: {package}." in configured


def test_every_dependency_has_its_reason_and_the_lock_has_hashes_and_no_address() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    for requirement in project["dependencies"]:
        line = next(line for line in text.splitlines() if f'"{requirement}"' in line)
        assert "# " in line, f"{requirement} has no reason"
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index-url" not in lock
    assert lock.count("--hash=sha256:") > lock.count("==") > 100


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    declared = {re.split(r"[\[<>=; ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}
    distributions = importlib.metadata.packages_distributions()
    wrong = []
    for path, tree in sources():
        for name in {name.split(".")[0] for name in imports(tree)} - sys.stdlib_module_names - {"movie_platform"}:
            provided_by = {found.lower().replace("_", "-") for found in distributions.get(name, [])}
            if not provided_by & declared and name != "_typeshed":
                wrong.append(f"{path} imports {name}")
    assert wrong == []


def test_importing_the_package_and_its_command_does_no_io_and_needs_no_dagster() -> None:
    code = "import sys, movie_platform.commands.main; print('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False"]
