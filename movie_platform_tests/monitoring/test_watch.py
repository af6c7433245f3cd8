"""Each trouble is notified when it begins, once a day while it lasts, and when it is over: by causing it."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._daemon.types import DaemonHeartbeat

from movie_platform.deliveries import reconciled
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import LocalStore, ObjectStore
from movie_platform.monitoring import watch
from movie_platform.monitoring.troubles import Trouble
from movie_platform.monitoring.watch import Found, Memory, notified
from movie_platform.notify import Notice, Notifier
from movie_platform.notify.routing import parse_routes
from movie_platform.orchestration.runs import instance
from movie_platform.pipelines.imdb_feed.processing import process
from movie_platform.pipelines.imdb_feed.source import SOURCE as FEED
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver, triplet

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNBOOK = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


class Ear:
    """A channel that keeps what it hears, and is out of order for a while."""

    def __init__(self, name: str = "ear") -> None:
        self.name = name
        self.notices: list[Notice] = []
        self.is_broken = False

    @property
    def heard(self) -> list[str]:
        return [notice.subject for notice in self.notices]

    def send(self, notice: Notice) -> None:
        if self.is_broken:
            raise WorldUnavailable("out of order")
        self.notices.append(notice)

    def examine(self) -> str:
        return "hears"


class Watched(Platform):
    """A platform whose sensor platform_watch is ticked."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, **settings)
        self.ear = Ear()
        self.cursor: str | None = None
        self.evaluated: list[dg.AssetCheckEvaluation] = []

    def look(self, lake: ObjectStore | None = None, on: dg.DagsterInstance | None = None) -> list[str]:
        """Tick, and what was heard of it; events are stored as the daemon stores them."""
        repository = self.definitions.get_repository_def()
        heard = len(self.ear.notices)
        resources = {"lake": lake or self.lake, "notifier": Notifier([self.ear], ui="http://ui")}
        with dg.build_sensor_context(
            instance=on or self.instance, cursor=self.cursor, repository_def=repository, resources=resources
        ) as context:
            tick = repository.get_sensor_def("platform_watch").evaluate_tick(context)
        assert not tick.run_requests
        self.cursor = tick.cursor
        self.evaluated = [event for event in tick.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
        for event in tick.asset_events:
            (on or self.instance).report_runless_asset_event(event)
        return self.ear.heard[heard:]


@pytest.fixture
def platform(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def served(platform: Watched, window: str) -> None:
    deliver(platform.raw, window)
    process(platform.raw, platform.lake, window)


def test_a_feed_that_went_silent_is_notified_once_and_its_recovery_once(platform: Watched) -> None:
    assert platform.look() == [], "nothing was ever served: nothing is overdue"
    served(platform, W)
    (subject,) = platform.look()
    assert subject.startswith("OVERDUE: IMDB feed: the newest window that is served is 2026-01-01 00:00")
    (notice,) = platform.ear.notices
    assert "movie-platform status" in notice.body
    assert "http://ui/assets/imdb_raw_triplet" in notice.body
    assert platform.look() == []
    bad = shift(key_of(datetime.now(UTC)), -LENGTH)
    deliver(platform.raw, bad, {"nothing.csv": b""})
    process(platform.raw, platform.lake, bad)
    assert platform.look() == [], "what came is refused: the feed is still not served"
    (found,) = watch.read(platform.lake, platform.settings.platform_name).open
    assert "1 windows after it came and are refused" in found.reason
    served(platform, key_of(datetime.now(UTC)))
    (over,) = platform.look()
    assert over == "OVER: IMDB feed: overdue since 2026-01-01 00:40 UTC"
    assert platform.look() == []


def test_the_check_of_the_arrivals_changes_with_the_state_and_not_with_every_window(platform: Watched) -> None:
    platform.look()
    served(platform, W)
    platform.look()
    assert [(of.asset_key.to_user_string(), of.passed) for of in platform.evaluated] == [("imdb_raw_triplet", False)]
    assert "overdue since 2026-01-01 00:40 UTC" in (platform.evaluated[0].description or "")
    now = key_of(datetime.now(UTC))
    served(platform, shift(now, -LENGTH))
    platform.look()
    assert [of.passed for of in platform.evaluated] == [True]
    served(platform, now)
    platform.look()
    assert platform.evaluated == []


def test_the_check_of_the_columns_changes_with_a_column_and_not_with_every_window(platform: Watched) -> None:
    def deliver_renamed(window: str) -> None:
        files = triplet(window)
        name = f"{window}_type_A.csv"
        deliver(platform.raw, window, {**files, name: files[name].replace(b"metascore", b"meta_score")})
        process(platform.raw, platform.lake, window)

    def said() -> list[tuple[bool, dg.AssetCheckSeverity, str]]:
        platform.look()
        found = [of for of in platform.evaluated if of.check_name == "columns_as_expected"]
        return [(of.passed, of.severity, of.description or "") for of in found]

    served(platform, W)
    assert said() == []
    deliver_renamed(first := shift(W, LENGTH))
    sentence = (
        f"type_A has no column 'metascore' (perhaps renamed to 'meta_score') since {first}: the window is refused"
    )
    assert said() == [(False, dg.AssetCheckSeverity.WARN, f"{sentence}, and what was served before stays.")]
    deliver_renamed(second := shift(first, LENGTH))
    assert said() == []
    served(platform, shift(second, LENGTH))
    assert said() == [(True, dg.AssetCheckSeverity.WARN, "Every column is as expected.")]


@pytest.mark.parametrize(("check", "passed"), [("in_time", False), ("columns_as_expected", True)])
def test_the_checks_can_be_run_from_the_ui_too(platform: Watched, check: str, passed: bool) -> None:
    served(platform, W)
    job = platform.definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(),
        asset_check_selection={dg.AssetCheckKey(dg.AssetKey(FEED.raw_asset), check)},
    )
    (evaluation,) = job.execute_in_process(instance=platform.instance).get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == (check, passed)


def test_a_load_that_two_reconciliations_found_owed_is_notified(platform: Watched) -> None:
    window = key_of(datetime.now(UTC))
    served(platform, window)  # processed, and the run ended before it had loaded
    reconcile = platform.definitions.resolve_job_def("imdb_feed_reconciliation")
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    reconciled.write(platform.lake, FEED, platform.settings.platform_name, [window], an_hour_ago)
    assert platform.look() == []
    assert reconcile.execute_in_process(instance=platform.instance).success
    (subject,) = platform.look()
    assert subject.startswith("OWED: IMDB feed: 1 windows were delivered")
    assert window in subject
    assert platform.run(window).succeeded
    assert reconcile.execute_in_process(instance=platform.instance).success
    (over,) = platform.look()
    assert over.startswith("OVER: IMDB feed: owed since")


def test_what_is_owed_while_a_run_of_it_is_under_way_keeps_its_time(platform: Watched) -> None:
    name = platform.settings.platform_name
    reconciled.write(platform.lake, FEED, name, [W], NOW)
    reconciled.write(platform.lake, FEED, name, [], NOW + timedelta(hours=1), under_way=[W])
    assert reconciled.read(platform.lake, FEED.name, name).owed == {}
    reconciled.write(platform.lake, FEED, name, [W], NOW + timedelta(hours=2))
    assert reconciled.read(platform.lake, FEED.name, name).since == {W: NOW.isoformat(timespec="microseconds")}


def sensor_state(instance: dg.DagsterInstance, name: str) -> InstigatorState:
    """The sensor as the daemon registers it."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("movie_platform"), "__repository__")
    state = InstigatorState(
        RemoteInstigatorOrigin(repository, name),
        InstigatorType.SENSOR,
        InstigatorStatus.DECLARED_IN_CODE,
        SensorInstigatorData(),
    )
    return instance.add_instigator_state(state)


def ticked(instance: dg.DagsterInstance, state: InstigatorState, at: datetime, skip: str) -> None:
    """A tick as the daemon keeps it."""
    instance.create_tick(
        TickData(
            state.instigator_origin_id,
            state.name,
            InstigatorType.SENSOR,
            TickStatus.SKIPPED,
            at.timestamp(),
            skip_reason=skip,
            selector_id=state.selector_id,
        )
    )


class Away(LocalStore):
    """A store that cannot be reached."""

    def _fails(self, *_: Any, **__: Any) -> Any:
        raise WorldUnavailable("the bucket cannot be reached")

    objects = folders = info = read = write = _fails


def test_a_sensor_that_cannot_look_for_ten_minutes_is_notified(tmp_path: Path) -> None:
    platform = Watched(tmp_path)
    now = datetime.now(UTC)
    reason = platform.tick(raw=Away((tmp_path / "away").as_uri())).skip_message
    assert "the bucket cannot be reached" in reason
    with instance(tmp_path / "home") as on:
        for daemon in on.get_required_daemon_types():
            on.add_daemon_heartbeat(DaemonHeartbeat(now.timestamp(), daemon, None))
        state = sensor_state(on, "imdb_feed_arrivals")
        ticked(on, state, now - timedelta(minutes=11), "No new windows.")
        for minutes in (9, 5, 1):
            ticked(on, state, now - timedelta(minutes=minutes), reason)
        assert platform.look(on=on) == [], "nine minutes may pass by themselves"
        ticked(on, state, now - timedelta(minutes=10, seconds=30), reason)
        (subject,) = platform.look(on=on)
        assert subject.startswith("FAILING: sensor imdb_feed_arrivals: none of its last 4 ticks succeeded")
        assert "the bucket cannot be reached" in subject
        ticked(on, state, now, "No new windows.")
        (over,) = platform.look(on=on)
        assert over.startswith("OVER: sensor imdb_feed_arrivals: failing since")


def test_a_daemon_without_a_heartbeat_is_notified(tmp_path: Path) -> None:
    platform = Watched(tmp_path)
    now = datetime.now(UTC).timestamp()
    with instance(tmp_path / "home") as on:
        daemons = on.get_required_daemon_types()
        for daemon in daemons:
            on.add_daemon_heartbeat(DaemonHeartbeat(now, daemon, None))
        assert platform.look(on=on) == []
        on.add_daemon_heartbeat(DaemonHeartbeat(now - 3600, "SCHEDULER", None))
        (subject,) = platform.look(on=on)
        assert subject.startswith("SILENT: daemon SCHEDULER: its last heartbeat was at")
        on.add_daemon_heartbeat(DaemonHeartbeat(now, "SCHEDULER", None))
        (over,) = platform.look(on=on)
        assert over.startswith("OVER: daemon SCHEDULER: silent since")


def test_a_lake_that_is_away_neither_ends_a_trouble_nor_forgets_it(platform: Watched, tmp_path: Path) -> None:
    served(platform, W)
    assert len(platform.look()) == 1
    assert platform.look(lake=Away((tmp_path / "away").as_uri())) == []
    assert platform.look() == []


def trouble(name: str = "feed", since: datetime = NOW) -> Trouble:
    return Trouble("OVERDUE", name, "freshness", since, "nothing came", "ask")


def step(memory: Memory, ears: list[Ear], at: datetime, *found: Trouble, **options: Any) -> Memory:
    """One look; the memory goes through the text of the cursor."""
    after = notified(memory, Found(found, frozenset({"OVERDUE"})), Notifier(ears, **options), at)
    return Memory.parse(str(after))


def test_a_trouble_that_lasts_is_notified_again_once_a_day() -> None:
    ear, memory = Ear(), Memory()
    for hours in range(50):
        memory = step(memory, [ear], NOW + timedelta(hours=hours), trouble())
    assert ear.heard == [
        "OVERDUE: feed: nothing came",
        "STILL OVERDUE: feed: nothing came",
        "STILL OVERDUE: feed: nothing came",
    ]


def test_a_channel_that_was_out_of_order_hears_it_later_and_the_others_only_once() -> None:
    good, broken, memory = Ear("good"), Ear("broken"), Memory()
    broken.is_broken = True
    for _ in range(3):
        memory = step(memory, [good, broken], NOW, trouble())
    broken.is_broken = False
    memory = step(memory, [good, broken], NOW, trouble())
    assert good.heard == broken.heard == ["OVERDUE: feed: nothing came"]
    broken.is_broken = True
    memory = step(memory, [good, broken], NOW)
    broken.is_broken = False
    memory = step(memory, [good, broken], NOW)
    assert good.heard[1:] == broken.heard[1:] == ["OVER: feed: overdue since 2026-03-01 12:00 UTC"]
    assert memory.open == {}


def test_a_trouble_that_nobody_heard_of_ends_without_a_word() -> None:
    ear, memory = Ear(), Memory()
    ear.is_broken = True
    memory = step(memory, [ear], NOW, trouble())
    ear.is_broken = False
    assert step(memory, [ear], NOW).open == {}
    assert ear.heard == []


def test_a_trouble_that_comes_back_is_news() -> None:
    ear, memory = Ear(), Memory()
    for found in ([trouble()], [], [trouble()]):
        memory = step(memory, [ear], NOW, *found)
    assert [line.split(":")[0] for line in ear.heard] == ["OVERDUE", "OVER", "OVERDUE"]


def test_one_tick_begins_no_notice_after_its_time_and_the_next_one_goes_on() -> None:
    ear = Ear()
    ticks = iter((0.0, 1.0, 30.0, 30.0))
    found = Found((trouble("a"), trouble("b"), trouble("c")), frozenset({"OVERDUE"}))
    memory = notified(Memory(), found, Notifier([ear]), NOW, clock=lambda: next(ticks))
    assert len(ear.heard) == 1
    notified(memory, found, Notifier([ear]), NOW)
    assert len(ear.heard) == 3


def test_whoever_hears_of_a_trouble_hears_of_its_end() -> None:
    pager, log = Ear("apprise:pager"), Ear("log")
    routes = parse_routes("freshness:critical -> pager\nruns -> log", ["apprise:pager", "log"], "rules")
    memory = step(Memory(), [pager, log], NOW, trouble(), routes=routes)
    step(memory, [pager, log], NOW, routes=routes)
    assert (len(pager.heard), log.heard) == (2, [])


@pytest.mark.parametrize(
    "text", [None, "", "not json", "[]", "7", '{"open": 5}', '{"open": {"a": {}}}', '{"began": "x"}']
)
def test_a_memory_that_is_lost_or_cannot_be_read_notifies_once_more(text: str | None) -> None:
    ear = Ear()
    memory = step(Memory.parse(text), [ear], NOW, trouble())
    step(memory, [ear], NOW, trouble())
    assert ear.heard == ["OVERDUE: feed: nothing came"]


def test_what_is_open_is_in_the_lake_with_a_sign_of_life(platform: Watched) -> None:
    name = platform.settings.platform_name
    never = watch.read(platform.lake, name)
    assert "nobody has looked yet" in never.line(NOW)
    served(platform, W)
    platform.look()
    record = watch.read(platform.lake, name)
    assert [of.key for of in record.open] == ["OVERDUE IMDB feed"]
    assert record.at is not None
    assert "is Dagster's daemon running?" not in record.line(record.at + timedelta(minutes=10))
    assert "is Dagster's daemon running?" in record.line(record.at + timedelta(minutes=30))
    written = platform.lake.info(watch.key_of(name))
    platform.look()
    assert platform.lake.info(watch.key_of(name)) == written
    memory = json.loads(platform.cursor or "")
    memory["written"] = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
    platform.cursor = json.dumps(memory)
    platform.look()
    assert platform.lake.info(watch.key_of(name)) != written


def test_each_notice_names_a_part_of_the_runbook_that_there_is() -> None:
    package = Path(watch.__file__).parents[1]
    named = [name for of in package.rglob("*.py") for name in re.findall(r"\{RUNBOOK\}: ([^\"]+)", of.read_text())]
    assert len(named) == 8  # four troubles, two ends of runs, an evaluation and a ruleset
    assert [name for name in named if f"### {name}\n" not in RUNBOOK] == []
