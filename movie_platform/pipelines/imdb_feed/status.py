"""Where every window of the feed stands, told from the raw side and the lake alone."""

from dataclasses import dataclass
from datetime import datetime

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import processing, refusals
from movie_platform.pipelines.imdb_feed.arrivals import strangeness
from movie_platform.pipelines.imdb_feed.deliveries import RAW_PREFIX
from movie_platform.pipelines.imdb_feed.refusals import Refusal
from movie_platform.pipelines.imdb_feed.windows import key_of


@dataclass(frozen=True)
class FeedStatus:
    """A refused window that serves an earlier version is among the processed ones too."""

    processed: tuple[str, ...]
    waiting: tuple[str, ...]
    refused: tuple[Refusal, ...]
    strange: dict[str, str]
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
            "strange": self.strange,
        }


def feed_status(raw: ObjectStore, lake: ObjectStore, start: str, now: datetime) -> FeedStatus:
    processed = processing.processed_windows(lake)
    refused = tuple(refusals.every(lake))
    settled = {*processed, *(refusal.window for refusal in refused)}
    strange: dict[str, str] = {}
    waiting: list[str] = []
    for folder in raw.folders(RAW_PREFIX):
        if reason := strangeness(folder, start):
            strange[folder] = reason
        elif folder > key_of(now):
            strange[folder] = "its time has not come"
        elif folder not in settled:
            waiting.append(folder)
    return FeedStatus(tuple(processed), tuple(waiting), refused, strange)
