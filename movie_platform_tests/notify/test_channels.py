"""Notices arrive, at the log and at AWS's services over HTTP; what does not arrive is reported and raises nothing."""

import json
import logging
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from movie_platform.errors import PlatformError, SettingsError
from movie_platform.notify import Notifier, open_channel, open_notifier
from movie_platform_tests.notify.test_notices import evaluation


@dataclass
class Inbox:
    """A queue to see by what a channel delivered."""

    channel: str
    queue: str

    def messages(self) -> list[dict[str, Any]]:
        import boto3

        answer = boto3.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def queue_of(name: str) -> tuple[str, str]:
    import boto3

    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.fixture
def topic(aws: str) -> Inbox:
    import boto3

    name = f"notices-{uuid.uuid4().hex}"
    url, queue_arn = queue_of(name)
    sns = boto3.client("sns")
    arn = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    return Inbox(f"sns:{arn}", url)


@pytest.fixture
def bus(aws: str) -> Inbox:
    import boto3

    name = f"notices-{uuid.uuid4().hex}"
    url, queue_arn = queue_of(name)
    events = boto3.client("events")
    events.create_event_bus(Name=name)
    events.put_rule(Name="all", EventBusName=name, EventPattern=json.dumps({"source": ["movie-platform"]}))
    events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "queue", "Arn": queue_arn}])
    return Inbox(f"events:{name}", url)


def test_a_topic_gets_subject_and_body(topic: Inbox) -> None:
    delivered = open_notifier([topic.channel]).notify(evaluation())
    assert delivered.by == (topic.channel,)
    (message,) = topic.messages()
    assert message["Subject"] == evaluation().subject
    assert message["Message"] == evaluation().body
    assert message["MessageAttributes"]["state"]["Value"] == "FAILED"


def test_a_subject_that_sns_would_refuse_is_made_fit(topic: Inbox) -> None:
    delivered = open_notifier([topic.channel]).notify(evaluation(dataset="Amélie\n" + "x" * 200))
    assert delivered.everywhere
    (message,) = topic.messages()
    assert len(message["Subject"]) == 100
    assert message["Subject"].isascii()


def test_a_bus_gets_glues_event(bus: Inbox) -> None:
    assert open_notifier([bus.channel]).notify(evaluation()).everywhere
    (event,) = bus.messages()
    assert event["source"] == "movie-platform"
    assert event["detail-type"] == "Data Quality Evaluation Results Available"
    assert event["detail"]["resultId"] == "dqresult-1"
    assert event["detail"]["numRulesFailed"] == 1


def test_several_channels_are_told_at_once(topic: Inbox, bus: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "movie_platform.notify"):
        delivered = open_notifier(["log", topic.channel, bus.channel]).notify(evaluation())
    assert delivered.by == ("log", topic.channel, bus.channel)
    assert "2 of 3 rules not passed" in caplog.text
    assert len(topic.messages()) == len(bus.messages()) == 1


def test_who_was_told_already_is_not_told_again(topic: Inbox, bus: Inbox) -> None:
    delivered = open_notifier([topic.channel, bus.channel]).notify(evaluation(), already={topic.channel})
    assert delivered.by == (bus.channel,)
    assert topic.messages() == []


def test_a_topic_that_is_not_there_holds_back_nobody_and_is_reported(
    bus: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    gone = "sns:arn:aws:sns:us-east-1:123456789012:gone"
    delivered = open_notifier([gone, bus.channel]).notify(evaluation())
    assert delivered.by == (bus.channel,)
    assert gone in delivered.failures
    assert "was not sent" in caplog.text
    assert len(bus.messages()) == 1


def test_an_unreachable_service_is_tried_again_and_then_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, aws: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    waits: list[float] = []
    channel = open_channel("sns:arn:aws:sns:us-east-1:123456789012:notices")
    delivered = Notifier([channel], wait=waits.append).notify(evaluation())
    assert waits == [1.0, 3.0]
    assert "3 attempts" in delivered.failures[channel.name]
    assert "was not sent" in caplog.text


def test_without_credentials_the_message_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, aws: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(SettingsError, match="credentials"):
        open_channel("sns:arn:aws:sns:us-east-1:123456789012:notices").send(evaluation())


def test_examining_tells_nobody(topic: Inbox, bus: Inbox) -> None:
    assert "topic is there" in open_channel(topic.channel).examine()
    assert "bus is there" in open_channel(bus.channel).examine()
    assert topic.messages() == bus.messages() == []


@pytest.mark.parametrize("setting", ["sns:arn:aws:sns:us-east-1:123456789012:gone", "events:gone"])
def test_examining_says_what_is_not_there(aws: str, setting: str) -> None:
    with pytest.raises(PlatformError, match="refuses"):
        open_channel(setting).examine()
