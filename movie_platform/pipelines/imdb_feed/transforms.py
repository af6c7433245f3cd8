"""A verified triplet -> clean rows, and an account of every record that is not among them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.csv_files.cells import blank_as_null, read_column
from movie_platform.pipelines.imdb_feed.summaries import Account
from movie_platform.pipelines.imdb_feed.tables import IMDB_CLEAN, TRIPLET, TYPE_A, DeliveredFile
from movie_platform.pipelines.imdb_feed.verification import Records, Triplet, file_name
from movie_platform.table import ValueCheck

if TYPE_CHECKING:
    import pandera.pandas as pandera

REJECT_SCHEMA = pa.schema(
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
class CleanWindow:
    """A window's clean rows, what was left out of them, and the account of each file."""

    window: str
    rows: pa.Table
    rejects: pa.Table
    bad_records: pa.Table
    accounts: tuple[Account, ...]

    @property
    def conserved(self) -> bool:
        """Whether each file's account adds up, and the tables hold as many rows as the accounts say."""
        movies, pairs, people = (account.fates for account in self.accounts)
        return (
            all(account.conserved for account in self.accounts)
            and pairs["out"] == self.rows.num_rows
            and sum(fates["rejected"] for fates in (movies, pairs, people)) == self.rejects.num_rows
            and sum(fates["quarantined"] for fates in (movies, pairs, people)) == self.bad_records.num_rows
        )

    @property
    def broken_rules(self) -> dict[str, int]:
        """How many records broke each row rule."""
        counts = pc.list_flatten(self.bad_records["rules"]).value_counts()
        return {pair["values"].as_py(): pair["counts"].as_py() for pair in counts}


@dataclass(frozen=True, eq=False)
class _Judged:
    """One file's records in their types, and which of them are out by themselves, whatever the other files hold."""

    kind: DeliveredFile
    raw: pa.Table
    typed: Mapping[str, pa.Array]
    broken: Mapping[str, np.ndarray]
    """Per row rule the records that break it."""
    bad: np.ndarray
    """Records that break a row rule."""
    merged: np.ndarray
    """Records that equal an earlier one."""
    conflicting: np.ndarray
    """Records whose id others have too, with other content."""
    usable: np.ndarray

    def __len__(self) -> int:
        return len(self.usable)


def clean(triplet: Triplet) -> CleanWindow:
    """Judge the records of each file, join movies, pairs and people, and account for every record.

    Records that are equal in every cell merge into one; records that share an id and differ are rejected, all of them,
    since nobody can say which is right. The rows come in the order of type_A, then of type_B.
    """
    movies, pairs, people = (_judged(triplet.records[kind.type]) for kind in TRIPLET)
    director, is_known = _directors(pairs, people)
    movie = _position(pairs.typed["movie_id"], movies.typed["id"], movies.usable)
    is_delivered = movie >= 0
    if not movies.usable.all():
        everything = np.ones(len(movies), bool)
        is_delivered = _position(pairs.typed["movie_id"], movies.typed["id"], everything) >= 0

    of_delivered = pairs.usable & is_delivered
    joined = of_delivered & (director >= 0) & (movie >= 0)
    has_director = _marked(movie[pairs.usable], len(movies))
    has_known_director = _marked(movie[joined], len(movies))
    referenced = _marked(director[joined], len(people))

    rejected = (
        {
            "other records have the same id and differ": movies.conflicting,
            "it has no director in type_B": movies.usable & ~has_director,
            "none of its directors is in type_C": movies.usable & has_director & ~has_known_director,
        },
        {
            "type_C has no such person": of_delivered & ~is_known,
            "its person is rejected or quarantined": of_delivered & is_known & (director < 0),
            "its movie is rejected or quarantined": of_delivered & (director >= 0) & (movie < 0),
        },
        {"other records have the same id and differ": people.conflicting},
    )
    fates = (
        {"out": has_known_director},
        {"out": joined, "of other deliveries' movies": pairs.usable & ~is_delivered},
        {"referenced": referenced, "unreferenced": people.usable & ~referenced},
    )
    window, files = triplet.window, (movies, pairs, people)
    return CleanWindow(
        window,
        _rows(movies, pairs, people, movie, director, joined),
        rejects=_left_out(window, [(f, *_reasons(found)) for f, found in zip(files, rejected, strict=True)]),
        bad_records=_left_out(window, [(f, *_broken_rules(f)) for f in files]),
        accounts=tuple(_account(window, *parts) for parts in zip(files, fates, rejected, strict=True)),
    )


