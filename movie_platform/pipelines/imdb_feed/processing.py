"""One window's way through the lake: raw triplet -> archive -> clean Parquet, or a refusal that says why.

Every write replaces what an earlier delivery of the window left. The archive's manifest is written when all of its
files are there, and the receipt when everything that is made of them is: a run that dies before it is done again.
"""

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import pyarrow as pa

from movie_platform.deliveries import (
    Delivery,
    Manifest,
    ManifestFile,
    Overtaken,
    Receipt,
    fingerprint_of,
    manifests,
    receipts,
    until_undisturbed,
)
from movie_platform.deliveries.copies import must_be_unchanged
from movie_platform.errors import ObjectMissing, PlatformError, WorldUnavailable
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.imdb_feed import deliveries, refusals
from movie_platform.pipelines.imdb_feed.breaker import guarded
from movie_platform.pipelines.imdb_feed.deliveries import MAX_BYTES, NAME
from movie_platform.pipelines.imdb_feed.refusals import Refusal
from movie_platform.pipelines.imdb_feed.summaries import WindowSummary, summary_of
from movie_platform.pipelines.imdb_feed.verification import RuleOutcome, Triplet, Verification, file_name, verify
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
    """What an archived file is, by its bytes and as it was delivered."""

    etag: str
    sha256: str
    size: int
    rows: int


@dataclass(frozen=True)
class Provenance:
    """What a clean file was made from; kept in its Parquet metadata."""

    window: str
    version: str
    """The sequence of its manifest, as the ledger writes it."""
    code_version: str
    files: Mapping[str, FileFacts]
    clean_rows: int = 0
    delivered_at: str = ""
    """When the newest of its files came, for people to read."""
    etag: str = ""
    """Of the clean file that says so; not in the file itself."""

    @property
    def sequence(self) -> int:
        return manifests.sequence_of(self.version)

    @property
    def fingerprint(self) -> str:
        return fingerprint_of({name: facts.etag for name, facts in self.files.items()})

    @property
    def digest(self) -> str:
        """Of the delivered bytes: equal for equal content, whatever the store calls it."""
        return manifests.digest_of({name: facts.sha256 for name, facts in self.files.items()})

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
    summary: WindowSummary


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
    postponed: str = ""
    """Why the window was left for later and nothing was recorded of it: it stays owed."""
    unreachable: str = ""
    """Why the window was refused, where a store could not be reached."""


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


def process(
    raw: ObjectStore, lake: ObjectStore, window: str, *, until_archive: bool = False, max_bytes: int = MAX_BYTES
) -> Outcome:
    """Archive and clean what is in the window's folder now.

    Whatever goes wrong stays with this window: it becomes its refusal. A window that was delivered anew, or processed
    by another run meanwhile, starts again.
    """

    def work() -> Outcome:
        return _process(raw, lake, window, until_archive=until_archive, max_bytes=max_bytes)

    return _contained(lake, window, lambda: until_undisturbed(work, window))


def _process(raw: ObjectStore, lake: ObjectStore, window: str, *, until_archive: bool, max_bytes: int) -> Outcome:
    before, found = manifests.latest(lake, NAME, window), deliveries.find(raw, window)
    if found is None:
        return _nothing_delivered(lake, window)
    if before and len(found.files) < len(before.files) and before.covers(found):
        # Files went away, which changes nothing: the archive has them.
        return _clean_again(lake, window, fingerprint=found.fingerprint)
    if too_large := deliveries.too_large(found, max_bytes):
        return Outcome(window, refusal=refuse(lake, window, too_large, rules=("size",), files=found.etags))
    delivery, contents, verification = deliveries.judged(raw, found)
    _must_be_current(raw, delivery)
    if verification.triplet is None:
        refusal = refuse(lake, window, verification.reason, judged=verification, files=delivery.etags)
        _must_be_current(raw, delivery)
        if manifests.latest(lake, NAME, window) != before:
            raise Overtaken(f"another run archived another delivery of {window}")
        return Outcome(window, verification.outcomes, refusal=refusal)
    triplet = verification.triplet
    manifest = _archived(raw, lake, before, delivery, contents, triplet)
    outcome = Outcome(window, verification.outcomes, _provenance(manifest), with_bom=triplet.with_bom)
    if until_archive:
        return outcome
    return _cleaned(lake, triplet, outcome, manifest, fingerprint=delivery.fingerprint, is_newest=True)


