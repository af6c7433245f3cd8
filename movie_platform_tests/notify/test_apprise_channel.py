"""Notices arrive at what apprise reaches, each kind of channel at a receiver on loopback; an address is never shown."""

import email
import email.policy
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.notify import Notifier, open_channel, open_notifier
from movie_platform.notify.apprise_channel import AppriseChannel
from movie_platform.settings import load_settings
from movie_platform_tests.notify.receivers import Receiver, mail_server, self_signed, web_server
from movie_platform_tests.notify.test_notices import evaluation

KEY = "TIiajkdnlazkcOXrIdevi7FQ"
"""A key as such services give it: it must not show anywhere."""
SUBJECT = "quality_movies 2026-03-01: 2 of 3 rules not passed"


@pytest.fixture
def web() -> Iterator[Receiver]:
    with web_server() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[Receiver]:
    with mail_server() as receiver:
        yield receiver


def channel(address: str) -> AppriseChannel:
    return AppriseChannel("ops", SecretStr(address))


def assert_whole(text: str) -> None:
    """The notice names the delivery, says what to do and links to the run."""
    for part in (SUBJECT, "Date:      2026-03-01", "To do: ", "docs/operations.md", "http://localhost:3000/runs/abc"):
        assert part in text


def test_a_json_webhook_gets_the_notice(web: Receiver) -> None:
    channel(f"json://127.0.0.1:{web.port}/{KEY}").send(evaluation())
    ((path, body),) = web.received
    posted = json.loads(body)
    assert path == f"/{KEY}"
    assert posted["type"] == "failure"
    assert_whole(f"{posted['title']}\n{posted['message']}")


def test_an_xml_webhook_gets_the_notice(web: Receiver) -> None:
    channel(f"xml://127.0.0.1:{web.port}/{KEY}").send(evaluation())
    ((_, body),) = web.received
    assert_whole(body.decode())


def test_mattermost_gets_the_notice(web: Receiver) -> None:
    channel(f"mmost://127.0.0.1:{web.port}/abcdefghijklmnopqrstuvwx").send(evaluation())
    ((path, body),) = web.received
    assert path == "/hooks/abcdefghijklmnopqrstuvwx"
    assert_whole(json.loads(body)["text"])


