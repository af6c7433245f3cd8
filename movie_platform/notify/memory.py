"""What was told to whom, so that the same news is not told twice."""

import json
import logging

from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.notify.notices import Notice
from movie_platform.notify.notifier import Notifier, Told


def tell_once(notifier: Notifier, notice: Notice, lake: ObjectStore, key: str) -> Told:
    """Tell the news unless the object `key` remembers it; what failed before is tried again.

    The object remembers the last news only: an older one that comes back is news. A process that is killed between
    telling and remembering tells once more. Never raises for a store that is away: better told twice than not at all.
    """
    log = logging.getLogger("movie_platform.notify")
    try:
        remembered = json.loads(lake.read(key))
    except ObjectMissing:
        remembered = {}
    except PlatformError as error:
        log.warning("whether %s was told is not known: %s", notice.subject, error)
        remembered = {}
    already = remembered.get("told", []) if remembered.get("id") == notice.id else []
    told = notifier.tell(notice, already=already)
    if told.by:
        memory = {"id": notice.id, "subject": notice.subject, "told": [*already, *told.by]}
        try:
            lake.write(key, json.dumps(memory, ensure_ascii=False, indent=2).encode())
        except PlatformError as error:
            log.warning("that %s was told is not remembered: %s", notice.subject, error)
    return told
