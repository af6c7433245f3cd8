"""The same trouble is notified once, and again once a day while it lasts."""

import hashlib
import json
import logging
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.notify.notices import RunEnded
from movie_platform.notify.notifier import Delivered, Notifier

REMIND_AFTER = timedelta(days=1)
PREFIX = "notifications/troubles/"

_VARIES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
"""Ids and numbers in a reason do not make it another trouble."""
_log = logging.getLogger("movie_platform.notify")


def notify_unless_known(
    notifier: Notifier, run: RunEnded, lake: ObjectStore, *, already: Collection[str] = ()
) -> Delivered:
    """Notify how a run ended, unless the last run of the same partitions ended in the same trouble less than a day ago.

    A run that ends well is the end of their trouble: the next one is news again. Where the memory in the lake cannot be
    read or written the notice goes out: twice is better than not at all.
    """
    key = f"{PREFIX}{_digest(run.job, *run.assets, run.partitions)}.json"
    before = _remembered(lake, key)
    if run.is_good_news:
        outcome = notifier.notify(run, already=already)
        if before:
            _forget(lake, key)
        return outcome
    checks = (f"{check.rule} {check.outcome}" for check in run.failed_checks)
    trouble = _digest(_VARIES.sub("#", run.reason), *checks)
    is_the_same = before.get("trouble") == trouble and before.get("run") != run.run_id
    if is_the_same and run.at - _instant(before) < REMIND_AFTER:
        _log.info("%s: as notified at %s; the next reminder comes a day later", run.subject, before["notified"])
        return Delivered()
    outcome = notifier.notify(run, already=already)
    if outcome.by:
        memory = {"trouble": trouble, "run": run.run_id, "notified": run.at.isoformat(), "subject": run.subject}
        _remember(lake, key, memory)
    return outcome


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()[:24]


def _instant(memory: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(str(memory["notified"]))


def _remembered(lake: ObjectStore, key: str) -> dict[str, Any]:
    try:
        memory = json.loads(lake.read(key))
        _instant(memory)
    except ObjectMissing:
        return {}
    except (PlatformError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s does not say what was notified last: %s", key, error)
        return {}
    return dict(memory)


def _remember(lake: ObjectStore, key: str, memory: dict[str, Any]) -> None:
    try:
        lake.write(key, json.dumps(memory, ensure_ascii=False, indent=2).encode())
    except PlatformError as error:
        _log.warning("that %s was notified is not remembered: %s", memory["subject"], error)


def _forget(lake: ObjectStore, key: str) -> None:
    try:
        lake.delete([key])
    except PlatformError as error:
        _log.warning("%s could not be removed, so that the same trouble would not be notified again: %s", key, error)
