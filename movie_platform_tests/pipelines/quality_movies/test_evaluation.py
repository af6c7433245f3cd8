"""Given this delivery and these rules, these rows are good, these are bad, and each says why."""

import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from movie_platform.deliveries import manifests
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.day_records import (
    bad_key,
    outcomes_key,
    record_of,
    rejects_key,
    staged_key,
)
from movie_platform.pipelines.quality_movies.evaluation import JudgedDay, RulesInUse, judge_day
from movie_platform.quality import Evaluation, evaluation
from movie_platform.samples.quality_movies import MovieCritic
from movie_platform_tests.pipelines.quality_movies.conftest import RATING, delivery, movie, rules_of

DAY = "2026-03-01"
KEY = f"input_data/{DAY}/movies.csv"


def judge(
    raw: ObjectStore, lake: ObjectStore, rules: RulesInUse | None = None, day: str = DAY, *, replay: bool = False
) -> JudgedDay:
    judged = judge_day(raw, lake, day, rules or rules_of(), replay=replay)
    assert judged is not None
    assert judged.record.is_conserved
    return judged


def rows(lake: ObjectStore, key: str) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(lake.read(key))).to_pylist()


def products(lake: ObjectStore) -> dict[str, bytes]:
    """Everything but the manifests and receipts, which hold the store's own etags."""
    return {info.key: lake.read(info.key) for info in lake.objects() if not info.key.startswith("deliveries/")}


def titles(lake: ObjectStore, key: str) -> list[str]:
    return [row["series_title"] for row in rows(lake, key)]


def test_good_rows_wait_for_the_load_and_bad_ones_lie_aside_with_their_reason(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.5"), movie("Best", "9.3")))
    record = judge(raw, lake).record
    assert (record.state, record.rows, record.good, record.bad) == ("good", 3, 2, 1)
    assert titles(lake, staged_key(DAY)) == ["Good", "Best"]
    (bad,) = rows(lake, bad_key(DAY))
    assert (bad["source"], bad["record"], bad["series_title"]) == (KEY, 2, "Bad")
    assert bad["DataQualityRulesFail"] == [RATING]
    assert bad["DataQualityEvaluationResult"] == "Failed"
    lines = lake.read(bad_key(DAY, "jsonl")).decode().splitlines()
    assert [json.loads(line)["series_title"] for line in lines] == ["Bad"]


def test_a_column_that_is_called_like_a_result_is_named_in_the_days_record(raw: ObjectStore, lake: ObjectStore) -> None:
    header, row = delivery({**movie("Good"), "overview": "plain"}).splitlines()
    raw.write(KEY, header + b",DataQualityRulesPass\n" + row + b",yes\n")
    judge(raw, lake)
    record = record_of(lake, DAY)
    assert record is not None
    (observation,) = record.observations
    assert observation.startswith("column 'DataQualityRulesPass' of the data is not judged")


def test_good_rows_have_the_tables_types(raw: ObjectStore, lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good", meta_score="", no_of_votes="7", gross="", released_year="PG")))
    judge(raw, lake)
    (good,) = rows(lake, staged_key(DAY))
    assert str(good["imdb_rating"]) == "9.00"
    assert (good["meta_score"], good["no_of_votes"], good["gross"], good["released_year"]) == (None, 7, "", "PG")
    assert good["overview"] == 'Two men, "bonded",\nover years.'


def test_the_outcomes_are_an_array_in_the_rulesets_order(raw: ObjectStore, lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    judge(raw, lake, rules_of("RowCount > 1", RATING, 'IsComplete "nowhere"'))
    outcomes = json.loads(lake.read(outcomes_key(DAY)))
    assert [outcome["Outcome"] for outcome in outcomes] == ["Passed", "Failed", "Error"]
    assert list(outcomes[1]) == ["Rule", "Outcome", "FailureReason", "EvaluatedMetrics", "EvaluatedRule", "Labels"]


def test_the_single_rule_splits_a_thousand_rows_into_33_and_967(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, MovieCritic().delivery(DAY))
    record = judge(raw, local_lake).record
    assert (record.good, record.bad) == (33, 967)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'"Too few",1999\n', "2 fields where the header has 16"),
        (b"\n", "blank"),
        (b"\xff\xfe\n", "not UTF-8"),
    ],
)
def test_a_record_that_is_no_row_is_set_aside_alone(
    raw: ObjectStore, local_lake: ObjectStore, line: bytes, reason: str
) -> None:
    raw.write(KEY, delivery(movie("First")) + line + delivery(movie("Second")).split(b"\n", 1)[1])
    record = judge(raw, local_lake).record
    assert (record.rows, record.good, record.bad, record.broken) == (3, 2, 1, 1)
    (bad,) = rows(local_lake, bad_key(DAY))
    assert bad["record"] == 2
    assert bad["DataQualityRulesFail"] == [f"The record is readable: {reason}"]
    assert bad["raw"] == line.decode(errors="replace").rstrip("\n")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"no_of_votes": "many"}, "no_of_votes 'many' is no INT"),
        ({"no_of_votes": "3000000000"}, "no_of_votes '3000000000' is no INT"),
        ({"meta_score": "7.5"}, "meta_score '7.5' is no INT"),
        ({"imdb_rating": "9.123"}, "imdb_rating '9.123' is no DECIMAL(10,2)"),
        ({"imdb_rating": "nan"}, "imdb_rating 'nan' is no DECIMAL(10,2)"),
        ({"imdb_rating": "1e27"}, "imdb_rating '1e27' is no DECIMAL(10,2)"),
        ({"imdb_rating": "9" * 27}, f"imdb_rating '{'9' * 27}' is no DECIMAL(10,2)"),
        ({"no_of_votes": "1e999"}, "no_of_votes '1e999' is no INT"),
    ],
)
def test_a_value_that_the_table_cannot_hold_sets_its_row_aside(
    raw: ObjectStore, local_lake: ObjectStore, cells: dict[str, str], reason: str
) -> None:
    raw.write(KEY, delivery(movie("Good"), movie("Odd", **cells)))
    record = judge(raw, local_lake, rules_of("RowCount > 0")).record
    assert (record.good, record.bad, record.misfits) == (1, 1, 1)
    (bad,) = rows(local_lake, bad_key(DAY))
    assert bad["DataQualityRulesFail"] == [f"Every value fits the table: {reason}"]