def _archived(
    raw: ObjectStore,
    lake: ObjectStore,
    before: Manifest | None,
    delivery: Delivery,
    contents: Mapping[str, bytes],
    triplet: Triplet,
) -> Manifest:
    """The files as they were delivered, and then the manifest that says so."""
    window, prefix = triplet.window, archive_prefix(triplet.window)
    files = {}
    for of in triplet.records.values():
        name = file_name(window, of.kind)
        files[name] = ManifestFile(delivery.files[name].etag, of.sha256, len(contents[name]), records=of.table.num_rows)
    digest = manifests.digest_of({name: file.sha256 for name, file in files.items()})
    if before and before.digest == digest and manifests.is_whole(lake, prefix, before):
        same = replace(
            before, files={name: replace(file, etag=files[name].etag) for name, file in before.files.items()}
        )
        if same != before:
            manifests.rewrite(lake, same)  # the same content, written again
        return same
    for name, data in contents.items():
        files[name] = replace(files[name], archived=lake.write(prefix + name, data))
    _must_be_current(raw, delivery)
    manifest = manifests.publish(lake, NAME, window, files, after=before, delivered_at=delivery.delivered_at)
    _must_be_current(raw, delivery)
    manifests.must_be_whole(lake, prefix, manifest)
    return manifest


def _must_be_current(raw: ObjectStore, delivery: Delivery) -> None:
    must_be_unchanged(lambda: deliveries.find(raw, delivery.partition), delivery)


def clean_again(lake: ObjectStore, window: str) -> Outcome:
    """Make the window's clean files anew from its archive, without the raw side.

    The refusal of another delivery stays: that one is still on the raw side.
    """
    return _contained(lake, window, lambda: until_undisturbed(lambda: _clean_again(lake, window), window))


def _clean_again(lake: ObjectStore, window: str, *, fingerprint: str = "") -> Outcome:
    prefix = archive_prefix(window)
    manifest = manifests.latest(lake, NAME, window)
    contents = {info.key.removeprefix(prefix): lake.read(info.key) for info in list(lake.objects(prefix))}
    if not contents:
        return Outcome(window)
    if manifest:
        manifests.refuse_torn(lake, prefix, manifest)
    verification = verify(window, contents)
    if verification.triplet is None:
        refusal = refuse(lake, window, f"archive: {verification.reason}", judged=verification)
        return Outcome(window, verification.outcomes, refusal=refusal)
    triplet = verification.triplet
    manifest = manifest or _legacy_manifest(lake, triplet, contents)
    outcome = Outcome(window, verification.outcomes, _provenance(manifest), with_bom=triplet.with_bom)
    etags = {name: file.etag for name, file in manifest.files.items()}
    return _cleaned(lake, triplet, outcome, manifest, fingerprint=fingerprint or fingerprint_of(etags), is_newest=False)


def _legacy_manifest(lake: ObjectStore, triplet: Triplet, contents: Mapping[str, bytes]) -> Manifest:
    """What an archive of a version without manifests holds: sequence 0, with what its clean file says of the delivery.

    An archive that is not what the clean file was made from was torn by a run that ended in the middle of a correction,
    or is of a delivery that was archived and never cleaned: which one cannot be known, so it is refused.
    """
    window = triplet.window
    before = provenance_of(lake, window)
    files = {}
    for of in triplet.records.values():
        name = file_name(window, of.kind)
        etag = before.files[name].etag if before and name in before.files else ""
        files[name] = ManifestFile(etag, of.sha256, len(contents[name]), records=of.table.num_rows)
    manifest = Manifest(NAME, window, 0, files, (before.delivered_at or before.version) if before else "")
    if before is None or before.digest != manifest.digest:
        raise PlatformError(
            f"{lake.uri_of(archive_prefix(window))} has no manifest and is not what {clean_key(window)} was made from: "
            "run the window from the raw side, or deliver it again"
        )
    return manifest


def _nothing_delivered(lake: ObjectStore, window: str) -> Outcome:
    """A window without files is no fault; one that was refused and lost its files stays listed until others come."""
    earlier = refusals.get(lake, window)
    if earlier is None or earlier.transient:
        # What is archived and not cleaned, by a run that ended early, is not lost with the raw side's files.
        standing = receipts.standing(lake, NAME, window)
        if standing.archived and not standing.is_processed:
            return _clean_again(lake, window)
    if earlier is None:
        return Outcome(window)
    reason = "three_files: nothing is in the window's folder any more"
    return Outcome(window, refusal=refuse(lake, window, reason, rules=("three_files",), files={}))


