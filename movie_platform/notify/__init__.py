"""Notices to people and programs of how evaluations and runs ended: in the log, by SNS, by EventBridge, by apprise.

Knows nothing of schedulers or rules: it sends a notice through every channel, and reports which channels did not take
it. A channel that cannot be reached never raises.
"""

from movie_platform.notify.channels import Channel, open_channel
from movie_platform.notify.memory import notify_once
from movie_platform.notify.notices import (
    EvaluationEnded,
    Notice,
    RuleResult,
    RulesetUnreadable,
    RunEnded,
    TroubleNotice,
)
from movie_platform.notify.notifier import Delivered, Notifier, open_notifier
from movie_platform.notify.routing import Routes, read_routes
from movie_platform.notify.troubles import notify_unless_known

__all__ = [
    "Channel",
    "Delivered",
    "EvaluationEnded",
    "Notice",
    "Notifier",
    "Routes",
    "RuleResult",
    "RulesetUnreadable",
    "RunEnded",
    "TroubleNotice",
    "notify_once",
    "notify_unless_known",
    "open_channel",
    "open_notifier",
    "read_routes",
]
