"""What the platform measures of itself is true, whoever reads it, and each alert fires when its cause is there."""

import operator
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._daemon.types import DaemonHeartbeat
from prometheus_client.parser import text_string_to_metric_families

from movie_platform.commands.main import cli
from movie_platform.commands.metrics import repeat, write_whole
from movie_platform.deliveries import reconciled
from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import LocalStore
from movie_platform.monitoring import ledger, metrics
from movie_platform.monitoring.cloudwatch import WORST, data_of, send
from movie_platform.monitoring.metrics import HELP, OTHER_RULES, PREFIX, RULES_AT_MOST, collect, exposition, sample
from movie_platform.monitoring.rows import ROWS, Rows
from movie_platform.orchestration.liveness import Work, work_of
from movie_platform.orchestration.runs import instance, run_partitions
from movie_platform.pipelines.imdb_feed.processing import process
from movie_platform.pipelines.imdb_feed.source import SOURCE as FEED
from movie_platform.pipelines.imdb_feed.summaries import KEY as SUMMARIES
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift
from movie_platform.pipelines.quality_movies.evaluation import judge_day
from movie_platform.settings import Settings
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform.warehouse.duckdb.published import published_path
from movie_platform_tests.deploy.test_grafana import ALERTS, EXPRESSION
from movie_platform_tests.deploy.test_terraform import platform_alarms
from movie_platform_tests.monitoring.test_watch import Away, Watched, sensor_state, ticked
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver, movie, triplet
from movie_platform_tests.pipelines.quality_movies.conftest import delivery, rules_of
from movie_platform_tests.pipelines.quality_movies.conftest import movie as rated

BAD = shift(W, LENGTH)
TODAY = datetime.now(UTC).date().isoformat()
JOB = "imdb_feed_job"
HOUR = timedelta(hours=1)

Numbers = dict[str, dict[tuple[tuple[str, str], ...], float]]


def parsed(text: str) -> Numbers:
    """By metric and labels, as Prometheus's own client reads it."""
    found: Numbers = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for read in family.samples:
            of = found.setdefault(read.name, {})
            labels = tuple(sorted(read.labels.items()))
            assert labels not in of, f"{read.name} {labels} is there twice"
            of[labels] = read.value
    return found


def value(numbers: Numbers, name: str, **labels: str) -> float | None:
    return numbers.get(PREFIX + name, {}).get(tuple(sorted(labels.items())))


def fires(alert: str, numbers: Numbers, now: datetime) -> bool:
    """What Prometheus makes of the alert's expression, which is a comparison with a number."""
    found = EXPRESSION.fullmatch(ALERTS[alert]["expr"])
    assert found, ALERTS[alert]["expr"]
    wanted = set(re.findall(r'(\w+)="([^"]*)"', found["labels"] or ""))
    compare = {"==": operator.eq, ">": operator.gt}[found["than"]]
    return any(
        compare(now.timestamp() - number if found["since"] else number, float(found["number"]))
        for labels, number in numbers.get(found["name"], {}).items()
        if wanted <= set(labels)
    )


class Measured(Watched):
    """A platform with an instance on disk, as a daemon has it, and the numbers of it."""

    def __init__(self, folder: Path, on: dg.DagsterInstance) -> None:
        super().__init__(folder)
        self.instance = on

    def numbers(self, now: datetime) -> Numbers:
        self.samples = collect(self.settings, self.lake, now, lambda: work_of(self.instance, [JOB]))
        return parsed(exposition(self.samples))

    def alarms(self) -> set[str]:
        """Those of CloudWatch that the last numbers set off."""
        than = {'"GreaterThan"': operator.gt, '"LessThan"': operator.lt}
        sent = {of["MetricName"]: of["Value"] for of in data_of(self.samples)}
        of_terraform = platform_alarms().items()
        return {name for name, of in of_terraform if name in sent and than[of["than"]](sent[name], of["limit"])}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Measured]:
    with instance(tmp_path / "home") as on:
        yield Measured(tmp_path, on)


