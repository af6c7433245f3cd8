"""What can go wrong, by who has to act on it.

An `InputRefused` is about data that somebody sent: it is recorded and the work goes on.
A `WorldUnavailable` is about something outside that may come back: the work is tried again.
A `SettingsError` is about how the platform was set up: nothing starts until it is mended.
A `WarehouseDamaged` is about a file that no longer holds what was written: a person must act, trying again is in vain.
Everything else is a fault of ours and ends the run loudly.
"""

from collections.abc import Mapping

from movie_platform.printable import printable


class PlatformError(Exception):
    """Base of all errors whose message is written for the person who reads it.

    It may quote names and values that somebody sent: what a terminal or a log would obey in it is spelled out.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, keep="\n"))


class InputRefused(PlatformError):
    """The source sent something that must not go on; `rule` names the claim that it breaks.

    Where it is refused for its columns, `columns` has those of each file with what they hold.
    """

    def __init__(self, message: str, *, rule: str, columns: Mapping[str, Mapping[str, str]] | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.columns = columns or {}


class WorldUnavailable(PlatformError):
    """A store, a database or a lock did not answer in time; the same call may succeed later."""


class SettingsError(PlatformError):
    """A setting has a value that the platform cannot work with."""


class WarehouseDamaged(PlatformError):
    """The warehouse's file is not what was written; the message says how to get a whole one again."""


class ObjectMissing(PlatformError):
    """An object that was expected is not in its store, or what is in its place is none."""

    def __init__(self, uri: str, why: str = "does not exist") -> None:
        super().__init__(f"{uri} {why}")
        self.uri = uri


class LoadRefused(PlatformError):
    """A warehouse refuses a load that would lose data; the message says how to force it."""
