"""Where every window of the feed stands, by the raw side and the lake alone."""

from dataclasses import dataclass
from datetime import datetime

from movie_platform.deliveries import Listing, receipts
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import processing, refusals
from movie_platform.pipelines.imdb_feed.deliveries import NAME, RAW_PREFIX, why_rejected
from movie_platform.pipelines.imdb_feed.refusals import Refusal
from movie_platform.pipelines.imdb_feed.windows import key_of


@dataclass(frozen=True)
class FeedStatus:
    """A refused window that serves an earlier version is among the processed ones too."""

    processed: tuple[str, ...]
    waiting: tuple[str, ...]
    refused: tuple[Refusal, ...]
    gone: tuple[str, ...]
    """Processed windows whose files are no longer on the raw side: the last whole delivery is served."""
    rejected: Listing
    """Folders of the raw side that are no window of the feed, or none yet, and why."""

    def as_json(self) -> dict[str, object]:
        return {
            "processed": list(self.processed),
            "waiting": list(self.waiting),
            "refused": [
                {
                    "window": refusal.window,
                    "reason": refusal.reason,
                    "rules": list(refusal.rules),
                    "attempts": refusal.attempts,
                    "first_seen": refusal.first_seen,
                    "last_attempt": refusal.last_attempt,
                    "serves": refusal.serves,
                }
                for refusal in self.refused
            ],
            "gone": list(self.gone),
            "rejected_keys": {key.removeprefix(RAW_PREFIX): why for key, why in self.rejected.rejected_keys.items()},
            "rejected": self.rejected.rejected,
        }


def feed_status(raw: ObjectStore, lake: ObjectStore, start: str, now: datetime) -> FeedStatus:
    """A window counts as processed where its clean file and its receipt are there, or its clean file alone where an
    earlier version made it."""
    known = receipts.standings(lake, NAME)
    clean = processing.processed_windows(lake)
    processed = [window for window in clean if window not in known or known[window].is_processed]
    refused = tuple(refusals.every(lake))
    settled = {*processed, *(refusal.window for refusal in refused)}
    rejected = Listing()
    waiting: list[str] = []
    delivered: set[str] = set()
    for folder in raw.folders(RAW_PREFIX, left_out=rejected.reject):
        if reason := why_rejected(folder, start):
            rejected.reject(RAW_PREFIX + folder, reason)
        elif folder > key_of(now):
            rejected.reject(RAW_PREFIX + folder, "its time has not come")
        else:
            delivered.add(folder)
            if folder not in settled:
                waiting.append(folder)
    gone = tuple(window for window in processed if window not in delivered)
    return FeedStatus(tuple(processed), tuple(waiting), refused, gone, rejected)
