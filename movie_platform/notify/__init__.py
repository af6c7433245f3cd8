"""Telling people and programs how evaluations and runs ended: in the log, by SNS, by EventBridge, by apprise.

Knows nothing of schedulers or rules: it is handed a notice, says it through every channel, and reports through which
ones it did not come. A channel that cannot be reached never raises.
"""

from movie_platform.notify.channels import Channel, open_channel
from movie_platform.notify.memory import tell_once
from movie_platform.notify.notices import EvaluationEnded, Notice, RuleResult, RunEnded
from movie_platform.notify.notifier import Notifier, Told, open_notifier
from movie_platform.notify.routing import Routes, read_routes
from movie_platform.notify.troubles import notify_unless_known

__all__ = [
    "Channel",
    "EvaluationEnded",
    "Notice",
    "Notifier",
    "Routes",
    "RuleResult",
    "RunEnded",
    "Told",
    "notify_unless_known",
    "open_channel",
    "open_notifier",
    "read_routes",
    "tell_once",
]
