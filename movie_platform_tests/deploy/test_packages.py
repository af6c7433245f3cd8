"""Packages come from the lock alone, and the bill of materials names each of them."""

import importlib.metadata
import re
import runpy
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()


def test_every_locked_package_has_a_hash_and_uv_and_setuptools_are_among_them() -> None:
    locked = re.findall(
        r"^([a-z0-9-]+)(?:\[[^\]]+\])?==[^\n]*\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", LOCK, re.M
    )
    assert len(locked) == len(re.findall(r"^[a-z0-9]", LOCK, re.MULTILINE)) > 100
    assert {"uv", "setuptools"} <= set(locked)


def test_nothing_is_installed_without_the_locks_hashes() -> None:
    commands = []
    for name in ("Makefile", "deploy/Dockerfile"):
        text = (ROOT / name).read_text().replace("\\\n", " ").replace("$(LOCKED)", "uv pip install --require-hashes")
        commands += [line.strip() for line in text.splitlines() if re.search(r"pip install\b|\$\(UV\)", line)]
    installing = [line for line in commands if not line.startswith(("UV :=", "LOCKED :="))]
    assert len(installing) >= 6
    unlocked = [line for line in installing if "--require-hashes" not in line and "--no-deps" not in line]
    assert unlocked == []
    isolated = [line for line in installing if "--editable" in line and "--no-build-isolation" not in line]
    assert isolated == []


def test_the_bill_of_materials_names_every_package_once_and_what_it_needs() -> None:
    bill_of = runpy.run_path(str(ROOT / "deploy" / "sbom.py"))["bill_of"]
    distributions = [of for of in importlib.metadata.distributions() if of.metadata["Name"]]
    bill = bill_of(distributions)
    assert bill == bill_of(reversed(distributions))
    names = {component["name"]: component for component in bill["components"]}
    assert len(names) == len(bill["components"]) > 100
    assert names["duckdb"]["version"] == importlib.metadata.version("duckdb")
    known = {component["bom-ref"] for component in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    needed = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    assert set(needed) == known
    assert {of for found in needed.values() for of in found} <= known
    direct = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ours = needed[bill["metadata"]["component"]["bom-ref"]]
    for requirement in direct:
        name = re.split(r"[\[<>=; ]", requirement)[0].lower()
        assert any(reference.startswith(f"pkg:pypi/{name}@") for reference in ours), name
