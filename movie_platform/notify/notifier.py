"""A notice through every channel, tried again a few times, with an account of what came through."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.notify.channels import Channel, open_channel
from movie_platform.notify.notices import Notice
from movie_platform.notify.routing import Routes
from movie_platform.waits import AWS, Waits

ATTEMPTS = 3
WAITS = (1.0, 3.0)
"""Seconds between the attempts."""


@dataclass(frozen=True)
class Delivered:
    """What came of one notice: the channels that took it, and why others did not."""

    by: tuple[str, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def everywhere(self) -> bool:
        return not self.failures

    def __str__(self) -> str:
        return (
            "; ".join([*(f"notified {name}" for name in self.by), *self.failures.values()]) or "nobody new was notified"
        )


class Notifier:
    """Sends notices. A channel that fails holds back neither the others nor the caller."""

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        ui: str = "",
        routes: Routes | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.channels = tuple(channels)
        self._routes = routes or Routes()
        self._ui = ui
        self._wait = wait
        self._log = logging.getLogger("movie_platform.notify")

    def link_to_run(self, run_id: str) -> str:
        """Where people see the run; empty where no UI is known."""
        return f"{self._ui}/runs/{run_id}" if self._ui else ""

    def link_to(self, page: str) -> str:
        """Where people see a page of the UI; empty where no UI is known."""
        return f"{self._ui}/{page}" if self._ui else ""

    def notify(self, notice: Notice, *, already: Collection[str] = (), attempts: int = ATTEMPTS) -> Delivered:
        """Send it through each channel but those that took it already. Never raises for what a channel did."""
        by, failures = [], {}
        for channel in self.channels:
            if channel.name in already or not self._routes.hears(channel.name, notice):
                continue
            if failure := self._failure(channel, notice, attempts):
                failures[channel.name] = failure
                self._log.error("%s was not sent: %s", notice.subject, failure)
            else:
                by.append(channel.name)
        return Delivered(tuple(by), failures)

    def _failure(self, channel: Channel, notice: Notice, attempts: int) -> str:
        """Why the notice did not get through; empty where it did."""
        last = ""
        for attempt in range(attempts):
            if attempt:
                self._wait(WAITS[attempt - 1])
            try:
                channel.send(notice)
            except WorldUnavailable as error:
                last = f"{error} ({attempt + 1} attempts)"
            except PlatformError as error:
                return str(error)
            else:
                return ""
        return last


def open_notifier(
    settings: Sequence[str],
    *,
    ui: str = "",
    addresses: Mapping[str, SecretStr] | None = None,
    routes: Routes | None = None,
    waits: Waits = AWS,
) -> Notifier:
    """The notifier for the parts of the setting NOTIFY; `ui` is the address that notices link to, `addresses` are those
    of apprise channels, and `routes` say which channel hears what.

    Nothing is reached before the first notice.
    """
    channels = [open_channel(setting, addresses, waits) for setting in dict.fromkeys(settings)]
    return Notifier(channels, ui=ui, routes=routes)