def _contained(lake: ObjectStore, window: str, work: Callable[[], Outcome]) -> Outcome:
    try:
        return work()
    except PlatformError as error:
        refusal = refuse(lake, window, str(error), transient=True)
        return Outcome(window, refusal=refusal, unreachable=str(error) if isinstance(error, WorldUnavailable) else "")
    except Exception as error:
        # A fault of ours in one window must not hold back the others of its run. The run fails for it.
        logging.getLogger(__name__).exception("%s could not be processed", window)
        reason = f"a fault of the platform: {type(error).__name__}: {error}"
        return Outcome(window, refusal=refuse(lake, window, reason, transient=True))


def process_all(
    raw: ObjectStore,
    lake: ObjectStore,
    windows: Sequence[str],
    *,
    until_archive: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Outcome]:
    """Each window's outcome, in order. After three in a row that reached no store, the others are postponed."""

    def work(window: str) -> Outcome:
        return process(raw, lake, window, until_archive=until_archive, max_bytes=max_bytes)

    return _each(guarded(work, _postponed), windows, raw, lake)


def clean_all_again(lake: ObjectStore, windows: Sequence[str]) -> Iterator[Outcome]:
    return _each(guarded(lambda window: clean_again(lake, window), _postponed), windows, lake)


def _postponed(window: str, why: str) -> Outcome:
    return Outcome(window, postponed=why)


def _each(work: Callable[[str], _T], windows: Sequence[str], *stores: ObjectStore) -> Iterator[_T]:
    # On this machine's disk there is no latency to hide, and threads would only take turns.
    if len(windows) == 1 or all(store.local_path("") for store in stores):
        yield from map(work, windows)
        return
    with ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="window") as pool:
        yield from pool.map(work, windows)


def provenance_of(lake: ObjectStore, window: str) -> Provenance | None:
    """What the window's clean file was made from; None where the window is not processed, or not by this platform."""
    import pyarrow.parquet

    try:
        info = lake.info(clean_key(window))
        with lake.open(clean_key(window)) as file:
            metadata = pyarrow.parquet.read_metadata(file).metadata
        fields = json.loads(metadata[_METADATA_KEY])
        files = {name: FileFacts(**facts) for name, facts in fields["files"].items()}
        made = Provenance(**{**fields, "files": files, "etag": info.etag if info else ""})
    except (ObjectMissing, pa.ArrowInvalid, TypeError, KeyError, ValueError):
        return None
    return made if made.window == window else None


def provenances(lake: ObjectStore, windows: Sequence[str]) -> Iterator[Provenance | PlatformError | None]:
    """What each window's clean file was made from, in order; the error where one cannot be read."""

    def read(window: str) -> Provenance | PlatformError | None:
        try:
            return provenance_of(lake, window)
        except PlatformError as error:
            return error

    return _each(read, windows, lake)


def processed_windows(lake: ObjectStore, *, since: str = "") -> list[str]:
    """The windows that have a clean file, from `since` on."""
    return list(clean_files(lake, since=since))


def clean_files(lake: ObjectStore, *, since: str = "") -> dict[str, ObjectInfo]:
    """The clean files by window, from `since` on."""
    found = lake.objects(CLEAN_PREFIX, after=CLEAN_PREFIX + since if since else "")
    named = ((info.key.removeprefix(CLEAN_PREFIX).removesuffix(".parquet"), info) for info in found)
    return {window: info for window, info in named if is_window(window)}


def parquet(table: pa.Table, provenance: Provenance) -> bytes:
    """The same rows and provenance always give the same bytes."""
    import pyarrow.parquet

    described = json.dumps(
        {
            "window": provenance.window,
            "version": provenance.version,
            "code_version": provenance.code_version,
            "clean_rows": provenance.clean_rows,
            "delivered_at": provenance.delivered_at,
            "files": {name: vars(facts) for name, facts in sorted(provenance.files.items())},
        },
        sort_keys=True,
    )
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({_METADATA_KEY: described}), buffer, compression="snappy", use_dictionary=False
    )
    return buffer.getvalue()


