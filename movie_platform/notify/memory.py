"""Which channels took which news, so that the same news is not sent twice."""

import json
import logging

from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.notify.notices import Notice
from movie_platform.notify.notifier import Delivered, Notifier


def notify_once(notifier: Notifier, notice: Notice, lake: ObjectStore, key: str) -> Delivered:
    """Send the news unless the object `key` remembers it; channels that failed before are tried again.

    The object remembers the last news only: an older one that comes back is news. A process that is killed between
    sending and remembering sends once more. Never raises for a store that is away: better sent twice than not at all.
    """
    log = logging.getLogger("movie_platform.notify")
    try:
        remembered = json.loads(lake.read(key))
    except ObjectMissing:
        remembered = {}
    except PlatformError as error:
        log.warning("whether %s was sent is not known: %s", notice.subject, error)
        remembered = {}
    already = remembered.get("told", []) if remembered.get("id") == notice.id else []
    delivered = notifier.notify(notice, already=already)
    if delivered.by:
        memory = {"id": notice.id, "subject": notice.subject, "told": [*already, *delivered.by]}
        try:
            lake.write(key, json.dumps(memory, ensure_ascii=False, indent=2).encode())
        except PlatformError as error:
            log.warning("that %s was sent is not remembered: %s", notice.subject, error)
    return delivered