def _judged(records: Records) -> _Judged:
    return _judge_once(records) if records.is_remembered else _judge(records)


def _judge(records: Records) -> _Judged:
    """Cast every cell, apply the row rules, and find equal and conflicting records."""
    kind, raw = records.kind, records.table
    typed: dict[str, pa.Array] = {}
    broken: dict[str, np.ndarray] = {}
    for name, type_ in kind.columns.items():
        cells = _single(raw[name])
        typed[name], unreadable = read_column(cells, type_)
        broken[f"{name}_is_a_{'whole_' if pa.types.is_integer(type_) else ''}number"] = unreadable
        if name in kind.required:
            broken[f"{name}_not_null"] = _nulls(blank_as_null(cells))
        for check in kind.checks.get(name, ()):
            broken[check.name] = breaks_check(check, typed[name])
    broken = {rule: mask for rule, mask in broken.items() if mask.any()}
    bad = _any(broken.values(), raw.num_rows)
    merged = _repeats(typed, bad)
    conflicting = _conflicts(typed["id"], ~bad & ~merged) if "id" in typed else np.zeros(raw.num_rows, bool)
    return _Judged(kind, raw, typed, broken, bad, merged, conflicting, ~bad & ~merged & ~conflicting)


_judge_once = lru_cache(maxsize=6)(_judge)


def _nulls(cells: pa.Array) -> np.ndarray:
    return _breaks(_not_null(), cells) if cells.null_count else np.zeros(len(cells), bool)


@cache
def _not_null() -> "pandera.Check":
    from movie_platform.pandera_alone import pandera

    return pandera.Check(lambda cells: cells.notna(), name="not_null", ignore_na=False)


def breaks_check(check: ValueCheck, values: pa.Array) -> np.ndarray:
    """The positions that break the check; Pandera finds them where the extremes do not show that there are none."""
    extremes = pc.min_max(values).as_py()
    if extremes["min"] is None or check.allows_between(extremes["min"], extremes["max"]):
        return np.zeros(len(values), bool)
    return _breaks(check.pandera, values)


def _breaks(check: "pandera.Check", values: pa.Array) -> np.ndarray:
    """The positions whose value does not satisfy a Pandera check; a check that ignores nulls does not judge them."""
    import pandas as pd

    series = pd.Series(values.to_numpy(zero_copy_only=False))
    passed = check(series).check_output
    if len(passed) < len(series):
        passed = passed.reindex(series.index, fill_value=True)
    broken: np.ndarray = ~passed.to_numpy(bool)
    return broken


@lru_cache(maxsize=2)
def _directors(pairs: _Judged, people: _Judged) -> tuple[np.ndarray, np.ndarray]:
    """For each pair the usable record of its person, -1 where there is none, and whether type_C has one at all."""
    usable = _position(pairs.typed["person_id"], people.typed["id"], people.usable)
    if people.usable.all():
        return usable, usable >= 0
    return usable, _position(pairs.typed["person_id"], people.typed["id"], np.ones(len(people), bool)) >= 0


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _repeats(typed: Mapping[str, pa.Array], bad: np.ndarray) -> np.ndarray:
    """Which good records equal an earlier good one in every cell."""
    repeats = np.zeros(len(bad), bool)
    first = next(iter(typed.values()))
    if pc.count_distinct(first, mode="all").as_py() == len(first):
        return repeats
    good = np.flatnonzero(~bad)
    import pandas as pd

    codes = {name: _codes(values.take(pa.array(good))) for name, values in typed.items()}
    repeats[good] = pd.DataFrame(codes).duplicated(keep="first").to_numpy()
    return repeats


def _codes(values: pa.Array) -> np.ndarray:
    """Equal numbers for equal values; numbers themselves would lose digits beside a null."""
    codes: np.ndarray = pc.fill_null(pc.dictionary_encode(values).indices, -1).to_numpy(zero_copy_only=False)
    return codes