def test_each_alert_fires_when_its_cause_is_there_and_not_before(platform: Measured) -> None:
    now = datetime.now(UTC)
    name = platform.settings.platform_name
    platform.raw.write(f"input_data/{TODAY}/movies.csv", delivery(rated("A film")))
    judge_day(platform.raw, platform.lake, TODAY, rules_of("RowCount = 1"))
    for daemon in platform.instance.get_required_daemon_types():
        platform.instance.add_daemon_heartbeat(DaemonHeartbeat(now.timestamp(), daemon, None))
    platform.look()
    reconciled.write(platform.lake, FEED, name, [], now)
    before = platform.numbers(now)
    assert [alert for alert in ALERTS if fires(alert, before, now)] == []
    assert platform.alarms() == set()

    caused: dict[str, bool] = {}

    def seen(alert: str, numbers: Numbers, at: datetime) -> None:
        caused[alert] = fires(alert, numbers, at)

    deliver(platform.raw, W)
    deliver(platform.raw, BAD, {"nothing.csv": b""})
    assert not run_partitions(platform.definitions, FEED.assets, [W, BAD], platform.instance, job=JOB).succeeded
    reconciled.write(platform.lake, FEED, name, [W], now - 2 * HOUR)
    judge_day(platform.raw, platform.lake, TODAY, rules_of("RowCount > 9"))
    state = sensor_state(platform.instance, "imdb_feed_arrivals")
    reason = platform.tick(raw=Away((platform.folder / "away").as_uri())).skip_message
    for minutes in (11, 9, 5, 1):
        ticked(platform.instance, state, now - timedelta(minutes=minutes), reason)
    platform.look()
    report = platform.definitions.resolve_job_def("platform_report_job")
    origin = RemoteJobOrigin(state.origin.repository_origin, report.name)
    platform.instance.create_run_for_job(report, status=dg.DagsterRunStatus.QUEUED, remote_job_origin=origin)
    found, alarms = platform.numbers(now), platform.alarms()
    for alert in ("SourceOverdue", "LoadOwed", "DeliveriesRefused", "RulesNotPassed", "LastRunFailed", "SensorFailing"):
        seen(alert, found, now)
    later = now + 3 * HOUR
    after = platform.numbers(later)
    alarms |= platform.alarms()
    for alert in ("FeedNotLoaded", "ReconciliationMissing", "RunsWait", "DaemonSilent", "WatchStopped"):
        assert not fires(alert, found, now)
        seen(alert, after, later)
    seen("NumbersOld", found, later)
    published_path(platform.folder / "warehouse.duckdb").write_bytes(b"no database")
    seen("NumbersMissing", platform.numbers(now), now)
    assert caused == dict.fromkeys(ALERTS, True)
    assert alarms | platform.alarms() == set(WORST)


def test_the_numbers_are_those_that_status_and_the_ledger_show_while_a_load_runs(platform: Measured) -> None:
    now = datetime.now(UTC)
    deliver(platform.raw, W, triplet(W, [movie(1), movie(2, imdb_rating="11")]))
    deliver(platform.raw, BAD, {"nothing.csv": b""})
    assert platform.run(W).succeeded
    process(platform.raw, platform.lake, BAD)
    deliver(platform.raw, shift(BAD, LENGTH))
    platform.raw.write("imdb_raw_data/2026-13-02/a.csv", b"")
    platform.raw.delete([info.key for info in platform.raw.objects(f"imdb_raw_data/{W}/")])
    table = {"table": "main.imdb_movie_windows"}
    free = platform.numbers(now)
    assert (value(free, "table_rows", **table), value(free, "table_loads_total", **table)) == (1, 1)
    platform.lake.write(ledger.KEY, ledger.ledger_of(platform.settings, platform.lake, now).as_json())  # as the report
    platform.lake.delete([SUMMARIES])
    with held(platform.folder / "warehouse.duckdb.lock", "a load", Deadline.after(timedelta(0))):
        found = platform.numbers(now + HOUR)
    assert all(found[f"{PREFIX}readable"].values())
    assert value(found, "table_rows", **table) == 1
    assert value(found, "ledger_age_seconds") == pytest.approx(3600, abs=1)
    assert value(found, "table_load_age_seconds", **table) == pytest.approx(3600, abs=60)
    assert platform.lake.info(SUMMARIES) is None, "who measures writes nothing"
    of = {"source": "imdb_feed"}
    shown = {name: value(found, f"partitions_{name}", **of) for name in ("processed", "waiting", "refused", "gone")}
    assert shown == {"processed": 1, "waiting": 1, "refused": 1, "gone": 1}
    assert value(found, "keys_rejected", **of) == 1
    assert value(found, "refusals", rule="three_files", **of) == 1
    assert value(found, "rows", fate="bad", **of) == 1
    assert value(found, "rule_rows", rule="imdb_rating_between_0_and_10", **of) == 1
    assert value(found, "overdue", **of) == 1


