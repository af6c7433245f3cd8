"""One window's way through the lake: raw triplet -> archive -> clean Parquet, or a refusal that says why.

Every write replaces what an earlier delivery of the window left. The clean file is written last: its presence, with the
provenance in its metadata, is what "processed" means, and a run that dies before it is simply done again.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.errors import ObjectMissing, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import deliveries, refusals
from movie_platform.pipelines.imdb_feed.deliveries import Delivery, fingerprint_of
from movie_platform.pipelines.imdb_feed.refusals import Refusal
from movie_platform.pipelines.imdb_feed.transforms import CleanWindow, clean
from movie_platform.pipelines.imdb_feed.verification import Triplet, Verification, verify

CODE_VERSION = "1"
"""Changes when the same triplet would give other rows; windows that older code refused are then tried again."""

UNDER_WAY = 4
"""Windows of one run that are worked on at a time: enough to hide a store's latency, few enough for memory."""

_METADATA_KEY = b"movie_platform"


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
class Outcome:
    """What became of one window. `provenance` and `clean` are there when it was processed, `refusal` when it was not;
    none of them when nothing was delivered."""

    window: str
    verification: Verification | None = None
    provenance: Provenance | None = None
    clean: CleanWindow | None = None
    refusal: Refusal | None = None
    clean_bytes: int = 0


def archive_prefix(window: str) -> str:
    return f"archive/{window}/"


def clean_key(window: str) -> str:
    return f"clean_files/{window}.parquet"


def partitioned_key(window: str) -> str:
    return f"partitioned/filetime={window}/{window}.parquet"


def rejects_key(window: str) -> str:
    return f"rejects/imdb_feed/{window}.parquet"


def bad_records_key(window: str) -> str:
    return f"bad-records/imdb_feed/{window}.parquet"


def process(raw: ObjectStore, lake: ObjectStore, window: str, *, until_archive: bool = False) -> Outcome:
    """Archive and clean what lies in the window's folder now."""
    try:
        found = deliveries.find(raw, window)
        if found is None:
            return Outcome(window)
        delivery, contents = deliveries.read(raw, found)
    except (WorldUnavailable, ObjectMissing) as error:
        return Outcome(window, refusal=_refuse(lake, window, str(error), passing=True))
    verification = verify(window, contents)
    if verification.triplet is None:
        etags = {name: info.etag for name, info in delivery.files.items()}
        refusal = _refuse(lake, window, verification.reason, rules=verification.broken_rules, files=etags)
        return Outcome(window, verification, refusal=refusal)
    provenance = _provenance(delivery, contents, verification.triplet)
    for name, data in contents.items():
        lake.write(archive_prefix(window) + name, data)
    if until_archive:
        return Outcome(window, verification, provenance)
    return _cleaned(lake, verification, verification.triplet, provenance)


def clean_again(lake: ObjectStore, window: str) -> Outcome:
    """Make the window's clean files anew from its archive, without the raw side."""
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
        refusal = _refuse(lake, window, f"archive: {verification.reason}", rules=verification.broken_rules)
        return Outcome(window, verification, refusal=refusal)
    provenance = _provenance(Delivery(window, infos), contents, verification.triplet)
    before = provenance_of(lake, window)
    if before and before.digest == provenance.digest:
        provenance = replace(provenance, version=before.version, files=before.files)
    return _cleaned(lake, verification, verification.triplet, provenance)


def process_all(
    raw: ObjectStore, lake: ObjectStore, windows: Sequence[str], *, until_archive: bool = False
) -> Iterator[Outcome]:
    """Each window's outcome, in order, several under way at a time."""
    return _each(lambda window: process(raw, lake, window, until_archive=until_archive), windows)


def clean_all_again(lake: ObjectStore, windows: Sequence[str]) -> Iterator[Outcome]:
    return _each(lambda window: clean_again(lake, window), windows)


def _each(work: Callable[[str], Outcome], windows: Sequence[str]) -> Iterator[Outcome]:
    if len(windows) == 1:
        yield work(windows[0])
        return
    with ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="window") as pool:
        yield from pool.map(work, windows)


def provenance_of(lake: ObjectStore, window: str) -> Provenance | None:
    """What the window's clean file was made from; None where the window is not processed."""
    try:
        with lake.open(clean_key(window)) as file:
            metadata = pq.read_metadata(file).metadata
    except ObjectMissing:
        return None
    fields = json.loads(metadata[_METADATA_KEY])
    return Provenance(**{**fields, "files": {name: FileFacts(**facts) for name, facts in fields["files"].items()}})


def processed_windows(lake: ObjectStore, *, after: str = "") -> list[str]:
    start = clean_key(after) if after else ""
    found = lake.objects("clean_files/", after=start)
    return [info.key.removeprefix("clean_files/").removesuffix(".parquet") for info in found]


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
    pq.write_table(table.replace_schema_metadata({_METADATA_KEY: described}), buffer, compression="zstd")
    return buffer.getvalue()


def _cleaned(lake: ObjectStore, verification: Verification, triplet: Triplet, provenance: Provenance) -> Outcome:
    window = triplet.window
    result = clean(triplet)
    provenance = replace(provenance, clean_rows=result.rows.num_rows)
    stale = []
    for key, left_out in ((rejects_key(window), result.rejects), (bad_records_key(window), result.bad_records)):
        if left_out.num_rows:
            lake.write(key, parquet(left_out, provenance))
        else:
            stale.append(key)
    data = parquet(result.rows, provenance)
    lake.delete(stale)
    lake.write(partitioned_key(window), data)
    lake.write(clean_key(window), data)
    refusals.clear(lake, window)
    return Outcome(window, verification, provenance, result, clean_bytes=len(data))


def _provenance(delivery: Delivery, contents: Mapping[str, bytes], triplet: Triplet) -> Provenance:
    rows = {f"{triplet.window}_type_{kind}.csv": table.num_rows for kind, table in triplet.records.items()}
    files = {
        name: FileFacts(delivery.files[name].etag, hashlib.sha256(data).hexdigest(), len(data), rows[name])
        for name, data in contents.items()
    }
    return Provenance(triplet.window, delivery.version, CODE_VERSION, files)


def _refuse(
    lake: ObjectStore,
    window: str,
    reason: str,
    *,
    passing: bool = False,
    rules: tuple[str, ...] = (),
    files: Mapping[str, str] | None = None,
) -> Refusal:
    """Leave everything that the window already has as it is, and say why it did not change."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    earlier = refusals.get(lake, window)
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