def _conflicts(ids: pa.Array, left: np.ndarray) -> np.ndarray:
    """Which of the records that are left share their id with another one of them."""
    shared = np.zeros(len(left), bool)
    if pc.count_distinct(ids, mode="all").as_py() == len(ids):
        return shared
    import pandas as pd

    positions = np.flatnonzero(left)
    shared[positions] = pd.Series(ids.take(pa.array(positions)).to_numpy()).duplicated(keep=False).to_numpy()
    return shared


def _position(wanted: pa.Array, ids: pa.Array, usable: np.ndarray) -> np.ndarray:
    """For each wanted id the record that holds it, -1 where no usable one does."""
    positions = np.flatnonzero(usable)
    if not len(positions):
        return np.full(len(wanted), -1)
    held = ids if len(positions) == len(ids) else ids.take(pa.array(positions))
    found = pc.fill_null(pc.index_in(wanted, value_set=held, skip_nulls=True), -1).to_numpy(zero_copy_only=False)
    return np.where(found >= 0, positions[found], -1)


def _rows(
    movies: _Judged, pairs: _Judged, people: _Judged, movie: np.ndarray, director: np.ndarray, joined: np.ndarray
) -> pa.Table:
    pair = np.flatnonzero(joined)
    pair = pair[np.argsort(movie[pair], kind="stable")]
    columns = {
        **_taken(movies, [name for name in TYPE_A.columns if name != "id"], movie[pair]),
        **_taken(pairs, ["movie_id", "person_id"], pair),
        **_taken(people, ["imdb_person_id", "full_name"], director[pair]),
    }
    columns["director_name"] = columns.pop("full_name")
    return pa.table([columns[name] for name in IMDB_CLEAN.column_names], schema=IMDB_CLEAN.arrow_schema)


def _taken(file: _Judged, names: list[str], positions: np.ndarray) -> dict[str, pa.Array]:
    batch = pa.record_batch([file.typed[name] for name in names], names=names).take(pa.array(positions))
    return dict(zip(names, batch.columns, strict=True))


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


def _account(
    window: str, file: _Judged, fates: Mapping[str, np.ndarray], rejected: Mapping[str, np.ndarray]
) -> Account:
    counts = {fate: int(mask.sum()) for fate, mask in fates.items()}
    counts["rejected"] = sum(int(mask.sum()) for mask in rejected.values())
    counts["quarantined"] = int(file.bad.sum())
    counts["merged"] = int(file.merged.sum())
    return Account(file_name(window, file.kind), len(file), counts)


_Why = dict[int, tuple[tuple[str, ...], str]]
"""Per record the rules that it broke, and the reason in words."""


def _reasons(rejected: Mapping[str, np.ndarray]) -> tuple[np.ndarray, _Why]:
    """The rejected records, and for each the rule and the reason, which here are one."""
    why: _Why = {int(at): ((reason,), reason) for reason, mask in rejected.items() for at in np.flatnonzero(mask)}
    return np.array(sorted(why), int), why


def _broken_rules(file: _Judged) -> tuple[np.ndarray, _Why]:
    """The quarantined records, and for each the rules that it breaks."""
    positions = np.flatnonzero(file.bad)
    rules = {int(at): tuple(rule for rule, mask in file.broken.items() if mask[at]) for at in positions}
    return positions, {at: (broken, "breaks " + ", ".join(broken)) for at, broken in rules.items()}


def _left_out(window: str, found: list[tuple[_Judged, np.ndarray, dict[int, tuple[tuple[str, ...], str]]]]) -> pa.Table:
    rows = []
    for file, positions, why in found:
        if not len(positions):
            continue
        source = file_name(window, file.kind)
        for at, cells in zip(positions.tolist(), file.raw.take(pa.array(positions)).to_pylist(), strict=True):
            rules, reason = why[at]
            raw = json.dumps(cells, ensure_ascii=False)
            row = {"window": window, "source": source, "record": at + 1, "rules": list(rules), "reason": reason}
            rows.append({**row, "raw": raw})
    return pa.Table.from_pylist(rows, schema=REJECT_SCHEMA) if rows else REJECT_SCHEMA.empty_table()
