"""Contracts of other tools become rules, what cannot is named, and no document harms its reader."""

from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from movie_platform.commands.main import cli
from movie_platform.contracts.importing import Imported, read_contract
from movie_platform.contracts.reading import DEEPEST, MOST_BYTES, ContractUnreadable, read_document
from movie_platform.errors import PlatformError
from movie_platform.quality import evaluate

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\n"


def of_table(text: str) -> Imported:
    (imported,) = read_contract(f"{HEAD}schema:\n- name: orders\n  physicalName: shop.orders\n{text}".encode())
    return imported


def rules_of_check(check: str, *, level: str = "column", required: bool = False) -> list[str]:
    column = f"  - name: c\n    required: {str(required).lower()}\n"
    at_column = f"    quality:\n    - {{{check}}}\n" if level == "column" else ""
    at_table = f"  quality:\n  - {{{check}}}\n" if level == "table" else ""
    imported = of_table(f"  properties:\n{column}{at_column}{at_table}")
    described = {'ColumnExists "c"', *(['IsComplete "c"'] if required and "null" not in check else [])}
    return [rule.text for rule in imported.ruleset if rule.text not in described] + imported.left_out


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ("metric: nullValues, mustBe: 0", 'IsComplete "c"'),
        ("metric: nullValues, mustBeLessThan: 1, unit: percent", 'Completeness "c" > 0.99'),
        (
            "metric: nullValues, mustBeBetween: [0, 3]",
            'CustomSql "select count(case when `c` is null then 1 end) from primary" between -1 and 4',
        ),
        (
            "metric: nullValues, mustNotBeBetween: [5, 10], unit: percent",
            '(Completeness "c" > 0.95) or (Completeness "c" < 0.9)',
        ),
        ("metric: duplicateValues, mustBe: 0", 'IsUnique "c"'),
        (
            "metric: invalidValues, arguments: {validValues: [a, 1.5]}, mustBe: 0",
            'ColumnValues "c" in ["a", 1.5] where "`c` is not null"',
        ),
        (
            "metric: invalidValues, arguments: {pattern: '^[a-z]+$'}, mustBe: 0",
            'ColumnValues "c" matches "[a-z]+" where "`c` is not null"',
        ),
        (
            "metric: missingValues, arguments: {missingValues: ['', N/A]}, mustBe: 0",
            'ColumnValues "c" not in ["", "N/A"] where "`c` is not null"',
        ),
        ("rule: duplicateCount, mustBe: 0", 'IsUnique "c"'),
        (
            "type: sql, query: 'SELECT COUNT(*) FROM ${table} WHERE {property} IS NULL', mustBeLessThan: 3",
            'CustomSql "SELECT COUNT(*) FROM primary WHERE `c` IS NULL" < 3',
        ),
        ("type: custom, engine: dqdl, implementation: Mean c > 3", 'Mean "c" > 3'),
        ("metric: nullValues, mustBe: 0, severity: info", 'IsComplete "c" labels = ["severity" = "warn"]'),
    ],
)
def test_a_check_of_a_column_becomes_a_rule(check: str, rule: str) -> None:
    assert rules_of_check(check) == [rule]


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ("metric: rowCount, mustBeBetween: [100, 120]", "RowCount between 99 and 121"),
        ("metric: rowCount, mustNotBe: 7", "RowCount != 7"),
        ("metric: duplicateValues, mustBe: 0, arguments: {properties: [a, c]}", 'IsUnique "a" "c"'),
        (
            "type: sql, query: 'select max(c) from shop.orders', mustBeGreaterThan: 2",
            'CustomSql "select max(c) from primary" > 2',
        ),
    ],
)
def test_a_check_of_a_table_becomes_a_rule(check: str, rule: str) -> None:
    assert rules_of_check(check, level="table") == [rule]


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ("type: text, description: it is good", "it is a text for people"),
        ("type: custom, engine: soda, implementation: x", "it is written for soda"),
        ("type: custom, engine: dqdl, implementation: IsCompleet c", "IsCompleet is not a rule type"),
        ("metric: freshness, mustBe: 3", "freshness is not a metric of a column that is known here"),
        ("metric: nullValues", "it has 0 of the operators"),
        ("metric: nullValues, mustNotBe: 0, mustBe: 3", "it has 2 of the operators"),
        ("metric: duplicateValues, mustBeLessThan: 1, unit: percent", "a share of duplicates is not defined"),
        ("type: sql, query: 'select 1 from {other}', mustBe: 1", "the placeholder {other}"),
        ("type: sql, query: 'select true', mustBe: true", "mustBe is no number"),
        ("metric: invalidValues, arguments: {pattern: '(?=a)'}, mustBe: 0", "look-ahead"),
    ],
)
def test_what_is_no_rule_is_named_with_its_place(check: str, why: str) -> None:
    found = rules_of_check(check)

    assert len(found) == 1
    assert found[0].startswith("schema[0].properties[0].quality[0]: ")
    assert why in found[0]