def _cleaned(
    lake: ObjectStore,
    triplet: Triplet,
    outcome: Outcome,
    manifest: Manifest,
    *,
    fingerprint: str,
    is_newest: bool,
) -> Outcome:
    """Write what the lake makes of an archived delivery, and last the receipt that all of it is there."""
    assert outcome.provenance is not None
    from movie_platform.pipelines.imdb_feed.transforms import clean

    window, result = triplet.window, clean(triplet)
    provenance = replace(outcome.provenance, clean_rows=result.rows.num_rows)
    made: dict[str, str] = {}
    stale = []
    for key, left_out in ((rejects_key(window), result.rejects), (bad_records_key(window), result.bad_records)):
        if left_out.num_rows:
            made[key] = lake.write(key, parquet(left_out, provenance))
        else:
            stale.append(key)
    lake.delete(stale)
    data = parquet(result.rows, provenance)
    made[partitioned_key(window)] = lake.write(partitioned_key(window), data)
    made[clean_key(window)] = lake.write(clean_key(window), data)
    if manifest.sequence:
        manifests.must_be_newest(lake, manifest)
    refusal = refusals.get(lake, window) if lake.info(refusals.key_of(window)) else None
    cleared = refusal if refusal and (is_newest or refusal.fingerprint == provenance.fingerprint) else None
    receipt = Receipt(window, manifest.sequence, fingerprint, receipts.made_of(made))
    summary = summary_of(result, provenance.delivered_at)
    receipts.put(lake, NAME, receipt, summary.as_json())
    if cleared:
        refusals.clear(lake, window)
    facts = CleanFacts(result.rows.num_rows, len(data), result.rejects.num_rows, result.bad_records.num_rows, summary)
    return replace(outcome, provenance=replace(provenance, etag=made[clean_key(window)]), clean=facts, cleared=cleared)


def _provenance(manifest: Manifest) -> Provenance:
    files = {name: FileFacts(f.etag, f.sha256, f.size, f.records) for name, f in manifest.files.items()}
    # An archive from before there were manifests keeps the version that its ledger row has.
    version = manifest.version if manifest.sequence else manifest.delivered_at
    return Provenance(manifest.partition, version, CODE_VERSION, files, delivered_at=manifest.delivered_at)


def renumbered(lake: ObjectStore, window: str, *, above: int) -> Provenance | None:
    """The window cleaned again under a sequence above the ledger's, since it is what is delivered now."""

    def work() -> Outcome:
        before = manifests.latest(lake, NAME, window)
        if before is None:
            prefix = archive_prefix(window)
            contents = {info.key.removeprefix(prefix): lake.read(info.key) for info in list(lake.objects(prefix))}
            triplet = verify(window, contents).triplet
            if triplet is None:
                raise PlatformError(f"{lake.uri_of(prefix)} is not whole: run {window} from the raw side")
            before = _legacy_manifest(lake, triplet, contents)
        newest, at = before if before.sequence else None, before.delivered_at
        manifests.publish(lake, NAME, window, before.files, after=newest, above=above, delivered_at=at)
        return _clean_again(lake, window)

    return until_undisturbed(work, window).provenance


def refuse(
    lake: ObjectStore,
    window: str,
    reason: str,
    *,
    transient: bool = False,
    rules: tuple[str, ...] = (),
    judged: Verification | None = None,
    files: Mapping[str, str] | None = None,
    earlier: Refusal | None = None,
) -> Refusal:
    """Leave everything that the window already has as it is, and say why it did not change.

    `judged` has the faults by the rule of verification that they break; `rules` names others, which have but a reason.
    Where even that cannot be written, as in a lake that is full, the run goes on with its other windows: what was
    delivered has no receipt and stays owed.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    served = None
    try:
        earlier = refusals.get(lake, window) or earlier
        served = provenance_of(lake, window)
    except PlatformError as error:
        logging.getLogger(__name__).error("%s: its earlier refusal cannot be read: %s", window, error)  # noqa: TRY400
    refusal = Refusal(
        window=window,
        reason=reason,
        attempts=earlier.attempts + 1 if earlier else 1,
        first_seen=earlier.first_seen if earlier else now,
        last_attempt=now,
        transient=transient,
        code_version=CODE_VERSION,
        rules=(*(judged.broken_rules if judged else ()), *rules),
        reasons=judged.broken_rules if judged else {},
        files=files if files is not None else (earlier.files if earlier else {}),
        serves=(served.delivered_at or served.version) if served else None,
        columns=judged.columns if judged else {},
    )
    try:
        refusals.put(lake, refusal)
    except PlatformError as error:
        logging.getLogger(__name__).error("%s: its refusal cannot be written: %s", window, error)  # noqa: TRY400
    return refusal
