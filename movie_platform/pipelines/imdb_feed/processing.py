"""One window's way through the lake: raw triplet -> archive -> clean Parquet, or a refusal that says why.

Every write replaces what an earlier delivery of the window left. The clean file is written last: its presence, with the
provenance in its metadata, is what "processed" means, and a run that dies before it is simply done again.
"""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.imdb_feed import deliveries, refusals
from movie_platform.pipelines.imdb_feed.deliveries import Delivery, fingerprint_of
from movie_platform.pipelines.imdb_feed.refusals import Refusal
from movie_platform.pipelines.imdb_feed.transforms import Account, CleanWindow, clean
from movie_platform.pipelines.imdb_feed.verification import RuleOutcome, Triplet, file_name, verify
from movie_platform.pipelines.imdb_feed.windows import is_window

CODE_VERSION = "1"
"""Changes when the same triplet would give other rows; windows that older code refused are then tried again."""

UNDER_WAY = 8
"""Windows of one run that are worked on at a time where a store is far away: enough to hide its latency."""

ARCHIVE_PREFIX = "archive/"
CLEAN_PREFIX = "clean_files/"
_METADATA_KEY = b"movie_platform"
_T = TypeVar("_T")


@dataclass(frozen=True)
class FileFacts:
    """What an archived file is, told by its bytes and by the delivery."""

    etag: str
    sha256: str
    size: int
    rows: int