def test_what_columns_are_described_to_hold_becomes_rules() -> None:
    imported = of_table(
        "  properties:\n"
        "  - {name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 2,"
        " logicalTypeOptions: {maxLength: 5, pattern: 'x|y', format: uuid}}\n"
        "  - {name: n, physicalName: b, logicalType: integer, required: true, unique: true, primaryKey: true,"
        " primaryKeyPosition: 1, logicalTypeOptions: {minimum: 1, exclusiveMaximum: 9, multipleOf: 2}}\n"
        "  - {name: d, logicalType: date, logicalTypeOptions: {format: dd-MM-yyyy},"
        " relationships: [{to: days.day}, {to: schema/days/properties/day}]}\n"
        "  - {name: o, logicalType: object, properties: [{name: p, required: true}]}\n"
    )

    assert [rule.text for rule in imported.ruleset] == [
        'ColumnExists "a"',
        'ColumnLength "a" <= 5',
        'ColumnValues "a" matches "(?s:.*)(?:x|y)(?s:.*)"',
        'ColumnExists "b"',
        'IsComplete "b"',
        'IsUnique "b"',
        'ColumnDataType "b" = "LONG"',
        'ColumnValues "b" >= 1',
        'ColumnValues "b" < 9',
        'ColumnExists "d"',
        'ColumnDataType "d" = "DATE" with format = "dd-MM-yyyy"',
        'ReferentialIntegrity "d" "days.{day}" = 1.0',
        'ColumnExists "o"',
        'IsPrimaryKey "b" "a"',
    ]
    assert [text.partition(":")[0] for text in imported.left_out] == [
        "schema[0].properties[0].logicalTypeOptions.format",
        "schema[0].properties[1].logicalTypeOptions.multipleOf",
        "schema[0].properties[2].relationships[1]",
        "schema[0].properties[3].logicalType",
        "schema[0].properties[3].properties",
    ]
    assert imported.render().startswith("# Not a rule: schema[0].properties[0].logicalTypeOptions.format: ")


def test_words_for_what_is_missing_are_not_looked_for_among_numbers() -> None:
    missing = "metric: missingValues, arguments: {missingValues: [null, N/A, -1]}"
    imported = of_table(
        f"  properties:\n  - name: c\n    logicalType: integer\n"
        f"    quality: [{{{missing}, mustBe: 0}}, {{{missing}, mustBeLessThan: 2}}]\n"
    )

    assert [rule.text for rule in imported.ruleset][2:] == [
        'IsComplete "c"',
        'ColumnValues "c" not in [-1] where "`c` is not null"',
        'CustomSql "select count(case when `c` is null or `c` in (-1) then 1 end) from primary" < 2',
    ]
    assert evaluate(pa.table({"c": [1, 2, 3]}), imported.ruleset).score == 1.0


