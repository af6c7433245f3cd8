"""Everything that the UI shows is described, owned and grouped."""

import json
from pathlib import Path

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.settings import default_settings


@pytest.fixture(scope="module")
def specs() -> list[dg.AssetSpec]:
    return list(build_defs(default_settings()).resolve_all_asset_specs())


def test_every_asset_has_a_group_an_owner_kinds_and_a_description(specs: list[dg.AssetSpec]) -> None:
    wrong = [
        f"{spec.key.to_user_string()} lacks {what}"
        for spec in specs
        for what, there in {
            "a group": spec.group_name not in (None, "default"),
            "an owner": bool(spec.owners),
            "kinds": bool(spec.kinds),
            "a description": len(spec.description or "") > 30,
        }.items()
        if not there
    ]
    assert wrong == []


def test_every_check_says_what_it_holds() -> None:
    definitions = build_defs(default_settings())
    checks = [
        spec for asset in definitions.resolve_asset_graph().assets_defs for spec in getattr(asset, "check_specs", [])
    ]
    assert checks
    assert [spec.name for spec in checks if len(spec.description or "") < 10] == []
    assert [spec.name for spec in checks if spec.blocking] == []


def test_definitions_are_valid_and_name_no_default_group() -> None:
    dg.Definitions.validate_loadable(build_defs(default_settings()))


SNAPSHOT = Path(__file__).parent / "specs.json"


def described() -> dict[str, dict[str, dict[str, object]]]:
    """Every asset's and check's spec, as far as users and other programs go by it."""
    graph = build_defs(default_settings()).resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "after": sorted(parent.to_user_string() for parent in node.parent_keys),
            "group": node.group_name,
            "kinds": sorted(node.kinds),
            "partitions": str(node.partitions_def) if node.partitions_def else "",
            "code_version": node.code_version or "",
            "table": str(node.metadata.get("dagster/table_name", "")),
        }
    checks = {
        f"{key.asset_key.to_user_string()}: {key.name}": {
            "description": spec.description,
            "partitions": str(spec.partitions_def) if spec.partitions_def else "",
        }
        for key in sorted(graph.asset_check_keys, key=lambda key: (key.asset_key.to_user_string(), key.name))
        if (spec := graph.get_check_spec(key))
    }
    return {"assets": assets, "checks": checks}


def test_what_dagster_knows_changes_only_on_purpose() -> None:
    """After a change on purpose: `python -m movie_platform_tests.test_definitions` writes the snapshot anew."""
    assert described() == json.loads(SNAPSHOT.read_text())


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(), indent=1, ensure_ascii=False) + "\n")
