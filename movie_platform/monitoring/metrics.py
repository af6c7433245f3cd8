"""What the platform measures of itself, from the lake's records and from what Dagster keeps.

Nothing here takes part in a load or waits for one. Each part stands by itself: one that cannot be read is missing, and
`movie_platform_readable` says so. Ages are ages and no time stamps, since alarms of CloudWatch can compare a number and
nothing else; how old all of them are is in `movie_platform_collected_timestamp_seconds`.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from movie_platform.deliveries import reconciled
from movie_platform.deliveries.source import Source
from movie_platform.deliveries.status import SourceStatus
from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.monitoring import troubles, watch
from movie_platform.monitoring.freshness import freshness_of
from movie_platform.monitoring.ledger import ledger_of, moment_of
from movie_platform.monitoring.rows import ROWS
from movie_platform.monitoring.statuses import source_status, windows_status
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.imdb_feed.status import FeedStatus
from movie_platform.settings import Settings

if TYPE_CHECKING:
    from movie_platform.orchestration.liveness import Work

RULES_AT_MOST = 100
"""Rules of a source that have numbers of their own; the others, those that fewest records break, are one together."""
OTHER_RULES = "(other rules)"
RULE_CHARACTERS = 120

HELP = {
    "partitions_processed": "Windows or days of the source that are processed.",
    "partitions_waiting": "Windows or days that are delivered and not processed yet.",
    "partitions_refused": "Windows or days whose newest delivery is refused.",
    "partitions_gone": "Processed windows or days whose files are no longer on the raw side.",
    "keys_rejected": "Keys on the raw side that are no delivery.",
    "refusals": "Refused deliveries by the rule that they break.",
    "overdue": "1 where the window or day after the newest served one is not served though it is due, otherwise 0.",
    "newest_served_age_seconds": "Time since the newest window or day that is served was over.",
    "partitions_owed": "Windows or days that the last reconciliation found delivered and not processed or not loaded.",
    "owed_age_seconds": "Time since a reconciliation first found the oldest of what is owed, also where a run of it is "
    "under way; 0 where nothing is.",
    "reconciliation_age_seconds": "Time since the last reconciliation; one is due every hour.",
    "rows": "Records of the newest deliveries by what became of them: of the feed those of its look-back, of the "
    "others those of the newest day.",
    "rule_rows": "Of these, records that break the rule or were left out for the reason.",
    "rule_passed": "Whether the newest judged delivery passed the rule: 1, or 0.",
    "table_load_age_seconds": "Time since the last load into the table was committed.",
    "table_rows": "Rows of each partition's last load, summed.",
    "table_loads_total": "Loads into the table that were ever committed.",
    "ledger_age_seconds": "How old what is known of the loads is: where the warehouse bills its time, up to an hour.",
    "troubles_open": "Troubles that the sensor platform_watch found and that are not over, by kind.",
    "watch_age_seconds": "Time since platform_watch last wrote what it found; it does every ten minutes.",
    "runs_queued": "Runs that wait for the daemon to start them.",
    "run_queue_age_seconds": "Time since the oldest queued run was asked for; 0 where none waits.",
    "daemon_heartbeat_age_seconds": "Time since the daemon's last heartbeat; one is due every half minute.",
    "last_run_duration_seconds": "How long the job's last run took.",
    "last_run_age_seconds": "Time since the job's last run ended.",
    "last_run_succeeded": "Whether the job's last run succeeded: 1, or 0.",
    "readable": "Whether a part of these numbers could be read: 1, or 0, and then its numbers are missing.",
    "collection_duration_seconds": "How long it took to collect these numbers.",
    "collected_timestamp_seconds": "When these numbers were collected.",
}
"""Every metric and what it says, in the order in which they are written."""
PREFIX = "movie_platform_"
COUNTERS = frozenset({"table_loads_total"})


@dataclass(frozen=True)
class Sample:
    """One number of a metric, whose name is without the prefix."""

    name: str
    value: float
    labels: Mapping[str, str]


def sample(name: str, value: float, **labels: str) -> Sample:
    return Sample(name, float(value), labels)


def collect(settings: Settings, lake: ObjectStore, now: datetime, work: "Callable[[], Work]") -> list[Sample]:
    """Every number as of now; `work` asks Dagster."""
    began = time.monotonic()
    parts: dict[str, Callable[[], Iterator[Sample]]] = {
        "ledger": partial(_ledger, settings, lake, now),
        "watch": partial(_watch, settings, lake, now),
        "dagster": lambda: _work(work(), now),
    }
    for source in map(source_of, PIPELINES):
        parts |= {
            f"deliveries of {source.name}": partial(_deliveries, source, settings, lake, now),
            f"freshness of {source.name}": partial(_freshness, source, settings, lake, now),
            f"rows of {source.name}": partial(_rows, source, settings, lake),
        }
    found: list[Sample] = []
    for part, read in parts.items():
        samples = _contained(part, read)
        found += [*(samples or ()), sample("readable", samples is not None, part=part)]
    found.append(sample("collection_duration_seconds", time.monotonic() - began))
    found.append(sample("collected_timestamp_seconds", now.timestamp()))
    return found


def _contained(part: str, read: Callable[[], Iterator[Sample]]) -> list[Sample] | None:
    log = logging.getLogger(__name__)
    try:
        return list(read())
    except PlatformError as error:
        log.warning("metrics: the %s cannot be read: %s", part, error)
    except Exception:
        # Dagster's database has errors of its own; one part that cannot be read must not hide the others.
        log.exception("metrics: the %s cannot be read", part)
    return None


def _deliveries(source: Source, settings: Settings, lake: ObjectStore, now: datetime) -> Iterator[Sample]:
    found: FeedStatus | SourceStatus
    refused: list[tuple[str, tuple[str, ...]]]
    if source.partition == "window":
        found = windows_status(settings, lake, now)
        listing = found.rejected
        refused = [(refusal.window, refusal.rules) for refusal in found.refused]
    else:
        found = source_status(source, settings, lake, now)
        listing = found.listing
        refused = [(refusal.partition, (refusal.rule,)) for refusal in found.refused]
    yield sample("partitions_processed", len(found.processed), source=source.name)
    yield sample("partitions_waiting", len(found.waiting), source=source.name)
    yield sample("partitions_refused", len({partition for partition, _ in refused}), source=source.name)
    yield sample("partitions_gone", len(found.gone), source=source.name)
    yield sample("keys_rejected", listing.rejected, source=source.name)
    by_rule = Counter(rule or "(none)" for _, rules in refused for rule in rules or ("(none)",))
    for rule, count in _named(by_rule).items():
        yield sample("refusals", count, source=source.name, rule=rule)


def _freshness(source: Source, settings: Settings, lake: ObjectStore, now: datetime) -> Iterator[Sample]:
    found = freshness_of(source, lake, settings, now)
    yield sample("overdue", found.is_overdue(now), source=source.name)
    if found.ended:
        yield sample("newest_served_age_seconds", _seconds(now, found.ended), source=source.name)
    report = reconciled.read(lake, source.name, settings.platform_name)
    if report.time:
        since = [datetime.fromisoformat(time) for time in report.since.values()]
        yield sample("partitions_owed", len(report.owed), source=source.name)
        yield sample("owed_age_seconds", _seconds(now, min(since)) if since else 0, source=source.name)
        age = _seconds(now, datetime.fromisoformat(report.time))
        yield sample("reconciliation_age_seconds", age, source=source.name)


def _rows(source: Source, settings: Settings, lake: ObjectStore) -> Iterator[Sample]:
    found = ROWS[source.name](settings, lake)
    for fate, count in found.fates.items():
        yield sample("rows", count, source=source.name, fate=fate)
    for rule, count in _named(found.broken).items():
        yield sample("rule_rows", count, source=source.name, rule=rule)
    passed: dict[str, bool] = {}
    for rule, is_passed in list(found.passed.items())[:RULES_AT_MOST]:
        passed[_short(rule)] = passed.get(_short(rule), True) and is_passed
    for rule, is_passed in passed.items():
        yield sample("rule_passed", is_passed, source=source.name, rule=rule)


def _ledger(settings: Settings, lake: ObjectStore, now: datetime) -> Iterator[Sample]:
    found = ledger_of(settings, lake, now, wakes=False)
    if not found.at:
        raise PlatformError(found.source)
    yield sample("ledger_age_seconds", _seconds(now, moment_of(found.at)))
    for table, loads, rows, at in found.tables:
        yield sample("table_loads_total", loads, table=table)
        yield sample("table_load_age_seconds", _seconds(now, moment_of(at)), table=table)
        if rows is not None:
            yield sample("table_rows", rows, table=table)


def _watch(settings: Settings, lake: ObjectStore, now: datetime) -> Iterator[Sample]:
    record = watch.read(lake, settings.platform_name)
    if record.at:
        yield sample("watch_age_seconds", _seconds(now, record.at))
        of_kind = Counter(trouble.word for trouble in record.open)
        for word in (troubles.OVERDUE, troubles.FAILING, troubles.SILENT, troubles.OWED):
            yield sample("troubles_open", of_kind[word], kind=word.lower())


def _work(found: "Work", now: datetime) -> Iterator[Sample]:
    yield sample("runs_queued", found.queued)
    yield sample("run_queue_age_seconds", _seconds(now, found.queued_since) if found.queued_since else 0)
    for daemon, at in found.heartbeats.items():
        if at:
            yield sample("daemon_heartbeat_age_seconds", _seconds(now, at), daemon=daemon)
    for run in found.last_runs:
        yield sample("last_run_duration_seconds", run.seconds, job=run.job)
        yield sample("last_run_age_seconds", _seconds(now, run.ended), job=run.job)
        yield sample("last_run_succeeded", run.succeeded, job=run.job)


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of at most so many rules, by what is shown of their texts."""
    found: Counter[str] = Counter()
    ranked = sorted(counts.items(), key=lambda of: (-of[1], of[0]))
    for position, (rule, count) in enumerate(ranked):
        found[_short(rule) if position < RULES_AT_MOST else OTHER_RULES] += count
    return dict(found)


def _short(rule: str) -> str:
    return rule if len(rule) <= RULE_CHARACTERS else f"{rule[: RULE_CHARACTERS - 3]}..."


def _seconds(now: datetime, since: datetime) -> float:
    return max(0.0, (now - since.astimezone(UTC)).total_seconds())


def exposition(samples: list[Sample]) -> str:
    """The numbers as Prometheus reads them (text format 0.0.4)."""
    lines = []
    for name, says in HELP.items():
        kind = "counter" if name in COUNTERS else "gauge"
        lines += [f"# HELP {PREFIX}{name} {says}", f"# TYPE {PREFIX}{name} {kind}"]
        lines += [f"{PREFIX}{name}{_labels(of.labels)} {of.value:.12g}" for of in samples if of.name == name]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in sorted(labels.items())) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
