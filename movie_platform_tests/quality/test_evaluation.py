"""Rules on data: outcomes, the split into good and bad rows, and what both are made of."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.quality import Evaluation, InMemoryHistory, evaluate, parse_ruleset


def judge(frame: object, *rules: str, **options: object) -> Evaluation:
    return evaluate(frame, parse_ruleset(f"Rules = [ {', '.join(rules)} ]"), **options)  # type: ignore[arg-type]


def words(evaluation: Evaluation) -> list[str]:
    return [outcome.outcome for outcome in evaluation.outcomes]


def test_between_excludes_both_ends_and_not_between_includes_them() -> None:
    frame = pd.DataFrame({"v": [1, 2, 3]})

    assert judge(frame, 'ColumnValues "v" between 1 and 3').rows.failing(0).tolist() == [True, False, True]
    assert judge(frame, 'ColumnValues "v" not between 1 and 3').rows.failing(0).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("rule", "documented", "legacy"),
    [
        ('ColumnValues "v" > 1', False, True),
        ('ColumnValues "v" between 0 and 9', False, True),
        ('ColumnValues "v" in [5]', False, True),
        ('ColumnValues "v" = 5', False, True),
        ('ColumnValues "v" != 6', True, True),
        ('ColumnValues "v" not in [6]', True, True),
        ('ColumnValues "v" != NULL', False, False),
        ('ColumnValues "v" in [5, NULL]', True, True),
        ('IsComplete "v"', False, False),
    ],
)
def test_a_null_under_both_profiles(rule: str, documented: bool, legacy: bool) -> None:
    frame = pd.DataFrame({"v": [5, None]})

    assert judge(frame, rule, nulls="documented").rows.failing(0)[1] != documented
    assert judge(frame, rule, nulls="legacy").rows.failing(0)[1] != legacy


def test_good_and_bad_rows_are_all_rows_in_order_and_bad_ones_say_why() -> None:
    frame = pd.DataFrame({"id": [1, 2, 3, 4], "name": ["a", None, "c", ""]})

    evaluation = judge(frame, 'IsComplete "name"', 'ColumnLength "name" > 0', "RowCount = 4")

    assert evaluation.good().column("id").to_pylist() == [1, 3]
    assert evaluation.bad().column("id").to_pylist() == [2, 4]
    assert evaluation.bad().column("DataQualityRulesFail").to_pylist() == [
        ['IsComplete "name"', 'ColumnLength "name" > 0'],
        ['ColumnLength "name" > 0'],
    ]
    assert evaluation.bad().column("DataQualityRulesSkip").to_pylist() == [["RowCount = 4"]] * 2
    assert evaluation.bad().column("DataQualityEvaluationResult").to_pylist() == ["Failed", "Failed"]


def test_a_threshold_that_is_met_keeps_its_rows_good_but_not_in_glues_split() -> None:
    frame = pd.DataFrame({"v": ["a", "a", "a", "b"]})
    rule = 'ColumnValues "v" in ["a"] with threshold >= 0.7'

    ours, glues = judge(frame, rule), judge(frame, rule, glue_rows=True)

    assert (words(ours), ours.bad_count) == (["Passed"], 0)
    assert (words(glues), glues.bad_count) == (["Passed"], 1)


def test_warned_rows_stay_good_and_a_block_blocks() -> None:
    frame = pd.DataFrame({"v": [1, None]})

    warned = judge(frame, 'IsComplete "v" labels = ["action"="warn"]')
    blocked = judge(frame, 'IsComplete "v" labels = ["action"="block"]')

    assert (words(warned), warned.bad_count, warned.blocked) == (["Failed"], 0, False)
    assert (words(blocked), blocked.bad_count, blocked.blocked) == (["Failed"], 1, True)


def test_what_cannot_be_computed_is_an_error_and_the_others_go_on() -> None:
    frame = pd.DataFrame({"v": [1, 2], "t": ["a", "b"]})

    evaluation = judge(frame, 'IsComplete "missing"', 'Mean "t" > 1', 'ColumnValues "v" > 9e999', 'IsComplete "v"')

    assert words(evaluation) == ["Error", "Error", "Error", "Passed"]
    assert evaluation.score == 0.25
    assert evaluation.good_count == 2


def test_columns_are_found_without_regard_to_case() -> None:
    assert words(judge(pd.DataFrame({"IMDB_Rating": [9]}), 'ColumnValues "imdb_rating" > 8')) == ["Passed"]


def test_quoted_values_compare_with_numbers_by_value() -> None:
    frame = pd.DataFrame({"v": [76.0, 77.0, None]})

    assert judge(frame, 'ColumnValues "v" in ["76", "77.0", "PG"]', nulls="legacy").bad_count == 0


def test_an_empty_text_never_matches() -> None:
    frame = pd.DataFrame({"v": ["", "a"]})

    assert judge(frame, 'ColumnValues "v" matches ".*"').rows.failing(0).tolist() == [True, False]


def test_dynamic_rules_read_the_past_of_their_data_set() -> None:
    history = InMemoryHistory()
    for day, rows in enumerate([10, 20, 30], start=1):
        history.record("films", datetime(2026, 1, day, tzinfo=UTC), {"Dataset.*.RowCount": rows})
    frame = pd.DataFrame({"v": range(21)})

    evaluation = judge(
        frame, "RowCount > avg(last(3))", history=history, dataset="films", at=datetime(2026, 1, 4, tzinfo=UTC)
    )
    earlier = judge(
        frame, "RowCount > avg(last(3))", history=history, dataset="films", at=datetime(2026, 1, 1, tzinfo=UTC)
    )

    assert evaluation.outcomes[0].evaluated_rule == "RowCount > 20.0"
    assert words(evaluation) == ["Passed"]
    assert earlier.outcomes[0].evaluated_rule == "RowCount > 0.0"


def test_outcomes_are_written_in_the_rulesets_order(tmp_path: Path) -> None:
    frame = pd.DataFrame({"v": [1, None]})

    judge(frame, 'IsComplete "v"', "RowCount = 2").write(tmp_path)

    outcomes = json.loads((tmp_path / "rule_outcomes.json").read_text())
    assert [outcome["Rule"] for outcome in outcomes] == ['IsComplete "v"', "RowCount = 2"]
    assert list(outcomes[0]) == ["Rule", "Outcome", "FailureReason", "EvaluatedMetrics", "EvaluatedRule", "Labels"]
    assert outcomes[0]["EvaluatedMetrics"] == {"Column.v.Completeness": 0.5}
    assert pq.read_table(tmp_path / "good.parquet").column_names == ["v"]
    assert pq.read_table(tmp_path / "bad.parquet").num_rows == 1


def test_all_kinds_of_input_are_judged_alike(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2, 2], "name": ["a", "", None]})
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "data.parquet")
    rules = ('IsUnique "id"', 'IsComplete "name"', 'CustomSql "select max(id) from primary" = 2')
    inputs = [
        frame,
        pa.Table.from_pandas(frame),
        tmp_path / "data.parquet",
        iter([frame.iloc[:1], frame.iloc[1:]]),
    ]

    results = [judge(data, *rules) for data in inputs]

    assert all(result.to_json() == results[0].to_json() for result in results)
    assert all(result.bad_count == 2 for result in results)


def test_examples_show_what_the_rule_looked_at() -> None:
    frame = pd.DataFrame({"Id": [1, 7, 7], "name": ["a", None, "c"]})

    evaluation = judge(frame, 'IsUnique "id"', 'IsComplete "name"', 'IsPrimaryKey "id" "name"')

    assert [[(e.row, e.values) for e in outcome.examples] for outcome in evaluation.outcomes] == [
        [(1, {"Id": 7}), (2, {"Id": 7})],
        [(1, {"name": None})],
        [(1, {"Id": 7, "name": None})],
    ]


def test_a_parquet_file_of_many_row_groups_is_judged_like_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from movie_platform.quality import data as data_module
    from movie_platform.quality import keys as keys_module

    rows = range(5_000)
    table = pa.table(
        {
            "id": [n % 4_997 for n in rows],
            "v": [None if n % 13 == 0 else n for n in rows],
            "kind": [(None, "", " ", "a", "bb", "17")[n % 6] for n in rows],
            "title": [f"The Film {n}" for n in rows],
        }
    )
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=1_500)
    rules = (
        'IsUnique "id"',
        'IsUnique "title"',
        'IsPrimaryKey "id" "kind"',
        'ColumnValues "v" > 500 where "id < 50 and kind = \'a\'"',
        'Mean "v" > 1',
        'IsComplete "kind"',
        'ColumnLength "kind" <= 1',
        'ColumnValues "kind" > 16',
        'ColumnValues "kind" matches "[a-z]*"',
        'ColumnDataType "kind" = "INTEGER" with threshold > 0.1',
    )
    whole = judge(table, *rules)

    monkeypatch.setattr(data_module, "BATCH_ROWS", 700)
    monkeypatch.setattr(keys_module, "HELD_BYTES", 0)
    streamed = judge(tmp_path / "data.parquet", *rules)
    streamed.write(tmp_path)

    assert isinstance(streamed.data, data_module.ParquetData)
    batch = next(streamed.data.encoded_batches(["kind", "title"]))
    assert [pa.types.is_dictionary(kind) for kind in batch.schema.types] == [True, False]
    assert streamed.to_json() == whole.to_json()
    assert streamed.observations == whole.observations
    assert streamed.judged().to_pylist() == whole.judged().to_pylist()
    assert pq.read_table(tmp_path / "good.parquet") == whole.good()
    assert pq.read_table(tmp_path / "bad.parquet").to_pylist() == whole.bad().to_pylist()


KEYS = (
    pa.array([1, 2, 1], pa.uint64()),
    pa.array([0.5, 1.5, 0.5], pa.float16()),
    *(
        pa.array([Decimal("1.5"), Decimal(2), Decimal("1.5")], kind)
        for kind in (pa.decimal32(5, 1), pa.decimal256(60, 1))
    ),
    pa.array([1, 2, 1], pa.timestamp("s", "Europe/Berlin")),
    pa.array([1, 2, 1], pa.duration("us")),
    pa.array([b"a", b"b", b"a"], pa.binary_view()),
    pa.array(["a", "b", "a"], pa.large_string()),
    pa.array([UUID(int=1).bytes, UUID(int=2).bytes, UUID(int=1).bytes], pa.uuid()),
)


@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: str(keys.type))
@pytest.mark.parametrize("held_bytes", [0, 2**20])
def test_values_of_every_type_are_keys(monkeypatch: pytest.MonkeyPatch, keys: pa.Array, held_bytes: int) -> None:
    monkeypatch.setattr("movie_platform.quality.keys.HELD_BYTES", held_bytes)
    evaluation = judge(pa.table({"k": keys}), 'IsUnique "k"', 'DistinctValuesCount "k" = 2')
    assert [outcome.outcome for outcome in evaluation.outcomes] == ["Failed", "Passed"]
    assert evaluation.rows.bad_mask().tolist() == [True, False, True]


def test_a_list_is_no_key() -> None:
    evaluation = judge(pa.table({"k": [[1], [2]]}), 'IsUnique "k"')
    assert evaluation.outcomes[0].failure_reason == '"k" holds list<item: int64>, which is no part of a key'


@pytest.mark.parametrize("as_table", [True, False])
def test_a_delivered_column_never_stands_for_a_result_in_whatever_case(as_table: bool) -> None:
    frame = pd.DataFrame({"v": [1, 2], "DATAQUALITYEVALUATIONRESULT": ["Passed", "Passed"]})

    evaluation = judge(pa.Table.from_pandas(frame) if as_table else frame, 'ColumnValues "v" > 5')

    assert evaluation.bad().column_names[0] == "v"
    assert len({name.casefold() for name in evaluation.bad().column_names}) == 5
    assert evaluation.bad().column("DataQualityEvaluationResult").to_pylist() == ["Failed", "Failed"]
    assert evaluation.observations == (
        "column 'DATAQUALITYEVALUATIONRESULT' of the data is not judged, and left out of good and bad rows: results are"
        " called so",
    )