def test_imported_counts_are_what_the_metrics_count() -> None:
    imported = of_table(
        "  properties:\n  - name: c\n    quality:\n"
        "    - {metric: nullValues, mustBe: 1}\n"
        "    - {metric: missingValues, arguments: {missingValues: [null, '', \"n'a\"]}, mustBe: 3}\n"
        "    - {metric: missingValues, arguments: {missingValues: ['', \"n'a\"]}, mustBe: 25, unit: percent}\n"
        "    - {metric: invalidValues, arguments: {validValues: [a, b]}, mustBe: 4}\n"
        "    - {metric: invalidValues, arguments: {pattern: '^[a-z]\\w?$'}, mustBe: 2}\n"
        "    - {metric: duplicateValues, mustBe: 1}\n"
    )
    frame = pa.table({"c": ["a", "a", "b", None, "", "n'a", "b1", "b2"]})

    evaluation = evaluate(frame, imported.ruleset)

    assert [(o.rule.text, o.failure_reason) for o in evaluation.outcomes if not o.passed] == []
    assert len(evaluation.outcomes) == 7


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [1", "line 2, column 1: did not find expected"),
        ("a: 1\na: 2", "line 2: the key a stands twice"),
        ("a: !!python/object:os.system x", "the tag tag:yaml.org,2002:python/object:os.system is not read"),
        ("a: &x [*x]", "*x refers to something that is not complete here"),
        ("a: {<<: {b: 1}}", "merge keys"),
        ("? [a]\n: b", "a key is a text"),
        ("a: 1e999", "beyond all numbers"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("[" * (DEEPEST + 1), f"nested deeper than {DEEPEST} levels"),
        (
            "\n".join(
                ["a: &a [x, x, x, x, x, x, x, x, x]"]
                + [f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)]
            ),
            "aliases counted",
        ),
        (" " * (MOST_BYTES + 1), "bytes"),
        ("", "the document is missing, not keys with values"),
        ("a: \x00", "not allowed"),
    ],
)
def test_a_harmful_document_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ContractUnreadable) as refused:
        read_contract(text.encode())

    assert why in str(refused.value)


def test_words_mean_what_they_mean_in_todays_yaml() -> None:
    document = read_document(b"a: [yes, 2026-01-01, 010, null, ~, TRUE, '1', 1.5, 0x1, &x y, *x]").get("a")

    assert document.value == ["yes", "2026-01-01", 10, None, None, True, "1", 1.5, "0x1", "y", "y"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kind: Other\n", "kind is not DataContract"),
        ("kind: DataContract\napiVersion: v2.2.2\n", "apiVersion is v2.2.2"),
        (HEAD, "schema is empty"),
        (HEAD + "schema: x\n", "schema is a text, not a list"),
        (HEAD + "schema: [{name: a}, {name: a}]\n", "schema describes a 2 times"),
        (HEAD + "schema:\n- name: 5\n", "schema[0].name is a number, not a text"),
        (
            HEAD + "schema:\n- name: a\n  properties:\n  - {name: b, required: 1}\n",
            "properties[0].required is a number",
        ),
        (HEAD + "schema:\n- name: a\n  quality: [x]\n", "schema[0].quality[0] is a text, not keys with values"),
    ],
)
def test_a_document_that_is_no_contract_is_refused_with_its_path(text: str, why: str) -> None:
    with pytest.raises(ContractUnreadable) as refused:
        read_contract(text.encode())

    assert why in str(refused.value)


def test_the_command_writes_the_rules_and_names_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"{HEAD}schema:\n- name: t\n  properties:\n  - {{name: a, quality: [{{type: text}}]}}\n- name: u\n")
    several = CliRunner().invoke(cli, ["contract", "import", str(file)])
    done = CliRunner().invoke(cli, ["contract", "import", str(file), "--table", "t", "--out", str(tmp_path / "t.dqdl")])
    empty = CliRunner().invoke(cli, ["contract", "import", str(file), "--table", "u"])

    assert isinstance(several.exception, PlatformError)
    assert "name one with --table. With rules: t" in str(several.exception)
    assert done.exit_code == 0
    assert "schema[0].properties[0].quality[0]: it is a text for people" in done.stderr.replace("\n", " ")
    assert 'ColumnExists "a"' in (tmp_path / "t.dqdl").read_text()
    assert "holds nothing that can be said in rules" in str(empty.exception)
