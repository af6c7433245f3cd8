"""A ruleset has the same outcomes, metrics, row results and split on Spark as on one machine."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock
from zipimport import zipimporter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from movie_platform.commands.quality import quality
from movie_platform.commands.spark import data_for_spark, spark_engine
from movie_platform.engine import stored_parquet
from movie_platform.engine.shipping import ship
from movie_platform.engine.spark import SparkEngine
from movie_platform.engine.spark_quality import evaluate_on_spark, write_on_spark
from movie_platform.engine.stored_parquet import StoredParquet
from movie_platform.errors import SettingsError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.quality import (
    DataUnreadable,
    Evaluation,
    InMemoryHistory,
    Ruleset,
    SimpleRule,
    StoredFile,
    evaluate,
    open_data,
    open_files,
    parse_ruleset,
)
from movie_platform.quality.counterpart_parts import CounterpartsTogether, meeting, search_bucket
from movie_platform.quality.counterparts import Counterparts
from movie_platform.quality.data import TableData
from movie_platform.quality.errors import RulesNotDivisible
from movie_platform.quality.evaluation import Plan, planned
from movie_platform.quality.key_parts import (
    KeysTogether,
    count_bucket,
    hashes_by_bucket,
    keys_by_bucket,
    shared_hashes,
)
from movie_platform.quality.measures import Keys
from movie_platform.quality.parts import NOT_DIVISIBLE, Whole, measured, refuse_not_divisible
from movie_platform.quality.rule_types import RULE_TYPES
from movie_platform.quality.ruleset import PanderaRule
from movie_platform.waits import Waits
from movie_platform_tests.quality import conformance
from movie_platform_tests.quality.test_properties import frames, rulesets


@pytest.fixture(scope="module")
def engine(spark: Any) -> Iterator[SparkEngine]:
    with SparkEngine(spark) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _parts_of_two_rows() -> Iterator[None]:
    with mock.patch.object(stored_parquet, "PART_ROWS", 2):
        yield


def conforming() -> Ruleset:
    """The rules of every case that can be judged in parts."""
    rules = []
    for _, rule, result in conformance.every_case():
        if result == conformance.REFUSED:
            continue
        parsed = parse_ruleset(f"Rules = [ {rule}\n ]")
        try:
            refuse_not_divisible(parsed)
        except RulesNotDivisible:
            continue
        rules += list(parsed)
    return Ruleset(rules)


def the_same(one: Evaluation, other: Evaluation) -> None:
    assert other.to_json() == one.to_json()
    assert other.metrics == one.metrics
    assert other.observations == one.observations
    assert [o.examples for o in other.outcomes] == [o.examples for o in one.outcomes]
    assert [o.failing_rows for o in other.outcomes] == [o.failing_rows for o in one.outcomes]
    assert other.judged().to_pylist() == one.judged().to_pylist()


def past() -> InMemoryHistory:
    found = InMemoryHistory()
    for days in range(1, 9):
        then = {name: values[-days] for name, values in conformance.HISTORY.items() if days <= len(values)}
        found.record("primary", conformance.NOW - timedelta(days=days), then)
    return found


def test_every_case_of_the_language_has_the_same_result(engine: SparkEngine) -> None:
    rules = conforming()
    file = StoredFile("s3://b/x.csv", 10, conformance.NOW, lambda: BytesIO(b"0123456789"))
    options: dict[str, Any] = {
        "references": conformance.REFERENCES,
        "history": past(),
        "files": lambda address: [file],
        "at": conformance.NOW,
        "filtered_rows": "skip",
        "composite": "row",
    }

    one = evaluate(conformance.FRAME, rules, **options)
    with mock.patch("movie_platform.quality.data.BATCH_ROWS", 2):
        other = evaluate_on_spark(engine, open_data(conformance.FRAME), rules, **options)

    assert isinstance(other.data, StoredParquet)
    assert len(other.data.parts) == 2
    the_same(one, other)


def test_every_rule_type_is_judged_on_spark_or_refused_by_name() -> None:
    judged = {rule.type for rule in conforming() if isinstance(rule, SimpleRule)}

    assert judged | set(NOT_DIVISIBLE) >= set(RULE_TYPES) - {"JobStatus"}
    assert judged & set(NOT_DIVISIBLE) == set()
    with pytest.raises(RulesNotDivisible) as refused:
        refuse_not_divisible(
            parse_ruleset(
                """Rules = [
                    IsComplete "id", (RowCount > 1) and (CustomSql "select 1 from primary" > 0),
                    ReferentialIntegrity "id" "other.{key}" = 1, DetectAnomalies "CustomSql" "select 2 from primary"
                ] Analyzers = [ CustomSql "select 3 from primary" ]"""
            )
        )
    for named in ("select 1", "select 2", "select 3"):
        assert named in str(refused.value)
    for judged_there in ("IsComplete", "ReferentialIntegrity"):
        assert judged_there not in str(refused.value)
    with pytest.raises(RulesNotDivisible, match=r"positive.*pandas gives a column another type where it lacks values"):
        refuse_not_divisible(Ruleset([PanderaRule(check=None, on="x", label="positive")]))


RULES = parse_ruleset(
    """Rules = [
        ColumnValues "x" > 0 labels = ["action"="warn"], ColumnValues "w" != EMPTY where "x > 0", IsUnique "x" "w",
        (IsComplete "y") or (IsUnique "w"), IsPrimaryKey "row"
    ]"""
)
TABLE = pa.table(
    {
        "row": range(7),
        "x": [1, -1, None, 1, 2, 2, 5],
        "y": [0.5, None, None, 2.5, 0.0, 1.0, 1.0],
        "w": pa.array(["a", "", None, "a", "b", "", None]).dictionary_encode(),
        "DataQualityRulesPass": [["earlier"]] * 7,
    }
)


@pytest.mark.parametrize("shared", [True, False])
def test_workers_write_the_rows_that_one_machine_writes(
    shared: bool, engine: SparkEngine, spark: Any, tmp_path: Path
) -> None:
    pq.write_table(TABLE, tmp_path / "data.parquet", row_group_size=2)
    one = evaluate(tmp_path / "data.parquet", RULES)
    one.write(tmp_path / "one")
    out = tmp_path / "other"
    out.mkdir()
    (out / "good.parquet").write_bytes(b"of an earlier check on one machine")
    with ExitStack() as stack:
        if not shared:
            engine = stack.enter_context(SparkEngine(spark, work=(tmp_path / "work").as_uri()))
        other = evaluate_on_spark(engine, open_data(tmp_path / "data.parquet"), RULES)
        write_on_spark(engine, other, out.as_uri())
        the_same(one, other)

    for name in ("good", "bad"):
        assert pq.read_table(out / f"{name}.parquet").equals(pq.read_table(tmp_path / "one" / f"{name}.parquet"))
    assert (out / "rule_outcomes.json").read_text() == (tmp_path / "one" / "rule_outcomes.json").read_text()


def test_the_command_judges_parquet_and_csv_folders_on_spark(
    engine: SparkEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def this_engine(_: str) -> Iterator[SparkEngine]:
        yield engine

    monkeypatch.setattr("movie_platform.commands.spark.spark_engine", this_engine)
    rules = tmp_path / "rules.dqdl"
    rules.write_text('Rules = [ IsUnique "id", ColumnValues "v" > 1, IsComplete "t" ]')
    text = "id,v,t\n1,2.5,a\n2,,\n1,3,NA\n"
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "1.csv").write_text(text)
    (folder / "2.csv").write_text("id,V,t\n4,0.5,d\n")
    (tmp_path / "whole.csv").write_text(text + "4,0.5,d\n")
    outcomes = []
    for file, more in ((tmp_path / "whole.csv", []), (folder, ["--engine", "spark"])):
        arguments = ["check", str(file), "--rules", str(rules), "--na", "NA", "--out", str(tmp_path / file.stem), *more]
        result = CliRunner().invoke(quality, arguments)
        assert result.exit_code == 1, result.output
        outcomes.append((tmp_path / file.stem / "rule_outcomes.json").read_text())
    assert outcomes[0] == outcomes[1]
    bad = [pq.read_table(tmp_path / name / "bad.parquet").to_pylist() for name in ("whole", "csv")]
    assert bad[0] == bad[1]
    assert len(bad[0]) == 4

    (folder / "3.csv").write_text('id,v,t\n5,1,"never closed\n')
    for file, said in (("none", "does not exist"), ("csv", "3.csv")):
        arguments = ["check", str(tmp_path / file), "--rules", str(rules), "--engine", "spark"]
        result = CliRunner().invoke(quality, arguments)
        assert result.exit_code == 2
        assert said in result.output


def test_csv_files_are_one_data_set_when_workers_read_them(spark: Any, tmp_path: Path) -> None:
    texts = {
        "a.csv": "id,v,t\n1,2,x\n",
        "b.csv": 'T,ID,V\n"y,\nz",2,\n',
        "c.csv": "id,v,t\n",
        "d.csv": "id,v,t\n3,NA,\n4,1.5,w\n",
    }
    (tmp_path / "csv").mkdir()
    for name, text in texts.items():
        (tmp_path / "csv" / name).write_text(text)
    here = open_files({name: tmp_path / "csv" / name for name in texts}, missing=["NA"])

    with SparkEngine(spark, work=(tmp_path / "work").as_uri()) as engine:
        there = data_for_spark(engine, str(tmp_path / "csv"), "NA")

        assert there.schema == here.schema == pa.schema({"id": pa.int64(), "v": pa.float64(), "t": pa.string()})
        assert pa.Table.from_batches(there.batches()) == pa.Table.from_batches(here.batches())
        (tmp_path / "csv" / "e.csv").write_text("id,v\n5,1\n")
        with pytest.raises(DataUnreadable, match=r"e\.csv has other columns than a\.csv"):
            data_for_spark(engine, str(tmp_path / "csv"))


def test_a_rule_that_spark_refuses_is_named_before_spark_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("movie_platform.commands.spark.spark_engine", None)
    rules = tmp_path / "rules.dqdl"
    rules.write_text('Rules = [ CustomSql "select count(*) from primary" > 1 ]')

    result = CliRunner().invoke(quality, ["check", "any.parquet", "--rules", str(rules), "--engine", "spark"])

    assert result.exit_code == 2
    assert "select count(*) from primary" in result.output


@pytest.mark.parametrize(("engine_setting", "said"), [("spark:emr:j-1", "drivers are started for runs only")])
def test_the_command_says_where_it_can_start_no_driver(
    engine_setting: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_ENGINE", engine_setting)
    with pytest.raises(SettingsError, match=said), spark_engine("test"):
        pass


def judged_in_parts(table: pa.Table, rules: Ruleset, size: int, **options: Any) -> Evaluation:
    """What evaluate_on_spark does, with nothing between the parts and the whole."""
    parts = [(TableData(table.slice(start, size)), start) for start in range(0, table.num_rows, size)]
    with planned(table, rules, **options) as plan:
        whole = Whole(plan.measures.all)
        together = [KeysTogether(m, table.num_rows) for m in plan.measures.all if isinstance(m, Keys)]
        sent: dict[tuple[int, int], list[Any]] = {}
        for part, start in parts:
            with planned(part, rules, **options) as there:
                states, hashes = pickle.loads(pickle.dumps(measured(there)))
            whole.add(states, part.table.num_rows)
            for number, found in enumerate(hashes):
                for bucket, some in hashes_by_bucket(found, start, 3):
                    sent.setdefault((number, bucket), []).append(some)
        for (number, _), some in sent.items():
            together[number].add_hashes(shared_hashes(some))
        for keys in together:
            again: dict[int, list[bytes]] = {}
            for part, start in parts:
                wanted = keys.may_share[start : start + part.table.num_rows]
                for bucket, content in keys_by_bucket(part, keys.names, wanted, start, 2):
                    again.setdefault(bucket, []).append(content)
            for contents in again.values():
                keys.add_keys(count_bucket(contents))
            keys.finish()
        for measure in plan.measures.all:
            if isinstance(measure, Counterparts):
                find_in_parts(plan, measure, parts, size)
        return plan.concluded(whole.rows)


def find_in_parts(plan: Plan, measure: Counterparts, parts: list[tuple[TableData, int]], size: int) -> None:
    tables = plan.context.tables
    theirs = tables.side(measure.counterpart.alias)
    rows = sum(part.table.num_rows for part, _ in parts), sum(batch.num_rows for batch in theirs.batches([]))
    met = pickle.loads(pickle.dumps(meeting(measure.counterpart, tables.data, theirs, rows, 2 * size)))
    sent: dict[int, list[Any]] = {}
    for part, start, other in [*((part, start, False) for part, start in parts), (theirs, 0, True)]:
        for bucket, some in met.rows(part, start, other=other):
            sent.setdefault(bucket, []).append(some)
    together = CounterpartsTogether(measure, rows[0])
    for met_there in sent.values():
        together.add(search_bucket(met, met_there, {}))
    together.finish()


@settings(max_examples=25, deadline=None)
@given(frames, rulesets, st.integers(1, 9), st.sampled_from(["documented", "legacy"]))
def test_parts_put_together_are_the_whole(table: pa.Table, rules: Ruleset, size: int, nulls: Any) -> None:
    rules = Ruleset([rule for rule in rules if "CustomSql" not in rule.claim])
    the_same(evaluate(table, rules, nulls=nulls), judged_in_parts(table, rules, size, nulls=nulls))


comparisons = st.lists(
    st.sampled_from(
        [
            'ReferentialIntegrity "x" "other.{x}" >= 0.5',
            'ReferentialIntegrity "x,w" "other.{x,w}" = 1.0',
            'ReferentialIntegrity "x" "other.y" > 0.2 where "y > 0 or w is null"',
            'ReferentialIntegrity "x" "primary.{y}" > 0.3',
            'DatasetMatch "other" "row"',
            'DatasetMatch "other" "row->row" "w,x->y" > 0.4',
            'DatasetMatch "other" "x,y" "w"',
            'DatasetMatch "primary" "row" "w" = 1',
            'AggregateMatch "sum(y)" "avg(other.x)" > 0',
            'AggregateMatch "count(w)" "count(other.*)" between 0.5 and 2',
            'AggregateMatch "min(x)" "max(y)" = 1',
            '(DatasetMatch "other" "row") or (ReferentialIntegrity "y" "other.x")',
        ]
    ),
    min_size=1,
    max_size=4,
).map(lambda rules: parse_ruleset(f"Rules = [{', '.join(rules)}]"))
others = st.tuples(frames, st.sampled_from([pa.int8(), pa.int64(), pa.float64()]), st.booleans()).map(
    lambda made: (
        made[0]
        .set_column(1, "x", made[0]["x"].cast(made[1]))
        .set_column(3, "w", made[0]["w"].dictionary_encode() if made[2] else made[0]["w"])
    )
)


@pytest.mark.parametrize("examples", [8, pytest.param(300, marks=pytest.mark.soak)])
def test_parts_have_the_counterparts_that_the_whole_has(examples: int) -> None:
    settings(max_examples=examples, deadline=None)(has_the_same_counterparts_in_parts)()


@given(frames, others, comparisons, st.integers(1, 9), st.sampled_from([-1, 5]))
def has_the_same_counterparts_in_parts(table: pa.Table, other: pa.Table, rules: Ruleset, size: int, small: int) -> None:
    options = {"references": {"other": other}}
    with mock.patch("movie_platform.quality.counterpart_parts.SMALL_ROWS", small):
        the_same(evaluate(table, rules, **options), judged_in_parts(table, rules, size, **options))


def test_a_condition_that_fails_for_one_row_is_an_error_wherever_the_row_is() -> None:
    rules = parse_ruleset('Rules = [ ReferentialIntegrity "w" "other.{x}" >= 0, IsComplete "row" ]')
    options = {"references": {"other": pa.table({"x": [1, 2]})}}

    whole, parts = evaluate(TABLE, rules, **options), judged_in_parts(TABLE, rules, 2, **options)

    for found in (whole, parts):
        assert [outcome.outcome for outcome in found.outcomes] == ["Error", "Passed"]
        assert "Could not convert string" in str(found.outcomes[0].failure_reason)


@pytest.mark.soak
def test_random_frames_and_rules_are_judged_alike_on_spark(engine: SparkEngine) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(frames, others, rulesets, comparisons, st.integers(1, 9), st.sampled_from(["documented", "legacy"]))
    def alike(table: pa.Table, other: pa.Table, rules: Ruleset, more: Ruleset, size: int, nulls: Any) -> None:
        rules = Ruleset([*(rule for rule in rules if "CustomSql" not in rule.claim), *more])
        references = {"other": other}
        with mock.patch("movie_platform.quality.data.BATCH_ROWS", size):
            there = evaluate_on_spark(engine, open_data(table), rules, nulls=nulls, references=references)
        the_same(evaluate(table, rules, nulls=nulls, references=references), there)

    alike()


def test_workers_start_with_what_they_need_and_read_no_archive_before_each_task(engine: SparkEngine) -> None:
    def seen(_: int) -> tuple[bool, list[str]]:
        archives = [place for place, finder in sys.path_importer_cache.items() if isinstance(finder, zipimporter)]
        return "movie_platform.engine.quality_worker" in sys.modules, archives

    assert engine.spark_context.parallelize([1, 2], 2).map(seen).collect() == [(True, [])] * 2


def test_stored_files_are_one_data_set_in_their_order(store: ObjectStore) -> None:
    tables = [TABLE.slice(start, 3) for start in (0, 3, 6)]
    for number, table in enumerate(tables):
        store.write(f"data/{number}.parquet", _parquet(table))
    keys = [f"data/{number}.parquet" for number in range(3)]

    data = StoredParquet.of(store, keys, Waits(), leave_out=["dataqualityrulespass"])

    assert data.schema.names == ["row", "x", "y", "w"]
    assert data.starts == [0, 3, 6]
    assert pa.Table.from_batches(data.batches(["row"]))["row"].to_pylist() == list(range(7))
    assert sum(batch.num_rows for batch in data.batches([])) == 7
    assert data.take(np.arange(7) == 5)["row"].to_pylist() == [5]
    store.write("data/other.parquet", _parquet(pa.table({"row": [1.5]})))
    with pytest.raises(DataUnreadable, match="other columns"):
        StoredParquet.of(store, [*keys, "data/other.parquet"], Waits(), leave_out=["DataQualityRulesPass"])
    store.write("data/none.parquet", b"text")
    with pytest.raises(DataUnreadable, match="not a readable Parquet file"):
        StoredParquet.of(store, ["data/none.parquet"], Waits())


def test_a_worker_that_has_the_package_in_a_zip_runs_conditions_of_where(tmp_path: Path) -> None:
    lake = open_store((tmp_path / "lake").as_uri())
    zipped = ship(lake).package.removeprefix("file://")
    program = """
import movie_platform, pyarrow as pa
from movie_platform.quality import evaluate, parse_ruleset
assert ".zip" in movie_platform.__file__
rules = parse_ruleset('Rules = [ IsComplete "v" where "id > 1" ]')
print(evaluate(pa.table({"id": [1, 2], "v": [None, "x"]}), rules).outcomes[0].outcome)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": zipped},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "Passed\n", ran.stderr


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()
