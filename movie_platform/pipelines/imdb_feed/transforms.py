"""A verified triplet -> clean rows, and an account of every record that is not among them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.pipelines.imdb_feed.tables import IMDB_CLEAN, TRIPLET, TYPE_A, DeliveredFile
from movie_platform.pipelines.imdb_feed.verification import Triplet, file_name

LEFT_OUT = pa.schema(
    [
        pa.field("window", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("rules", pa.list_(pa.string()), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
    ]
)
"""What a reject and a bad record say: the file, the number of its data record, what it broke, and its cells as JSON."""


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
class CleanWindow:
    """A window's clean rows, what was left out of them, and the account of each file."""

    window: str
    rows: pa.Table
    rejects: pa.Table
    bad_records: pa.Table
    accounts: tuple[Account, ...]

    @property
    def conserved(self) -> bool:
        return all(account.conserved for account in self.accounts)

    @property
    def broken_rules(self) -> dict[str, int]:
        """How many records broke each row rule."""
        counts = pc.list_flatten(self.bad_records["rules"]).value_counts()
        return {pair["values"].as_py(): pair["counts"].as_py() for pair in counts}


@dataclass
class _File:
    """One file under way: its records as text and in their types, and which of them are out, and why."""

    kind: DeliveredFile
    name: str
    raw: pa.Table
    typed: dict[str, pa.Array]
    broken: dict[str, np.ndarray]
    """Per row rule the records that break it."""
    merged: np.ndarray
    """Records that equal an earlier one."""
    rejected: dict[str, np.ndarray] = field(default_factory=dict)
    """Per reason the records that cannot be joined."""

    @property
    def bad(self) -> np.ndarray:
        return _any(self.broken.values(), self.raw.num_rows)

    @property
    def out(self) -> np.ndarray:
        return self.bad | self.merged | _any(self.rejected.values(), self.raw.num_rows)

    def reject(self, reason: str, mask: np.ndarray) -> None:
        """A record that is out already keeps its first reason."""
        self.rejected[reason] = mask & ~self.out

    def rejects(self) -> "Iterator[_LeftOut]":
        for reason, mask in self.rejected.items():
            for position in np.flatnonzero(mask):
                yield _LeftOut(self, int(position), (reason,), reason)

    def bad_records(self) -> "Iterator[_LeftOut]":
        for position in np.flatnonzero(self.bad):
            rules = tuple(rule for rule, mask in self.broken.items() if mask[position])
            yield _LeftOut(self, int(position), rules, "breaks " + ", ".join(rules))


@dataclass(frozen=True)
class _LeftOut:
    file: _File
    position: int
    rules: tuple[str, ...]
    reason: str


def clean(triplet: Triplet) -> CleanWindow:
    """Judge the records of each file, join movies, pairs and people, and account for every record.

    Records that are equal in every cell merge into one; records that share an id and differ are rejected, all of them,
    since nobody can say which is right. The rows come in the order of type_A, then of type_B.
    """
    movies, pairs, people = (_judged(triplet, kind) for kind in TRIPLET)
    for file, id_column in ((movies, "id"), (people, "id")):
        file.reject(f"other records have the same {id_column} and differ", _conflicts(file, id_column))

    usable_person = _position(pairs.typed["person_id"], people.typed["id"], ~people.out)
    usable_movie = _position(pairs.typed["movie_id"], movies.typed["id"], ~movies.out)
    delivered = _position(pairs.typed["movie_id"], movies.typed["id"], np.ones(movies.raw.num_rows, bool)) >= 0
    of_other_deliveries = ~delivered & ~pairs.out
    with_director = _marked(usable_movie[~pairs.out], movies.raw.num_rows)
    pairs.reject("type_C has no such person", delivered & (usable_person < 0))
    pairs.reject("its movie is rejected or quarantined", delivered & (usable_movie < 0))
    joined = delivered & ~pairs.out

    in_rows = _marked(usable_movie[joined], movies.raw.num_rows)
    movies.reject("it has no director in type_B", ~with_director)
    movies.reject("none of its directors is in type_C", ~in_rows)

    pair = np.flatnonzero(joined)
    pair = pair[np.argsort(usable_movie[pair], kind="stable")]
    rows = _rows(movies, pairs, people, usable_movie[pair], pair, usable_person[pair])

    referenced = _marked(usable_person[joined], people.raw.num_rows)
    accounts = (
        _account(movies, {"out": in_rows}),
        _account(pairs, {"out": joined, "of other deliveries' movies": of_other_deliveries}),
        _account(people, {"referenced": referenced, "unreferenced": ~referenced & ~people.out}),
    )
    files = (movies, pairs, people)
    return CleanWindow(
        triplet.window,
        rows,
        rejects=_left_out(triplet.window, [entry for file in files for entry in file.rejects()]),
        bad_records=_left_out(triplet.window, [entry for file in files for entry in file.bad_records()]),
        accounts=accounts,
    )


