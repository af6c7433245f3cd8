"""A day's way through the lake: files -> archive -> judged by the rules in use -> good, bad, outcomes.

Every write replaces what an earlier delivery of the day left. The day's record is written last, so a run that dies
before it is simply done again. A delivery that is blocked, or that cannot be read, leaves the good rows of the version
before it in place and served; a blocked one has its own bad rows and outcomes all the same.

Judging a large file takes a while. What was overtaken meanwhile, by a newer delivery or by another run, is not written.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from movie_platform.column_changes import summary_of
from movie_platform.deliveries import Delivery, Overtaken, manifests, until_undisturbed
from movie_platform.deliveries.copies import ArchivedDay, Find, archived
from movie_platform.errors import InputRefused, ObjectMissing, PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.archive import ARCHIVE, FILES
from movie_platform.pipelines.quality_movies.day_records import (
    CODE_VERSION,
    DayRecord,
    FileFacts,
    bad_key,
    outcomes_key,
    put_receipt,
    put_record,
    record_key,
    record_of,
    rejects_key,
    staged_key,
)
from movie_platform.pipelines.quality_movies.history import LakeHistory, history_key, moment_of
from movie_platform.pipelines.quality_movies.records import Records, RowCaster, read
from movie_platform.pipelines.quality_movies.splitting import (
    Split,
    SplitFiles,
    rows_left_out,
    split,
    write_json_lines,
)
from movie_platform.pipelines.quality_movies.stored_files import files_of
from movie_platform.pipelines.quality_movies.tables import DATASET, IMDB_MOVIES_RATING
from movie_platform.quality.ruleset import Ruleset
from movie_platform.quality.ruleset_files import RulesetFile

if TYPE_CHECKING:
    from movie_platform.quality import Evaluation, FileLister, Outcome
    from movie_platform.quality.results import Verdicts

Nulls = Literal["documented", "legacy"]
JudgedBy = Callable[..., "Evaluation"]
"""Judges a data set by a ruleset, as `quality.evaluate` does."""


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
    evaluation: "Evaluation | Verdicts | None" = None

    @property
    def outcomes(self) -> "tuple[Outcome, ...]":
        return self.evaluation.outcomes if self.evaluation else ()


def judge_day(
    raw: ObjectStore,
    lake: ObjectStore,
    day: str,
    rules: RulesInUse,
    *,
    replay: bool = False,
    judged_by: JudgedBy | None = None,
) -> JudgedDay | None:
    """Judge what is delivered for a day, and write everything but the warehouse; None where nothing ever was.

    A replay judges what is archived by today's rules and only releases: good rows stay good. What was overtaken, by a
    newer delivery or by another run, is judged again. Rows are judged in this process, or as `judged_by` does.
    """
    return until_undisturbed(
        lambda: _judge_day(raw, lake, day, rules, judged_by, replay=replay), f"{day} of the quality movies"
    )


def _judge_day(
    raw: ObjectStore, lake: ObjectStore, day: str, rules: RulesInUse, judged_by: JudgedBy | None, *, replay: bool
) -> JudgedDay | None:
    def find() -> Delivery | None:
        return None if replay else FILES.find(raw, day, datetime.now(UTC))

    with archived(raw, lake, ARCHIVE, day, find) as delivered:
        if delivered is None:
            return None
        files = files_of(raw, lake)
        work = _Work(lake, rules, delivered, find, record_of(lake, day), files, is_replay=replay)
        try:
            records = read([(file.key, file.path) for file in delivered.files])
        except InputRefused as refused:
            return work.unreadable(str(refused))
        return work.judged(records, judged_by)


class _Work:
    """One day under way: what it is made from, and the etag of each object that it wrote."""

    def __init__(
        self,
        lake: ObjectStore,
        rules: RulesInUse,
        delivered: ArchivedDay,
        find: Find,
        before: DayRecord | None,
        files: "FileLister",
        *,
        is_replay: bool,
    ) -> None:
        self._lake, self._rules, self._delivered, self._find, self._before = lake, rules, delivered, find, before
        self._files = files
        self._is_replay = is_replay
        self._written: dict[str, str] = {}
        self._made = _first_record(delivered, rules, before)
        self._day = self._made.day

    def judged(self, records: Records, judged_by: JudgedBy | None) -> JudgedDay:
        from movie_platform.quality import evaluate, type_columns

        history = LakeHistory(self._lake)
        was_bad = _left_out_before(self._lake, self._before) if self._is_replay else None
        evaluation = (judged_by or evaluate)(
            type_columns(records.text),
            self._rules.ruleset,
            nulls=self._rules.nulls,
            history=history,
            dataset=DATASET,
            at=moment_of(self._day),
            files=self._files,
        )
        fitting = RowCaster(IMDB_MOVIES_RATING, records.text.schema.names)
        blocked = _why_blocked(evaluation, fitting, records)
        with tempfile.TemporaryDirectory(prefix="movie-platform-quality-") as folder:
            files = SplitFiles.below(Path(folder))
            metadata = {b"movie_platform": _provenance(self._made)}
            found = split(records, evaluation, fitting, files, blocked=blocked, was_bad=was_bad, metadata=metadata)
            self._must_be_current()
            self._write_rows(files, found, is_blocked=bool(blocked))
        outcomes = evaluation.outcomes_json()
        self._write_outcomes(outcomes)
        metrics = {
            **evaluation.metrics,
            "Evaluation.*.Score": evaluation.score,
            "Evaluation.*.GoodRows": float(found.good + found.withheld),
            "Evaluation.*.BadRows": float(found.bad),
        }
        key = history_key(DATASET, self._day)
        self._written[key] = history.record(DATASET, moment_of(self._day), metrics)
        serves, serves_good = _served(self._before) if blocked else (None, 0)
        files_read = {key: replace(facts, records=records.counts[key]) for key, facts in self._made.files.items()}
        record = replace(
            self._made,
            files=files_read,
            state="blocked" if blocked else "good",
            reason=blocked,
            score=evaluation.score,
            passed=evaluation.passed,
            rows=records.total,
            good=found.good,
            bad=found.bad,
            misfits=found.misfits,
            broken=found.broken,
            withheld=found.withheld,
            released=found.released,
            good_digest=hashlib.sha256(f"{self._made.digest} {found.digest}".encode()).hexdigest(),
            result_id=_result_id(self._made, outcomes),
            metrics=len(metrics),
            serves=serves,
            serves_good=serves_good,
            good_before=self._before.loadable if blocked and self._before else None,
            missing_columns=fitting.missing,
            observations=tuple(evaluation.observations),
        )
        self._finish(record)
        return JudgedDay(record, evaluation)

    def unreadable(self, reason: str) -> JudgedDay:
        """No rule could be computed, and everything else stays as the version before it left it."""
        self._must_be_current()
        errors = [_error(claim, labels, reason) for claim, labels in _claims(self._rules)]
        outcomes = json.dumps(errors, indent=2) + "\n"
        self._write_outcomes(outcomes)
        serves, serves_good = _served(self._before)
        record = replace(
            self._made,
            state="unreadable",
            reason=reason,
            result_id=_result_id(self._made, outcomes),
            serves=serves,
            serves_good=serves_good,
            good_before=self._before.loadable if self._before else None,
        )
        self._finish(record)
        return JudgedDay(record)

    def _write_rows(self, files: SplitFiles, found: Split, *, is_blocked: bool) -> None:
        day, lake = self._day, self._lake
        if is_blocked:
            self._upload(rejects_key(day), files.withheld)
        else:
            self._upload(staged_key(day), files.good)
            lake.delete([rejects_key(day)])
        if found.bad:
            lines = files.bad.with_suffix(".jsonl")
            write_json_lines(files.bad, lines)
            self._upload(bad_key(day), files.bad)
            self._upload(bad_key(day, "jsonl"), lines)
        else:
            lake.delete([bad_key(day), bad_key(day, "jsonl")])

    def _write_outcomes(self, outcomes: str) -> None:
        """As one array, and as a line a rule for engines that read lines."""
        lines = (json.dumps({"Date": self._day, **outcome}, ensure_ascii=False) for outcome in json.loads(outcomes))
        texts = {
            outcomes_key(self._day): outcomes,
            outcomes_key(self._day, "jsonl"): "".join(f"{line}\n" for line in lines),
        }
        self._written |= {key: self._lake.write(key, text.encode()) for key, text in texts.items()}

    def _upload(self, key: str, path: Path) -> None:
        self._written[key] = self._lake.upload(key, path)

    def _must_be_current(self) -> None:
        """A run that began earlier and ends later would otherwise put the superseded delivery over the newer one."""
        self._delivered.must_be_current(self._lake, self._find)
        if record_of(self._lake, self._day) != self._before:
            raise Overtaken(f"{self._day} was judged by another run")

    def _finish(self, record: DayRecord) -> None:
        """The record and then the receipt, once it is sure that nobody was faster."""
        self._must_be_current()
        self._written[record_key(self._day)] = put_record(self._lake, record)
        put_receipt(self._lake, record, self._written, self._delivered.fingerprint)


def _first_record(delivered: ArchivedDay, rules: RulesInUse, before: DayRecord | None) -> DayRecord:
    """What is known of the day before it is judged."""
    manifest = delivered.manifest
    sha256 = {file.key: file.sha256 for file in delivered.files}
    return DayRecord(
        day=manifest.partition,
        # An archive from before there were manifests keeps the version that its ledger rows have.
        version=manifest.version if manifest.sequence or before is None else before.version,
        delivered_at=manifest.delivered_at or (before.delivered_at or before.version if before else ""),
        files={
            key: FileFacts(file.etag, manifest.delivered_at, file.sha256, file.size)
            for key, file in manifest.files.items()
        },
        digest=manifests.digest_of(sha256),
        ruleset=rules.name,
        rules_digest=rules.digest,
        code_version=CODE_VERSION,
        state="good",
        rules=len(rules.ruleset),
    )


def _why_blocked(evaluation: "Evaluation", fitting: RowCaster, records: Records) -> str:
    """Why nothing of the delivery may be loaded; empty where something may.

    Without a row it is a mishap at the source: loaded, it would wipe out the day.
    """
    reasons = [f"{outcome.rule.claim} ({outcome.failure_reason})" for outcome in evaluation.blocking]
    if not records.sound:
        reasons.append("the delivery holds no row")
    if gone := [change for change in fitting.changes if change.change == "gone"]:
        reasons.append(f"the delivery {summary_of(gone)}")
    return "; ".join(reasons)


def _served(before: DayRecord | None) -> tuple[str | None, int]:
    """When the version of the day came that the warehouse has, and its rows."""
    if before is None:
        return None, 0
    if before.is_loaded:
        return before.delivered_at or before.version, before.good
    return before.serves, before.serves_good


def _left_out_before(lake: ObjectStore, before: DayRecord | None) -> set[tuple[str, int]]:
    if before is None or not before.bad:
        return set()
    try:
        return rows_left_out(lake.read(bad_key(before.day)))
    except ObjectMissing:
        raise PlatformError(
            f"the bad rows of {before.day} are not kept any more, so that a replay cannot know which rows were good. "
            f"Judge the whole day: `movie-platform run quality --from {before.day} --to {before.day}`"
        ) from None


def _result_id(made: DayRecord, outcomes: str) -> str:
    """The same for the same delivery, rules and results, so that its notice is sent once."""
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
