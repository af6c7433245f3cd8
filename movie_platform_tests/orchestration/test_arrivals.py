"""With MOVIE_PLATFORM_ARRIVALS a tick waits for S3's announcements, and asks for a run as soon as files are there."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from dagster import DagsterInstance

from movie_platform.deliveries import announcements
from movie_platform.orchestration import arrivals
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver

WITH_THREADS = {"sensors": {"use_threads": True, "num_workers": 10}}


class Announced:
    """A platform whose raw bucket announces what is put into it."""

    def __init__(self, bucket: str, folder: Path, queue: str = "") -> None:
        self.queue = queue or self._made(bucket.removeprefix("s3://"))
        self.platform = Platform(folder, raw=bucket, arrivals=f"sqs:{self.queue}", sensor_interval="30s")
        self.platform.instance = DagsterInstance.ephemeral(settings=WITH_THREADS)

    def _made(self, bucket: str) -> str:
        sqs = boto3.client("sqs")
        attributes = {"VisibilityTimeout": "1"}
        url = sqs.create_queue(QueueName=f"arrivals-{uuid.uuid4().hex}", Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        announcing = [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        boto3.client("s3").put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": announcing}
        )
        return url

    def client(self) -> None:
        """Delivers a window when the tick has found nothing."""
        time.sleep(0.5)
        deliver(self.platform.raw, W)

    @property
    def left(self) -> int:
        found = boto3.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


@pytest.fixture
def announced(bucket: str, tmp_path: Path) -> Announced:
    return Announced(bucket, tmp_path)


@pytest.fixture
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "WAITS_FOR", 1)


@pytest.fixture
def _endless_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick that waits in vain runs into the test's time limit."""
    monkeypatch.setattr(arrivals, "WAITS_FOR", 100_000)


@contextmanager
def meanwhile(do: Any) -> Iterator[None]:
    thread = threading.Thread(target=do)
    thread.start()
    yield
    thread.join()


def keys(tick: Any) -> list[str]:
    return [request.run_key for request in tick.run_requests or []]


@pytest.mark.usefixtures("_endless_waits")
def test_a_tick_that_waits_asks_for_a_window_as_soon_as_its_files_are_there(announced: Announced) -> None:
    with meanwhile(announced.client):
        tick = announced.platform.tick()
    assert [request.partition_key for request in tick.run_requests] == [W]


@pytest.mark.usefixtures("_short_waits")
def test_a_lost_message_costs_no_delivery(announced: Announced) -> None:
    deliver(announced.platform.raw, W)
    boto3.client("sqs").purge_queue(QueueUrl=announced.queue)
    assert len(keys(announced.platform.tick())) == 1


@pytest.mark.usefixtures("_short_waits")
def test_a_message_that_comes_twice_or_late_asks_for_nothing_again(announced: Announced) -> None:
    deliver(announced.platform.raw, W)
    tick = announced.platform.tick()
    assert len(keys(tick)) == 1
    announced.platform.run(W)
    late = announced.platform.tick(tick.cursor)  # the three messages of the delivery come now
    assert keys(late) == []
    assert keys(announced.platform.tick(late.cursor)) == []
    assert announced.left == 0


@pytest.mark.usefixtures("_endless_waits")
def test_a_process_killed_after_its_tick_loses_nothing_and_asks_for_no_second_run(
    announced: Announced, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the killed process nothing is left but the queue, and the cursor that Dagster had stored before its tick."""
    with meanwhile(announced.client):
        lost = announced.platform.tick()
    announcements.announcements_of.cache_clear()
    restarted = Announced(bucket, tmp_path, announced.queue)
    asked = restarted.platform.tick()
    # The same run key: had Dagster stored the lost tick's run, it answers with that one.
    assert keys(asked) == keys(lost)
    assert len(keys(asked)) == 1
    restarted.platform.run(W)
    monkeypatch.setattr(arrivals, "WAITS_FOR", 3)  # the queue hands out again after a second what the process had
    late = restarted.platform.tick(asked.cursor)
    assert keys(late) == []
    restarted.platform.tick(late.cursor)
    assert restarted.left == 0


@pytest.mark.usefixtures("_short_waits")
def test_a_queue_that_does_not_answer_leaves_the_sensor_polling(
    announced: Announced, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=announced.queue)
    empty = announced.platform.tick()
    assert keys(empty) == []
    assert "Nobody hears of arrivals now" in capsys.readouterr().err
    deliver(announced.platform.raw, W)
    assert len(keys(announced.platform.tick(empty.cursor))) == 1


@pytest.mark.usefixtures("_endless_waits")
def test_where_ticks_take_turns_none_waits_and_the_log_says_what_to_set(
    announced: Announced, capsys: pytest.CaptureFixture[str]
) -> None:
    announced.platform.instance = DagsterInstance.ephemeral()
    assert keys(announced.platform.tick()) == []
    assert "use_threads: true" in capsys.readouterr().err
    assert announced.left == 0


@pytest.mark.usefixtures("_short_waits")
def test_a_message_of_no_source_is_in_the_ticks_log(announced: Announced, capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("sqs").send_message(QueueUrl=announced.queue, MessageBody="by mistake")
    announced.platform.tick()
    assert "by mistake" in capsys.readouterr().err
    assert announced.left == 0


def test_every_sources_sensor_waits_where_its_deliveries_are_announced_and_polls_where_they_are_not(
    announced: Announced, tmp_path: Path
) -> None:
    def intervals(platform: Platform) -> set[int]:
        sensors = platform.definitions.get_repository_def().sensor_defs
        return {of.minimum_interval_seconds or 0 for of in sensors if of.name.endswith("_arrivals")}

    on_disk = Platform(tmp_path / "disk", arrivals=f"sqs:{announced.queue}", sensor_interval="30s")
    assert intervals(announced.platform) == {1}
    assert intervals(on_disk) == {30}


@pytest.mark.parametrize("instance", ["dagster.yaml", "deploy/dagster.yaml"])
def test_the_instances_of_the_project_let_ticks_wait(instance: str) -> None:
    import yaml

    from movie_platform.settings import PROJECT_ROOT

    found = yaml.safe_load((PROJECT_ROOT / instance).read_text())["sensors"]
    assert found["use_threads"] is True
    assert found["num_workers"] >= 8