def test_slack_gets_the_notice(web: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack

    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{web.port}/services")
    channel(f"slack://T1JJ3T3L2/A1BRTD4JD/{KEY}/#alerts").send(evaluation())
    ((path, body),) = web.received
    assert path == f"/services/T1JJ3T3L2/A1BRTD4JD/{KEY}"
    posted = json.loads(body)
    assert posted["channel"] == "#alerts"
    (attached,) = posted["attachments"]
    assert_whole(f"{attached['title']}\n{attached['text']}")


def test_teams_gets_the_notice_by_a_workflow(tmp_path: Path) -> None:
    with web_server(self_signed(tmp_path)) as web:
        channel(f"workflow://127.0.0.1:{web.port}/flow/{KEY}?verify=no").send(evaluation())
    ((path, body),) = web.received
    assert "/workflows/flow/" in path
    assert SUBJECT in body.decode()
    assert "http://localhost:3000/runs/abc" in body.decode()


def test_pagerduty_gets_an_event(web: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins import pagerduty

    addresses = dict.fromkeys(pagerduty.PAGERDUTY_API_LOOKUP, f"http://127.0.0.1:{web.port}/v2/enqueue")
    monkeypatch.setattr(pagerduty, "PAGERDUTY_API_LOOKUP", addresses)
    web.status = 202
    channel(f"pagerduty://{KEY}@{KEY}").send(evaluation())
    ((_, body),) = web.received
    event = json.loads(body)
    assert event["event_action"] == "trigger"
    assert SUBJECT in event["payload"]["summary"]


def test_a_mail_is_sent(mail: Receiver) -> None:
    channel(f"mailto://me:{KEY}@127.0.0.1:{mail.port}?to=ops@example.com&from=me@example.com&mode=insecure").send(
        evaluation()
    )
    ((_, sent),) = mail.received
    message = email.message_from_bytes(sent, policy=email.policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    assert message["To"] == "ops@example.com"
    assert_whole(f"{message['Subject']}\n{part.get_content()}")


def test_good_news_is_marked_as_such(web: Receiver) -> None:
    channel(f"json://127.0.0.1:{web.port}/").send(evaluation(rules=(), score=1.0))
    assert json.loads(web.received[0][1])["type"] == "info"


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (404, PlatformError, "refuses with status 404. Check the address in MOVIE_PLATFORM_NOTIFY_URL_OPS"),
        (429, WorldUnavailable, "answers with status 429"),
        (503, WorldUnavailable, "answers with status 503"),
    ],
)
def test_what_a_service_answers_decides_whether_it_is_asked_again(
    web: Receiver, status: int, error: type[Exception], says: str
) -> None:
    web.status = status
    with pytest.raises(error, match=says) as raised:
        channel(f"json://127.0.0.1:{web.port}/{KEY}").send(evaluation())
    assert type(raised.value) is error


def test_a_service_that_is_away_is_tried_again_and_then_reported() -> None:
    waits: list[float] = []
    notifier = Notifier([channel(f"json://127.0.0.1:9/{KEY}")], wait=waits.append)
    delivered = notifier.notify(evaluation())
    assert waits == [1.0, 3.0]
    assert "does not answer" in delivered.failures["apprise:ops"]


@pytest.mark.parametrize(
    "address", ["json://127.0.0.1:9/{key}", "json://127.0.0.1:{port}/{key}", "nonsense://{key}", "slack://{key}"]
)
def test_an_address_is_in_no_log_error_or_name(web: Receiver, caplog: pytest.LogCaptureFixture, address: str) -> None:
    web.status = 403
    address = address.format(port=web.port, key=KEY)
    with caplog.at_level(logging.DEBUG):
        notifier = Notifier([channel(address)], wait=lambda _: None)
        delivered = notifier.notify(evaluation())
        with pytest.raises(PlatformError) as raised:
            channel(address).send(evaluation())
    assert delivered.failures
    for text in (caplog.text, str(delivered), str(raised.value), repr(raised.value.__cause__), repr(notifier.channels)):
        assert KEY not in text


def test_what_apprise_does_not_know_is_named_by_its_variable() -> None:
    with pytest.raises(SettingsError, match="MOVIE_PLATFORM_NOTIFY_URL_OPS holds no address that apprise knows"):
        channel("nonsense://x").send(evaluation())


def test_examining_names_the_service_and_sends_nothing(web: Receiver) -> None:
    assert "JSON" in channel(f"json://127.0.0.1:{web.port}/").examine()
    assert web.received == []


def test_an_address_can_be_kept_in_secrets_manager(aws: str, web: Receiver) -> None:
    import boto3

    secrets, name = boto3.client("secretsmanager"), f"notify-{uuid.uuid4().hex}"
    secrets.create_secret(Name=name, SecretString=f"json://127.0.0.1:{web.port}/first\n")
    ops = channel(f"secret:{name}")
    ops.send(evaluation())
    secrets.put_secret_value(SecretId=name, SecretString=f"json://127.0.0.1:{web.port}/rotated")
    ops.send(evaluation())
    assert [path for path, _ in web.received] == ["/first", "/rotated"]


def test_a_secret_that_is_not_there_is_named(aws: str) -> None:
    with pytest.raises(PlatformError, match=r"the secret gone, which MOVIE_PLATFORM_NOTIFY_URL_OPS names, .*NotFound"):
        channel("secret:gone").send(evaluation())


@pytest.fixture
def set_variables(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_them(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", value)

    return set_them


def test_the_address_comes_from_the_variable_of_the_channels_name(
    set_variables: Callable[..., None], web: Receiver
) -> None:
    set_variables(NOTIFY="apprise:on-call", NOTIFY_URL_ON_CALL=f"json://127.0.0.1:{web.port}/{KEY}")
    settings = load_settings()
    assert open_notifier(settings.notify, addresses=settings.notify_urls).notify(evaluation()).everywhere
    assert web.received[0][0] == f"/{KEY}"
    assert KEY not in repr(settings)


def test_a_channel_without_an_address_stops_the_start(set_variables: Callable[..., None]) -> None:
    set_variables(NOTIFY="log,apprise:slack", NOTIFY_URL_OTHER=f"json://host/{KEY}", WAREHOUSE_PASSWORD=KEY)
    with pytest.raises(SettingsError, match="set MOVIE_PLATFORM_NOTIFY_URL_SLACK to the channel's address") as raised:
        load_settings()
    assert KEY not in str(raised.value)


def test_a_channel_that_nobody_gave_an_address_cannot_be_opened() -> None:
    with pytest.raises(SettingsError, match="no channel 'apprise:slack'"):
        open_channel("apprise:slack")
