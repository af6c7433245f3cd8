"""Work for an engine that may be far away: a function called by name, with parameters and a result that JSON carries.

A job is a function `job(engine, progress, **parameters) -> dict`. It reaches its stores by their addresses, so that it
runs alike in this process and in a driver on a cluster.
"""

import importlib
from collections.abc import Mapping
from typing import Any

from movie_platform.engine.protocol import Engine
from movie_platform.errors import (
    InputRefused,
    LoadRefused,
    ObjectMissing,
    PlatformError,
    SettingsError,
    WorldUnavailable,
)
from movie_platform.progress import Progress

Result = dict[str, Any]

RESULT, FAILURE = "result", "failure"
"""At its end a job sends a message with one of these keys."""


def run_job(name: str, parameters: Mapping[str, Any], engine: Engine, progress: Progress) -> Result:
    """Do the job `package.module:function`."""
    module, _, function = name.partition(":")
    result: Result = getattr(importlib.import_module(module), function)(engine, progress, **parameters)
    return result


def failure(error: BaseException) -> Result:
    """An error as a message that can travel; `error_from_message` makes it one again."""
    message = {"type": type(error).__name__, "message": str(error) or type(error).__name__}
    if isinstance(error, InputRefused):
        message["rule"] = error.rule
    if isinstance(error, ObjectMissing):
        message["uri"] = error.uri
    return message


class JobFailed(PlatformError):
    """A job ended by a fault of ours, or of the cluster; the message is what its driver said."""


def error_from_message(message: Mapping[str, str]) -> PlatformError:
    """The error that a far-away job ended with, of its own type where that says who has to act."""
    kind, text = message["type"], message["message"]
    if kind == InputRefused.__name__:
        return InputRefused(text, rule=message["rule"])
    if kind == ObjectMissing.__name__:
        return ObjectMissing(message["uri"])
    for known in (WorldUnavailable, SettingsError, LoadRefused):
        if kind == known.__name__:
            return known(text)
    return JobFailed(f"{kind}: {text}")
