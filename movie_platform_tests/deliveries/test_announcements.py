"""What S3 announces in a queue wakes those who scan, in whatever form, order and number it comes."""

import json
import threading
import time
import uuid

import boto3
import pytest

from movie_platform.deliveries.announcements import Announcements, Queue, announced
from movie_platform.errors import SettingsError, WorldUnavailable
from movie_platform.waits import Waits

FEED, QUALITY = "s3://raw/imdb_raw_data/", "s3://raw/input_data/"
KEY = "imdb_raw_data/202601010000/202601010000_type_A.csv"


def of_s3(key: str = KEY, event: str = "ObjectCreated:Put", bucket: str = "raw") -> str:
    record = {"eventSource": "aws:s3", "eventName": event, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
    return json.dumps({"Records": [record]})


def of_event_bridge(kind: str = "Object Created") -> str:
    detail = {"bucket": {"name": "raw"}, "object": {"key": "input_data/a b+c.csv"}}
    return json.dumps({"source": "aws.s3", "detail-type": kind, "detail": detail})


@pytest.mark.parametrize(
    ("body", "addresses"),
    [
        (of_s3(), [f"s3://raw/{KEY}"]),
        (
            of_s3("input_data/a+b%2Bc%C3%A4.csv", "ObjectCreated:CompleteMultipartUpload"),
            ["s3://raw/input_data/a b+cä.csv"],
        ),
        (of_s3(event="s3:ObjectCreated:Copy"), [f"s3://raw/{KEY}"]),
        (of_s3(event="ObjectRemoved:Delete"), []),
        (of_event_bridge(), ["s3://raw/input_data/a b+c.csv"]),
        (of_event_bridge("Object Deleted"), []),
        (json.dumps({"Type": "Notification", "TopicArn": "arn:topic", "Message": of_s3()}), [f"s3://raw/{KEY}"]),
        (json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "raw"}), []),
        (json.dumps({"Records": []}), []),
    ],
)
def test_every_form_in_which_s3_announces_an_object_is_read(body: str, addresses: list[str]) -> None:
    assert announced(body) == addresses


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"TopicArn": 1, "Message": 2}',
        '{"source": "aws.s3"}',
        "",
        "text",
        "[]",
        "7",
        "null",
        "{}",
        '{"Records": [{}]}',
        '{"Records": 7}',
        '{"Records": [{"eventName": 7}]}',
    ],
    ids=lambda body: body[:30] or "empty",
)
def test_what_is_no_announcement_says_so(body: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        announced(body)


@pytest.fixture
def queue(aws: str) -> Queue:
    made = boto3.client("sqs").create_queue(QueueName=f"q-{uuid.uuid4().hex}", Attributes={"VisibilityTimeout": "1"})
    return Queue(made["QueueUrl"])


@pytest.fixture
def shared(queue: Queue) -> Announcements:
    found = Announcements(queue)
    found.know(FEED)
    found.know(QUALITY)
    return found


def send(queue: Queue, *bodies: str) -> None:
    for body in bodies:
        boto3.client("sqs").send_message(QueueUrl=queue.url, MessageBody=body)


def left_in(queue: Queue) -> int:
    """Messages that wait or are received and not deleted."""
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


def soon(seconds: float = 0) -> float:
    return time.monotonic() + seconds


def test_whoever_watches_is_woken_by_what_is_below_its_place_and_by_nothing_else(
    queue: Queue, shared: Announcements
) -> None:
    send(queue, of_s3("input_data/2026-01-05/a.csv"), of_s3(KEY, bucket="other"), of_s3("elsewhere/a.csv"))
    with shared.watch(FEED) as feed:
        assert not feed.wait(soon())
        send(queue, of_s3())
        assert feed.wait(soon(10))
        assert not feed.wait(soon())
    assert [said.partition(" is announced")[0] for said in feed.unknown] == [
        f"s3://other/{KEY}",
        "s3://raw/elsewhere/a.csv",
    ]


def test_a_message_is_deleted_when_its_place_is_watched_again_and_not_before(
    queue: Queue, shared: Announcements
) -> None:
    send(queue, of_s3())
    with shared.watch(FEED) as feed:
        assert feed.wait(soon())
    assert left_in(queue) == 1
    with shared.watch(FEED):
        assert left_in(queue) == 0


def test_a_message_that_a_killed_process_had_received_comes_again(queue: Queue, shared: Announcements) -> None:
    send(queue, of_s3())
    with shared.watch(FEED) as feed:
        assert feed.wait(soon())
    after_the_kill = Announcements(Queue(queue.url))
    after_the_kill.know(FEED)
    with after_the_kill.watch(FEED) as feed:
        assert feed.wait(soon(10))


def test_a_message_for_a_source_that_nobody_scans_now_is_deleted_since_its_next_tick_scans(
    queue: Queue, shared: Announcements
) -> None:
    send(queue, of_s3("input_data/2026-01-05/a.csv"))
    with shared.watch(FEED) as feed:
        assert not feed.wait(soon())
        assert feed.unknown == []
    assert left_in(queue) == 0


def test_what_is_no_announcement_is_reported_and_removed_and_holds_back_nothing(
    queue: Queue, shared: Announcements
) -> None:
    send(queue, "no JSON \x1b[31m" + "x" * 1000, *["[]"] * 25, of_s3())
    with shared.watch(FEED) as feed:
        assert feed.wait(soon())
    assert len(feed.unknown) == 26
    assert "no JSON" in feed.unknown[0]
    assert "\x1b" not in feed.unknown[0]
    assert len(feed.unknown[0]) < 400
    assert left_in(queue) == 1


def test_ticks_of_several_sources_share_what_one_of_them_receives(queue: Queue, shared: Announcements) -> None:
    woken: dict[str, bool] = {}
    ready = threading.Barrier(3)

    def tick(place: str) -> None:
        with shared.watch(place) as watch:
            ready.wait()
            woken[place] = watch.wait(soon(15))

    ticks = [threading.Thread(target=tick, args=(place,)) for place in (FEED, QUALITY)]
    for each in ticks:
        each.start()
    ready.wait()
    send(queue, of_s3("input_data/2026-01-05/a.csv"), of_s3())
    for each in ticks:
        each.join(20)
    assert woken == {FEED: True, QUALITY: True}


def test_a_queue_that_is_not_there_says_so_in_words(aws: str) -> None:
    queue = Queue(f"{aws}/123456789012/none-{uuid.uuid4().hex}")
    with pytest.raises(WorldUnavailable, match="queue is there"):
        queue.receive(0)
    with pytest.raises(WorldUnavailable, match="queue is there"):
        queue.examine()


def test_a_queue_that_cannot_be_reached_ends_within_its_waits(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(WorldUnavailable, match="could not be reached"):
        Queue("http://127.0.0.1:9/1/q", Waits(connect=0.5)).receive(5)


def test_without_credentials_the_error_says_where_they_come_from(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(SettingsError, match="AWS finds it"):
        Queue(f"{aws}/123456789012/q").receive(0)