@dataclass(frozen=True)
class Provenance:
    """What a clean file was made from; kept in its Parquet metadata."""

    window: str
    version: str
    code_version: str
    files: Mapping[str, FileFacts]
    clean_rows: int = 0

    @property
    def fingerprint(self) -> str:
        return fingerprint_of({name: facts.etag for name, facts in self.files.items()})

    @property
    def digest(self) -> str:
        """Of the delivered bytes: equal for equal content, whatever the store calls it."""
        text = "\n".join(f"{name}\t{facts.sha256}" for name, facts in sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def bytes(self) -> int:
        return sum(facts.size for facts in self.files.values())


@dataclass(frozen=True)
class CleanFacts:
    """What a window's clean file and what was left out of it hold; the rows themselves are in the lake."""

    rows: int
    bytes: int
    rejected: int
    quarantined: int
    broken_rules: Mapping[str, int]
    accounts: tuple[Account, ...]
    conserved: bool


@dataclass(frozen=True)
class Outcome:
    """What became of one window, without its rows: a run holds hundreds.

    `provenance` is there when the window was processed, `clean` when its clean file was written, `refusal` when it was
    not processed; none of them when nothing was delivered. `cleared` is the refusal that the window has left.
    """

    window: str
    rules: tuple[RuleOutcome, ...] = ()
    provenance: Provenance | None = None
    with_bom: tuple[str, ...] = ()
    clean: CleanFacts | None = None
    refusal: Refusal | None = None
    cleared: Refusal | None = None


def archive_prefix(window: str) -> str:
    return f"{ARCHIVE_PREFIX}{window}/"


def clean_key(window: str) -> str:
    return f"{CLEAN_PREFIX}{window}.parquet"


def partitioned_key(window: str) -> str:
    return f"partitioned/filetime={window}/{window}.parquet"


def rejects_key(window: str) -> str:
    return f"rejects/imdb_feed/{window}.parquet"


def bad_records_key(window: str) -> str:
    return f"bad-records/imdb_feed/{window}.parquet"


def process(raw: ObjectStore, lake: ObjectStore, window: str, *, until_archive: bool = False) -> Outcome:
    """Archive and clean what lies in the window's folder now.

    Whatever goes wrong stays with this window: it becomes its refusal, unless even that cannot be written.
    """
    return _contained(lake, window, lambda: _process(raw, lake, window, until_archive=until_archive))


def _process(raw: ObjectStore, lake: ObjectStore, window: str, *, until_archive: bool) -> Outcome:
    found = deliveries.find(raw, window)
    if found is None:
        return _nothing_delivered(lake, window)
    delivery, contents = deliveries.read(raw, found)
    verification = verify(window, contents)
    if verification.triplet is None:
        etags = {name: info.etag for name, info in delivery.files.items()}
        refusal = refuse(lake, window, verification.reason, rules=verification.broken_rules, files=etags)
        return Outcome(window, verification.outcomes, refusal=refusal)
    triplet = verification.triplet
    outcome = Outcome(
        window, verification.outcomes, _provenance(delivery, contents, triplet), with_bom=triplet.with_bom
    )
    for name, data in contents.items():
        lake.write(archive_prefix(window) + name, data)
    return outcome if until_archive else _cleaned(lake, triplet, outcome, is_newest=True)


def clean_again(lake: ObjectStore, window: str) -> Outcome:
    """Make the window's clean files anew from its archive, without the raw side.

    The refusal of another delivery stays: that one still lies on the raw side.
    """
    return _contained(lake, window, lambda: _clean_again(lake, window))


def _clean_again(lake: ObjectStore, window: str) -> Outcome:
    prefix = archive_prefix(window)
    contents: dict[str, bytes] = {}
    infos = {}
    for info in list(lake.objects(prefix)):
        name = info.key.removeprefix(prefix)
        contents[name], infos[name] = lake.read_with_info(info.key)
    if not contents:
        return Outcome(window)
    verification = verify(window, contents)
    if verification.triplet is None:
        refusal = refuse(lake, window, f"archive: {verification.reason}", rules=verification.broken_rules)
        return Outcome(window, verification.outcomes, refusal=refusal)
    triplet = verification.triplet
    provenance = _provenance(Delivery(window, infos), contents, triplet)
    before = provenance_of(lake, window)
    if before and before.digest == provenance.digest:
        provenance = replace(provenance, version=before.version, files=before.files)
    outcome = Outcome(window, verification.outcomes, provenance, with_bom=triplet.with_bom)
    return _cleaned(lake, triplet, outcome, is_newest=False)


def _nothing_delivered(lake: ObjectStore, window: str) -> Outcome:
    """A window without files is no fault; one that was refused and lost its files stays listed until others come."""
    earlier = refusals.get(lake, window)
    if earlier is None:
        return Outcome(window)
    reason = "three_files: nothing lies in the window's folder any more"
    return Outcome(window, refusal=refuse(lake, window, reason, rules=("three_files",), files={}))


def _contained(lake: ObjectStore, window: str, work: Callable[[], Outcome]) -> Outcome:
    try:
        return work()
    except PlatformError as error:
        return Outcome(window, refusal=refuse(lake, window, str(error), passing=True))
    except Exception as error:
        # A fault of ours in one window must not hold back the others of its run. The run fails for it.
        logging.getLogger(__name__).exception("%s could not be processed", window)
        reason = f"a fault of the platform: {type(error).__name__}: {error}"
        return Outcome(window, refusal=refuse(lake, window, reason, passing=True))


def process_all(
    raw: ObjectStore, lake: ObjectStore, windows: Sequence[str], *, until_archive: bool = False
) -> Iterator[Outcome]:
    """Each window's outcome, in order."""
    return _each(lambda window: process(raw, lake, window, until_archive=until_archive), windows, raw, lake)


def clean_all_again(lake: ObjectStore, windows: Sequence[str]) -> Iterator[Outcome]:
    return _each(lambda window: clean_again(lake, window), windows, lake)


def _each(work: Callable[[str], _T], windows: Sequence[str], *stores: ObjectStore) -> Iterator[_T]:
    # On this machine's disk there is no latency to hide, and threads would only take turns.
    if len(windows) == 1 or all(store.local_path("") for store in stores):
        yield from map(work, windows)
        return
    with ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="window") as pool:
        yield from pool.map(work, windows)


def provenance_of(lake: ObjectStore, window: str) -> Provenance | None:
    """What the window's clean file was made from; None where the window is not processed, or not by this platform."""
    try:
        with lake.open(clean_key(window)) as file:
            metadata = pq.read_metadata(file).metadata
        fields = json.loads(metadata[_METADATA_KEY])
        files = {name: FileFacts(**facts) for name, facts in fields["files"].items()}
        made = Provenance(**{**fields, "files": files})
    except (ObjectMissing, pa.ArrowInvalid, TypeError, KeyError, ValueError):
        return None
    return made if made.window == window else None


def provenances(lake: ObjectStore, windows: Sequence[str]) -> Iterator[Provenance | None]:
    """What each window's clean file was made from, in order."""
    return _each(lambda window: provenance_of(lake, window), windows, lake)