def _judged(triplet: Triplet, kind: DeliveredFile) -> _File:
    """Cast every cell, apply the row rules, and merge equal records."""
    raw = triplet.records[kind.type]
    cells = {name: _single(raw[name]) for name in kind.columns}
    typed: dict[str, pa.Array] = {}
    broken: dict[str, np.ndarray] = {}
    for name, type_ in kind.columns.items():
        typed[name], unreadable = _cast(cells[name], type_)
        broken[f"{name}_is_a_{'whole_' if pa.types.is_integer(type_) else ''}number"] = unreadable
        if name in kind.required:
            broken[f"{name}_not_null"] = _blank(cells[name])
        for check in kind.checks.get(name, ()):
            values = pd.Series(typed[name].to_numpy(zero_copy_only=False))
            passed = check(values).check_output.reindex(values.index, fill_value=True)  # nulls are not judged
            broken[str(check.name)] = ~passed.to_numpy(bool)
    broken = {rule: mask for rule, mask in broken.items() if mask.any()}
    merged = _repeats(typed) & ~_any(broken.values(), raw.num_rows)
    return _File(kind, file_name(triplet.window, kind), raw, typed, broken, merged)


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _blank(cells: pa.Array) -> np.ndarray:
    return pc.fill_null(pc.equal(pc.utf8_trim_whitespace(cells), ""), True).to_numpy(zero_copy_only=False)


_WHOLE = r"^[+-]?\d{1,18}(\.0*)?$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"


def _cast(cells: pa.Array, type_: pa.DataType) -> tuple[pa.Array, np.ndarray]:
    """The cells in their type, unreadable ones as nulls, and which they are.

    A number may stand between blanks and a whole number may carry `.0`, as programs write it whose column had blanks.
    """
    readable_all = np.zeros(len(cells), bool)
    if pa.types.is_string(type_):
        return cells, readable_all
    whole = pa.types.is_integer(type_)
    try:
        values = pc.cast(cells, type_)
    except pa.ArrowInvalid:
        values = None
    if values is not None and (whole or pc.all(pc.is_finite(values)).as_py() is not False):
        return values, readable_all
    trimmed = pc.utf8_trim_whitespace(cells)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    readable = pc.match_substring_regex(trimmed, _WHOLE if whole else _NUMBER)
    kept = pc.if_else(readable, trimmed, pa.scalar(None, pa.string()))
    if whole:
        kept = pc.replace_substring_regex(kept, r"^\+|\.0*$", "")
    values = pc.cast(kept, type_)
    return values, pc.fill_null(pc.invert(readable), False).to_numpy(zero_copy_only=False)


def _repeats(typed: Mapping[str, pa.Array]) -> np.ndarray:
    """Which records equal an earlier one in every cell."""
    first = next(iter(typed.values()))
    if pc.count_distinct(first, mode="all").as_py() == len(first):
        return np.zeros(len(first), bool)
    frame = pd.DataFrame({name: values.to_numpy(zero_copy_only=False) for name, values in typed.items()})
    return frame.duplicated(keep="first").to_numpy()


def _conflicts(file: _File, id_column: str) -> np.ndarray:
    ids = file.typed[id_column]
    if pc.count_distinct(ids, mode="all").as_py() == len(ids):
        return np.zeros(len(ids), bool)
    left = np.flatnonzero(~file.out)
    shared = np.zeros(len(ids), bool)
    shared[left] = pd.Series(ids.take(pa.array(left)).to_numpy()).duplicated(keep=False).to_numpy()
    return shared


def _position(wanted: pa.Array, ids: pa.Array, usable: np.ndarray) -> np.ndarray:
    """For each wanted id the record that holds it, -1 where no usable one does."""
    positions = np.flatnonzero(usable)
    if not len(positions):
        return np.full(len(wanted), -1)
    found = pc.index_in(wanted, value_set=ids.take(pa.array(positions)), skip_nulls=True)
    found = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
    return np.where(found >= 0, positions[found], -1)


def _rows(
    movies: _File, pairs: _File, people: _File, movie: np.ndarray, pair: np.ndarray, person: np.ndarray
) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "movie_id": pairs.typed["movie_id"].take(pa.array(pair)),
        "person_id": pairs.typed["person_id"].take(pa.array(pair)),
        "imdb_person_id": people.typed["imdb_person_id"].take(pa.array(person)),
        "director_name": people.typed["full_name"].take(pa.array(person)),
    }
    index = pa.array(movie)
    for name in TYPE_A.columns:
        if name != "id":
            columns[name] = movies.typed[name].take(index)
    return pa.table([columns[name] for name in IMDB_CLEAN.column_names], schema=IMDB_CLEAN.arrow_schema)


def _marked(positions: np.ndarray, length: int) -> np.ndarray:
    """A mask with the positions set; -1 is none."""
    mask = np.zeros(length, bool)
    mask[positions[positions >= 0]] = True
    return mask


def _any(masks: Iterable[np.ndarray], length: int) -> np.ndarray:
    found = np.zeros(length, bool)
    for mask in masks:
        found |= mask
    return found


def _account(file: _File, fates: dict[str, np.ndarray]) -> Account:
    counts = {fate: int(mask.sum()) for fate, mask in fates.items()}
    counts["rejected"] = sum(int(mask.sum()) for mask in file.rejected.values())
    counts["quarantined"] = int(file.bad.sum())
    counts["merged"] = int(file.merged.sum())
    return Account(file.name, file.raw.num_rows, counts)


def _left_out(window: str, entries: list[_LeftOut]) -> pa.Table:
    rows = [
        {
            "window": window,
            "source": entry.file.name,
            "record": entry.position + 1,
            "rules": list(entry.rules),
            "reason": entry.reason,
            "raw": json.dumps(entry.file.raw.slice(entry.position, 1).to_pylist()[0], ensure_ascii=False),
        }
        for entry in sorted(entries, key=lambda entry: (entry.file.name, entry.position))
    ]
    return pa.Table.from_pylist(rows, schema=LEFT_OUT)
