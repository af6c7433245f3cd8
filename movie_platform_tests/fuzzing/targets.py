"""What must hold for any bytes that a reader is given; each function raises where it does not.

`csv` and `ast.literal_eval` are the oracles: where they read something, the platform's reader reads the same, or
refuses it with a reason.
"""

import ast
import csv
import functools
import io
import json
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pyarrow as pa

from movie_platform.contracts.importing import read_contract
from movie_platform.contracts.reading import ContractUnreadable
from movie_platform.csv_files import records as csv_records
from movie_platform.csv_files.records import CsvFile, RecordColumn, read_records
from movie_platform.deliveries import manifests, receipts, reconciled, watching
from movie_platform.engine.literal import LiteralUnreadable, conform, read_literal
from movie_platform.errors import InputRefused, PlatformError, SettingsError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed import arrivals, refusals
from movie_platform.pipelines.imdb_feed.tables import TRIPLET
from movie_platform.pipelines.imdb_feed.verification import Verification, file_name, verify
from movie_platform.pipelines.movies_dataset.archive import Limits, open_archive
from movie_platform.quality.parsing import parse_ruleset
from movie_platform.settings import Settings, load_settings

WINDOW = "202601010000"
SECRET = "hunter2"
_LONGEST_LITERAL = 5_000
"""Python's own parser is the oracle, and is given nothing that takes it down."""


@dataclass(frozen=True)
class Target:
    """A reader under test, and a few inputs that it reads: what is made of them is more interesting than noise."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def triplet(data: bytes) -> None:
    """A file of the feed is refused for a reason in one line, or holds what `csv` finds in it."""
    kind = TRIPLET[data[0] % len(TRIPLET)] if data else TRIPLET[0]
    found: Verification = verify(WINDOW, {file_name(WINDOW, kind): data[1:]})
    own = {rule: reasons for rule, reasons in found.broken_rules.items() if rule != "three_files"}
    if own:
        assert all(reason.isprintable() or "\n" not in reason for reasons in own.values() for reason in reasons)
        return
    text = data[1:].decode("utf-8-sig")
    csv.field_size_limit(sys.maxsize)
    header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    assert sorted(header) == sorted(kind.columns)
    assert rows
    assert all(len(row) == len(header) for row in rows)


_COLUMNS = (RecordColumn("n", "integer", required=True), RecordColumn("x", "number"), RecordColumn("t"))


def records(data: bytes) -> None:
    """As many records as `csv` finds, each sound one with its text; in small chunks and record by record the same."""
    content = b"n,x,t\n" + data
    whole = _rows(content)
    with mock.patch.object(csv_records, "CHUNK_BYTES", 16):
        assert _rows(content) == whole
    with mock.patch.object(csv_records, "_parse_fast", return_value=None):
        assert _rows(content) == whole
    csv.field_size_limit(sys.maxsize)
    lines = [line.decode(errors="replace") for line in data.splitlines(keepends=True)]
    expected = list(csv.reader(lines))
    assert [row["record_number"] for row in whole] == list(range(1, len(expected) + 1))
    for row, cells in zip(whole, expected, strict=True):
        if row["reason"] is None:
            assert row["t"] == cells[2]
            whole_number = int(float(cells[0].strip()))
            assert whole_number == row["n"] or abs(whole_number) > 2**53
        else:
            assert row["raw"] is not None


def _rows(content: bytes) -> list[dict[str, object]]:
    rows = read_records(CsvFile("fuzz.csv", lambda: io.BytesIO(content)), _COLUMNS).read_all().to_pylist()
    return [{name: repr(value) if name == "x" else value for name, value in row.items()} for row in rows]


_KINDS = (
    pa.list_(pa.struct([("id", pa.int64()), ("name", pa.string())])),
    pa.struct([("id", pa.int64()), ("name", pa.string())]),
    pa.list_(pa.float64()),
    pa.bool_(),
)
_BOUNDS = ("nested deeper", "a chain of signs", "a formatted string", "a literal of more than")


def literal(data: bytes) -> None:
    """A literal is what Python's own reader makes of it, or beyond a bound."""
    text = data[1:].decode("utf-8", "backslashreplace" if data[:1] == b"s" else "replace")
    if len(text) > _LONGEST_LITERAL:
        return
    kind = _KINDS[data[0] % len(_KINDS)] if data else _KINDS[0]
    try:
        ours: object = read_literal(text, kind)
    except LiteralUnreadable as error:
        if not str(error).startswith(_BOUNDS):
            assert _python(text, kind) is _NOTHING, text
        return
    assert repr(ours) == repr(_python(text, kind) if text.strip() else None), text