def processed_windows(lake: ObjectStore, *, since: str = "") -> list[str]:
    """The windows that have a clean file, from `since` on."""
    return list(clean_files(lake, since=since))


def clean_files(lake: ObjectStore, *, since: str = "") -> dict[str, ObjectInfo]:
    """The clean files by window, from `since` on."""
    found = lake.objects(CLEAN_PREFIX, after=CLEAN_PREFIX + since if since else "")
    named = ((info.key.removeprefix(CLEAN_PREFIX).removesuffix(".parquet"), info) for info in found)
    return {window: info for window, info in named if is_window(window)}


def archived(lake: ObjectStore, *, since: str = "") -> Iterator[tuple[str, datetime]]:
    """Each archived window from `since` on, in order, and when the oldest file of its archive was written."""
    found = lake.objects(ARCHIVE_PREFIX, after=ARCHIVE_PREFIX + since if since else "")
    for window, files in groupby(found, key=lambda info: info.key.removeprefix(ARCHIVE_PREFIX).partition("/")[0]):
        if is_window(window):
            yield window, min(info.modified for info in files)


def parquet(table: pa.Table, provenance: Provenance) -> bytes:
    """The same rows and provenance always give the same bytes."""
    described = json.dumps(
        {
            "window": provenance.window,
            "version": provenance.version,
            "code_version": provenance.code_version,
            "clean_rows": provenance.clean_rows,
            "files": {name: vars(facts) for name, facts in sorted(provenance.files.items())},
        },
        sort_keys=True,
    )
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({_METADATA_KEY: described}), buffer, compression="snappy", use_dictionary=False
    )
    return buffer.getvalue()


def _cleaned(lake: ObjectStore, triplet: Triplet, outcome: Outcome, *, is_newest: bool) -> Outcome:
    assert outcome.provenance is not None
    window, result = triplet.window, clean(triplet)
    provenance = replace(outcome.provenance, clean_rows=result.rows.num_rows)
    stale = []
    for key, left_out in ((rejects_key(window), result.rejects), (bad_records_key(window), result.bad_records)):
        if left_out.num_rows:
            lake.write(key, parquet(left_out, provenance))
        else:
            stale.append(key)
    lake.delete(stale)
    data = parquet(result.rows, provenance)
    lake.write(partitioned_key(window), data)
    lake.write(clean_key(window), data)
    refusal = refusals.get(lake, window) if lake.info(refusals.key_of(window)) else None
    cleared = refusal if refusal and (is_newest or refusal.fingerprint == provenance.fingerprint) else None
    if cleared:
        refusals.clear(lake, window)
    return replace(outcome, provenance=provenance, clean=_facts(result, len(data)), cleared=cleared)


def _facts(result: CleanWindow, size: int) -> CleanFacts:
    return CleanFacts(
        rows=result.rows.num_rows,
        bytes=size,
        rejected=result.rejects.num_rows,
        quarantined=result.bad_records.num_rows,
        broken_rules=result.broken_rules,
        accounts=result.accounts,
        conserved=result.conserved,
    )


def _provenance(delivery: Delivery, contents: Mapping[str, bytes], triplet: Triplet) -> Provenance:
    files = {}
    for of in triplet.records.values():
        name = file_name(triplet.window, of.kind)
        files[name] = FileFacts(delivery.files[name].etag, of.sha256, len(contents[name]), of.table.num_rows)
    return Provenance(triplet.window, delivery.version, CODE_VERSION, files)


def refuse(
    lake: ObjectStore,
    window: str,
    reason: str,
    *,
    passing: bool = False,
    rules: tuple[str, ...] = (),
    files: Mapping[str, str] | None = None,
    earlier: Refusal | None = None,
) -> Refusal:
    """Leave everything that the window already has as it is, and say why it did not change."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    earlier = refusals.get(lake, window) or earlier
    served = provenance_of(lake, window)
    refusal = Refusal(
        window=window,
        reason=reason,
        attempts=earlier.attempts + 1 if earlier else 1,
        first_seen=earlier.first_seen if earlier else now,
        last_attempt=now,
        passing=passing,
        code_version=CODE_VERSION,
        rules=rules,
        files=files if files is not None else (earlier.files if earlier else {}),
        serves=served.version if served else None,
    )
    refusals.put(lake, refusal)
    return refusal