def test_numbers_as_spreadsheets_write_them_are_read(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good", " 9.10 ", meta_score="80.0", no_of_votes="+12")))
    judge(raw, local_lake)
    (good,) = rows(local_lake, staged_key(DAY))
    assert (str(good["imdb_rating"]), good["meta_score"], good["no_of_votes"]) == ("9.10", 80, 12)


def test_a_blocked_delivery_loads_nothing_and_its_bad_rows_and_outcomes_are_written(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    record = judge(raw, lake, rules_of(RATING, 'RowCount > 10 labels = ["action" = "block"]')).record
    assert (record.state, record.good, record.bad, record.withheld) == ("blocked", 0, 1, 1)
    assert lake.info(staged_key(DAY)) is None
    assert titles(lake, bad_key(DAY)) == ["Bad"]
    assert len(json.loads(lake.read(outcomes_key(DAY)))) == 2
    (withheld,) = rows(lake, rejects_key(DAY))
    assert withheld["series_title"] == "Good"
    assert "RowCount > 10" in withheld["DataQualityRulesFail"][0]


def test_a_correction_that_is_blocked_leaves_the_version_before_it_in_place(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    raw.write(KEY, delivery(movie("Good"), movie("Better")))
    blocking = rules_of(RATING, 'RowCount > 1 labels = ["action" = "block"]')
    first = judge(raw, lake, blocking).record
    raw.write(KEY, delivery(movie("Only one")))
    second = judge(raw, lake, blocking).record
    assert (second.state, second.serves, second.serves_good) == ("blocked", first.delivered_at, 2)
    assert titles(lake, staged_key(DAY)) == ["Good", "Better"]
    raw.write(KEY, delivery(movie("Mended"), movie("Better")))
    third = judge(raw, lake, blocking).record
    assert (third.state, third.serves) == ("good", None)
    assert titles(lake, staged_key(DAY)) == ["Mended", "Better"]
    assert lake.info(rejects_key(DAY)) is None


def test_a_warning_leaves_its_rows_good(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Low", "7.0")))
    record = judge(raw, local_lake, rules_of(f'{RATING} labels = ["action" = "warn"]')).record
    assert (record.good, record.bad, record.passed) == (1, 0, 0)


def test_a_delivery_without_a_column_of_the_table_is_blocked(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good"), without=["gross", "star4"]))
    record = judge(raw, local_lake).record
    assert record.state == "blocked"
    assert record.missing_columns == ("star4", "gross")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not even a header"),
        (b"\xff\xff", "no header that can be read"),
        (b"Genre,genre\nDrama,War\n", "two columns named 'genre'"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_every_rule_in_error(
    raw: ObjectStore, local_lake: ObjectStore, content: bytes, reason: str
) -> None:
    raw.write(KEY, delivery(movie("Good")))
    first = judge(raw, local_lake)
    raw.write(KEY, content)
    judged = judge(raw, local_lake, rules_of(RATING, "RowCount > 1"))
    assert judged.evaluation is None
    assert judged.record.state == "unreadable"
    assert reason in judged.record.reason
    assert judged.record.serves == first.record.delivered_at
    assert titles(local_lake, staged_key(DAY)) == ["Good"]
    outcomes = json.loads(local_lake.read(outcomes_key(DAY)))
    assert [outcome["Outcome"] for outcome in outcomes] == ["Error", "Error"]
    assert all(reason in outcome["FailureReason"] for outcome in outcomes)


def test_a_header_and_nothing_else_never_wipes_out_a_day(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good")))
    judge(raw, local_lake)
    raw.write(KEY, delivery())
    record = judge(raw, local_lake).record
    assert record.state == "blocked"
    assert "holds no row" in record.reason
    assert titles(local_lake, staged_key(DAY)) == ["Good"]


def test_a_day_is_all_its_files_together(raw: ObjectStore, lake: ObjectStore) -> None:
    raw.write(f"input_data/{DAY}/a.csv", delivery(movie("One"), movie("Low", "8.0")))
    raw.write(f"input_data/{DAY}/b.csv", delivery(movie("Two")).replace(b"Series_Title", b"SERIES_TITLE"))
    record = judge(raw, lake, rules_of(RATING, "RowCount = 3")).record
    assert (record.rows, record.good, record.passed) == (3, 2, 1)
    assert titles(lake, staged_key(DAY)) == ["One", "Two"]


def test_files_of_a_day_with_other_columns_are_not_mixed(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(f"input_data/{DAY}/a.csv", delivery(movie("One")))
    raw.write(f"input_data/{DAY}/b.csv", delivery(movie("Two"), without=["gross"]))
    judged = judge(raw, local_lake)
    assert judged.record.state == "unreadable"
    assert "differ in their columns" in judged.record.reason


def test_a_corrected_day_leaves_nothing_of_the_version_before_it(raw: ObjectStore, lake: ObjectStore) -> None:
    raw.write(f"input_data/{DAY}/old name.csv", delivery(movie("Old"), movie("Bad", "8.0")))
    judge(raw, lake)
    raw.delete([f"input_data/{DAY}/old name.csv"])
    raw.write(KEY, delivery(movie("New")))
    judge(raw, lake)
    assert titles(lake, staged_key(DAY)) == ["New"]
    assert lake.info(bad_key(DAY)) is None
    assert lake.info(bad_key(DAY, "jsonl")) is None
    assert [info.key for info in lake.objects("archive/")] == [f"archive/quality_movies/{DAY}/{KEY}"]


def test_the_archive_holds_the_files_byte_for_byte(raw: ObjectStore, lake: ObjectStore) -> None:
    content = b"\xef\xbb\xbf" + delivery(movie("Good"))
    raw.write(KEY, content)
    judge(raw, lake)
    assert lake.read(f"archive/quality_movies/{DAY}/{KEY}") == content


def test_a_file_that_is_replaced_on_a_later_day_stays_in_the_day_it_came_first(
    raw: ObjectStore, local_lake: ObjectStore
) -> None:
    today = datetime.now(UTC).date().isoformat()
    raw.write("input_data/daily.csv", delivery(movie("Yesterday's")))
    path, noon = raw.local_path("input_data/daily.csv"), datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
    assert path is not None
    os.utime(path, (noon, noon))
    judge(raw, local_lake)
    raw.write("input_data/daily.csv", delivery(movie("Today's")))
    assert judge(raw, local_lake, day=today).record.good == 1
    assert titles(local_lake, staged_key(today)) == ["Today's"]
    judge(raw, local_lake)
    assert titles(local_lake, staged_key(DAY)) == ["Yesterday's"]


def test_what_was_never_delivered_is_nothing(raw: ObjectStore, local_lake: ObjectStore) -> None:
    assert judge_day(raw, local_lake, DAY, rules_of()) is None
    assert list(local_lake.objects()) == []


def test_the_same_delivery_and_rules_give_the_same_bytes_and_the_same_result(
    raw: ObjectStore, local_lake: ObjectStore
) -> None:
    raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    first = judge(raw, local_lake).record
    before = products(local_lake)
    second = judge(raw, local_lake).record
    assert products(local_lake) == before
    assert first.result_id == second.result_id


def test_other_rules_or_another_null_profile_are_another_result(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Scored"), movie("Not scored", meta_score="")))
    complete = 'ColumnValues "meta_score" > 10'
    strict, lenient = rules_of(complete), rules_of(complete, nulls="legacy")
    assert judge(raw, local_lake, strict).record.good == 1
    assert judge(raw, local_lake, lenient).record.good == 2
    assert len({strict.digest, lenient.digest, rules_of().digest}) == 3


def test_dynamic_rules_look_back_on_the_days_before_whatever_the_order(
    raw: ObjectStore, local_lake: ObjectStore
) -> None:
    rule = rules_of("RowCount >= avg(last(2))")
    for day, count in (("2026-03-01", 2), ("2026-03-02", 4), ("2026-03-04", 100), ("2026-03-03", 3)):
        raw.write(f"input_data/{day}/x.csv", delivery(*[movie(str(n)) for n in range(count)]))
        judged = judge(raw, local_lake, rule, day)
    (outcome,) = judged.outcomes
    assert outcome.evaluated_rule == "RowCount >= 3.0"
    assert outcome.passed


def test_a_value_of_the_data_is_never_obeyed(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("=HYPERLINK(1)", "1"), movie("<script>x</script>", "1"), movie("\x1b[31m", "1")))
    judge(raw, local_lake)
    text = local_lake.read(bad_key(DAY, "jsonl")).decode()
    assert "\x1b" not in text
    assert titles(local_lake, bad_key(DAY)) == ["=HYPERLINK(1)", "<script>x</script>", "\x1b[31m"]


class TestReplay:
    """Quarantined rows are judged again by today's rules."""

    def test_what_passes_now_is_released_and_what_was_good_stays(self, raw: ObjectStore, lake: ObjectStore) -> None:
        raw.write(KEY, delivery(movie("A", "9.0"), movie("B", "8.2"), movie("C", "7.0")))
        judge(raw, lake)
        kinder = rules_of('ColumnValues "imdb_rating" between 8 and 8.9')
        record = judge(raw, lake, kinder, replay=True).record
        assert titles(lake, staged_key(DAY)) == ["A", "B"]
        assert titles(lake, bad_key(DAY)) == ["C"]
        assert record.released == 1

    def test_a_day_that_was_blocked_is_loaded_when_nothing_blocks_it_now(
        self, raw: ObjectStore, local_lake: ObjectStore
    ) -> None:
        raw.write(KEY, delivery(movie("A"), movie("B", "8.2")))
        judge(raw, local_lake, rules_of(RATING, 'RowCount > 10 labels = ["action" = "block"]'))
        record = judge(raw, local_lake, rules_of(), replay=True).record
        assert (record.state, record.good, record.bad, record.withheld) == ("good", 1, 1, 0)
        assert local_lake.info(rejects_key(DAY)) is None

    def test_it_needs_no_raw_side(self, raw: ObjectStore, local_lake: ObjectStore) -> None:
        raw.write(KEY, delivery(movie("A", "8.2")))
        version = judge(raw, local_lake).record.version
        raw.delete([KEY])
        record = judge(raw, local_lake, rules_of("RowCount > 0"), replay=True).record
        assert (record.released, record.version) == (1, version)

    def test_a_record_that_is_no_row_is_never_released(self, raw: ObjectStore, local_lake: ObjectStore) -> None:
        raw.write(KEY, delivery(movie("A")) + b"x\n")
        judge(raw, local_lake)
        record = judge(raw, local_lake, rules_of("RowCount > 0"), replay=True).record
        assert (record.bad, record.broken, record.released) == (1, 1, 0)


def test_a_run_that_dies_before_its_record_is_done_again(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good")))
    judge(raw, local_lake)
    local_lake.delete([f"evaluations/quality_movies/{DAY}.json"])
    assert record_of(local_lake, DAY) is None
    assert judge(raw, local_lake).record.good == 1


class TestOvertaken:
    """A judging that was overtaken starts again from what is delivered then."""

    def overtake(self, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
        """Let something happen while the next delivery is judged."""
        evaluate = evaluation.evaluate

        def slowly(*args: Any, **kwargs: Any) -> Evaluation:
            monkeypatch.setattr(evaluation, "evaluate", evaluate)
            meanwhile()
            return evaluate(*args, **kwargs)

        monkeypatch.setattr(evaluation, "evaluate", slowly)

    def test_the_correction_stays_however_late_the_first_run_ends(
        self, raw: ObjectStore, lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def correct() -> None:
            raw.write(KEY, delivery(movie("Corrected"), movie("Still bad", "8.0")))
            judge(raw, lake)

        raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
        self.overtake(monkeypatch, correct)
        judge(raw, lake)
        assert titles(lake, staged_key(DAY)) == ["Corrected"]
        assert titles(lake, bad_key(DAY)) == ["Still bad"]

    @pytest.mark.parametrize("name", ["movies.csv", "more.csv"])
    def test_what_was_delivered_anew_meanwhile_is_what_is_judged(
        self, raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        raw.write(KEY, delivery(movie("Good")))
        newer = delivery(movie("Newer"))
        self.overtake(monkeypatch, lambda: raw.write(f"input_data/{DAY}/{name}", newer))
        judge(raw, local_lake)
        assert "Newer" in titles(local_lake, staged_key(DAY))

    def test_a_replay_does_not_bring_back_what_was_superseded(
        self, raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def correct() -> None:
            raw.write(KEY, delivery(movie("Corrected")))
            judge(raw, local_lake)

        raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
        judge(raw, local_lake)
        self.overtake(monkeypatch, correct)
        judge(raw, local_lake, rules_of("RowCount > 0"), replay=True)
        assert titles(local_lake, staged_key(DAY)) == ["Corrected"]

    def test_a_file_that_went_away_meanwhile_holds_nothing_up(
        self, raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw.write(KEY, delivery(movie("Good")))
        self.overtake(monkeypatch, lambda: raw.delete([KEY]))
        assert judge(raw, local_lake).record.good == 1

    def test_a_day_that_never_stops_changing_is_left_for_later_and_not_written(
        self, raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evaluate, deliveries = evaluation.evaluate, iter(range(100))

        def while_they_deliver(*args: Any, **kwargs: Any) -> Evaluation:
            raw.write(KEY, delivery(movie(f"Delivery {next(deliveries)}")))
            return evaluate(*args, **kwargs)

        raw.write(KEY, delivery(movie("Good")))
        monkeypatch.setattr(evaluation, "evaluate", while_they_deliver)
        with pytest.raises(WorldUnavailable, match=r"changed 5 times .* delivered anew"):
            judge(raw, local_lake)
        assert record_of(local_lake, DAY) is None
        assert local_lake.info(staged_key(DAY)) is None


def test_each_other_content_takes_the_next_sequence_and_the_same_content_keeps_it(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    sequences = []
    for title in ("A", "A", "B", "A"):
        raw.write(KEY, delivery(movie(title)))
        sequences.append(manifests.sequence_of(judge(raw, lake).record.version))
        assert titles(lake, staged_key(DAY)) == [title]
    assert sequences == [1, 1, 2, 3]


def test_a_correction_with_an_older_time_is_the_current_delivery(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good")))
    judge(raw, local_lake)
    raw.write(KEY, delivery(movie("Restored")))
    path = raw.local_path(KEY)
    assert path is not None
    os.utime(path, (0, 0))
    assert manifests.sequence_of(judge(raw, local_lake).record.version) == 2
    assert titles(local_lake, staged_key(DAY)) == ["Restored"]


def test_files_that_go_away_change_nothing(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("One")))
    raw.write(f"input_data/{DAY}/more.csv", delivery(movie("Two")))
    judge(raw, local_lake)
    before = products(local_lake)
    for key in (KEY, f"input_data/{DAY}/more.csv"):
        raw.delete([key])
        judge(raw, local_lake)
        assert products(local_lake) == before


def test_rules_of_a_day_see_the_files_of_its_stores_and_no_others(raw: ObjectStore, lake: ObjectStore) -> None:
    raw.write(KEY, delivery(movie("Good")))
    raw.write("secret/key.txt", b"x")
    judged = judge(
        raw,
        lake,
        rules_of(
            f'FileSize "{raw.uri}/input_data/{DAY}/" between 10 B and 1 MB',
            f'FileSize "{raw.uri}/{KEY}" > 1 MB',
            f'FileFreshness "{raw.uri}/empty/" < 24 hours',
            'FileFreshness "file:///etc/" < 24 hours',
            f'FileSize "{raw.uri}/input_data/../secret/" > 0 B',
        ),
    )
    assert [outcome.outcome for outcome in judged.outcomes] == ["Passed", "Failed", "Error", "Error", "Error"]
    assert "below" in (judged.outcomes[3].failure_reason or "")
