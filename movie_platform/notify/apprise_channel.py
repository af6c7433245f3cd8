"""Channels that apprise reaches: Slack, Teams, mail, PagerDuty and many more, each by an address that is a secret."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.notify.notices import Notice
from movie_platform.secrets_manager import REFERENCE, secret_text
from movie_platform.settings import address_key, variable
from movie_platform.waits import AWS, Waits

BODY_CHARACTERS = 30_000
"""Longer texts are cut. Apprise cuts again, or sends several messages, where a service takes less."""

_STATUS = re.compile(r"error=(\d{3})\b")
_MAY_PASS = {408, 425, 429}
_LIBRARIES = ("apprise", "urllib3.connectionpool", "requests")


class AppriseChannel:
    """One address of apprise. Neither the address nor a part of it appears in a log, an error or a name."""

    def __init__(self, name: str, address: SecretStr, waits: Waits = AWS) -> None:
        self.name = f"apprise:{name}"
        self._variable = variable("notify_urls").replace("<NAME>", address_key(name))
        self._address = address
        self._waits = waits

    def send(self, notice: Notice) -> None:
        import apprise

        kind = apprise.NotifyType.INFO if notice.is_good_news else apprise.NotifyType.FAILURE
        said: list[str] = []
        with _unlogged(said):
            taken = self._opened().notify(
                title=notice.subject,
                body=notice.body[:BODY_CHARACTERS],
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
            )
        if not taken:
            raise self._refusal(said)

    def examine(self) -> str:
        service = self._opened()[0].service_name or "a service"
        return f"the address is one of {service}; whether it takes notices shows with the first"

    def _opened(self) -> Any:
        try:
            import apprise
        except ImportError:
            raise SettingsError(f"{self.name} needs apprise: install movie-platform[notify]") from None
        # Nothing is kept on disk, and service and network get no more time than a notice is worth.
        asset = apprise.AppriseAsset(storage_mode="memory", secure_logging=True, app_id="movie-platform")
        opened = apprise.Apprise(asset=asset)
        with _unlogged([]):
            known = opened.add(self._plain_address())
        if not known:
            raise SettingsError(
                f"{self._variable} holds no address that apprise knows; its value is not shown. The forms are in "
                "apprise's documentation: slack://..., mailto://..., pagerduty://..., workflows://..."
            )
        return opened

    def _plain_address(self) -> str:
        value = self._address.get_secret_value()
        if value.startswith(REFERENCE):
            return secret_text(value.removeprefix(REFERENCE), self._variable, self._waits)
        return value

    def _refusal(self, said: list[str]) -> PlatformError:
        """What apprise logs may repeat the address, so that only the status of the answer is taken from it."""
        found = next((match for line in said if (match := _STATUS.search(line))), None)
        status = int(found[1]) if found else None
        if status is not None and 400 <= status < 500 and status not in _MAY_PASS:
            return PlatformError(
                f"{self.name} refuses with status {status}. Check the address in {self._variable}: keys expire, and "
                "channels are renamed."
            )
        how = f"answers with status {status}" if status else "does not answer, or takes no notice from here"
        return WorldUnavailable(f"{self.name} {how}. Check the network and the address in {self._variable}.")


@contextmanager
def _unlogged(said: list[str]) -> Iterator[None]:
    """Keeps what the libraries log, which can hold the address, out of every log; warnings are collected in `said`."""

    def collect(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            said.append(record.getMessage())
        return False

    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    for logger in loggers:
        logger.addFilter(collect)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(collect)