_NOTHING = object()


def _python(text: str, kind: pa.DataType) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return conform(ast.literal_eval(text), kind)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return _NOTHING


def zipped(data: bytes) -> None:
    """A zip is refused, or each of its members is inside the limits and has a name within the folder."""
    limits = Limits(max_bytes=100_000, max_ratio=50)
    try:
        with open_archive(io.BytesIO(data), "fuzz.zip", limits, required=()) as archive:
            for name in archive._members:
                assert ".." not in name.replace("\\", "/").split("/")
                with archive.file(name).open() as file:
                    assert len(file.read()) <= limits.max_bytes
    except InputRefused as error:
        assert str(error)  # noqa: PT017 - a refusal is allowed, not demanded


_TEXTS = sorted(name for name in Settings.model_fields if name not in {"notify_urls", "dagster_home"})


def settings(data: bytes) -> None:
    """A setting is taken, or refused in a short printable line that shows no password."""
    name = _TEXTS[data[0] % len(_TEXTS)] if data else _TEXTS[0]
    text = data[1:].decode("utf-8", "replace").replace("\0", "")
    try:
        taken = getattr(load_settings(**{name: text}), name)
    except SettingsError as error:
        lines = str(error).splitlines()
        assert all(len(line) < 700 for line in lines), error  # noqa: PT017
        assert str(error).replace("\n", "").isprintable() or not text.isprintable(), error  # noqa: PT017
        if "@" in text and "://" in text:
            assert SECRET not in str(error)  # noqa: PT017
        return
    if name in {"raw_uri", "lake_uri", "feed_uri", "ui_uri"} and "://" in text:
        assert "@" not in str(taken).split("://", 1)[1].split("/")[0]


def cursor(data: bytes) -> None:
    """Any text is a cursor; what cannot be read is a lost one, and what is read is written and read the same."""
    text = data.decode("utf-8", "replace")
    for kind in (arrivals.Cursor, watching.Cursor):
        parsed = kind.parse(text)
        assert kind.parse(str(parsed)) == parsed
        assert json.loads(str(parsed)).keys() == vars(kind()).keys()


@functools.cache
def _lake() -> ObjectStore:
    return open_store(Path(tempfile.mkdtemp(prefix="movie-platform-fuzzing-")).as_uri())


def marker(data: bytes) -> None:
    """A marker, note, manifest or report of any content is read, or refused as the platform's own error."""
    lake = _lake()
    refusal = refusals._parse(WINDOW, data)
    assert refusal.window == WINDOW
    assert len(refusal.log_line().splitlines()) == 1
    assert isinstance(refusal.fingerprint, str)
    datetime.fromisoformat(refusal.last_attempt)
    lake.write(refusals.key_of(WINDOW), data)
    refusals.rebuild_log(lake)
    lake.write(f"{manifests.FOLDER}daily/2026-01-01/{'0' * 16}.refused", data)
    for note in receipts.refusals(lake, "daily"):
        assert all(isinstance(text, str) for name, text in vars(note).items() if name != "columns")
        assert all(isinstance(text, str) for has in note.columns.values() for text in (*has, *has.values()))
    lake.write(manifests.key_of("daily", "2026-01-01", 1), data)
    try:
        manifests.read(lake, "daily", "2026-01-01", 1)
    except PlatformError as error:
        assert "000000001" in str(error)  # noqa: PT017
    lake.write(reconciled.key_of("daily", "here"), data)
    report = reconciled.read(lake, "daily", "here")
    report.next(f"{datetime.now(UTC).isoformat()}/1", 5)
    report.next(report.time, 5)


