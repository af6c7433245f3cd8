"""Rules about the files of a folder: their age, size, content, and whether one is there twice."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import re2

from movie_platform.quality.conditions import Condition, Keyword, Number, Operand, Quantity, Text
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.files import StoredFile
from movie_platform.quality.judging.context import DeferredOutcome, EvaluationContext, Judgement, recorded_metrics
from movie_platform.quality.judging.wording import does_or_do, percentage
from movie_platform.quality.operands import Operands, Value, as_clock, as_moment, holds, meets
from movie_platform.quality.presentation import shown
from movie_platform.quality.rule_types import HASH_ALGORITHM, RECENT_FILES, TIME_ZONE, URI_REGEX
from movie_platform.quality.ruleset import SimpleRule

_UNITS: dict[str, int] = {unit: 1024**power for power, unit in enumerate(("B", "KB", "MB", "GB", "TB"))}
_BLOCK = 2**20


def plan_file_rule(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    """A rule about files, listed when the rows were read."""
    if not rule.parameters:
        raise RuleNotComputable(f'{rule.type} names no file and no folder; name one: {rule.type} "s3://bucket/folder/"')
    test = None if rule.type == "FileUniqueness" else _test(rule, context.operands)

    def conclude() -> Judgement:
        files = _files(rule, context, rule.parameters[0])
        if test is None:
            return _uniqueness(rule, files, context.operands)
        if len(rule.parameters) == 2:
            return _same_files(rule, files, _files(rule, context, rule.parameters[1]))
        failing = [file for file in files if not test(file)]
        compliance, share = f"Dataset.*.{rule.type}.Compliance", 1 - len(failing) / len(files)
        reason = f"{len(failing):,} of {_files_in_words(len(files))} {does_or_do(len(failing))} not meet the rule"
        reason += f", for example {'; '.join(shown(file.name) for file in failing[:3])}"
        threshold = context.threshold(rule, compliance)
        if threshold is not None:
            reason += f"; {percentage(share)} do, and the share must be {threshold.render()}"
        passed = not failing if threshold is None else holds(share, threshold, context.operands)
        return _judged(rule, passed, reason, {compliance: share}, _facts(rule, files))

    return conclude


def _facts(rule: SimpleRule, files: Sequence[StoredFile]) -> dict[str, float]:
    """What is measured beside the rule's own share. No history keeps it: rules about other folders measure it too."""
    facts: dict[str, float] = {"Dataset.*.FileCount": len(files)} if rule.type in ("FileFreshness", "FileSize") else {}
    if rule.type == "FileSize":
        sizes = [file.size for file in files]
        facts |= {"Dataset.*.MaximumFileSize": max(sizes), "Dataset.*.MinimumFileSize": min(sizes)}
    return facts


def _judged(
    rule: SimpleRule, passed: bool, reason: str, metrics: dict[str, float], facts: Mapping[str, float] | None = None
) -> Judgement:
    return Judgement(
        "Passed" if passed else "Failed",
        None if passed else reason,
        {**metrics, **(facts or {})},
        rule.claim,
        recorded=recorded_metrics(rule, metrics),
    )


def _files(rule: SimpleRule, context: EvaluationContext, address: str) -> list[StoredFile]:
    """The files that the rule is about, the latest first; raises RuleNotComputable when there are none."""
    if context.files is None:
        raise RuleNotComputable(f"{rule.type} is about files, and this evaluation was given no access to any")
    try:
        files = list(context.files(address))
    except OSError as failure:
        raise RuleNotComputable(f"{address} cannot be listed: {failure}") from failure
    expression = rule.option(URI_REGEX)
    if expression is not None:
        files = [file for file in files if re2.search(expression, file.name) is not None]
    files.sort(key=lambda file: (file.modified, file.name), reverse=True)
    recent = rule.option(RECENT_FILES)
    files = files[: int(recent)] if recent is not None else files
    if not files:
        raise RuleNotComputable(f"there is no file at {address}")
    return files


