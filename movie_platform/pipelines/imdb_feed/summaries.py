"""How the rows of the newest windows stand, from a listing of receipts and one small object.

The summary of a window is the content of its receipt, so it is there exactly when the window is processed. Those of the
look-back are kept together in `summaries/imdb_feed.json`. That object is a copy: each of its entries names the receipt
that it is of, and one that is missing or of another receipt is read again. Two runs that write it at once may lose each
other's entries and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from movie_platform.deliveries import receipts
from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.imdb_feed.deliveries import NAME
from movie_platform.pipelines.imdb_feed.windows import is_window, shift

if TYPE_CHECKING:
    import pyarrow as pa

    from movie_platform.pipelines.imdb_feed.transforms import CleanWindow

KEY = "summaries/imdb_feed.json"
EXAMPLES = 3
"""Quarantined values that a window's summary shows of each row rule; it counts all of them."""
READ_AT_A_TIME = 8
_SHOWN_LENGTH = 80


@dataclass(frozen=True)
class Account:
    """Where the records of one file went; conserved when nothing is missing and nothing is counted twice."""

    source: str
    records: int
    fates: Mapping[str, int]

    @property
    def conserved(self) -> bool:
        return self.records == sum(self.fates.values())

    def __str__(self) -> str:
        return f"{self.source}: {self.records} = " + " + ".join(f"{n} {fate}" for fate, n in self.fates.items())


@dataclass(frozen=True)
class BadValue:
    """A value for which its record is quarantined."""

    file: str
    record: int
    rule: str
    value: str


@dataclass(frozen=True)
class WindowSummary:
    """What became of a window's records. `is_judged` is false where the version that made it kept no account."""

    delivered_at: str = ""
    accounts: Sequence[Account] = ()
    is_conserved: bool = True
    broken_rules: Mapping[str, int] = field(default_factory=dict)
    """How many records break each row rule."""
    examples: Sequence[BadValue] = ()
    is_judged: bool = True

    def as_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> "WindowSummary":
        accounts = tuple(Account(**account) for account in found["accounts"])
        examples = tuple(BadValue(**example) for example in found["examples"])
        return cls(**{**found, "accounts": accounts, "examples": examples})


def summary_of(window: "CleanWindow", delivered_at: str) -> WindowSummary:
    return WindowSummary(
        delivered_at=delivered_at,
        accounts=window.accounts,
        is_conserved=window.conserved,
        broken_rules=window.broken_rules,
        examples=_examples(window.bad_records),
    )


def _examples(bad_records: "pa.Table") -> tuple[BadValue, ...]:
    shown: dict[str, int] = {}
    examples = []
    for position, rules in enumerate(bad_records["rules"].to_pylist()):
        for rule in rules:
            shown[rule] = shown.get(rule, 0) + 1
            if shown[rule] <= EXAMPLES:
                row = bad_records.slice(position, 1).to_pylist()[0]
                examples.append(BadValue(row["source"], row["record"], rule, _value(json.loads(row["raw"]), rule)))
    return tuple(examples)


def _value(cells: Mapping[str, str | None], rule: str) -> str:
    """The cell that a row rule is about: the rule's name begins with its column's."""
    column = max((name for name in cells if rule.startswith(f"{name}_")), key=len, default="")
    value = cells.get(column)
    text = "blank" if value is None else str(value)
    return f"{column}: {text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + '...'}"


def receipts_of(lake: ObjectStore, length: timedelta) -> dict[str, str]:
    """The keys of the receipts of the newest window and of those of the look-back before it, by window."""
    return {window: info.key for window, info in _receipts(lake, length, _known(lake)).items()}


def look_back(lake: ObjectStore, length: timedelta, *, keeps: bool = True) -> dict[str, WindowSummary]:
    """The processed windows from the newest one back, in order; with `keeps`, what was read anew is kept for later."""
    known = _known(lake)
    listed = _receipts(lake, length, known)
    found = {window: known[window] for window, info in listed.items() if known.get(window, ("",))[0] == _name(info)}
    unread = {window: info for window, info in listed.items() if window not in found}
    with ThreadPoolExecutor(READ_AT_A_TIME, thread_name_prefix="summary") as pool:
        for window, summary in zip(unread, pool.map(lambda info: _read(lake, info), unread.values()), strict=True):
            if summary:
                found[window] = (_name(unread[window]), summary)
    found = dict(sorted(found.items()))
    if keeps and found != known:
        _write(lake, found)
    return {window: summary for window, (_, summary) in found.items()}


_Known = dict[str, tuple[str, WindowSummary]]
"""By window its summary, and the name of the receipt that has it."""


def _receipts(lake: ObjectStore, length: timedelta, known: _Known) -> dict[str, ObjectInfo]:
    """The receipts of the look-back, by window.

    Where too old a newest window is known, the listing starts earlier and still ends with the newest one. Where one is
    known that is not there any more, everything is listed.
    """
    newest = max(known, default="")
    listed = receipts.newest(lake, NAME, since=shift(newest, -length) if newest else "")
    if newest and not listed:
        listed = receipts.newest(lake, NAME)
    listed = {window: info for window, info in listed.items() if is_window(window)}
    floor = shift(max(listed), -length) if listed else ""
    return {window: info for window, info in listed.items() if window >= floor}


def _known(lake: ObjectStore) -> _Known:
    try:
        found = json.loads(lake.read(KEY))
        return {
            window: (str(receipt), WindowSummary.of_json(summary))
            for window, (receipt, summary) in found.items()
            if is_window(window)
        }
    except ObjectMissing:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError):  # of another version; it is made anew from the receipts
        return {}


def _write(lake: ObjectStore, found: _Known) -> None:
    described = {window: [receipt, asdict(summary)] for window, (receipt, summary) in found.items()}
    lake.write(KEY, json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode())


def _read(lake: ObjectStore, receipt: ObjectInfo) -> WindowSummary | None:
    """The receipt's summary; None where a newer receipt replaced it meanwhile, whose run evaluates after it."""
    try:
        return WindowSummary.of_json(json.loads(lake.read(receipt.key)))
    except ObjectMissing:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):  # earlier versions wrote receipts without a summary
        return WindowSummary(is_judged=False)


def _name(receipt: ObjectInfo) -> str:
    return receipt.key.rpartition("/")[2]
