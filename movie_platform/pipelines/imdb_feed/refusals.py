"""The windows that could not be processed: a marker each, and the log that is rebuilt from the markers.

A marker is written and removed by the run of its window alone, so runs do not get in each other's way.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime

from movie_platform.deliveries import fingerprint_of
from movie_platform.deliveries.manifests import Columns
from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.printable import json_printable

PREFIX = "unprocessed/"
LOG = "unprocessed.log"
READ_AT_A_TIME = 8
DELIVER_AGAIN = "deliver the file again; it is tried by itself"
_PLACE = re.compile(r"(?P<file>\d{12}_type_[ABC]\.csv)(?:.*? record (?P<record>\d+))?(?:.*?\(line (?P<line>\d+)\))?")
_LONG_AGO = "1970-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Refusal:
    """Why a window is not processed, since when, and what it was judged on.

    `transient` says that the reason may go away by itself; `serves` is when the version was delivered that is served
    meanwhile, if any; `reasons` has the faults of the delivered files by the rule of verification that they break.
    """

    window: str
    reason: str
    attempts: int
    first_seen: str
    last_attempt: str
    transient: bool
    code_version: str
    rules: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    serves: str | None = None
    reasons: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)
    """By type the header of each file that is refused for its columns."""

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.files)

    @property
    def what_next(self) -> str:
        """What happens now, and what people can do."""
        return "it is tried again within the hour" if self.transient else DELIVER_AGAIN

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
        return json_printable(json.dumps(shown, ensure_ascii=False))


def place_of(reason: str) -> dict[str, str]:
    """`file`, `record` and `line` of a fault, as far as its reason names them."""
    found = _PLACE.search(reason)
    return {name: at or "" for name, at in found.groupdict().items()} if found else {}


def key_of(window: str) -> str:
    return f"{PREFIX}{window}.json"


def get(lake: ObjectStore, window: str) -> Refusal | None:
    try:
        return _parse(window, lake.read(key_of(window)))
    except ObjectMissing:
        return None


def put(lake: ObjectStore, refusal: Refusal) -> None:
    lake.write(key_of(refusal.window), _text(refusal))


def _text(refusal: Refusal) -> bytes:
    fields = asdict(refusal)
    fields["passing"] = fields.pop("transient")  # the marker's word for it since the first version
    return json_printable(json.dumps(fields, ensure_ascii=False, indent=1)).encode()


def clear(lake: ObjectStore, window: str) -> None:
    lake.delete([key_of(window)])


def clear_where(lake: ObjectStore, window: str, *, rule: str) -> None:
    """Clear the window's marker if it is there for this rule alone."""
    refusal = get(lake, window)
    if refusal and refusal.rules == (rule,):
        clear(lake, window)


def windows(lake: ObjectStore, *, since: str = "") -> list[str]:
    """The windows that have a marker, from `since` on."""
    return [_window_of(info) for info in lake.objects(PREFIX, after=PREFIX + since if since else "")]


def every(lake: ObjectStore) -> Iterator[Refusal]:
    """All refusals, by window; one that is cleared meanwhile is left out."""
    with ThreadPoolExecutor(READ_AT_A_TIME, thread_name_prefix="refusal") as pool:
        yield from filter(None, pool.map(lambda window: get(lake, window), windows(lake)))


def rebuild_log(lake: ObjectStore) -> None:
    """Write the log from the markers until it says what they say now.

    Of several runs at once the last one to write looks once more afterwards, so the log that stays is right.
    """
    known: dict[str, tuple[str, Refusal]] = {}
    written = None
    while (text := _log(lake, known)) != written:
        lake.write(LOG, text.encode())
        written = text


def _log(lake: ObjectStore, known: dict[str, tuple[str, Refusal]]) -> str:
    """What the log should say; `known` keeps markers by their etag, so that each is read once."""
    listed = {_window_of(info): info.etag for info in lake.objects(PREFIX)}
    unread = [window for window, etag in listed.items() if window not in known or known[window][0] != etag]
    with ThreadPoolExecutor(READ_AT_A_TIME, thread_name_prefix="refusal") as pool:
        for window, refusal in zip(unread, pool.map(lambda window: get(lake, window), unread), strict=True):
            if refusal:
                known[window] = (listed[window], refusal)
            else:
                del listed[window]
    return "".join(known[window][1].log_line() + "\n" for window in listed)


def _window_of(marker: ObjectInfo) -> str:
    return marker.key.removeprefix(PREFIX).removesuffix(".json")


def _parse(window: str, data: bytes) -> Refusal:
    """A marker of other code may lack fields or have more; one that cannot be read is tried again soon."""
    try:
        found = json.loads(data)
        found["transient"] = found.pop("passing")
        names = {of.name for of in fields(Refusal)}
        refusal = Refusal(**{name: value for name, value in found.items() if name in names})
        reasons = {rule: tuple(faults) for rule, faults in refusal.reasons.items()}
        refusal = replace(refusal, window=window, rules=tuple(refusal.rules), reasons=reasons)
        _must_have_its_types(refusal)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return Refusal(window, f"its marker cannot be read: {error}", 1, _LONG_AGO, _LONG_AGO, True, "")
    return refusal


def _must_have_its_types(refusal: Refusal) -> None:
    """Scans compute with a marker's time and number, and compare its texts."""
    faults = [fault for of in refusal.reasons.values() for fault in of]
    texts = (refusal.reason, refusal.code_version, *refusal.files.values(), *refusal.rules, *faults)
    if not all(isinstance(text, str) for text in texts) or not isinstance(refusal.attempts, int):
        raise TypeError("it holds something else than texts and a number of attempts")
    if datetime.fromisoformat(refusal.last_attempt).tzinfo is None:
        raise ValueError("its last attempt has no time zone")
