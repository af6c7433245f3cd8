"""S3's announcements of what was put into a bucket, received from an SQS queue: each is a reason to scan at once.

An announcement decides nothing. What arrived is found by the scan with which every tick of a sensor begins, so one that
is lost costs the time until the next tick, one that comes twice costs a scan, and their order does not matter. What a
lost tick or run left behind is found by the reconciliation.

All sensors of a process share a queue: one of their ticks receives at a time, for all of them.
"""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import unquote_plus

from movie_platform.aws import aws_client
from movie_platform.errors import SettingsError, WorldUnavailable
from movie_platform.printable import printable
from movie_platform.waits import AWS, Waits

LONGEST_POLL = 20
"""Seconds that SQS lets a receiver wait."""
BATCH = 10
"""Messages that SQS hands out and deletes at a time."""
RECEIVED_AT_MOST = 500
"""Messages that are taken before those who wait are woken; the others stay in the queue until then."""
OUTSIDE_A_POLL = 10.0
"""Seconds that the queue may take for an answer: with a poll, the scans around it and a deletion before it, a tick
stays below the 60 s that Dagster gives it."""
QUOTED = 200
"""Characters of a message that is no announcement, in what is said of it."""


def announced(body: str) -> list[str]:
    """As `objects_put`, of the text of a message, which may have come through an SNS topic."""
    try:
        message = json.loads(body)
        if isinstance(message, dict) and "TopicArn" in message:
            message = json.loads(message["Message"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    return objects_put(message)


def objects_put(message: Mapping[str, Any]) -> list[str]:
    """The addresses of the objects that an event says were put; none for what else S3 has to say.

    It may be S3's own or EventBridge's. `ValueError` where it is neither.
    """
    try:
        if message.get("Event") == "s3:TestEvent":  # sent once, when notifications are switched on
            return []
        if message.get("source") == "aws.s3":
            detail, is_put = message["detail"], message["detail-type"] == "Object Created"
            return [_address(detail["bucket"]["name"], detail["object"]["key"])] if is_put else []
        return [
            _address(record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
            for record in message["Records"]
            if record["eventName"].removeprefix("s3:").startswith("ObjectCreated:")
        ]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _address(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


@dataclass(frozen=True)
class Message:
    """A message that was received; under its handle it is deleted."""

    handle: str
    body: str


class Queue:
    """An SQS queue. Every call is bounded; errors are for people."""

    def __init__(self, url: str, waits: Waits = AWS) -> None:
        self.url = url
        self._waits = waits.within(OUTSIDE_A_POLL)

    def receive(self, seconds: int) -> list[Message]:
        """Up to ten messages, which nobody else receives for the queue's visibility timeout. Where none is there, it
        waits so many seconds for one, or as long as SQS lets it."""
        wait = min(seconds, LONGEST_POLL)
        with self._reaching():
            answer = self._receiving.receive_message(QueueUrl=self.url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait)
        return [Message(found["ReceiptHandle"], found["Body"]) for found in answer.get("Messages", [])]

    def delete(self, messages: Sequence[Message]) -> None:
        """A message whose visibility timeout is over may stay; it then comes again."""
        for start in range(0, len(messages), BATCH):
            batch = messages[start : start + BATCH]
            entries = [{"Id": str(number), "ReceiptHandle": of.handle} for number, of in enumerate(batch)]
            with self._reaching():
                self._calling.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def examine(self) -> str:
        """Whether the queue is there and may be used, and what is in it."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with self._reaching():
            found = self._calling.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        waiting, received = (int(found[name]) for name in names)
        return f"the queue is there; {waiting} messages wait, {received} are received and not deleted yet"

    @cached_property
    def _receiving(self) -> Any:
        return self._client(LONGEST_POLL)

    @cached_property
    def _calling(self) -> Any:
        return self._client(0)

    def _client(self, poll: int) -> Any:
        region = re.search(r"//sqs\.([a-z0-9-]+)\.", self.url)
        return aws_client("sqs", self._waits, region=region[1] if region else None, silent=poll)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
        except ImportError:
            raise SettingsError(
                f"{self.url} needs AWS's client, which is not installed: install movie-platform[aws]"
            ) from None
        try:
            yield
        except ClientError as error:
            said = error.response.get("Error", {})
            raise WorldUnavailable(
                f"{self.url} refuses: {said.get('Message') or error}. Check that the queue is there and that the role "
                "may receive and delete its messages, or run `movie-platform doctor`"
            ) from error
        except (NoRegionError, NoCredentialsError) as error:
            raise SettingsError(
                f"{self.url} cannot be asked: {error} AWS finds it by its own variables or files."
            ) from error
        except BotoCoreError as error:
            raise WorldUnavailable(f"{self.url} could not be reached: {error}") from error


@dataclass(eq=False)
class Watch:
    """What a tick hears of one place, from before its first scan on."""

    place: str
    _queue: "Announcements"
    is_announced: bool = False
    has_received: bool = False
    unknown: list[str] = field(default_factory=list)
    """What is said of messages that this tick received and that announce nothing of any source."""

    def wait(self, until: float) -> bool:
        """Whether something was put since the last call; it waits for that until a moment of the monotonic clock.

        With no time left it still takes, once, what is in the queue. `PlatformError` where the queue does not answer.
        """
        while not self.is_announced:
            left = max(int(until - time.monotonic()), 0)
            if not left and self.has_received:
                return False
            self._queue.receive_or_wait(self, left)
        self.is_announced = False
        return True


class Announcements:
    """A queue, shared by the ticks of all sources of a process.

    A message is deleted when the source that it is for is watched again: by then Dagster has stored what the earlier
    tick found, or it asks anew from the cursor before. One that is for a source without a tick under way is deleted at
    once, since the next tick scans, and so is one that announces nothing of any source.
    """

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._places: set[str] = set()
        self._watches: set[Watch] = set()
        self._used: dict[str, list[Message]] = {}
        self._changed = threading.Condition()
        self._receiving = threading.Lock()

    def know(self, place: str) -> None:
        """Messages about objects below this address are no unknown ones, whether it is watched now or not."""
        self._places.add(place)

    @contextmanager
    def watch(self, place: str) -> Iterator[Watch]:
        """Keep what is announced below an address for the tick that scans it meanwhile."""
        watch = Watch(place, self)
        with self._changed:
            self._watches.add(watch)
            used = self._used.pop(place, [])
        try:
            self._delete(used)
            yield watch
        finally:
            with self._changed:
                self._watches.remove(watch)

    def receive_or_wait(self, watch: Watch, seconds: int) -> None:
        """Receive for everybody, or wait until somebody else has done so."""
        if not self._receiving.acquire(blocking=False):
            watch.has_received = True
            with self._changed:
                self._changed.wait_for(lambda: watch.is_announced or not self._receiving.locked(), seconds)
            return
        try:
            self._receive(watch, seconds)
        finally:
            self._receiving.release()
            with self._changed:
                self._changed.notify_all()

    def _receive(self, watch: Watch, seconds: int) -> None:
        messages = batch = self.queue.receive(seconds)
        watch.has_received = True
        while len(batch) == BATCH and len(messages) < RECEIVED_AT_MOST:
            batch = self.queue.receive(0)
            messages = [*messages, *batch]
        with self._changed:
            for_nobody = [message for message in messages if not self._handed_on(message, watch)]
        self._delete(for_nobody)

    def _handed_on(self, message: Message, receiver: Watch) -> bool:
        """Whether a tick under way scans for it."""
        try:
            addresses = announced(message.body)
        except ValueError as error:
            receiver.unknown.append(f"a message is no announcement of S3 ({error}): {_quoted(message.body)}")
            return False
        for address in addresses:
            if not address.startswith(tuple(self._places)):
                receiver.unknown.append(f"{printable(address)} is announced and belongs to no source")
        woken = [watch for watch in self._watches if any(address.startswith(watch.place) for address in addresses)]
        for watch in woken:
            watch.is_announced = True
        if woken:
            self._used.setdefault(woken[0].place, []).append(message)
        return bool(woken)

    def _delete(self, messages: Sequence[Message]) -> None:
        try:
            self.queue.delete(messages)
        except WorldUnavailable:
            return  # they come again, and cost a scan


@cache
def announcements_of(url: str, waits: Waits = AWS) -> Announcements:
    """The queue as this process shares it."""
    return Announcements(Queue(url, waits))


def _quoted(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= QUOTED else f"{shown[:QUOTED]}..."
