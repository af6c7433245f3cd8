"""A CycloneDX bill of materials of the packages in this environment; `make sbom` writes it to build/sbom.json.

The same environment gives the same bytes: it holds no time, and its serial number is made of its content.
"""

import importlib.metadata
import json
import re
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

PROJECT = "movie-platform"
# Packages that a new environment has and the lock does not make.
NOT_OURS = {"pip"}


def bill_of(distributions: Iterable[importlib.metadata.Distribution]) -> dict[str, Any]:
    """The bill: each package once, its license as it states it, and which packages it needs of those that are there."""
    found = {canonical(of.name): of for of in distributions if canonical(of.name) not in NOT_OURS}
    project = found.pop(PROJECT)
    references = {name: f"pkg:pypi/{name}@{of.version}" for name, of in found.items()}
    references[PROJECT] = f"pkg:pypi/{PROJECT}@{project.version}"
    components = [component(name, found[name], references[name]) for name in sorted(found)]
    dependencies = [
        {"ref": references[name], "dependsOn": sorted(references[of] for of in needed(of_) if of in references)}
        for name, of_ in sorted({**found, PROJECT: project}.items())
    ]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**component(PROJECT, project, references[PROJECT]), "type": "application"}},
        "components": components,
        "dependencies": dependencies,
    }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bill, sort_keys=True))
    return {**bill, "serialNumber": f"urn:uuid:{serial}"}


def component(name: str, of: importlib.metadata.Distribution, reference: str) -> dict[str, Any]:
    stated = {"type": "library", "bom-ref": reference, "name": name, "version": of.version, "purl": reference}
    if license_ := licence(of):
        stated["licenses"] = [{"license": {"name": license_}}]
    return stated


def licence(of: importlib.metadata.Distribution) -> str:
    """What the package states; a whole text in place of a name is shortened to its first line."""
    stated = of.metadata.get("License-Expression") or of.metadata.get("License") or ""
    classified = [line.rpartition(" :: ")[2] for line in of.metadata.get_all("Classifier", []) if "License ::" in line]
    return (stated.strip().splitlines() or classified or [""])[0][:100]


def needed(of: importlib.metadata.Distribution) -> set[str]:
    """Names of what it needs here, whichever of its extras asks for it."""
    names = set()
    for line in of.requires or []:
        try:
            names.add(canonical(Requirement(line).name))
        except InvalidRequirement:
            print(f"{of.name} states a requirement that cannot be read: {line}", file=sys.stderr)
    return names - {canonical(of.name)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    bill = bill_of(importlib.metadata.distributions())
    target.write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{target}: {len(bill['components'])} packages")
