"""Notices to people and programs of how evaluations and runs ended: in the log, by SNS, by EventBridge.

Knows nothing of schedulers or rules: it sends a notice through every channel, and reports which channels did not take
it. A channel that cannot be reached never raises.
"""

from movie_platform.notify.channels import Channel, open_channel
from movie_platform.notify.memory import notify_once
from movie_platform.notify.notices import EvaluationEnded, Notice, RuleResult, RunEnded
from movie_platform.notify.notifier import Delivered, Notifier, open_notifier

__all__ = [
    "Channel",
    "Delivered",
    "EvaluationEnded",
    "Notice",
    "Notifier",
    "RuleResult",
    "RunEnded",
    "notify_once",
    "open_channel",
    "open_notifier",
]
