"""Where notices go. A channel sends a notice once; the notifier tries again."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from pydantic import SecretStr

from movie_platform.aws import aws_client
from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.notify.apprise_channel import AppriseChannel
from movie_platform.notify.notices import Notice
from movie_platform.settings import address_key
from movie_platform.waits import AWS, Waits

SOURCE = "movie-platform"
"""The source of our events; sources that start with `aws.` are AWS's own, and EventBridge refuses them."""
SUBJECT_CHARACTERS = 100
BODY_BYTES = 250_000

_TRANSIENT = {"Throttling", "ThrottlingException", "InternalError", "InternalException", "InternalFailure"}


class Channel(Protocol):
    """Where notices are sent; `name` is the setting that made it."""

    name: str

    def send(self, notice: Notice) -> None:
        """Send it. `WorldUnavailable` where the same call may succeed later, another error where it will not."""

    def examine(self) -> str:
        """Whether the channel is there, found out without sending anything; raises as `send` does."""


class LogChannel:
    """The program's own log."""

    name = "log"

    def __init__(self) -> None:
        self._log = logging.getLogger("movie_platform.notify")

    def send(self, notice: Notice) -> None:
        level = logging.INFO if notice.is_good_news else logging.WARNING
        self._log.log(level, "%s\n%s", notice.subject, notice.body)

    def examine(self) -> str:
        return "notices are written to the log"


class TopicChannel:
    """An SNS topic: subject and body for people, attributes for subscriptions' filters."""

    def __init__(self, arn: str, waits: Waits = AWS) -> None:
        self.name = f"sns:{arn}"
        self._arn = arn
        self._waits = waits

    def send(self, notice: Notice) -> None:
        attributes = {
            "kind": notice.detail_type,
            "state": "SUCCEEDED" if notice.is_good_news else "FAILED",
        }
        with reaching(self.name):
            self._sns().publish(
                TopicArn=self._arn,
                Subject=_subject(notice.subject),
                Message=_within(notice.body, BODY_BYTES),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )

    def examine(self) -> str:
        with reaching(self.name):
            self._sns().get_topic_attributes(TopicArn=self._arn)
        return "the topic is there"

    def _sns(self) -> Any:
        return aws_client("sns", self._waits, region=self._arn.split(":")[3])


class BusChannel:
    """An EventBridge bus, by name or ARN."""

    def __init__(self, bus: str, waits: Waits = AWS) -> None:
        self.name = f"events:{bus}"
        self._bus = bus
        self._waits = waits

    def send(self, notice: Notice) -> None:
        entry = {
            "Time": notice.at,
            "Source": SOURCE,
            "DetailType": notice.detail_type,
            "Detail": json.dumps(notice.detail, allow_nan=False),
            "EventBusName": self._bus,
        }
        with reaching(self.name):
            answer = self._events().put_events(Entries=[entry])
        for refused in answer.get("Entries", []):
            if code := refused.get("ErrorCode"):
                raise _error(self.name, code, refused.get("ErrorMessage") or code)

    def examine(self) -> str:
        with reaching(self.name):
            self._events().describe_event_bus(Name=self._bus)
        return "the bus is there"

    def _events(self) -> Any:
        region = self._bus.split(":")[3] if self._bus.startswith("arn:") else None
        return aws_client("events", self._waits, region=region)


def open_channel(setting: str, addresses: Mapping[str, SecretStr] | None = None, waits: Waits = AWS) -> Channel:
    """The channel that a part of the setting NOTIFY names: `log`, `sns:<arn>`, `events:<bus>` or `apprise:<name>`.

    `addresses` are those of the apprise channels, as `Settings.notify_urls` holds them.
    """
    kind, _, rest = setting.partition(":")
    match kind:
        case "log":
            return LogChannel()
        case "sns":
            return TopicChannel(rest, waits)
        case "events":
            return BusChannel(rest, waits)
        case "apprise" if address := (addresses or {}).get(address_key(rest)):
            return AppriseChannel(rest, address, waits)
    raise SettingsError(f"there is no channel {setting!r} to notify by")


@contextmanager
def reaching(name: str) -> Iterator[None]:
    try:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
    except ImportError:
        raise SettingsError(f"{name} needs AWS's client, which is not installed: install movie-platform[aws]") from None
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = "Throttling" if status >= 500 or status == 429 else answer.get("Code", "")
        raise _error(name, code, answer.get("Message") or str(error)) from error
    except (NoRegionError, NoCredentialsError) as error:
        raise SettingsError(f"{name} cannot be used: {error} AWS finds it by its own variables or files.") from error
    except BotoCoreError as error:
        raise WorldUnavailable(f"{name} could not be reached: {error}") from error


def _error(name: str, code: str, message: str) -> PlatformError:
    if code in _TRANSIENT:
        return WorldUnavailable(f"{name} did not take it: {message}")
    return PlatformError(
        f"{name} refuses: {message}. Check that it exists and that the role may use it, or run `movie-platform doctor`."
    )


def _subject(text: str) -> str:
    """What SNS takes for a subject: printable ASCII, at most a hundred characters."""
    plain = "".join(character if 32 <= ord(character) < 127 else "?" for character in text)
    return plain if len(plain) <= SUBJECT_CHARACTERS else plain[: SUBJECT_CHARACTERS - 3] + "..."


def _within(text: str, limit: int) -> str:
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= limit else data[:limit].decode("utf-8", "ignore") + "\n(cut)"