def _zip(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("movies_metadata.csv", "id,title\n1,One\n")
        archive.writestr("folder/links.csv", "movieId\n" * 20)
    return out.getvalue()


def _file(position: int) -> bytes:
    kind = TRIPLET[position]
    row = ",".join("1" for _ in kind.columns)
    return bytes([position]) + ",".join(kind.columns).encode() + f'\r\n{row}\n"1"{row[1:]}\n\n'.encode()


def contract(data: bytes) -> None:
    """A data contract is refused in words, or gives rulesets that are what their texts say."""
    try:
        tables = read_contract(data)
    except ContractUnreadable:
        return
    for table in tables:
        if table.ruleset:
            assert parse_ruleset(table.render()) == table.ruleset


_CONTRACT = b"""apiVersion: v3.1.0
kind: DataContract
schema:
- name: t
  quality: [{metric: rowCount, mustBeBetween: [1, 9]}, {type: sql, query: 'select 1 from {object}', mustBe: 1.5}]
  properties:
  - &p {name: a, logicalType: string, required: true, logicalTypeOptions: {pattern: '^x', maxLength: 3}}
  - {name: b, primaryKey: true, relationships: [{to: u.c}], quality: [{metric: nullValues, mustBe: 5, unit: percent},
    {metric: invalidValues, arguments: {validValues: [x, "y'"]}, mustBeLessThan: 2}]}
"""

TARGETS = {
    "contract": Target(contract, (_CONTRACT, _CONTRACT.replace(b"- {name: b,", b"- {name: *p, n: ~,"))),
    "triplet": Target(triplet, tuple(_file(position) for position in range(3))),
    "records": Target(
        records,
        (b"1,2.5,text\n2,,\n\n", b'3.0,-1e3,"a ""quoted""\ncell"\n', b"0x1,inf,x\n 4 ,nan,\xff\n", b'1,2\n"'),
    ),
    "literal": Target(
        literal,
        (
            b"\x00[{'id': 1, 'name': \"it's\"}, {'name': None, 'id': -2}]",
            b"\x01{'id': 0x1f, 'name': 'a' 'b', 'other': (1, 2.5e3, b'x', {1})}",
            b"\x02[1, 1_000, --1, +2., 1j, True]",
            b"\x03 True  # comment",
            b"s[{'id': 1, 'name': '\\ud83d\\N{BULLET}'}]",
        ),
    ),
    "zip": Target(zipped, (_zip(), _zip(zipfile.ZIP_STORED), _zip(zipfile.ZIP_BZIP2))),
    "settings": Target(
        settings,
        tuple(
            bytes([_TEXTS.index(name)]) + text.encode()
            for name, text in {
                "warehouse": f"redshift://me:{SECRET}/x@cluster:5439/db?sslmode=require",
                "lake_uri": f"s3://KEY:{SECRET}@bucket/prefix",
                "purchases": f"postgresql://me:{SECRET}@[::1]:5432,two:1/db#x",
                "ui_uri": f"http://me:{SECRET}@host:3000/dagster",
                "engine": "spark:spark://host:7077",
                "feed_grace": "61.5s",
                "spark_conf": "spark.a=1;spark.b=2",
                "notify": "log,sns:arn:aws:sns:eu-west-1:1:topic",
                "review_classifier": f"model:s3://KEY:{SECRET}@bucket/x",
                "dataset_start": "2026-01-01",
            }.items()
        ),
    ),
    "cursor": Target(
        cursor,
        (
            str(arrivals.Cursor(WINDOW, {WINDOW: "f"}, WINDOW, WINDOW, "2026-01-01/1", "r", "j")).encode(),
            str(watching.Cursor({"2026-01-01": "f"}, "2026-01-01/1", "r", "p", "j")).encode(),
        ),
    ),
    "marker": Target(
        marker,
        (
            json.dumps(
                {
                    "window": WINDOW,
                    "reason": "r",
                    "attempts": 2,
                    "first_seen": "2026-01-01T00:00:00+00:00",
                    "last_attempt": "2026-01-01T00:00:00+00:00",
                    "passing": False,
                    "code_version": "1",
                    "rules": ["header"],
                    "files": {"a": "b"},
                    "serves": None,
                    "reasons": {"header": ["x"]},
                }
            ).encode(),
            b'{"partition": "2026-01-01", "fingerprint": "f", "reason": "r", "rule": "x", "at": ""}',
            b'{"time": "2026-01-01T00:00:00+00:00", "owed": {"2026-01-01": "x"}, "rejected": 1, "rejected_keys": {}}',
        ),
    ),
}
