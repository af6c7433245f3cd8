"""Every table and ruleset is a valid data contract of ODCS 3.1, and comes back as the ruleset that it was."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from movie_platform.commands.main import cli
from movie_platform.contracts.importing import Imported, read_contract
from movie_platform.contracts.writing import Promised, contract, written
from movie_platform.quality import Rule, Ruleset, parse_ruleset
from movie_platform.table import Column, Table
from movie_platform_tests.quality.conformance import every_case
from movie_platform_tests.quality.test_properties import _flattened, any_rules

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "movie_platform" / "pipelines").rglob("*.dqdl"))
SCHEMA = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
TABLE = Table(
    "t",
    (
        Column("id", pa.int64(), "the key", nullable=False),
        Column("v", pa.float64()),
        Column("text", pa.string()),
        Column("nested", pa.list_(pa.struct([("a", pa.int64())]))),
    ),
    key=("id",),
)
MORE_RULES = st.sampled_from(
    [
        "RowCount between 1 and 9",
        "RowCount not between 2 and 4.5",
        "RowCount > 1.0",
        'IsComplete "ID" labels = ["action" = "block"]',
        'IsUnique "id"',
        'IsUnique "id" "TEXT"',
        'Completeness "v" >= 0.82',
        'Completeness "v" = 1e-3',
        'ColumnValues "id" in [1, 2.50, "3"]',
        'ColumnValues "v" in [1] where "v is not null"',
        'CustomSql "select count(*) from primary" >= 1',
        'CustomSql "select max(id) from primary join other on primary.id = other.id" < 9',
    ]
).map(lambda text: parse_ruleset(f"Rules = [ {text} ]")[0])


def document_of(ruleset: Ruleset, table: Table = TABLE) -> dict[str, Any]:
    return contract("t", "T", "for tests", "1.0.0", [Promised(table, ruleset=ruleset)], lambda column: str(column.type))


def read_again(document: dict[str, Any]) -> Imported:
    (imported,) = read_contract(written(document).encode())
    return imported


def checks_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    (table,) = document["schema"]
    return [check for place in (table, *table["properties"]) for check in place.get("quality", [])]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("contracts")
    done = CliRunner().invoke(cli, ["contract", "export", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_exported_contract_is_valid(exported: dict[str, bytes]) -> None:
    validator = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)

    assert sorted(exported) == [
        "imdb_feed.odcs.yaml",
        "movies_dataset.odcs.yaml",
        "quality_movies.odcs.yaml",
        "user_behavior.odcs.yaml",
    ]
    for name, data in exported.items():
        document = yaml.safe_load(data)
        assert [error.message for error in validator.iter_errors(document)] == [], name
        assert document["apiVersion"] == "v3.1.0"


def test_every_table_and_ruleset_is_exported(exported: dict[str, bytes]) -> None:
    tables = {name: read_contract(data) for name, data in exported.items()}

    for source in ("movies_dataset", "user_behavior"):
        rulesets = {path.stem: parse_ruleset(path.read_text("utf-8")) for path in SHIPPED if source in path.parts}
        found = {imported.table: imported.ruleset for imported in tables[f"{source}.odcs.yaml"]}
        assert rulesets.items() <= found.items()
    names = {imported.table for found in tables.values() for imported in found}
    assert {"imdb_movies", "movies_master", "company_profit_by_year", "imdb_movies_rating", "movie_review"} <= names
    views = yaml.safe_load(exported["movies_dataset.odcs.yaml"])["schema"][-9:]
    assert {view["physicalType"] for view in views} == {"view"}
    assert all(prop["description"] for view in views for prop in view["properties"])
    metric = next(t for t in yaml.safe_load(exported["user_behavior.odcs.yaml"])["schema"] if "metric" in t["name"])
    customer = next(prop for prop in metric["properties"] if prop["name"] == "customerid")
    assert (customer["logicalType"], customer["physicalType"], customer["required"]) == ("integer", "INTEGER", True)
    assert (customer["primaryKey"], customer["primaryKeyPosition"]) == (True, 2)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_ruleset_comes_back_as_it_was(path: Path) -> None:
    ruleset = parse_ruleset(path.read_text("utf-8"))

    imported = read_again(document_of(ruleset))

    assert imported.left_out == []
    assert imported.ruleset.digest == ruleset.digest
    assert [rule.name for rule in imported.ruleset] == [rule.name for rule in ruleset]


def test_a_rule_of_every_kind_comes_back_as_it_was() -> None:
    rules = [parse_ruleset(f"Rules = [ {rule}\n ]")[0] for _, rule, result in every_case() if result != "refused"]
    ruleset = Ruleset(rules)

    assert read_again(document_of(ruleset)).ruleset == ruleset


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(any_rules.map(_flattened), MORE_RULES), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["team", "x"]), st.just("y"), max_size=2),
)
def test_any_ruleset_comes_back_as_it_was(rules: list[Rule], labels: dict[str, str]) -> None:
    ruleset = Ruleset(rules, default_labels=labels)
    document = document_of(ruleset)

    assert read_again(document).ruleset == ruleset
    assert yaml.safe_load(written(document)) == document


def test_analyzers_and_default_labels_come_back() -> None:
    ruleset = parse_ruleset('DefaultLabels = ["a" = "b"] Analyzers = [ Completeness "v" ] Rules = [ RowCount > 1 ]')

    assert read_again(document_of(ruleset)).ruleset == ruleset


@pytest.mark.parametrize(
    ("rule", "native"),
    [
        ("RowCount >= 5", {"metric": "rowCount", "mustBeGreaterOrEqualTo": 5}),
        ("RowCount between 1 and 9", {"metric": "rowCount", "mustBeBetween": [2, 8]}),
        ('IsComplete "V"', {"metric": "nullValues", "mustBe": 0}),
        ('Completeness "v" >= 0.82', {"metric": "nullValues", "unit": "percent", "mustBeLessOrEqualTo": 18}),
        ('IsUnique "id"', {"metric": "duplicateValues", "mustBe": 0}),
        ('IsUnique "ID" "v"', {"metric": "duplicateValues", "arguments": {"properties": ["id", "v"]}, "mustBe": 0}),
        ('ColumnValues "id" in [1, 2]', {"metric": "invalidValues", "arguments": {"validValues": [1, 2]}, "mustBe": 0}),
    ],
)
def test_what_the_standard_has_is_said_in_its_words(rule: str, native: dict[str, Any]) -> None:
    (check,) = checks_of(document_of(parse_ruleset(f"Rules = [ {rule} ]")))

    assert {"type": "library", **native}.items() <= check.items()


@pytest.mark.parametrize(
    "rule",
    [
        'ColumnValues "v" in [1, 2]',  # a null breaks it, and the standard's metric leaves nulls out
        "RowCount between 1 and 3",  # a range of one number is none in the standard
        'IsComplete "v" where "id > 1"',
        'IsPrimaryKey "id"',
        "CustomSql \"select count(*) from primary where text = 'from primary'\" = 0",
    ],
)
def test_what_the_standard_cannot_say_is_a_custom_check_of_dqdl(rule: str) -> None:
    (check,) = checks_of(document_of(parse_ruleset(f"Rules = [ {rule} ]")))

    assert (check["type"], check["engine"], check["implementation"]) == ("custom", "dqdl", rule)


def test_a_number_changed_in_the_contract_changes_the_rule() -> None:
    document = document_of(parse_ruleset("Rules = [ RowCount >= 5 ]"))
    document["schema"][0]["quality"][0]["mustBeGreaterOrEqualTo"] = 7

    assert read_again(document).ruleset == parse_ruleset("Rules = [ RowCount >= 7 ]")