def test_a_part_that_cannot_be_read_is_missing_and_named_and_the_others_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"ENDPOINT_URL": "http://127.0.0.1:9", "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", text)
    platform = Watched(tmp_path)

    def no_database() -> Work:
        raise WorldUnavailable("the database is away")

    away = {"quality_uri": "s3://nowhere", "s3_retry": timedelta(seconds=0.1)}
    settings = platform.settings.model_copy(update=away)
    numbers = parsed(exposition(collect(settings, platform.lake, datetime.now(UTC), no_database)))
    unreadable = {dict(labels)["part"] for labels, is_read in numbers[f"{PREFIX}readable"].items() if not is_read}
    assert unreadable == {"dagster", "deliveries of quality_movies"}
    assert value(numbers, "runs_queued") is None
    assert value(numbers, "partitions_waiting", source="imdb_feed") == 0


def test_however_many_rules_there_are_the_numbers_are_few_and_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "A" * 1000
    rules = {f'{long} "{number}"': 1 for number in range(50)} | {f"rule {n}\n\\": n for n in range(200)}
    monkeypatch.setitem(ROWS, "quality_movies", lambda *_: Rows(broken=rules, passed=dict.fromkeys(rules, True)))
    lake = LocalStore((tmp_path / "lake").as_uri())
    samples = metrics._rows(metrics.source_of("movie_platform.pipelines.quality_movies"), Settings(), lake)
    numbers = parsed(exposition(list(samples)))
    assert sum(numbers[f"{PREFIX}rule_rows"].values()) == sum(rules.values())
    assert len(numbers[f"{PREFIX}rule_rows"]) <= RULES_AT_MOST + 1
    assert len(numbers[f"{PREFIX}rule_passed"]) <= RULES_AT_MOST
    assert value(numbers, "rule_rows", source="quality_movies", rule="rule 199\n\\") == 199
    assert value(numbers, "rule_rows", source="quality_movies", rule=OTHER_RULES)


def test_the_server_answers_with_what_was_collected_last_and_waits_for_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    ends, texts = threading.Event(), iter(["first", "second"])
    served: list[str] = []

    def collected() -> str:
        text = next(texts)
        if text == "second":
            address = re.search(r"http://\S+", capfd.readouterr().err)
            assert address
            with urllib.request.urlopen(address[0]) as answer:
                served.append(answer.read().decode())
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{address[0]}/no")
            ends.set()
        return text

    repeat(collected, 0.01, 0, "127.0.0.1", ends)
    assert served == ["first"]


def test_a_file_is_replaced_at_once_and_can_be_read_by_others(tmp_path: Path) -> None:
    file = tmp_path / "textfile" / "movie_platform.prom"
    for text in ("old", "new"):
        write_whole(file, text)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o644)
    with pytest.raises(PlatformError, match="cannot be written"):
        write_whole(file / "below", "text")


def test_the_command_prints_or_writes_every_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, uri in {"RAW_URI": "raw", "LAKE_URI": "lake"}.items():
        monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", (tmp_path / uri).as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", f"duckdb:///{tmp_path}/warehouse.duckdb")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    file = tmp_path / "metrics.prom"
    printed, written = (CliRunner().invoke(cli, ["metrics", *more]) for more in ((), ("--out", str(file))))
    assert (printed.exit_code, written.exit_code, written.stdout) == (0, 0, "")
    for text in (printed.stdout, file.read_text()):
        assert set(re.findall(r"# HELP (\w+)", text)) == {PREFIX + name for name in HELP}
        assert value(parsed(text), "runs_queued") == 0


def test_cloudwatch_gets_the_worst_of_all_sources_in_one_call(aws: str) -> None:
    samples = [
        sample("overdue", 0, source="a"),
        sample("overdue", 1, source="b"),
        sample("readable", 1, part="a"),
        sample("readable", 0, part="b"),
        sample("rows", 7, source="a", fate="good"),
    ]
    send("metrics-of-a-test", samples)
    cloudwatch = boto3.client("cloudwatch")
    listed = {of["MetricName"] for of in cloudwatch.list_metrics(Namespace="metrics-of-a-test")["Metrics"]}
    assert listed == {"overdue", "readable"}
    now = datetime.now(UTC)
    for name, worst in {"overdue": 1, "readable": 0}.items():
        (point,) = cloudwatch.get_metric_statistics(
            Namespace="metrics-of-a-test",
            MetricName=name,
            StartTime=now - HOUR,
            EndTime=now + HOUR,
            Period=86_400,
            Statistics=["Maximum"],
        )["Datapoints"]
        assert point["Maximum"] == worst
