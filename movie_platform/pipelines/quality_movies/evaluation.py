"""A day's way through the lake: files -> archive -> judged by the rules in use -> good, bad, outcomes.

Every write replaces what an earlier delivery of the day left. The day's record is written last, so a run that dies
before it is simply done again. A delivery that is blocked, or that cannot be read, leaves the good rows of the version
before it in place and served; a blocked one has its own bad rows and outcomes all the same.

Judging a large file takes a while. What was overtaken meanwhile, by a newer delivery or by another run, is not written.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from movie_platform.errors import InputRefused, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies import deliveries
from movie_platform.pipelines.quality_movies.day_records import (
    CODE_VERSION,
    DayRecord,
    FileFacts,
    bad_key,
    outcomes_key,
    put_record,
    record_of,
    rejects_key,
    staged_key,
)
from movie_platform.pipelines.quality_movies.deliveries import Delivery, FetchedFile
from movie_platform.pipelines.quality_movies.history import LakeHistory, moment_of
from movie_platform.pipelines.quality_movies.records import Records, RowCaster, read
from movie_platform.pipelines.quality_movies.splitting import (
    SplitFiles,
    rows_left_out,
    split,
    write_json_lines,
)
from movie_platform.pipelines.quality_movies.tables import DATASET, IMDB_MOVIES_RATING
from movie_platform.quality import Evaluation, Outcome, Ruleset, RulesetFile, evaluate, type_columns

Nulls = Literal["documented", "legacy"]


@dataclass(frozen=True)
class RulesInUse:
    """A ruleset that can be judged by, the name of its file, and how its rules take nulls."""

    name: str
    ruleset: Ruleset
    nulls: Nulls = "documented"

    @classmethod
    def of(cls, file: RulesetFile, nulls: Nulls) -> "RulesInUse":
        """Raises PlatformError, with the place of the error, where the file has no rules."""
        return cls(file.name, file.rules, nulls)

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.ruleset.digest} {self.nulls}".encode()).hexdigest()


@dataclass(frozen=True)
class JudgedDay:
    """What came of a day. `evaluation` is there unless the delivery could not be read."""

    record: DayRecord
    evaluation: Evaluation | None = None

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.evaluation.outcomes if self.evaluation else ()


def judge_day(
    raw: ObjectStore, lake: ObjectStore, day: str, delivery: Delivery | None, rules: RulesInUse, *, replay: bool = False
) -> JudgedDay | None:
    """Judge what was delivered for a day, and write everything but the warehouse; None where nothing ever was.

    A replay judges what is archived by today's rules and only releases: good rows stay good. Raises WorldUnavailable
    where the day was overtaken; judged again, it comes right.
    """
    before = record_of(lake, day)
    earlier = {key: (facts.etag, facts.modified) for key, facts in before.files.items()} if before else {}
    arrived = None if replay else delivery
    with deliveries.fetched(raw, lake, day, arrived, earlier) as files:
        if not files:
            return None
        if arrived:
            deliveries.archive(lake, day, files)
        made = DayRecord(
            day=day,
            version=max(file.modified for file in files),
            files={file.key: FileFacts(file.etag, file.modified, file.sha256, file.size) for file in files},
            digest=_digest(files),
            ruleset=rules.name,
            rules_digest=rules.digest,
            code_version=CODE_VERSION,
            state="good",
            rules=len(rules.ruleset),
        )
        try:
            records = read([(file.key, file.path) for file in files])
        except InputRefused as refused:
            _must_not_be_overtaken(None if replay else raw, lake, made, before)
            return _unreadable(lake, made, before, rules, str(refused))
        return _judged(raw, lake, made, before, rules, records, replay=replay)


def _judged(
    raw: ObjectStore,
    lake: ObjectStore,
    made: DayRecord,
    before: DayRecord | None,
    rules: RulesInUse,
    records: Records,
    *,
    replay: bool,
) -> JudgedDay:
    day, history = made.day, LakeHistory(lake)
    was_bad = _left_out_before(lake, before) if replay else None
    evaluation = evaluate(
        type_columns(records.text),
        rules.ruleset,
        nulls=rules.nulls,
        history=history,
        dataset=DATASET,
        at=moment_of(day),
    )
    fitting = RowCaster(IMDB_MOVIES_RATING, records.text.schema.names)
    blocked = _why_blocked(evaluation, fitting, records)
    with tempfile.TemporaryDirectory(prefix="movie-platform-quality-") as folder:
        files = SplitFiles.below(Path(folder))
        found = split(
            records,
            evaluation,
            fitting,
            files,
            blocked=blocked,
            was_bad=was_bad,
            metadata={b"movie_platform": _provenance(made)},
        )
        _must_not_be_overtaken(None if replay else raw, lake, made, before)
        if blocked:
            lake.upload(rejects_key(day), files.withheld)
        else:
            lake.upload(staged_key(day), files.good)
            lake.delete([rejects_key(day)])
        if found.bad:
            lines = Path(folder) / "bad.jsonl"
            write_json_lines(files.bad, lines)
            lake.upload(bad_key(day), files.bad)
            lake.upload(bad_key(day, "jsonl"), lines)
        else:
            lake.delete([bad_key(day), bad_key(day, "jsonl")])
    outcomes = evaluation.outcomes_json()
    _write_outcomes(lake, day, outcomes)
    metrics = {
        **evaluation.metrics,
        "Evaluation.*.Score": evaluation.score,
        "Evaluation.*.GoodRows": float(found.good + found.withheld),
        "Evaluation.*.BadRows": float(found.bad),
    }
    history.record(DATASET, moment_of(day), metrics)
    serves, serves_good = _served(before) if blocked else (None, 0)
    record = DayRecord(
        **{
            **vars(made),
            "files": {
                key: FileFacts(**{**vars(facts), "records": records.counts[key]}) for key, facts in made.files.items()
            },
            "state": "blocked" if blocked else "good",
            "reason": blocked,
            "score": evaluation.score,
            "passed": evaluation.passed,
            "rows": records.total,
            "good": found.good,
            "bad": found.bad,
            "misfits": found.misfits,
            "broken": found.broken,
            "withheld": found.withheld,
            "released": found.released,
            "good_digest": hashlib.sha256(f"{made.digest} {found.digest}".encode()).hexdigest(),
            "result_id": _result_id(made, outcomes),
            "metrics": len(metrics),
            "serves": serves,
            "serves_good": serves_good,
            "missing_columns": fitting.missing,
        }
    )
    put_record(lake, record)
    return JudgedDay(record, evaluation)


def _unreadable(
    lake: ObjectStore, made: DayRecord, before: DayRecord | None, rules: RulesInUse, reason: str
) -> JudgedDay:
    """No rule could be computed, and everything else stays as the version before it left it."""
    outcomes = json.dumps([_error(claim, labels, reason) for claim, labels in _claims(rules)], indent=2) + "\n"
    _write_outcomes(lake, made.day, outcomes)
    serves, serves_good = _served(before)
    record = DayRecord(
        **{
            **vars(made),
            "state": "unreadable",
            "reason": reason,
            "result_id": _result_id(made, outcomes),
            "serves": serves,
            "serves_good": serves_good,
        }
    )
    put_record(lake, record)
    return JudgedDay(record)


def _must_not_be_overtaken(
    raw: ObjectStore | None, lake: ObjectStore, made: DayRecord, before: DayRecord | None
) -> None:
    """A run that began earlier and ends later would otherwise put the superseded delivery over the newer one."""
    if record_of(lake, made.day) != before:
        raise WorldUnavailable(f"{made.day} was judged by another run meanwhile; the run can be repeated")
    if raw is None:
        return
    lies_there = deliveries.look(raw, date.fromisoformat(made.day), datetime.now(UTC)).days.get(made.day)
    if lies_there and not made.is_made_from(lies_there):
        raise WorldUnavailable(f"{made.day} was delivered anew while it was judged; the run can be repeated")


def _write_outcomes(lake: ObjectStore, day: str, outcomes: str) -> None:
    """As one array, and as a line a rule for engines that read lines."""
    lake.write(outcomes_key(day), outcomes.encode())
    lines = (json.dumps({"Date": day, **outcome}, ensure_ascii=False) for outcome in json.loads(outcomes))
    lake.write(outcomes_key(day, "jsonl"), "".join(f"{line}\n" for line in lines).encode())


def _why_blocked(evaluation: Evaluation, fitting: RowCaster, records: Records) -> str:
    """Why nothing of the delivery may be loaded; empty where something may.

    Without a row it is a mishap at the source: loaded, it would wipe out the day.
    """
    reasons = [f"{outcome.rule.claim} ({outcome.failure_reason})" for outcome in evaluation.blocking]
    if not records.sound:
        reasons.append("the delivery holds no row")
    if fitting.missing:
        reasons.append(f"the delivery lacks the columns {', '.join(fitting.missing)} of the table")
    return "; ".join(reasons)


def _served(before: DayRecord | None) -> tuple[str | None, int]:
    """The version of the day that the warehouse has, and its rows."""
    if before is None:
        return None, 0
    return (before.version, before.good) if before.is_loaded else (before.serves, before.serves_good)


def _left_out_before(lake: ObjectStore, before: DayRecord | None) -> set[tuple[str, int]]:
    if before is None or not before.bad:
        return set()
    return rows_left_out(lake.read(bad_key(before.day)))


def _digest(files: Sequence[FetchedFile]) -> str:
    text = "\n".join(f"{file.key}\t{file.sha256}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


def _result_id(made: DayRecord, outcomes: str) -> str:
    """The same for the same delivery, rules and results, so that it is told once."""
    text = "\n".join([DATASET, made.day, made.digest, made.rules_digest, outcomes])
    return f"dqresult-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _provenance(made: DayRecord) -> bytes:
    fields = {
        "day": made.day,
        "version": made.version,
        "digest": made.digest,
        "ruleset": made.ruleset,
        "rules_digest": made.rules_digest,
        "code_version": made.code_version,
    }
    return json.dumps(fields, sort_keys=True).encode()


def _claims(rules: RulesInUse) -> list[tuple[str, Mapping[str, str]]]:
    return [(rule.claim, rule.labels) for rule in rules.ruleset]


def _error(claim: str, labels: Mapping[str, str], reason: str) -> dict[str, object]:
    return {
        "Rule": claim,
        "Outcome": "Error",
        "FailureReason": reason,
        "EvaluatedMetrics": {},
        "EvaluatedRule": claim,
        "Labels": dict(labels),
    }
