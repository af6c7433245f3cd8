"""The windows that could not be processed: a marker each, and the log that is rebuilt from the markers.

A marker is written and removed by the run of its window alone, so runs do not get in each other's way.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.deliveries import fingerprint_of

PREFIX = "unprocessed/"
LOG = "unprocessed.log"


@dataclass(frozen=True)
class Refusal:
    """Why a window is not processed, since when, and what it was judged on.

    `passing` says that the reason may go away by itself; `serves` is the version that is served meanwhile, if any.
    """

    window: str
    reason: str
    attempts: int
    first_seen: str
    last_attempt: str
    passing: bool
    code_version: str
    rules: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    serves: str | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.files)

    def log_line(self) -> str:
        reason = self.reason
        if self.serves:
            reason += f" (the version delivered at {self.serves} is served)"
        shown = {
            "window": self.window,
            "reason": reason,
            "attempts": self.attempts,
            "first_seen": self.first_seen,
            "last_attempt": self.last_attempt,
        }
        return json.dumps(shown, ensure_ascii=False)


def key_of(window: str) -> str:
    return f"{PREFIX}{window}.json"


def get(lake: ObjectStore, window: str) -> Refusal | None:
    try:
        return _parse(lake.read(key_of(window)))
    except ObjectMissing:
        return None


def put(lake: ObjectStore, refusal: Refusal) -> None:
    lake.write(key_of(refusal.window), json.dumps(asdict(refusal), ensure_ascii=False, indent=1).encode())


def clear(lake: ObjectStore, window: str) -> None:
    lake.delete([key_of(window)])


def windows(lake: ObjectStore, *, after: str = "") -> list[str]:
    """The windows that have a marker."""
    start = key_of(after) if after else ""
    return [info.key.removeprefix(PREFIX).removesuffix(".json") for info in lake.objects(PREFIX, after=start)]


def every(lake: ObjectStore) -> Iterator[Refusal]:
    """All refusals, by window; one that is cleared meanwhile is left out."""
    for window in windows(lake):
        if refusal := get(lake, window):
            yield refusal


def rebuild_log(lake: ObjectStore) -> None:
    """Write the log from the markers. Of several runs at once, the last to look leaves a log that is right."""
    before = _state(lake)
    while True:
        lines = [refusal.log_line() for refusal in every(lake)]
        lake.write(LOG, "".join(line + "\n" for line in lines).encode())
        after = _state(lake)
        if after == before:
            return
        before = after


def _state(lake: ObjectStore) -> list[tuple[str, str]]:
    return [(info.key, info.etag) for info in lake.objects(PREFIX)]


def _parse(data: bytes) -> Refusal:
    fields = json.loads(data)
    return Refusal(**{**fields, "rules": tuple(fields["rules"])})