def _test(rule: SimpleRule, operands: Operands) -> Callable[[StoredFile], bool]:
    condition = rule.condition
    if condition is None:
        if len(rule.parameters) == 2:
            return lambda _file: True
        raise RuleNotComputable(f"{rule.type} of one file or folder needs a condition")
    if rule.type == "FileSize":
        sizes = [_bytes(operand) for operand in condition.operands]
        return lambda file: meets(file.size, condition.operator, sizes)
    if rule.type == "FileMatch":
        wanted = [operand.value.lower() for operand in condition.operands if isinstance(operand, Text)]
        if len(wanted) != len(condition.operands) or condition.operator not in ("=", "in", "!=", "not in"):
            raise RuleNotComputable('FileMatch compares checksums: in ["3ee0d8617ac041793154713e5ef8f319"]')
        listed = condition.operator in ("=", "in")
        return lambda file: (_digest(rule, file) in wanted) == listed
    return _freshness(condition, operands, ZoneInfo(rule.option(TIME_ZONE) or "UTC"))


def _freshness(condition: Condition, operands: Operands, zone: ZoneInfo) -> Callable[[StoredFile], bool]:
    values = [operands.value(operand) for operand in condition.operands if not isinstance(operand, Keyword)]
    ages = [value.total_seconds() for value in values if isinstance(value, timedelta)]
    moments = [moment for moment in (_moment(value, operands.now, zone) for value in values) if moment is not None]
    if len(ages) == len(condition.operands):
        return lambda file: meets((operands.now - file.modified).total_seconds(), condition.operator, ages)
    if len(moments) == len(condition.operands):
        stamps = [moment.timestamp() for moment in moments]
        return lambda file: meets(file.modified.timestamp(), condition.operator, stamps)
    raise RuleNotComputable("FileFreshness compares dates, such as > (now() - 3 days), or ages, such as < 24 hours")


def _moment(value: Value, now: datetime, zone: ZoneInfo) -> datetime | None:
    """A time of day is that of today, where the zone is."""
    clock = as_clock(value)
    if clock is None:
        return as_moment(value, zone)
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    return midnight + timedelta(microseconds=clock)


def _bytes(operand: Operand) -> float:
    if isinstance(operand, Number) and operand.value == int(operand.value):
        return float(operand.value)
    if not isinstance(operand, Quantity) or operand.unit not in _UNITS:
        raise RuleNotComputable(f"a file's size is compared with a size such as 5 MB, not with {operand.render()}")
    return operand.amount.value * float(_UNITS[operand.unit])


def _digest(rule: SimpleRule, file: StoredFile) -> str:
    found = hashlib.new((rule.option(HASH_ALGORITHM) or "MD5").replace("-", "").lower(), usedforsecurity=False)
    with file.open() as content:
        while block := content.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _uniqueness(rule: SimpleRule, files: Sequence[StoredFile], operands: Operands) -> Judgement:
    times = Counter(_digest(rule, file) for file in files)
    share = sum(count == 1 for count in times.values()) / len(files)
    passed = share == 1.0 if rule.condition is None else holds(share, rule.condition, operands)
    wanted = rule.condition.render() if rule.condition is not None else "= 1.0"
    reason = f"{percentage(share)} of {_files_in_words(len(files))} are there once, and the share must be {wanted}"
    return _judged(rule, passed, reason, {"Dataset.*.FileUniqueness": share})


def _same_files(rule: SimpleRule, files: Sequence[StoredFile], others: Sequence[StoredFile]) -> Judgement:
    mine, theirs = (Counter(_digest(rule, file) for file in side) for side in (files, others))
    shared = (mine & theirs).total() / max(mine.total(), theirs.total())
    reason = f"{percentage(shared)} of the files have the same content on both sides"
    return _judged(rule, mine == theirs, reason, {"Dataset.*.FileMatch.Compliance": shared})


def _files_in_words(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
