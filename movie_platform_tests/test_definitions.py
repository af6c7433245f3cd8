"""Everything that the UI shows is described, owned and grouped."""

import json
from pathlib import Path

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.orchestration.table_metadata import LINEAGE, SCHEMA
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
            "tags": {"source", "layer"} <= spec.tags.keys(),
            "a description": len(spec.description or "") > 30,
            "a reference to its code": all(Path(of.file_path).is_file() for of in code_of(spec)) and code_of(spec),
            "columns": spec.group_name in ("movie_answers", "report") or SCHEMA in spec.metadata,
            "what its columns are made of": spec.group_name in ("movie_answers", "report")
            or spec.tags["layer"] == "delivered"
            or LINEAGE in spec.metadata,
        }.items()
        if not there
    ]
    assert wrong == []


def code_of(spec: dg.AssetSpec) -> list[dg.LocalFileCodeReference]:
    return list(spec.metadata["dagster/code_references"].code_references)


def test_every_column_is_described_and_its_type_is_read_at_a_glance(specs: list[dg.AssetSpec]) -> None:
    schemas = {spec.key.to_user_string(): spec.metadata[SCHEMA].schema for spec in specs if SCHEMA in spec.metadata}
    columns = {f"{asset}: {column.name}": column for asset, schema in schemas.items() for column in schema.columns}
    assert [name for name, column in columns.items() if not column.description] == []
    assert columns["movies_master: genres"].type == "list of {id: int64, name: string}"
    assert [name for name, column in columns.items() if "<" in column.type] == []


def test_columns_are_made_of_columns_that_there_are(specs: list[dg.AssetSpec]) -> None:
    columns = {
        spec.key: {column.name for column in spec.metadata[SCHEMA].schema.columns}
        for spec in specs
        if SCHEMA in spec.metadata
    }
    lineage = {spec.key: spec.metadata[LINEAGE] for spec in specs if LINEAGE in spec.metadata}
    assert {key: of.deps_by_column.keys() for key, of in lineage.items()} == {key: columns[key] for key in lineage}
    deps = [dep for of in lineage.values() for found in of.deps_by_column.values() for dep in found]
    assert [dep for dep in deps if dep.column_name not in columns[dep.asset_key]] == []


@pytest.mark.parametrize("store", ["redshift", "snowflake"])
def test_a_served_table_is_of_the_kind_of_its_store(store: str) -> None:
    settings = default_settings().model_copy(update={"warehouse": f"{store}://", "lake_uri": "s3://lake"})
    specs = {spec.key.to_user_string(): spec for spec in build_defs(settings).resolve_all_asset_specs()}
    assert store in specs["imdb_movies"].kinds & specs["company_budget_by_year"].kinds
    assert "s3" in specs["imdb_clean"].kinds


def test_every_schedule_and_sensor_says_what_it_does() -> None:
    repository = build_defs(default_settings()).get_repository_def()
    unsaid = [of.name for of in (*repository.schedule_defs, *repository.sensor_defs) if len(of.description or "") < 20]
    assert unsaid == []


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
