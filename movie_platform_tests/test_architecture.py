"""The walls of the house."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import movie_platform

PACKAGE = Path(movie_platform.__file__).parent
ROOT = PACKAGE.parent
GLUE = {"assets.py", "checks.py", "definitions.py", "partitions.py", "sensors.py", "schedules.py"}
PIPELINES = [path.name for path in (PACKAGE / "pipelines").iterdir() if path.is_dir() and path.name != "__pycache__"]


@cache
def sources() -> list[tuple[Path, ast.Module]]:
    return [(path.relative_to(PACKAGE), ast.parse(path.read_text())) for path in sorted(PACKAGE.rglob("*.py"))]


@cache
def imported_by_tests() -> frozenset[str]:
    trees = (ast.parse(path.read_text()) for path in (ROOT / "movie_platform_tests").rglob("*.py"))
    return frozenset(name.split(".")[0] for tree in trees for name in imports(tree))


FLOORS = (
    {"__main__"},
    {"commands"},
    {"definitions"},
    {"samples", "report", "contracts", "retention"},
    {"monitoring"},
    {"pipelines"},
    {"orchestration"},
    {"deliveries"},
    {"warehouse", "notify", "engine"},
    {"lake", "quality"},
    {"csv_files", "settings"},
    {"setting_values"},
    {"addresses", "column_changes", "feed_start", "progress", "secrets_manager", "sql_names", "table", "variables"},
    {"aws"},
    {"waits"},
    {"errors"},
    {"arrays", "disks", "packages", "pandera_alone", "printable"},
)
"""The rooms from the top floor down: what a room imports is below it, or in it."""
LONG_FUNCTIONS = {"pipelines/imdb_feed/assets.py:feed_assets", "pipelines/quality_movies/assets.py:judged_movies"}
"""Functions that may have more than 60 lines: specs of several assets with their texts, and the one step of them."""
JARGON = re.compile(r"(?<![a-z])(told|tells?|strange(?:ness|rs?)?|lies|stretch(?:es)?|fine)(?![a-z])", re.IGNORECASE)


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(("movie_platform", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is in it, without what only a type checker imports."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    yield node
    for inner in ast.iter_child_nodes(node):
        yield from executed(inner)


@cache
def graph() -> dict[str, set[str]]:
    """Which module of the package imports which, inside functions too."""
    trees = {module_of(path): tree for path, tree in sources()}
    found: dict[str, set[str]] = {}
    for module, tree in trees.items():
        names = set()
        for node in executed(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                # A name that a package hands on is an import of the package; a module in it is one of that module.
                names |= {name if name in trees else node.module for name in inner}
        found[module] = {name for name in names if name in trees and name != module}
    return found


def floor_of(module: str) -> int:
    room = module.split(".")[1] if "." in module else ""
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), -1)


def test_imports_run_downward_only() -> None:
    wrong = [
        f"{module} imports {other}"
        for module, others in graph().items()
        for other in others
        if floor_of(module) >= 0
        and floor_of(other) >= 0
        and other.split(".")[1:2] != module.split(".")[1:2]
        and floor_of(other) <= floor_of(module)
    ]
    assert wrong == []
    assert {module for module in graph() if floor_of(module) < 0} == {"movie_platform"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    imported = graph()
    reached: dict[str, set[str]] = {}

    def reach(module: str) -> set[str]:
        found: set[str] = set()
        waiting = list(imported[module])
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting += imported[other]
        return found

    for module in imported:
        reached[module] = reach(module)
    assert sorted(module for module in imported if module in reached[module]) == []


def test_no_file_is_long_and_no_function() -> None:
    files, functions = set(), set()
    for path, tree in sources():
        if len((PACKAGE / path).read_text().splitlines()) > 500:
            files.add(str(path))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 60:
                functions.add(f"{path}:{node.name}")
    assert files == set()
    assert functions == LONG_FUNCTIONS


def test_the_package_speaks_plainly() -> None:
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if JARGON.search(line.replace("_", " "))
    ]
    assert len(found) <= 20, "\n".join(found)


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
        and not (path.parts[0] in {"pipelines", "report", "monitoring"} and path.name in GLUE)
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
    used |= imported_by_tests() & {"pytest"}
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
            provided_by = {name} | {found.lower().replace("_", "-") for found in distributions.get(name, [])}
            if not provided_by & declared and name != "_typeshed":
                wrong.append(f"{path} imports {name}")
    assert wrong == []


def test_importing_the_package_and_its_command_does_no_io_and_needs_no_dagster() -> None:
    code = "import sys, movie_platform.commands.main; print('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize("page", ["mission.md", "reliability.md"])
def test_a_page_names_tests_that_there_are(page: str) -> None:
    tests = Path(__file__).resolve().parent
    text = (tests.parent / "docs" / page).read_text("utf-8")
    names = {path.name for path in tests.rglob("test_*.py")}
    functions = "\n".join(path.read_text("utf-8") for path in tests.rglob("test_*.py"))
    for found in re.findall(r"`((?:[\w/]+/)?test_\w+(?:\.py)?)`", text):
        if found.endswith(".py"):
            assert (tests / found).is_file() or found in names, found
        else:
            assert f"def {found}(" in functions, found
